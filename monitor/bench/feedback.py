"""A model whose null law is broken, and an owner who says so: does every answer "false" teach enough?

The reference is white noise; from then on every feature's location wanders, so that `share` of the variance of a window's score is an
AR(1) of autocorrelation `rho` per window that the reference did not have. Every page is answered "false" at once: ln A grows by
0.7, which decays at that pace a budget period, and the null law is fitted again, at once and every night until a week has
passed without a page. A refit that replays calm takes ln A back to one such step at most. To pass: at most 2 pages in the third month.

Measured with 4 features, pages by month: 3, 0, 0 at rho .9 and share .1; 4, 0, 0 at rho .95 and share .2; A back at nominal, and a shift of
half an sd found in one window at the end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detectors.budget.chain import Chain, State
    from detectors.budget.history import History

MONTH_DAYS, REFERENCE_DAYS, RECENT_DAYS = 30, 28, 28
STEP = 0.7  # nats on top of ln A after each false page
CASES = ((0.9, 0.1), (0.95, 0.2))


def feedback(seeds: int = 1, months: int = 3, features: int = 6) -> dict[str, float]:
    """Pages by month and refits for each kind of wander, means over `seeds`; seconds per refit are not told, they depend on the company."""
    out: dict[str, float] = {}
    for rho, share in CASES:
        lives = [live(rho, share, seed, months, features) for seed in range(1, seeds + 1)]
        name = f"rho {rho:g}, share {share:g}"
        for month in range(months):
            out[f"false pages in month {month + 1}, {name}"] = sum(life.pages[month] for life in lives) / seeds
        out[f"refits, {name}"] = sum(life.refits for life in lives) / seeds
        out[f"A over nominal at the end, {name}"] = sum(math.exp(life.boost) for life in lives) / seeds
        out[f"windows to a shift of 0.5 sd at the end, {name}"] = sum(life.delay for life in lives) / seeds
    return out


@dataclass(frozen=True, slots=True)
class Life:
    """Pages by month, refits, nats on top of ln A at the end, and windows until a shift of half an sd is then found."""

    pages: tuple[int, ...]
    refits: int
    boost: float
    delay: int


def live(rho: float, share: float, seed: int, months: int, features: int, events: float = 300.0) -> Life:
    """One model through its months, window by window."""
    import numpy as np

    from detectors.budget.calibration import Options, calibrate
    from detectors.budget.chain import Chain
    from detectors.budget.effects import LOCATION_SLOPE
    from detectors.budget.history import History
    from detectors.budget.refit import refit
    from detectors.testing.traffic import DAY_MS, WINDOW_MS, Drift, Scenario, draw

    size = math.sqrt(share / (1 - share) / events) / LOCATION_SLOPE
    moody = Scenario(events=events, wander=size, rho=rho)
    columns, past = draw(Scenario(events=events), features, REFERENCE_DAYS * 288, seed, world=seed)
    start_ms = REFERENCE_DAYS * DAY_MS
    future = draw(moody, features, months * MONTH_DAYS * 288, seed + 1, world=seed, start_ms=start_ms)[1]
    counts = {name: np.concatenate([past.counts[name], future.counts[name]]) for name in past.counts}
    whole = History(np.concatenate([past.start_ms, future.start_ms]), WINDOW_MS, counts)

    chain = Chain(calibrate(columns, past, Options(WINDOW_MS)))
    state, pages, refits, boost = chain.zero(), [0] * months, 0, 0.0
    first_ms, last_ms = None, -math.inf
    for row in range(len(past.start_ms), len(whole.start_ms)):
        now_ms = int(whole.start_ms[row]) + WINDOW_MS
        state, reading = chain.step(state, now_ms - WINDOW_MS, {name: table[row] for name, table in counts.items()})
        boost = max(0.0, boost - STEP * WINDOW_MS / chain.calibration.options.budget_ms)
        paged = reading.log10_m >= reading.log10_a + boost / math.log(10)
        if paged:
            pages[(now_ms - WINDOW_MS - start_ms) // (MONTH_DAYS * DAY_MS)] += 1
            boost += STEP
            first_ms, last_ms = first_ms or now_ms, now_ms
            state = chain.reset(state)
        if first_ms is not None and (paged or (now_ms % DAY_MS == 0 and now_ms - last_ms < 7 * DAY_MS)):
            rows = slice(max(0, row + 1 - RECENT_DAYS * 288), row + 1)
            recent = History(whole.start_ms[rows], WINDOW_MS, {name: table[rows] for name, table in counts.items()})
            chain = Chain(refit(chain.calibration, recent, first_ms))
            state = chain.adopt(state)
            told = chain.calibration.report["refit"]
            boost = min(boost, STEP) if told["calm"] else boost
            refits += 1
            print(f"rho {rho:g}, day {(now_ms - start_ms) / DAY_MS:.1f}: pages {pages}, {told}", file=sys.stderr, flush=True)
    end_ms = int(whole.start_ms[-1]) + WINDOW_MS
    worse = draw(moody, features, 288, seed + 2, world=seed, start_ms=end_ms, drift=Drift(shift=0.5))[1]
    return Life(tuple(pages), refits, boost, next(_found(chain, chain.reset(state), worse, boost), 288))


def _found(chain: Chain, state: State, history: History, boost: float) -> Iterator[int]:
    """Windows after which the chain would page."""
    from detectors.testing.steps import walk

    for row, _, reading in walk(chain, history, state):
        if reading.log10_m >= reading.log10_a + boost / math.log(10):
            yield row + 1
