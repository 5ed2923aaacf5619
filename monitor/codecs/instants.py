"""Event times as records write them: ISO 8601 with an offset, or a number of seconds, milli-, micro- or nanoseconds since 1970.

A number's unit follows from its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17 microseconds, else
nanoseconds; each of them means a year between 1973 and 5138. Fractions of a millisecond are cut off, never rounded up
into the next window.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor, isfinite

import numpy as np

from monitor.batch import Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999  # the end of year 9999
UNREADABLE = -1


def read_instants(values: Sequence[object]) -> Ints:
    """UTC milliseconds of each value, UNREADABLE (-1) where it is no event time.

    >>> read_instants(["2026-03-01T12:00:00+01:00", "2026-03-01T12:00:00"]).tolist()  # a time without an offset is no instant
    [1772362800000, -1]
    >>> read_instants([1772362800, 1772362800000, 1772362800000123, 1772362800.5]).tolist()
    [1772362800000, 1772362800000, 1772362800000, 1772362800500]
    """
    kinds = set(map(type, values))
    try:
        if kinds == {str}:
            read = datetime.fromisoformat
            seconds = np.array([(read(text) - _EPOCH).total_seconds() for text in values])  # type: ignore[arg-type]  # all text
            found = np.floor(seconds * 1000 + 5e-4).astype(np.int64)  # half a microsecond: binary fractions of a second fall short
            return np.where(found < 0, UNREADABLE, found)
        if kinds == {int}:
            return _of_integers(np.array(values, dtype=np.int64))
    except (ValueError, TypeError, OverflowError):
        pass  # one of them is no time: each for itself
    return np.array([_read(value) for value in values], dtype=np.int64)


def _of_integers(numbers: Ints) -> Ints:
    found = np.where(
        numbers < 10**11, numbers * 1000, np.where(numbers < 10**14, numbers, np.where(numbers < 10**17, numbers // 1000, numbers // 10**6))
    )
    return np.where((numbers < 0) | (found > _LAST_MS), UNREADABLE, found)


def _read(value: object) -> int:
    try:
        if isinstance(value, str):
            text = value.strip()
            seconds = (datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text) - _EPOCH).total_seconds()
            found = floor(seconds * 1000 + 5e-4)
        elif isinstance(value, float) and isfinite(value):
            factor = 1e3 if value < 1e11 else 1.0 if value < 1e14 else 1e-3 if value < 1e17 else 1e-6
            found = floor(value * factor + 5e-4)
        elif isinstance(value, int) and not isinstance(value, bool):
            return int(_of_integers(np.array([value], dtype=np.int64))[0])
        else:
            return UNREADABLE
    except (ValueError, TypeError, OverflowError):
        return UNREADABLE
    return found if 0 <= found <= _LAST_MS else UNREADABLE
