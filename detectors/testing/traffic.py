"""Traffic without events: counts of closed windows, drawn directly, so that months of it take seconds.

Every feature is a latent normal variable cut into cells. Its mean moves with the hour (season), with slow wander, with office
hours; its cells may be many and equal, few and heaped, or hold an atom at zero. Days begin at the epoch, which was a Thursday.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from detectors.budget.calendar import local
from detectors.budget.history import History
from detectors.layout import Column, columns_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WINDOW_MS = 300_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is normal. Sizes in sd of a feature; `rho` per window of five minutes; `volume` busiest over quietest hour.

    `bursts` chance per window of a glitch of `burst` sd in one feature; `office` size of sharp daily steps (shifts, lunch, Monday
    mornings); `slow` a second wander of autocorrelation .9985; `odd` mixes in heaped, two-valued, zero-inflated features and categories.
    `timezone` is the one whose clock people live by. `job` sd by which a weekly job of an hour and a half, on Sunday night, moves one
    feature in three.
    """

    events: float = 300.0
    season: float = 0.0
    volume: float = 1.0
    wander: float = 0.0
    rho: float = 0.95
    common: float = 0.0
    slow: float = 0.0
    bursts: float = 0.0
    burst: float = 0.5
    office: float = 0.0
    missing: float = 0.0
    odd: bool = False
    timezone: str = "UTC"
    job: float = 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """What goes wrong, to the first `features` features: `shift` sd (reached over `ramp` windows), `scale` factor, a share `moved` by
    `by` sd, a share `atom` that takes one value, a share `missing` more."""

    shift: float = 0.0
    scale: float = 1.0
    moved: float = 0.0
    by: float = 2.0
    atom: float = 0.0
    missing: float = 0.0
    ramp: int = 0
    features: int = 1


ALL = Scenario(season=0.3, volume=3.0, wander=0.05, common=0.3)
SCENARIOS: dict[str, Scenario] = {
    "iid": Scenario(),
    "wander": Scenario(wander=0.05, rho=0.9),
    "slow wander": Scenario(wander=0.05, rho=0.99),
    "season and volume": Scenario(season=0.3, volume=3.0),
    "all": ALL,
    "all, bursts": Scenario(season=0.3, volume=3.0, wander=0.05, common=0.3, bursts=1 / 288),
    "all, 10x": Scenario(events=3000, season=0.3, volume=3.0, wander=0.05, common=0.3),
    "all, n = 60": Scenario(events=60, season=0.3, volume=3.0, wander=0.05, common=0.3),
    "office": Scenario(season=0.2, volume=4.0, wander=0.05, common=0.3, slow=0.05, office=0.3, missing=0.01, bursts=1 / 288, odd=True),
}
DRIFTS: dict[str, tuple[Drift, int]] = {  # and the windows within which it should be found
    "1 feature mean +0.1 sd": (Drift(shift=0.1), 576),
    "1 feature mean +0.2 sd": (Drift(shift=0.2), 288),
    "1 feature mean +0.5 sd": (Drift(shift=0.5), 144),
    "1 feature mean +1 sd": (Drift(shift=1.0), 72),
    "all features mean +0.1 sd": (Drift(shift=0.1, features=10_000), 288),
    "1 feature scale x1.3": (Drift(scale=1.3), 288),
    "5 % of events at +2 sd": (Drift(moved=0.05), 576),
    "5 % of events at one value": (Drift(atom=0.05), 576),
    "ramp to +0.5 sd over 12 h": (Drift(shift=0.5, ramp=144), 288),
    "missing +3 points": (Drift(missing=0.03), 288),
}


def draw(
    scenario: Scenario, features: int, windows: int, seed: int, *, world: int = 0, start_ms: int = 0, window_ms: int = WINDOW_MS,
    drift: Drift | None = None, onset: int = 0,
) -> tuple[list[Column], History]:  # fmt: skip
    """Columns and counts of `windows` windows from `start_ms` on; the drift begins with window `onset`.

    `world` decides what the features are and what their season looks like, `seed` what happens.

    >>> columns, history = draw(SCENARIOS["all"], features=2, windows=3, seed=1)
    >>> [c.name for c in columns], history.counts["f0"].shape
    (['f0', 'f1'], (3, 69))
    """
    rng = np.random.default_rng([seed, 1])
    at = start_ms + window_ms * np.arange(windows, dtype=np.int64)
    wall = local(at, scenario.timezone)
    n = rng.poisson(scenario.events * _volume(scenario, wall), windows)
    shared = _wander(rng, scenario.rho, windows)
    columns: list[Column] = []
    counts: dict[str, Ints] = {}
    for i in range(features):
        fate = np.random.default_rng([world, i])
        mean = _season(scenario, fate, wall)
        own, slow = _wander(rng, scenario.rho, windows), _wander(rng, 0.9985, windows)
        mean += scenario.wander * (np.sqrt(scenario.common) * shared + np.sqrt(1 - scenario.common) * own) + scenario.slow * slow
        if scenario.bursts and np.random.default_rng([world, i, 1]).random() < 0.2:  # the same features always: else a glitch is news
            mean += scenario.burst * rng.choice((-1, 1), windows) * (rng.random(windows) < scenario.bursts)
        hit = drift if drift is not None and i < drift.features else None
        kind = KINDS[int(fate.integers(len(KINDS)))] if scenario.odd and i else "plain"
        columns += columns_of(f"f{i}", "categorical" if kind == "levels" else "numeric", "inputs")
        shares = _shares(KIND_CELLS[kind], mean, hit, onset)
        lost = scenario.missing * (1 + np.sin(2 * np.pi * (wall % DAY_MS) / DAY_MS + fate.uniform(0, 6))) * fate.uniform(0.2, 1)
        if hit is not None:
            lost = lost + hit.missing * (np.arange(windows) >= onset)
        gone = rng.binomial(n, np.clip(lost, 0, 1))
        table = np.zeros((windows, shares.shape[1] + (4 if kind == "levels" else 5)), np.int64)
        table[:, 0] = gone
        table[:, 4 : 4 + shares.shape[1]] = rng.multinomial(n - gone, shares)
        counts[f"f{i}"] = table
    return columns, History(at, window_ms, counts)


