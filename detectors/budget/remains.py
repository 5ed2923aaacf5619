"""What is left of the season in the streams once their cells have theirs: coefficients, habits of the clock, and residuals out of fold.

Streams know nothing of each other here, so they are taken a few at a time: what is worked on stays small, however many columns a
model has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar, rare, season, slots
from detectors.budget.calendar import Zone
from detectors.budget.history import History
from detectors.budget.series import Series
from detectors.streams.shape import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
STREAMS_AT_ONCE = 64  # streams: their month of five minutes is 4 MB


@dataclass(frozen=True, slots=True)
class Season:
    """Coefficients `beta` (P, S), `habits` of all streams, columns `spent` per stream (S,), limits of the rates `upper` (hours, S)."""

    beta: Floats
    habits: slots.Habits
    spent: Floats
    upper: Floats


def rest_of_season(frozen: Shape, past: Series, history: History, fold: Ints, zone: Zone) -> tuple[Season, Floats]:
    """What is left of the season in the streams, and their residuals out of `fold` (T, S), zero for rare rates."""
    signed, rate = frozen.signed, frozen.rate
    groups = calendar.groups(history.days)
    part, fold_of_part = _parts(history, fold)
    times = slots.Times.of(history.start_ms + history.window_ms // 2, zone, history.window_ms)
    cadence = np.array([s.cadence for s in frozen.streams])
    S = len(cadence)
    habits = slots.Habits.none(times, S)
    beta, rest, used = np.zeros((len(groups), S)), np.zeros(past.value.shape), np.ones(S)
    for c in np.unique(cadence[~rate]):
        middle = history.start_ms + history.window_ms - int(c) * history.window_ms // 2
        x = calendar.columns(middle, zone, history.days)
        for mine in portions(np.flatnonzero((cadence == c) & ~rate)):
            noise, seen = signed[mine].astype(float), past.events[:, mine] > 0
            y = linear(signed[mine], past.value[:, mine], past.events[:, mine])
            weight = np.where(signed[mine], past.events[:, mine], seen)
            sums = season.days(x, y, weight, part)
            beta[:, mine], used[mine] = season.solve(sums, np.ones(len(sums.A), bool), groups)
            for f in np.unique(fold):
                apart, _ = season.solve(sums, fold_of_part != f, groups)
                inside = fold == f
                left = y - x @ apart
                if c == 1:
                    without = slots.fit(left[~inside], weight[~inside], noise, times.part(~inside), history.days)
                    left[inside] -= without.at(times.part(inside))
                rest[np.ix_(inside, mine)] = np.where(seen, left, 0.0)[inside]
            if c == 1:
                habits.put(mine, slots.fit(y - x @ beta[:, mine], weight, noise, times, history.days))
    upper = _limits(past, np.flatnonzero(rate), times, history, zone, habits)
    return Season(single(beta), habits.rounded(), used + np.where(rate, 0.0, habits.spent), upper), rest


def _parts(history: History, fold: Ints) -> tuple[Ints, Ints]:
    """What may be left out as a whole, numbered (T,), and the fold of each: days, or folds where whole days cannot be left out."""
    if history.days < 4:
        return fold, np.arange(int(fold.max()) + 1)
    part = np.unique(days(history), return_inverse=True)[1].astype(np.int64)
    return part, fold[np.searchsorted(part, np.arange(int(part.max()) + 1))]


def _limits(past: Series, rates: Ints, times: slots.Times, history: History, zone: Zone, habits: slots.Habits) -> Floats:
    """Limits of the rare `rates` at each hour (hours, S), one for other streams; their habits are put among the `habits`."""
    hour = rare.hour_of(history.start_ms + history.window_ms // 2, zone, history.days)
    upper = np.ones((rare.KINDS, past.value.shape[1]))
    upper[:, rates] = single(rare.limits(past.value[:, rates], past.events[:, rates], hour))
    seldom = rates[(past.value[:, rates] * (past.events[:, rates] > 0)).any(axis=0)]
    for some in portions(seldom):
        hits, due = past.value[:, some], past.events[:, some] * upper[:, some][hour]
        due *= hits.sum(0) / np.maximum(due.sum(0), 1e-300)
        habits.put(some, slots.fit(hits / np.maximum(due, 1e-300) - (due > 0), due, np.ones(len(some)), times, history.days, True))
    return upper


def portions(streams: Ints) -> list[Ints]:
    """The streams in parts; none is left alone at the end: sums of a single column are rounded otherwise (by about 1e-15)."""
    return np.split(streams, range(STREAMS_AT_ONCE, len(streams) - 1, STREAMS_AT_ONCE)) if len(streams) else []


def days(history: History) -> Ints:
    """Whole days since the history's beginning, shape (T,)."""
    out: Ints = (history.start_ms - history.start_ms[0]) // calendar.DAY_MS
    return out


def linear(signed: Flags, value: Floats, events: Floats) -> Floats:
    """The scale on which a stream is modelled: scores per root event, so that a wander of the level looks the same at any volume."""
    return np.where(signed, value / np.sqrt(np.maximum(events, 1.0)), value)


def single(array: Floats) -> Floats:
    """Rounded to single precision, as it is packed: the reference must be judged by the very numbers that will judge the stream."""
    return array.astype(np.float32).astype(float)
