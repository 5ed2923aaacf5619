"""A recorded stretch judged at once: the same numbers as stepping the chain window by window, many times as fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar, dispersion, pooled, slots, tail, wander
from detectors.budget.calibrated import Calibration
from detectors.budget.history import History
from detectors.budget.rare import hour_of, swell
from detectors.budget.replay import elapsed, pages
from detectors.budget.series import Series, series
from detectors.budget.sums import Tape

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Left:
    """A stretch as residuals: what season leaves of every stream (T, S), `past` itself, 1/n, the rates' hours (T,) and what habits of the
    clock make of their limits `swell` (T, R), window ends (T,)."""

    past: Series
    rest: Floats
    inverse: Floats
    hour: NDArray[np.int64]
    swell: Floats
    end: Floats

    def limits(self, upper: Floats, rate: Flags) -> Floats:
        """Limits of the rates at each row (T, R), moods apart, from those of the hours `upper` (hours, S)."""
        out: Floats = upper[:, rate][self.hour] * self.swell
        return out

    def part(self, rows: slice) -> Left:
        """Some of its rows."""
        p = self.past
        past = Series(p.value[rows], p.effect[rows], p.events[rows], p.elapsed[rows])
        return Left(past, self.rest[rows], self.inverse[rows], self.hour[rows], self.swell[rows], self.end[rows])


def left_of(calibration: Calibration, history: History) -> Left:
    """What the calibration's season leaves of a stretch."""
    c, zone, window = calibration, calibration.zone, history.window_ms
    signed = c.shape.signed
    centre = history.start_ms + window // 2
    x = calendar.columns(centre, zone, c.days)
    past = series(c.shape, c.cadences, history, x, np.zeros(len(x), np.int64), [c.learnt.gamma])
    rest = np.where(signed, past.value / np.sqrt(np.maximum(past.events, 1.0)), past.value)
    end = history.start_ms + window
    cadence = np.array([s.cadence for s in c.shape.streams])
    for k in c.cadences:
        mine = np.flatnonzero(cadence == k)
        rest[:, mine] -= calendar.columns(end - k * window // 2, zone, c.days) @ c.learnt.season[:, mine]
    habits = slots.of(c.learnt, len(c.shape.streams), centre, zone, window)
    rest -= habits
    inverse = np.where(signed, 1 / np.maximum(past.events, 1.0), 1.0)
    return Left(past, rest, inverse, hour_of(centre, zone, c.days), swell(habits[:, c.shape.rate]), end / window)


def tape_of(calibration: Calibration, left: Left) -> Tape:
    """What the bets see of a stretch that follows the reference; filters start from the season, as in `Chain.zero`."""
    c, past = calibration, left.past
    rate = c.shape.rate
    steps = np.diff(left.end, prepend=left.end[0] - 1)
    cadence = np.array([s.cadence for s in c.shape.streams])
    S = len(c.shape.streams)
    below, above = c.wander.split(S)
    u = wander.innovations(below, left.rest, left.inverse, past.seen & ~rate, steps[:, None] / cadence)
    z = tail.straighten(u, c.learnt.tails[:, :, :S])
    value, there = pooled.values(c.pool, z, past.seen & ~rate, np.round(left.end).astype(np.int64) - 1)
    hits, events = past.value[:, rate], past.events[:, rate]
    limit, size = dispersion.predicted(below, rate, hits, events, left.limits(c.learnt.upper, rate), steps)
    tape = Tape(np.where(rate, past.value, z), past.elapsed, rate, c.learnt.dead[:S], c.learnt.cost[:S], events * limit, size)
    u = wander.innovations(above, value, np.ones(value.shape), there, steps[:, None] / c.pool.cadence)
    z = tail.straighten(u, c.learnt.tails[:, :, S:])
    return tape.followed_by(z, elapsed(left.end, there, left.end[0] - 1), c.learnt.dead[S:], c.learnt.cost[S:])


def pages_of(calibration: Calibration, history: History, thresholds: tuple[float, ...] | None = None) -> list[list[int]]:
    """Windows (rows of the history) at which the model would have paged, for each threshold in windows (None: its own)."""
    c = calibration
    return pages(tape_of(c, left_of(c, history)), c.learnt.kappa, c.clip, c.weights, thresholds or (c.threshold,))
