"""Columns of local time of day and week: what a season may depend on."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from detectors.budget.clock import DAY_MS, HOUR_MS, QUARTER_MS, Clock, offset_ms

__all__ = ["DAY_MS", "HOUR_MS", "Zone", "columns", "groups", "local"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Zone: TypeAlias = str | Clock  # an IANA name, or a clock that was found


@lru_cache(maxsize=65536)
def _offset_ms(quarter: int, timezone: str) -> int:
    return offset_ms(quarter * QUARTER_MS, ZoneInfo(timezone))


def local(at_ms: Ints, timezone: Zone) -> Ints:
    """UTC milliseconds as milliseconds of local wall time; clocks change on quarters of UTC hours (Adelaide's at half past four).

    An hour that exists twice has two UTC hours and the same local one; the one that does not exist is the local hour of none.

    >>> int(local(np.array([0]), "Europe/Berlin")[0]) // HOUR_MS
    1
    """
    if isinstance(timezone, Clock):
        return timezone.local(at_ms)
    if timezone == "UTC":
        return at_ms
    quarters, which = np.unique(at_ms // QUARTER_MS, return_inverse=True)
    return at_ms + np.array([_offset_ms(int(q), timezone) for q in quarters], np.int64)[which]


def groups(days: float) -> Ints:
    """Which columns are shrunk together: 0 the constant, then each daily harmonic, the weekend, the week, the weekend's own day.

    `days` is the reference's length and decides how much season may be learnt: nothing under 7 days, the day under 14, then the week.

    >>> groups(3).tolist(), len(groups(10)), len(groups(28))
    ([0], 9, 22)
    """
    if days < 6.9:
        return np.zeros(1, np.int64)
    day = [0, 1, 1, 2, 2, 3, 3, 4, 4]
    return np.array(day if days < 13.9 else [*day, 5, *[6] * 4, *[7] * 8], np.int64)


def columns(at_ms: Ints, timezone: Zone, days: float) -> Floats:
    """Calendar columns, shape (T, columns), of the moments `at_ms`: harmonics of the local day, weekend, harmonics of the week."""
    wall = local(at_ms, timezone)
    day = 2 * np.pi * (wall % DAY_MS) / DAY_MS
    one = np.ones(len(at_ms))
    if days < 6.9:
        return one[:, None]
    waves = [f(k * day) for k in (1, 2, 3, 4) for f in (np.sin, np.cos)]
    if days < 13.9:
        return np.stack([one, *waves], axis=1)
    weekday = (wall // DAY_MS + 3) % 7  # the epoch began on a Thursday
    weekend = (weekday >= 5).astype(float)
    week = 2 * np.pi * ((wall + 3 * DAY_MS) % (7 * DAY_MS)) / (7 * DAY_MS)
    weekly = [f(k * week) for k in (1, 2) for f in (np.sin, np.cos)]
    return np.stack([one, *waves, weekend, *weekly, *(weekend * w for w in waves)], axis=1)
