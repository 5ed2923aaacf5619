"""Lengths of time, sizes and shares as people write them: "5m", "64MB", "10%", "0.5pp".

Every reader returns the number, or raises `ValueError` with a sentence that says what is wrong; `show_*` is its inverse.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

DAY_MS = 86_400_000
CENTURY_MS = 36_525 * DAY_MS
UNITS_MS = {"w": 7 * DAY_MS, "d": DAY_MS, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
UNITS_BYTES = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip

DURATION_PATTERN = r"^(\d{1,15}(\.\d{1,6})?\s*(ms|w|d|h|m|s)\s*)+$"
SIZE_PATTERN = r"^\d{1,15}(\.\d{1,6})?\s*([KMGT]i?)?B$"
SHARE_PATTERN = r"^\d{1,9}(\.\d{1,9})?\s*%$"
POINTS_PATTERN = r"^\d{1,9}(\.\d{1,9})?\s*pp$"

_PART = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(ms|w|d|h|m|s)\s*", re.ASCII)
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_SIZE = re.compile(r"^(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?I?B)$", re.ASCII | re.IGNORECASE)
_SHARE = re.compile(r"^(\d{1,9}(?:\.\d{1,9})?)\s*(%|pp)$", re.ASCII)


def bare_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def duration_ms(value: object) -> int:
    """Milliseconds of a length of time such as "5m", "1h30m" or "14d", or of a timedelta where the configuration is made in Python.

    >>> duration_ms("1h30m"), duration_ms(timedelta(days=1))
    (5400000, 86400000)
    """
    if isinstance(value, timedelta):
        value = f"{value // timedelta(milliseconds=1)}ms"
    if bare_number(value):
        raise ValueError("has no unit")
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("-"):
        raise ValueError("is negative")
    if not _DURATION.match(text):
        raise ValueError("is not a length of time")
    total = sum(float(number) * UNITS_MS[unit] for number, unit in _PART.findall(text))
    if total > CENTURY_MS:
        raise ValueError("is longer than a century")
    if total != int(total):
        raise ValueError("is finer than a millisecond")
    return int(total)


def show_duration(ms: int) -> str:
    """The shortest exact writing of a length of time.

    >>> show_duration(5_400_000), show_duration(30 * DAY_MS)
    ('90m', '30d')
    """
    unit = next(unit for unit in ("d", "h", "m", "s", "ms") if ms % UNITS_MS[unit] == 0)
    return f"{ms // UNITS_MS[unit]}{unit}"


def size_bytes(value: object) -> int:
    """Bytes of a size such as "64MB" (a million bytes each) or "64MiB"; a whole number is bytes already.

    >>> size_bytes("64MB"), size_bytes("1KiB")
    (64000000, 1024)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("is negative")
        if value > 10**18:
            raise ValueError("is larger than any disk")
        return value
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size")
    return int(float(match[1]) * UNITS_BYTES[match[2].upper()])


def show_size(size: int) -> str:
    """
    >>> show_size(64_000_000), show_size(1500)
    ('64MB', '1500B')
    """
    unit = next(unit for unit in ("TB", "GB", "MB", "KB", "B") if size % UNITS_BYTES[unit] == 0)
    return f"{size // UNITS_BYTES[unit]}{unit}"


def share(value: object, unit: str) -> float:
    """The fraction that "10%" or "0.5pp" stands for; `unit` is the one that belongs here, "%" or "pp" (percentage points).

    A bare fraction below 1 is taken for a share, but never for percentage points: 0.5 is a half to one reader and half
    a point to the next. For the same reason a bare 1 is refused.

    >>> share("10%", "%"), share("0.5pp", "pp")
    (0.1, 0.005)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("is not a finite number")
        if value < 0:
            raise ValueError("is negative")
        if unit == "%" and value < 1:
            return float(value)
        raise ValueError("has no unit")
    match = _SHARE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a share" if unit == "%" else "is not a number of percentage points")
    if match[2] != unit:
        raise ValueError(f"has the wrong unit: {match[2]} where {unit} belongs")
    return float(match[1]) / 100


def show_share(fraction: float, unit: str) -> str:
    """
    >>> show_share(0.2, "%"), show_share(0.005, "pp")
    ('20%', '0.5pp')
    """
    return f"{fraction * 100:.9g}{unit}"
