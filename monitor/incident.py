"""A latched page or ticket: opened, still open, answered, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from monitor.verdict import Subject

Severity: TypeAlias = Literal["page", "ticket", "note"]  # a note is recorded and wakes nobody (mode: observe)
IncidentKind: TypeAlias = Literal["statistical", "rule"]
AnswerKind: TypeAlias = Literal["false", "fixed", "normal", "expected"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`at_ms` is the clock on the wall; an expected event lasts until `until_ms` (event time) and comes again every `every_ms`."""

    kind: AnswerKind
    who: str
    note: str
    at_ms: int
    until_ms: int | None = None
    every_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """`id` is stable: model, kind and the window that opened it. `opened_ms` is the end of the deciding window, `onset_ms`
    the start of the first bad one. `evidence` and `threshold` are log10 at opening. `told_ms`: when its owner was last told that
    it is open still, with no answer."""

    id: str
    model: str
    owner: str
    severity: Severity
    kind: IncidentKind
    opened_ms: int
    onset_ms: int
    subjects: tuple[Subject, ...]
    evidence: float
    threshold: float
    message: str
    events: int = 0
    rule: str = ""
    resolved_ms: int | None = None
    resolution: str = ""  # recovered | answered | escalated | level learnt anew | plan changed
    answers: tuple[Answer, ...] = ()
    told_ms: int | None = None


def incident_id(model: str, kind: IncidentKind, opened_ms: int, severity: Severity, rule: str = "") -> str:
    return f"{model}-{rule or kind}-{severity}-{opened_ms // 1000}"
