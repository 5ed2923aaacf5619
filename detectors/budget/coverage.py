"""What the reference says nothing about: hours of the local week without traffic, and columns without values.

What comes at such an hour is judged by the season of its neighbours; what comes in such a column was never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.budget.calendar import DAY_MS, HOUR_MS, Zone, local
from detectors.budget.history import History
from detectors.layout import Column

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 168
ODD = 0.01  # share of unreadable values that is worth a word


def unlearnt(history: History, zone: Zone) -> list[int]:
    """Hours of the local week, Monday's midnight first, in which no window of the reference had an event.

    >>> day = History(np.arange(24) * HOUR_MS, HOUR_MS, {"x": np.ones((24, 7), np.int64)})  # the epoch was a Thursday
    >>> len(unlearnt(day, "UTC")), told(unlearnt(day, "UTC"))
    (144, 'Fri 00:00 to Thu 00:00')
    """
    events = sum(table.sum(axis=1) for table in history.counts.values())
    starts = history.start_ms[np.asarray(events) > 0]
    # a window longer than an hour speaks for all of its hours
    at = (starts[:, None] + np.arange(0, history.window_ms, min(HOUR_MS, history.window_ms))).ravel()
    wall = local(at, zone)
    hour = (wall // DAY_MS + 3) % 7 * 24 + wall % DAY_MS // HOUR_MS
    return sorted(set(range(WEEK)) - set(hour.tolist()))


def told(hours: Sequence[int]) -> str:
    """The same as people say it: stretches, joined over Sunday's midnight.

    >>> told([0, 1, 2, 50, 166, 167]), told([]), told(range(168))
    ('Wed 02:00 to 03:00, Sun 22:00 to Mon 03:00', '', 'the whole week')
    """
    if len(hours) >= WEEK:
        return "the whole week"
    inside = set(hours)
    out = []
    for first in sorted(hour for hour in inside if (hour - 1) % WEEK not in inside):
        last = first
        while (last + 1) % WEEK in inside:
            last += 1
        end = (last + 1) % WEEK
        day = "" if end // 24 == first // 24 and last < WEEK else f"{DAYS[end // 24]} "
        out.append(f"{DAYS[first // 24]} {first % 24:02d}:00 to {day}{end % 24:02d}:00")
    return ", ".join(out)


def unreadable(columns: Sequence[Column], history: History) -> list[dict[str, Any]]:
    """Columns of which more than a hundredth cannot be read as their kind, or that never had a value, with both shares."""
    out: list[dict[str, Any]] = []
    for column in columns:
        totals = history.counts[column.name].sum(axis=0)
        n = max(int(totals.sum()), 1)
        bad = int(totals[1] + totals[2]) if column.kind == "numeric" else int(totals[1])
        values = int(totals[3 if column.kind == "numeric" else 2 :].sum())
        if bad > ODD * n or not values:
            out.append({"column": column.name, "invalid": round(bad / n, 4), "values": round(values / n, 4)})
    return out