def stationary(features: int, windows: int, events: int, seed: int) -> tuple[list[Column], History]:
    """Independent features, Poisson numbers of `events` per window, nothing ever changing."""
    return draw(Scenario(events=events), features, windows, seed)


# shares of the cells of each kind of feature, at mean zero
KIND_CELLS: dict[str, Floats] = {
    "plain": np.full(64, 1 / 64),
    "heaped": np.array([0.02, 0.05, 0.3, 0.03, 0.02, 0.25, 0.04, 0.15, 0.02, 0.08, 0.03, 0.01]),
    "two-valued": np.array([0.85, 0.15]),
    "zero-inflated": np.r_[0.4, np.full(38, 0.6 / 38)],
    "counts": np.diff(ndtr(np.linspace(-2.5, 2.5, 16)), prepend=0.0, append=1.0)[:-1] / ndtr(2.5),
    "levels": (1 / np.arange(1, 31)) / (1 / np.arange(1, 31)).sum(),
}
KINDS: Sequence[str] = ("plain", "plain", "plain", "heaped", "two-valued", "zero-inflated", "counts", "levels")


def _volume(scenario: Scenario, at: Ints) -> Floats:
    """Factor on the number of events, one on average: a daily wave, quieter at weekends."""
    ratio = (scenario.volume - 1) / (scenario.volume + 1)
    wave = 1 + ratio * np.sin(2 * np.pi * (at % DAY_MS) / DAY_MS - np.pi / 2)
    return wave * np.where(_weekend(at) & (scenario.volume > 1), 0.7, 1.0)


def _weekend(at: Ints) -> NDArray[np.bool_]:
    return np.asarray((at // DAY_MS + 3) % 7 >= 5)


def _season(scenario: Scenario, fate: np.random.Generator, at: Ints) -> Floats:
    day = 2 * np.pi * (at % DAY_MS) / DAY_MS
    phase, second, end = fate.uniform(0, 2 * np.pi), fate.uniform(0, 2 * np.pi), fate.normal()
    size = scenario.season * fate.uniform(0.5, 1.5)
    out = size * (np.sin(day + phase) + 0.4 * np.sin(2 * day + second) + 0.4 * end * _weekend(at))
    if scenario.office:
        hour = (at % DAY_MS) / 3_600_000
        work = ~_weekend(at)
        steps = fate.normal(size=3) * scenario.office
        out = out + steps[0] * (work & (hour >= 8) & (hour < 17.5)) + steps[1] * (work & (hour >= 12) & (hour < 13))
        out = out + steps[2] * (((at // DAY_MS + 3) % 7 == 0) & (hour >= 7) & (hour < 9.5))
    if scenario.job and fate.random() < 1 / 3:
        minute = at % DAY_MS // 60_000
        out = out + scenario.job * (((at // DAY_MS + 3) % 7 == 6) & (minute >= 120) & (minute < 210))
    return np.asarray(out, float)


def _wander(rng: np.random.Generator, rho: float, windows: int) -> Floats:
    """AR(1) of variance 1, in its stationary law from the start."""
    noise = rng.normal(size=windows) * np.sqrt(1 - rho**2)
    noise[0] /= np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], noise), float)


def _shares(cells: Floats, mean: Floats, drift: Drift | None, onset: int) -> Floats:
    """Shares (T, B) of the cells when the latent variable has that mean, and what a drift makes of them."""
    cuts = ndtri(np.cumsum(cells)[:-1])
    sd = np.ones(len(mean))
    on = np.zeros(len(mean))
    if drift is not None:
        since = np.arange(len(mean)) - onset
        on = (since >= 0).astype(float)
        mean = mean + drift.shift * (np.clip((since + 1) / drift.ramp, 0, 1) if drift.ramp else on)
        sd = np.where(on > 0, drift.scale, 1.0)

    def cut(centre: Floats) -> Floats:
        below = ndtr((cuts[None] - centre[:, None]) / sd[:, None])
        return np.diff(below, axis=1, prepend=0.0, append=1.0)

    out = cut(mean)
    if drift is not None and drift.moved:
        out += (drift.moved * on)[:, None] * (cut(mean + drift.by) - out)
    if drift is not None and drift.atom:
        spot = np.zeros(len(cells))
        spot[int(0.7 * len(cells))] = 1.0
        out += (drift.atom * on)[:, None] * (spot - out)
    out = np.maximum(out, 0.0)
    return np.asarray(out / out.sum(1, keepdims=True) * (1 - 1e-12), float)
