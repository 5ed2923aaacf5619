"""Where two verdicts on one window part: what a live run recorded, and what was computed again from the same records."""

from __future__ import annotations

import math
from typing import Any

from monitor.verdict import Subject, Verdict

TOLERANCE = 1e-6  # sums of floats are added in another order when partitions are read in another


def parted(recorded: Verdict, found: Verdict) -> str:
    """Where two verdicts on one window differ, in words; "" where they do not.

    >>> was = Verdict("m:0", "m", 0, 10, "ok", 5, 1.5, 4.0)
    >>> parted(was, Verdict("m:0", "m", 0, 10, "ok", 5, 1.5 + 1e-9, 4.0))
    ''
    >>> parted(was, Verdict("m:0", "m", 0, 10, "ok", 4, 1.5, 4.0))
    'window m:0: events 4 instead of 5'
    """
    table: tuple[tuple[str, Any, Any], ...] = (
        ("events", recorded.events, found.events),
        ("status", recorded.status, found.status),
        ("evidence", recorded.evidence, found.evidence),
        ("threshold", recorded.threshold, found.threshold),
        ("subjects", [_key(s) for s in recorded.subjects], [_key(s) for s in found.subjects]),
        ("sizes", [s.size for s in recorded.subjects], [s.size for s in found.subjects]),
        ("reference", recorded.reference, found.reference),
        ("partial", recorded.partial, found.partial),
    )
    for name, was, now in table:
        if not _same(was, now):
            return f"window {recorded.id}: {name} {now} instead of {was}"
    return ""


def _key(subject: Subject) -> str:
    return f"{subject.name} {subject.statistic} {subject.direction}"


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, list):
        return len(was) == len(now) and all(_same(a, b) for a, b in zip(was, now, strict=True))
    if isinstance(was, float):
        return was == now or math.isclose(was, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(was == now)
