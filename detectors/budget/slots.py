"""What smooth seasons cannot follow: shifts that begin on the hour, lunch, Monday mornings, a job that runs once a week.

Means of the residual per slot of local time: half hours of working days and weekends, then of each weekday, then the same for
15, 10 and 5 minutes, since not every step falls on the half hour. A slot of one day has variance b + s / n, b between days and s / n
of n events; its mean over days, weighed by the inverse, is shrunk twice over: by how much all slots of the stream stand out together,
or by how far this one does alone,

    mean (1 - 1 / t^2 where |t| >= tau, else max(W, 0)),   W = 1 - 1.5 / mean t^2,   t = mean / its standard error

The variance between days holds the stream's wander too, so a mood of one week is not taken for a habit; nor is what one
day alone shows: without its most extreme day the slot must still stand out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calendar import DAY_MS, Zone, local
from detectors.budget.calibrated import Learnt

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
SLOT_MS = 1_800_000
FINE_MS = 300_000
FINER = (3, 2, 1)  # five minutes in a slot: a step that does not fall on the half hour is met by one of these
LOWEST = 0.05  # of what is due
WITHOUT = 0.6  # of it that must be left without the most extreme day
LEAST_DAYS = 2


def per_day(window_ms: int, slot_ms: int = SLOT_MS) -> int:
    """Slots in a day: half hours, or windows where they are longer."""
    return max(1, DAY_MS // max(slot_ms, window_ms))


@dataclass(frozen=True, slots=True)
class Times:
    """Where the windows of a stretch lie, shape (T,): local `day`, half hour `slot` and five minutes `moment` of the local week; how many
    of each a day has."""

    day: Ints
    slot: Ints
    moment: Ints
    slots: int
    moments: int

    @staticmethod
    def of(at_ms: Ints, timezone: Zone, window_ms: int) -> Times:
        """Times of the moments `at_ms`; the week begins with Monday's midnight.

        >>> times = Times.of(np.array([0]), "UTC", 300_000)  # the epoch began on a Thursday
        >>> int(times.slot[0]) // 48, int(times.moment[0]) // 288
        (3, 3)
        """
        wall = local(at_ms, timezone)
        slots, moments = per_day(window_ms), per_day(window_ms, FINE_MS)
        weekday, into = (wall // DAY_MS + 3) % 7, wall % DAY_MS
        return Times(wall // DAY_MS, weekday * slots + into * slots // DAY_MS, weekday * moments + into * moments // DAY_MS, slots, moments)

    def part(self, rows: Flags) -> Times:
        """Some of them."""
        return Times(self.day[rows], self.slot[rows], self.moment[rows], self.slots, self.moments)


@dataclass(frozen=True, slots=True)
class Habits:
    """Corrections of S streams: `slots` (half hours of the week, S) and besides `moments` (five minutes of the week, S); columns of the
    season that were `spent` on them (S,)."""

    slots: Floats
    moments: Floats
    spent: Floats

    @staticmethod
    def none(times: Times, streams: int) -> Habits:
        """Of streams that have none."""
        return Habits(np.zeros((7 * times.slots, streams)), np.zeros((7 * times.moments, streams)), np.zeros(streams))

    def of(self, streams: Flags) -> Habits:
        """Those of some streams."""
        return Habits(self.slots[:, streams], self.moments[:, streams], self.spent[streams])

    def at(self, times: Times) -> Floats:
        """Shape (T, S)."""
        out: Floats = self.slots[times.slot] + self.moments[times.moment]
        return out

    def put(self, streams: Ints, some: Habits) -> None:
        """Take over those of some streams."""
        self.slots[:, streams], self.moments[:, streams], self.spent[streams] = some.slots, some.moments, some.spent

    def rounded(self) -> Habits:
        """In single precision, as they are packed: the reference must be judged by the very numbers that will judge the stream."""
        return Habits(*(part.astype(np.float32).astype(float) for part in (self.slots, self.moments, self.spent)))

    def sparse(self) -> dict[str, NDArray[Any]]:
        """As `Learnt` keeps them: whole tables of the few streams that have half hours of their own, single moments one by one."""
        sharp = np.flatnonzero(self.slots.any(axis=0))
        moment, stream = np.nonzero(self.moments)
        return {"sharp": sharp, "slots": self.slots[:, sharp], "moment": moment, "moment_of": stream, "habit": self.moments[moment, stream]}


def fit(rest: Floats, weight: Floats, noise: Floats, times: Times, days: float, counts: bool = False) -> Habits:
    """Habits in residuals (T, S).

    `weight` (T, S) events, zero where nothing was seen; `noise` (S,) variance per event, zero where the law does not go with their number;
    `days` of reference: nothing is learnt under a week, no difference between weekdays and weekends under two, none between weekdays under
    three. Residuals that are `counts`, as a share of what was due less one, scatter by 1 + mean as much.
    """
    found = Habits.none(times, rest.shape[1])
    slots, moments, spent = found.slots, found.moments, found.spent
    if days < 6.9 or not len(times.day):
        return found
    cells = _per_day(rest, weight, times.day, times.slot, times.slots)
    rest = rest - _learn(slots, spent, cells, noise, days, HALF_HOURS, counts)[times.slot]
    for size in FINER:
        n = times.moments // size
        if times.moments % size or n <= times.slots:
            continue
        table = np.zeros((7 * n, rest.shape[1]))
        place = times.moment // size
        cells = _per_day(rest, weight, times.day, place, n)
        rest = rest - _learn(table, spent, cells, noise, days, MOMENTS, counts)[place]
        moments += np.repeat(table, size, axis=0)
    return found


@dataclass(frozen=True, slots=True)
class _Rule:
    """t from which one slot is believed by itself, of a kind of day and of one weekday; whether all of them may speak `together`."""

    alone: tuple[float, float]
    together: bool


HALF_HOURS = _Rule((4.0, 4.5), together=True)
MOMENTS = _Rule((4.5, 5.0), together=False)  # many more are tried, and each that is believed is kept one by one


@dataclass(frozen=True, slots=True)
class _Cells:
    """Slots of single days: `mean` residual and `weight` (cells, S), `place` (cells,) in a week of seven times `n` slots."""

    mean: Floats
    weight: Floats
    place: Ints
    n: int


def _per_day(rest: Floats, weight: Floats, day: Ints, place: Ints, n: int) -> _Cells:
    cell = day * 7 * n + place
    starts = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    total = np.add.reduceat(weight, starts, axis=0)
    return _Cells(np.add.reduceat(weight * rest, starts, axis=0) / np.maximum(total, 1e-12), total, place[starts], n)


def _learn(table: Floats, spent: Floats, cells: _Cells, noise: Floats, days: float, rule: _Rule, counts: bool) -> Floats:
    """Adds what is believed to `table` and `spent`, kinds of days first, then weekdays; returns the table."""
    weekend, mean = cells.place // cells.n >= 5, cells.mean
    kinds = [cells.place % cells.n + cells.n * weekend if days >= 13.9 else cells.place % cells.n, cells.place]
    for kind, alone in zip(kinds[: 2 if days >= 20.9 else 1], rule.alone, strict=False):
        found, used, which = _shrunk_means(mean, cells.weight, kind, noise, alone, rule.together, counts)
        mean = mean - found[which]
        place = np.full(len(table), -1)
        place[cells.place] = which
        table[place >= 0] += found[place[place >= 0]]
        spent += used
    return table


def _shrunk_means(
    mean: Floats, total: Floats, kind: Ints, noise: Floats, alone: float, together: bool, counts: bool
) -> tuple[Floats, Floats, Ints]:
    """Per kind of slot: believed mean (kinds, S); columns spent (S,); each cell's kind."""
    _, which = np.unique(kind, return_inverse=True)
    order = np.argsort(which, kind="stable")
    starts = np.flatnonzero(np.diff(which[order], prepend=-1))

    def added(x: Floats) -> Floats:
        out: Floats = np.add.reduceat(x[order], starts, axis=0)
        return out

    def size(centre: Floats) -> Floats:  # counts scatter in proportion: their logarithm does so evenly
        return np.log(np.maximum(1 + centre, LOWEST)) if counts else centre

    seen = total > 0
    days = added(seen.astype(float))
    # a few thin slots must not say how much days differ
    trust = total / np.maximum(total + total.sum(0) / np.maximum(seen.sum(0), 1), 1e-12)
    centre = added(trust * mean) / np.maximum(added(trust), 1e-12)
    scale = np.maximum(1 + centre, LOWEST)[which] if counts else 1.0
    sampling = np.where(seen, noise / np.maximum(total, 1e-12), 0.0) / scale
    freedom = np.maximum((seen.sum(0) - (days > 0).sum(0)) / np.maximum(seen.sum(0), 1), 1e-3)
    scatter = ((mean - centre[which]) / scale) ** 2 / freedom
    between = np.maximum((trust * (scatter - sampling)).sum(0) / np.maximum(trust.sum(0), 1e-12), 0.0)
    share = seen / np.maximum(between + sampling, 1e-12)
    pull, whole = share * mean, added(share)
    sums = added(pull)
    centre = sums / np.maximum(whole, 1e-12)
    square = size(centre) ** 2 * whole
    # the same without the day that speaks loudest for it
    top, bottom = (f.reduceat(pull[order], starts, axis=0) for f in (np.maximum, np.minimum))
    extreme = np.where(sums > 0, np.maximum(top, 0.0), np.minimum(bottom, 0.0))
    left = np.maximum(whole - np.maximum.reduceat(share[order], starts, axis=0), 1e-12)
    without = (sums - extreme) / left
    stands = (square >= alone**2) & (without * sums > 0) & (size(without) ** 2 * left >= (WITHOUT * alone) ** 2)
    enough = days >= LEAST_DAYS
    usual = enough & (square < alone**2)  # those that stand out alone say nothing about the others
    average = (square * usual).sum(0) / np.maximum(usual.sum(0), 1)
    joint = np.maximum(1 - 1.5 / np.maximum(average, 1e-12), 0.0) * together
    # what one day alone made extreme is not believed at all
    believed = np.where(stands, 1 - 1 / np.maximum(square, 1e-12), np.where(square < alone**2, joint, 0.0)) * enough
    return centre * np.maximum(believed, 0.0), np.maximum(believed, 0.0).sum(0), which.astype(np.int64)


def of(learnt: Learnt, streams: int, at_ms: Ints, timezone: Zone, window_ms: int) -> Floats:
    """Habits (T, S) at the moments `at_ms`, from what was `learnt`."""
    out = np.zeros((len(at_ms), streams))
    if not len(learnt.sharp) and not len(learnt.moment):
        return out
    times = Times.of(at_ms, timezone, window_ms)
    out[:, learnt.sharp] += learnt.slots[times.slot]
    first, last = (np.searchsorted(learnt.moment, times.moment, side) for side in ("left", "right"))
    for row in np.flatnonzero(last > first):
        some = slice(first[row], last[row])
        out[row, learnt.moment_of[some]] += learnt.habit[some]
    return out
