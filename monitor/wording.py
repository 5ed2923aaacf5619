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


def subjects_text(subjects: Sequence[Subject]) -> str:
    """At most four subjects, leading ones first."""
    what = "; ".join(phrase(s) for s in subjects[:4]) or "the input as a whole has changed"
    return what + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")


def incident_text(
    model: str, subjects: Sequence[Subject], onset_ms: int, events: int, evidence: float, threshold: float, severity: str
) -> str:
    """The message of a statistical incident; `threshold` is what this severity takes."""
    what = subjects_text(subjects)
    return f"{model}: {what}, since {when(onset_ms)} ({events} events; evidence 10^{evidence:.1f}, {severity} at 10^{threshold:.1f})"


def trend_text(model: str, subjects: Sequence[Subject], from_ms: int, events: int) -> str:
    """The message of the weekly look back: what has moved too slowly for any window to show it."""
    return f"{model}: {subjects_text(subjects)}, in the seven days since {when(from_ms)} against the reference ({events} events)"
