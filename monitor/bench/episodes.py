"""One model of the detection bench: calibrated, watched for a quiet month, then made to drift."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from detectors.budget.calibrated import AUTO
from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.chain import Chain, Lead
from detectors.budget.history import History
from detectors.budget.walk import pages_of
from detectors.layout import Column
from detectors.testing.steps import walk
from detectors.testing.traffic import DAY_MS, DRIFTS, WINDOW_MS, Drift, draw
from monitor.bench import sequences
from monitor.bench.cases import CASES
from monitor.bench.peers import largest, usual_shares

DAY = DAY_MS // WINDOW_MS
BEFORE = 40  # quiet windows before each drift
Cell: TypeAlias = dict[str, Any]


def quiet_month(case: str, seed: int, features: int, days: int, live: int) -> Cell:
    """One model: calibrated, then watched for a month without drift."""
    what = CASES[case]
    columns, past, month = drawn(case, seed, features, days, live)
    began = time.process_time()
    calibration = calibrate(columns, past, Options(WINDOW_MS, what.timezone))
    spent = time.process_time() - began
    budget = calibration.options.budget_ms / WINDOW_MS
    levels = (calibration.threshold, budget, budget / 10)
    began = time.process_time()
    judged = stepped if what.timezone == AUTO else pages_of  # only a chain tries other clocks
    own, whole, tenth = (len(p) for p in judged(calibration, month, levels))
    return {
        "case": case, "row": what.row, "seed": seed, "months": live / 30, "pages": own, "pages_at_budget": whole, "pages_at_tenth": tenth,
        "calibration_s": spent, "month_s": time.process_time() - began, "calibration_bytes": len(calibration.pack()),
        "clip": calibration.clip, **{name: calibration.report[name] for name in ("inflated_share", "sharp", "factors", "wider")},
        **cost(calibration, month),
    }  # fmt: skip


def drifting(case: str, seed: int, features: int, days: int, live: int, drifts: tuple[str, ...], starts: int) -> Cell:
    """The same model, and what goes wrong with it after that month."""
    what = CASES[case]
    columns, past, month = drawn(case, seed, features, days, live)
    calibration = calibrate(columns, past, Options(WINDOW_MS, what.timezone))
    quiet = Quiet(columns, month, usual_shares(columns, past))
    rng = np.random.default_rng([seed, 7])
    day = what.first_day + days + live + 1
    return {
        "case": case, "seed": seed, "life": life(calibration, case, features, seed, day),
        "drifts": [episode(calibration, quiet, d, case, seed, int(rng.integers(0, DAY)), k, day) for d in drifts for k in range(starts)],
    }  # fmt: skip


def drawn(case: str, seed: int, features: int, days: int, live: int) -> tuple[list[Column], History, History]:
    """Columns, reference and the quiet month after it."""
    kind, first = CASES[case].traffic, CASES[case].first_day
    columns, past = draw(kind, features, days * DAY, seed, world=seed, start_ms=first * DAY_MS)
    return columns, past, draw(kind, features, live * DAY, seed + 10_000, world=seed, start_ms=(first + days) * DAY_MS)[1]


def stepped(calibration: Calibration, history: History, thresholds: tuple[float, ...]) -> list[list[int]]:
    """`pages_of` window by window, because only a chain tries other clocks. Thresholds below the first count their first page only."""
    chain = Chain(calibration)
    state = chain.zero()
    found: list[list[int]] = [[] for _ in thresholds]
    for row, start in enumerate(history.start_ms):
        state, reading = chain.step(state, int(start), {n: t[row] for n, t in history.counts.items()})
        over = [10**reading.log10_m >= level for level in thresholds]
        for rows, high in zip(found, over, strict=True):
            if high and (not rows or rows is found[0]):
                rows.append(row)
        state = chain.reset(state) if over[0] else state
    return found


class Quiet:
    """The null month as the peers see it: their thresholds, and the windows that warm the sequential ones."""

    def __init__(self, columns: list[Column], month: History, usual: Mapping[str, Any]) -> None:
        self.columns, self.usual = columns, usual
        self.limits = {name: float(values.max()) for name, values in largest(columns, month, usual).items()}
        self.month = sequences.means(columns, month, usual)
        self.sequential = sequences.peers(self.month)

    def row(self, offset: int) -> int:
        """A late row of the month at that window of the day."""
        _, windows = self.month.values.shape
        return (int(windows) // DAY - 1) * DAY + offset

    def delays(self, stretch: History, offset: int, features: int) -> dict[str, int | None]:
        """Windows from the drift's onset to each peer's first alarm, None where there is none."""
        found: dict[str, int | None] = {}
        for name, values in largest(self.columns, stretch, self.usual).items():
            above = np.flatnonzero(values[BEFORE:] > self.limits[name])
            found[name] = int(above[0]) + 1 if len(above) else None
        live = sequences.means(self.columns, stretch, self.usual, self.month)
        for name, peer in self.sequential.items():
            found[name] = peer.first(self.month, self.row(offset), live, BEFORE, features)
        return found


def episode(calibration: Calibration, quiet: Quiet, drift: str, case: str, seed: int, offset: int, k: int, day: int) -> Cell:
    """One drift that begins at some time of day: when it was found, by us and by the peers, and what was said of it."""
    what, horizon = DRIFTS[drift]
    columns = quiet.columns
    start = (day + 3 * k) * DAY_MS + offset * WINDOW_MS
    fate = seed + 20_000 + 1000 * k + sum(drift.encode()) % 997
    _, stretch = draw(CASES[case].traffic, len(columns), BEFORE + horizon, fate, world=seed, start_ms=start, drift=what, onset=BEFORE)
    rows = [row for row in pages_of(calibration, stretch)[0] if row >= BEFORE]
    found: Cell = {
        "drift": drift,
        "horizon": horizon,
        "delay": rows[0] - BEFORE + 1 if rows else None,
        **quiet.delays(stretch, offset, what.features),
    }
    if rows:
        lead, early = first_lead(calibration, stretch, rows[0])
        drifted = {c.subject for c in columns[: what.features]}
        found |= {
            "early": early,
            "first": lead.subject in drifted,
            "onset_error": (lead.onset_ms - int(stretch.start_ms[BEFORE])) / WINDOW_MS,
        }
    return found


def first_lead(calibration: Calibration, stretch: History, page: int) -> tuple[Lead, bool]:
    """What the page says, and whether there had been one before the drift began."""
    chain = Chain(calibration)
    state, early, reading = chain.zero(), False, None
    for row in range(page + 1):
        state, reading = chain.step(state, int(stretch.start_ms[row]), {n: t[row] for n, t in stretch.counts.items()})
        if reading.log10_m >= reading.log10_a and row < page:
            early, state = True, chain.reset(state)
    assert reading is not None
    return reading.leads[0], early


def life(calibration: Calibration, case: str, features: int, seed: int, day: int) -> Cell:
    """A drift of three days: pages, and how long after its end it was called recovered (windows)."""
    kind, start, lasts = CASES[case].traffic, (day + 60) * DAY_MS, 3 * DAY
    bad, good = (draw(kind, features, lasts + DAY, seed + 30_000, world=seed, start_ms=start, drift=d)[1] for d in (Drift(shift=0.5), None))
    counts = {n: np.concatenate([bad.counts[n][:lasts], good.counts[n][lasts:]]) for n in bad.counts}
    chain = Chain(calibration)
    state, opened, pages, recovered = chain.zero(), False, 0, None
    for row, begin in enumerate(bad.start_ms):
        state, reading = chain.step(state, int(begin), {n: t[row] for n, t in counts.items()})
        if opened and reading.recovered:
            opened, recovered, state = False, row - lasts, chain.thaw(chain.reset(state))
        elif not opened and reading.log10_m >= reading.log10_a:
            opened, pages, state = True, pages + 1, chain.freeze(chain.reset(state), reading.leads)
    return {"pages": pages, "open": opened, "recovered": recovered}


def cost(calibration: Calibration, month: History) -> Cell:
    """Milliseconds to close a window, and bytes of moving state."""
    chain, rows = Chain(calibration), min(288, len(month.start_ms))
    part = History(month.start_ms[:rows], month.window_ms, {n: t[:rows] for n, t in month.counts.items()})
    began = time.process_time()
    *_, (_, state, _) = walk(chain, part)
    return {"step_ms": 1000 * (time.process_time() - began) / rows, "state_bytes": len(state.pack())}
