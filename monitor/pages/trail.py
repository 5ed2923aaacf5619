"""What has become of an incident, in order: opened, told again, answered, closed, answered once more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from monitor.incident import Answer, AnswerKind, Incident
from monitor.phrases import hour, span
from monitor.wording import BASES, LABELS, basis

CLOSED: Final = {
    "recovered": "resolved: the change is gone",
    "answered": "resolved by the answer",
    "escalated": "closed: a page says it now",
    "level learnt anew": "closed: what it told of has another level by now, and is judged by that",
    "plan changed": "closed: the plan of the model has changed, and it learns afresh",
}
_ANEW = (
    "The world has moved for good. What has changed is learnt anew from where it began, and not judged until six hours of it are "
    "known (twelve windows where those are longer)."
)
_PASSING = "Known and passing: a holiday, a sale, a test. Until it is over this wakes nobody, nor when it comes again."
_MENDED = "It broke and has been mended. What this is about is judged again from the next window that begins; all else is meanwhile."
# what raincheck does about an answer to a page, to a ticket, to a rule's incident (monitor.life)
MEANINGS: Final[dict[AnswerKind, tuple[str, str, str]]] = {
    "false": (
        "Nothing was wrong. How traffic wanders is learnt again with these windows, now and on seven nights, and for a budget's time "
        "a page takes more evidence. It counts against the promise.",
        "Nothing was wrong. A ticket costs no budget: it is closed, and nothing is learnt from it.",
        "Nothing was wrong. Rules learn nothing: while this one is broken, it speaks again.",
    ),
    "fixed": (
        f"{_MENDED} These windows are never learnt from. If it is broken still, it pages again.",
        f"{_MENDED} If it is broken still, it is told again.",
        f"{_MENDED} If it is broken still, the rule speaks again.",
    ),
    "normal": (_ANEW, _ANEW, "It stays like this. Rules learn nothing: mend them in the configuration, or this one speaks again."),
    "expected": (f"{_PASSING} It is never learnt from.", _PASSING, _PASSING),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One line of the trail; `who` and `note` are the words of people."""

    time_ms: int
    text: str
    who: str = ""
    note: str = ""


def trail(incident: Incident, at: Callable[[int], str]) -> list[Mark]:
    """The marks in the order in which they came about: what closed an incident stands after it, answers to a closed one last."""
    found = [
        Mark(incident.onset_ms, BASES[basis(incident)].began),
        Mark(incident.opened_ms, f"{incident.severity} opened{'' if incident.severity == 'note' else f', {incident.owner} told'}"),
    ]
    if incident.told_ms is not None:
        found.append(Mark(incident.told_ms, f"still true and not answered: {incident.owner} told again"))
    answers = [Mark(answer.at_ms, said(answer, at), answer.who, answer.note) for answer in incident.answers]
    before = 1 if incident.resolution == "answered" else 0 if incident.resolved_ms is not None else len(answers)
    found += answers[:before]
    if incident.resolved_ms is not None:
        lasted = span(incident.resolved_ms - incident.opened_ms)  # as the message says it: from the onset nobody knew of it yet
        how = CLOSED.get(incident.resolution, incident.resolution or "resolved")
        found.append(Mark(incident.resolved_ms, f"{how}, open for {lasted}"))
    return found + answers[before:]


def dated(marks: Sequence[Mark], now_ms: int, zone: tzinfo) -> Callable[[int], str]:
    """How the times of a trail are told: each with its day, unless all of them are of today.

    Answers carry the clock on the wall, what was found carries the events' own time: a bare hour among days would be read as one of theirs.

    >>> from datetime import UTC
    >>> at = dated([Mark(0, "began"), Mark(90_000_000, "answered")], 90_000_000, UTC)
    >>> at(0), at(90_000_000), dated([Mark(0, "began")], 60_000, UTC)(0)
    ('Thu 00:00', 'Fri 01:00', '00:00')
    """
    now = datetime.fromtimestamp(now_ms / 1000, zone).date()
    today = all(datetime.fromtimestamp(mark.time_ms / 1000, zone).date() == now for mark in marks)

    def at(time_ms: int) -> str:
        told = hour(time_ms, now_ms, zone)
        return told if today or " " in told else f"{datetime.fromtimestamp(time_ms / 1000, zone):%a} {told}"

    return at


def said(answer: Answer, at: Callable[[int], str]) -> str:
    """An answer in words.

    >>> said(Answer("expected", "Mira", "", 0, 7, 604_800_000), str)
    'answered Expected event, until 7, and every 7 days again'
    """
    until = f", until {at(answer.until_ms)}" if answer.until_ms is not None else ""
    again = f", and every {span(answer.every_ms)} again" if answer.every_ms is not None else ""
    return f"answered {LABELS.get(answer.kind, answer.kind)}{until}{again}"


def choices(incident: Incident) -> list[tuple[str, str, str]]:
    """The four answers: what is sent, what it is called, and what raincheck does about it, by what the incident rests on."""
    rests = 2 if incident.kind == "rule" else 0 if incident.severity == "page" else 1
    return [(kind, label, MEANINGS[kind][rests]) for kind, label in LABELS.items()]
