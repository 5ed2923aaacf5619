"""A recorded stretch judged at once: the same numbers as stepping the chain window by window, many times as fast."""

from __future__ import annotations

import numpy as np

from detectors.budget import calendar, tail, wander
from detectors.budget.calibrated import Calibration
from detectors.budget.history import History
from detectors.budget.rare import hour_of
from detectors.budget.replay import Tape, pages
from detectors.budget.series import series
from detectors.budget.slots import slot_of_week


def tape_of(calibration: Calibration, history: History) -> Tape:
    """What the bets see of a stretch that follows the reference; filters start from the season, as in `Chain.zero`."""
    c = calibration
    signed, rate = c.shape.signed, c.shape.rate
    x = calendar.columns(history.start_ms + history.window_ms // 2, c.options.timezone, c.days)
    past = series(c.shape, c.cadences, history, x, np.zeros(len(x), np.int64), [c.learnt.gamma])
    rest = np.where(signed, past.value / np.sqrt(np.maximum(past.events, 1.0)), past.value)
    end = history.start_ms + history.window_ms
    steps = np.diff(end, prepend=end[0] - history.window_ms) / history.window_ms
    cadence = np.array([s.cadence for s in c.shape.streams])
    for k in c.cadences:
        mine = np.flatnonzero(cadence == k)
        rest[:, mine] -= calendar.columns(end - k * history.window_ms // 2, c.options.timezone, c.days) @ c.learnt.season[:, mine]
    slot = slot_of_week(history.start_ms + history.window_ms // 2, c.options.timezone, history.window_ms)
    rest[:, c.learnt.sharp] -= c.learnt.slots[slot]
    hour = hour_of(history.start_ms + history.window_ms // 2, c.options.timezone, c.days)
    inverse = np.where(signed, 1 / np.maximum(past.events, 1.0), 1.0)
    u = wander.innovations(c.wander, rest, inverse, past.seen & ~rate, steps[:, None] / cadence)
    z = np.where(rate, past.value, tail.straighten(u, c.learnt.tails))
    return Tape(z, past.events, past.elapsed, rate, c.learnt.dead, c.learnt.cost, c.learnt.upper[hour])


def pages_of(calibration: Calibration, history: History, thresholds: tuple[float, ...] | None = None) -> list[list[int]]:
    """Windows (rows of the history) at which the model would have paged, for each threshold in windows (None: its own)."""
    c = calibration
    return pages(tape_of(c, history), c.learnt.kappa, c.clip, c.weights, thresholds or (c.threshold,))
