"""Incidents in one plain sentence: what, by how much, since when, on how much evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from monitor.incident import AnswerKind, Incident
from monitor.phrases import odds, phrase
from monitor.verdict import Subject

LABELS: Final[dict[AnswerKind, str]] = {
    "false": "False page", "fixed": "Real, and fixed", "normal": "New normal", "expected": "Expected event",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Basis:
    """What an incident rests on: how its onset is called, and how its evidence is told."""

    began: str
    told: str


BASES: Final = {
    "evidence": Basis("it began: the first bad window", "chance alone gets this far at most {reached}; the threshold is {limit}"),
    "rule": Basis("it began: the first bad window", "a rule of the plan, outside the page budget"),
    "trend": Basis(
        "the week that is looked back at begins",
        "the last seven days as a whole against the reference: too slow for a window to show, outside the page budget",
    ),
    "distribution": Basis(
        "the stretch that is held against the reference begins",
        "counts pooled over hours against a reference without time: a ticket at most, until the season is learnt",
    ),
}


def basis(incident: Incident) -> str:
    """The key in BASES; only what rests on windows has evidence.

    >>> basis(Incident("i", "m", "team", "ticket", "statistical", 0, 0, (), 0.0, 0.0, "", rule="trend"))
    'trend'
    """
    return "rule" if incident.kind == "rule" else incident.rule if incident.rule in BASES else "evidence"


def evidence_text(incident: Incident, window_ms: int) -> str:
    """On what evidence an incident was opened, in one sentence without a full stop.

    >>> evidence_text(Incident("i", "m", "team", "page", "statistical", 0, 0, (), 5.0, 4.414, ""), 300_000)
    'chance alone gets this far at most once in 347 days; the threshold is once in 90 days'
    """
    return BASES[basis(incident)].told.format(reached=odds(incident.evidence, window_ms), limit=odds(incident.threshold, window_ms))


def closing(incident: Incident) -> str:
    """What closed an incident, and who.

    >>> from monitor.incident import Answer
    >>> closing(Incident("i", "m", "team", "page", "statistical", 0, 0, (), 5.0, 4.4, "", resolved_ms=9, resolution="answered",
    ...                  answers=(Answer("false", "Mira", "", 9),)))
    'answered "False page" by Mira'
    """
    if incident.resolution != "answered":
        return incident.resolution or "recovered"
    first = incident.answers[0]
    return f'answered "{LABELS[first.kind]}" by {" ".join(first.who.split())}'


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
