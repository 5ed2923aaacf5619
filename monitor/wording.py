"""Incidents in one plain sentence: what, by how much, since when, on how much evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from monitor.phrases import phrase
from monitor.verdict import Subject


def when(time_ms: int) -> str:
    """A time as people write it.

    >>> when(0)
    '1970-01-01 00:00 UTC'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def incident_text(
    model: str, subjects: Sequence[Subject], onset_ms: int, events: int, evidence: float, threshold: float, severity: str
) -> str:
    """The message of a statistical incident: at most four subjects, leading ones first; `threshold` is what this severity takes."""
    what = "; ".join(phrase(s) for s in subjects[:4]) or "the input as a whole has changed"
    more = f" and {len(subjects) - 4} more" if len(subjects) > 4 else ""
    return f"{model}: {what}{more}, since {when(onset_ms)} ({events} events; evidence 10^{evidence:.1f}, {severity} at 10^{threshold:.1f})"
