"""The only clock of the banks: wall time for stamps, monotonic time for intervals. The still water is handed its time as an argument."""

from __future__ import annotations

import time


def now_ms() -> int:
    """UTC milliseconds since the epoch, by the wall clock, which may jump in either direction.

    >>> now_ms() > 1_700_000_000_000
    True
    """
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds from an arbitrary start that never run backwards: for ages, deadlines and back-off.

    >>> earlier = monotonic()
    >>> monotonic() >= earlier
    True
    """
    return time.monotonic()
