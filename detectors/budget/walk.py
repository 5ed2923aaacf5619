"""A recorded stretch judged at once: the same numbers as stepping the chain window by window, many times as fast."""

from __future__ import annotations

import numpy as np

from detectors.budget import calendar, pooled, tail, wander
from detectors.budget.calibrated import Calibration
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.rare import hour_of
from detectors.budget.replay import Tape, elapsed, pages
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
    S, P = len(c.shape.streams), c.pool.size
    below, above = (Wander(*(getattr(c.wander, k)[part] for k in Wander.__slots__)) for part in (slice(S), slice(S, None)))
    u = wander.innovations(below, rest, inverse, past.seen & ~rate, steps[:, None] / cadence)
    z = tail.straighten(u, c.learnt.tails[:, :, :S])
    value, there = pooled.values(c.pool, z, past.seen & ~rate, history.start_ms // history.window_ms)
    one = np.ones(value.shape)
    u = wander.innovations(above, value, one, there, steps[:, None] / c.pool.cadence)
    return Tape(
        np.c_[np.where(rate, past.value, z), tail.straighten(u, c.learnt.tails[:, :, S:])], np.c_[past.events, there],
        np.c_[past.elapsed, elapsed(end / history.window_ms, there, history.start_ms[0] / history.window_ms)],
        np.r_[rate, np.zeros(P, bool)], c.learnt.dead, c.learnt.cost, np.c_[c.learnt.upper[hour], one],
    )  # fmt: skip


def pages_of(calibration: Calibration, history: History, thresholds: tuple[float, ...] | None = None) -> list[list[int]]:
    """Windows (rows of the history) at which the model would have paged, for each threshold in windows (None: its own)."""
    c = calibration
    return pages(tape_of(c, history), c.learnt.kappa, c.clip, c.weights, thresholds or (c.threshold,))
