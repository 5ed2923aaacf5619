"""What an owner's answer does to an incident, to the promise, and to what is learnt again.

| answer | the promise | what is learnt | the interval |
| --- | --- | --- | --- |
| false | A doubles, and decays back over a budget period | the null model is refitted at once and on seven nights | joins the reference |
| fixed | - | - | is left out of it |
| normal | - | the levels of its subjects, from the onset on | is the new reference |
| expected | - | - | is left out; until it is over its subjects wake nobody, nor when it comes again |

Whatever the answer, evidence starts again. An incident may be answered after it has closed, and answered again.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.again import MONTH_MS, columns_of_subjects, levelled, refitting, shunning
from monitor.alert import Alert
from monitor.incident import Answer, Incident
from monitor.judge import FALSE_STEP, LN10, boost
from monitor.learning import Due
from monitor.plan import Model
from monitor.standing import Expected, Standing

TOGETHER = "all together"  # evidence of a pooled stream: no subject carries it alone


def answered(model: Model, standing: Standing, incident: Incident, answer: Answer) -> tuple[Incident, list[Alert], Standing]:
    """The incident closed by `answer`, the notice of it (where it was open still), and the standing after it."""
    now_ms = standing.next_ms or incident.opened_ms  # event time: the answer itself carries the clock on the wall
    was_open = incident.resolved_ms is None
    closed = replace(incident, answers=(*incident.answers, answer))
    if was_open:
        closed = replace(closed, resolved_ms=max(now_ms, incident.opened_ms), resolution="answered")
    standing = shunning(standing, closed)
    if incident.kind == "statistical":
        standing = _consequences(model, standing, incident, answer, now_ms)
    elif answer.kind == "expected":
        standing = _expecting(model, standing, incident, answer, now_ms)
    tell = was_open and incident.severity != "note"
    return closed, [Alert(f"{incident.id}:resolved", "resolved", closed)] if tell else [], standing


def _consequences(model: Model, standing: Standing, incident: Incident, answer: Answer, now_ms: int) -> Standing:
    match answer.kind:
        case "false" if incident.severity == "page" and not any(a.kind == "false" for a in incident.answers):
            ledger = replace(
                standing.ledger,
                false_pages=standing.ledger.false_pages + 1,
                boost=boost(standing, model, now_ms) * LN10 + FALSE_STEP,
                boost_ms=now_ms,
            )
            return refitting(replace(standing, ledger=ledger), incident.opened_ms)
        case "normal":
            together = any(subject.statistic.endswith(TOGETHER) for subject in incident.subjects)
            moved = [c.name for c in model.columns] if together else columns_of_subjects(model, [s.name for s in incident.subjects])
            return levelled(model, standing, moved, incident.onset_ms)
        case "expected":
            return _expecting(model, standing, incident, answer, now_ms)
    return standing


def overtaken(standing: Standing, page: Incident, due: Due) -> tuple[Incident, list[Alert], Standing]:
    """The open page closed after a step of learning that left it no leader: its columns have another level, so it can never recover.

    It would stay open for good, and latch the model: a page on the prediction, say, of a version that serves no more.
    """
    closed = replace(page, resolved_ms=max(due.until_ms, page.opened_ms), resolution="level learnt anew")
    # what came since the new level began is its reference, and is not left out with the page
    since_ms = max((level.from_ms for level in due.levels if {*level.columns} & {*due.columns}), default=due.until_ms)
    standing = shunning(standing, replace(closed, resolved_ms=max(since_ms, page.onset_ms)))
    return closed, [Alert(f"{closed.id}:resolved", "resolved", closed)] if closed.severity != "note" else [], standing


def _expecting(model: Model, standing: Standing, incident: Incident, answer: Answer, now_ms: int) -> Standing:
    """Without a date the event is taken to last for another `max_latch`: nobody answers a page to get the next one."""
    until_ms = answer.until_ms if answer.until_ms is not None else now_ms + model.max_latch_ms
    subjects = tuple(dict.fromkeys(subject.name for subject in incident.subjects))
    return expecting(standing, Expected(incident.onset_ms, until_ms, answer.every_ms, subjects, answer.who, answer.note))


def expecting(standing: Standing, event: Expected) -> Standing:
    """The standing with one more event in its calendar; those that have been over for as long as is learnt from are forgotten.

    What was said before of the same subjects from the same time on is overtaken; an event of no length only calls it off.
    """
    now_ms, same = standing.next_ms or 0, (event.from_ms, set(event.subjects))
    kept = tuple(e for e in standing.calendar if not e.over(now_ms - MONTH_MS) and (e.from_ms, set(e.subjects)) != same)
    return replace(standing, calendar=(*kept, event) if event.until_ms > event.from_ms else kept)
