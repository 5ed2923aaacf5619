"""What smooth seasons cannot follow: shifts that begin on the hour, lunch, Monday mornings, a job that runs once a week.

Means of the residual per slot of local time, first of working days and weekends, then of each weekday, each shrunk twice over: by
how much all slots of the stream stand out together, or by how far this one does alone,

    mean (1 - 1 / t^2 where |t| >= tau, else max(W, 0)),   W = 1 - 1.5 / mean t^2,   t = mean / (sd between days / sqrt(days))

The sd between days holds the stream's wander too, so a mood of one week is not taken for a habit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calendar import DAY_MS, Zone, local

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SLOT_MS = 1_800_000
ALONE = (4.0, 4.5)  # t from which one slot is believed by itself: of a kind of day, of one weekday
LEAST_DAYS = 2


def per_day(window_ms: int) -> int:
    """Slots in a day: half hours, or windows where they are longer."""
    return max(1, DAY_MS // max(SLOT_MS, window_ms))


def slot_of_week(at_ms: Ints, timezone: Zone, window_ms: int) -> Ints:
    """Slot of the local week, Monday's midnight first.

    >>> int(slot_of_week(np.array([0]), "UTC", 300_000)[0]) // 48  # the epoch began on a Thursday
    3
    """
    wall = local(at_ms, timezone)
    n = per_day(window_ms)
    return (wall // DAY_MS + 3) % 7 * n + wall % DAY_MS * n // DAY_MS


def fit(rest: Floats, weight: Floats, day: Ints, slot: Ints, n: int, days: float) -> tuple[Floats, Floats]:
    """Corrections (7 n slots of the week, S) of residuals (T, S), and how many of them were spent per stream (S,).

    `weight` (T, S), zero where nothing was seen; `day`, `slot` (T,) local; `days` of reference: nothing is learnt under a week, no
    difference between weekdays and weekends under two.
    """
    width = 7 * n
    out, spent = np.zeros((width, rest.shape[1])), np.zeros(rest.shape[1])
    if days < 6.9 or not len(slot):
        return out, spent
    # one number per day and slot
    cell = day * width + slot
    starts = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    total = np.add.reduceat(weight, starts, axis=0)
    mean = np.add.reduceat(weight * rest, starts, axis=0) / np.maximum(total, 1e-12)
    seen = total > 0
    of_week = slot[starts]
    weekend = of_week // n >= 5
    kinds = [of_week % n + n * weekend if days >= 13.9 else of_week % n, of_week]
    for kind, alone in zip(kinds[: 2 if days >= 20.9 else 1], ALONE, strict=False):
        found, used, which = _shrunk_means(mean, seen, kind, alone)
        mean = mean - found[which]
        place = np.full(width, -1)
        place[of_week] = which
        out[place >= 0] += found[place[place >= 0]]
        spent += used
    return out, spent


def _shrunk_means(mean: Floats, seen: NDArray[np.bool_], kind: Ints, alone: float) -> tuple[Floats, Floats, Ints]:
    """Per kind of slot: believed mean (kinds, S); columns spent (S,); each cell's kind."""
    _, which = np.unique(kind, return_inverse=True)
    member = np.zeros((int(which.max()) + 1, len(which)))
    member[which, np.arange(len(which))] = 1.0
    count = member @ seen
    centre = member @ (mean * seen) / np.maximum(count, 1)
    freedom = np.maximum(seen.sum(0) - (count > 0).sum(0), 1)
    between = (((mean - centre[which]) * seen) ** 2).sum(0) / freedom
    square = centre**2 * count / np.maximum(between, 1e-300)
    enough = count >= LEAST_DAYS
    usual = enough & (square < alone**2)  # those that stand out alone say nothing about the others
    average = (square * usual).sum(0) / np.maximum(usual.sum(0), 1)
    together = np.maximum(1 - 1.5 / np.maximum(average, 1e-12), 0.0)
    believed = np.where(square >= alone**2, 1 - 1 / np.maximum(square, 1e-12), together) * enough
    return centre * np.maximum(believed, 0.0), np.maximum(believed, 0.0).sum(0), which.astype(np.int64)
