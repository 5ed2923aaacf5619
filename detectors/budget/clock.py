"""Clocks that nobody has named: UTC, moved by an hour at those dates of the large zones at which the traffic moved with them.

Traffic follows people, and people follow their clocks. Where the owner names a zone, its clock is known; with `timezone: auto` only
the dates are, and at each of them the season, moved by one hour, is an explanation to be tried before any other. The dates come from
the time zone database, so a country that abolishes its changes, or begins with them, needs no new release of this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
QUARTER_MS = 900_000  # all zones of today change their clocks on quarters of a UTC hour
HOUR_MS = 4 * QUARTER_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
LONGEST_WEEKS = 60  # of a gap whose dates are looked through: every position of every clock occurs in it
# Zones of many people, on all continents. One that changes within two hours of a larger one is served by the larger one's date: what
# is lost is an hour or two of one night. Some have given their changes up: should they come back, the database will say so.
ZONES = (
    "Europe/London", "Europe/Berlin", "Europe/Istanbul", "Europe/Moscow", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Mexico_City", "America/Bogota", "America/Santiago", "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires", "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "Asia/Jerusalem",
    "Asia/Damascus", "Asia/Tehran", "Asia/Karachi", "Asia/Kolkata", "Asia/Dhaka", "Asia/Shanghai", "Asia/Tokyo", "Asia/Manila",
    "Australia/Sydney", "Australia/Perth", "Pacific/Auckland",
)  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """At `at_ms` (UTC) wall clocks move by `by_ms`, an hour forward or back."""

    at_ms: int
    by_ms: int


@dataclass(frozen=True, slots=True)
class Clock:
    """UTC with the `changes` (in time order) that were found; up to `settled_ms` it is decided that there are no others.

    >>> winter = Clock().moved(Change(1_000 * HOUR_MS, -HOUR_MS))
    >>> (winter.local(np.array([999, 1_000]) * HOUR_MS) // HOUR_MS).tolist()
    [999, 999]
    """

    changes: tuple[Change, ...] = ()
    settled_ms: int = -1

    def local(self, at_ms: Ints) -> Ints:
        """UTC milliseconds as milliseconds of this clock."""
        out = at_ms.copy()
        for change in self.changes:
            out += np.where(at_ms >= change.at_ms, change.by_ms, 0)
        return out

    @property
    def offset_ms(self) -> int:
        """Where it stands after all its changes."""
        return sum(change.by_ms for change in self.changes)

    def moved(self, change: Change) -> Clock | None:
        """This clock with one more change; None where that needs a third position, for every clock of the world has two at most."""
        changes = tuple(sorted((*self.changes, change)))
        positions, stands = {0}, 0
        for each in changes:
            stands += each.by_ms
            positions.add(stands)
        return Clock(changes, self.settled_ms) if len(positions) <= 2 else None


def unpacked(plain: Mapping[str, Any]) -> Clock:
    """A clock from what `dataclasses.asdict` made of it.

    >>> unpacked({"changes": [{"at_ms": 0, "by_ms": 3_600_000}], "settled_ms": 5}).offset_ms
    3600000
    """
    return Clock(tuple(Change(**change) for change in plain["changes"]), plain["settled_ms"])


def words(clock: Clock) -> str:
    """What people are told of it.

    >>> words(Clock((Change(1_792_890_000_000, -HOUR_MS),)))
    'moves its clock with: 2026-10-25 01:00 UTC'
    """
    if not clock.changes:
        return "not seen to change its clock"
    dates = (datetime.fromtimestamp(change.at_ms // 1000, UTC) for change in clock.changes)
    return "moves its clock with: " + ", ".join(f"{date:%Y-%m-%d %H:%M} UTC" for date in dates)


def candidates(after_ms: int, until_ms: int) -> tuple[Change, ...]:
    """The moments later than `after_ms`, up to and with `until_ms`, at which a large zone moves its clock by an hour, in order.

    >>> [words(Clock((c,)))[-20:] for c in candidates(1_792_886_400_000, 1_793_000_000_000)]
    ['2026-10-25 01:00 UTC']
    """
    last = until_ms // WEEK_MS
    first = max(after_ms // WEEK_MS, last - LONGEST_WEEKS)
    return tuple(c for week in range(first, last + 1) for c in _of_week(week) if after_ms < c.at_ms <= until_ms)


@lru_cache(maxsize=512)
def _of_week(week: int) -> tuple[Change, ...]:
    """The candidates of one week, its first midnight and not the next one's; no zone changes its clock twice in a week."""
    found = set()
    for name in ZONES:
        zone = ZoneInfo(name)
        low, high = week * WEEK_MS - QUARTER_MS, (week + 1) * WEEK_MS - QUARTER_MS
        before, after = offset_ms(low, zone), offset_ms(high, zone)
        if abs(after - before) != HOUR_MS:
            continue
        while high - low > QUARTER_MS:
            middle = (low + high) // 2 // QUARTER_MS * QUARTER_MS
            low, high = (middle, high) if offset_ms(middle, zone) == before else (low, middle)
        found.add(Change(high, after - before))
    return tuple(sorted(found))


def offset_ms(at_ms: int, zone: ZoneInfo) -> int:
    """How far the zone's wall clock is ahead of UTC at a moment."""
    offset = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).utcoffset()
    return int((offset or timedelta()).total_seconds() * 1000)
