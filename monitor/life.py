"""What an owner's answer does to an incident, to the promise, and to what is learnt again.

| answer | the promise | what is learnt | the interval |
| --- | --- | --- | --- |
| false | A doubles, and decays back over a budget period | the null model is refitted at once and on seven nights | joins the reference |
| fixed | - | - | is left out of it; windows that had begun at the answer wake nobody about its subjects |
| normal | - | the levels of its subjects, from the onset on | is the new reference |
| expected | - | - | is left out; until it is over its subjects wake nobody, nor when it comes again |

Whatever the answer, evidence starts again. An incident may be answered after it has closed, and answered again. An answer to a rule's
page is one to the note that stands beside it, too: latched, that would wake somebody once the rule holds its evidence back no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from monitor.again import columns_of_subjects, levelled, refitting, remembered, shunning
from monitor.alert import Alert
from monitor.incident import Answer, Incident
from monitor.judge import FALSE_STEP, LN10, boost, latches
from monitor.learning import Due
from monitor.plan import Model
from monitor.standing import Expected, Standing

TOGETHER = "all together"  # evidence of a pooled stream: no subject carries it alone
MENDED = "begun before it was mended"  # what the calendar says of the windows that were open when somebody answered "fixed"


def answered(
    model: Model, standing: Standing, incident: Incident, answer: Answer, open_incidents: Iterable[Incident] = ()
) -> tuple[tuple[Incident, ...], list[Alert], Standing]:
    """The incident closed by `answer` and what is closed with it, the notice of it (where it was open still), and the standing then."""
    now_ms = standing.next_ms or incident.opened_ms  # event time: the answer itself carries the clock on the wall
    was_open = incident.resolved_ms is None
    closed = replace(incident, answers=(*incident.answers, answer))
    if was_open:
        closed = _over(closed, now_ms)
    notes = _noted_beside(model, incident, open_incidents) if was_open else []
    over = (closed, *(_over(replace(note, answers=(*note.answers, answer)), now_ms) for note in notes))
    standing = shunning(standing, *over)
    if incident.kind == "statistical":
        standing = _consequences(model, standing, incident, answer, now_ms)
    elif answer.kind == "expected":
        standing = _expecting(model, standing, incident, answer, now_ms)
    if was_open and answer.kind == "fixed":
        standing = _mended(model, standing, incident, answer.at_ms, now_ms)
    tell = was_open and incident.severity != "note"
    return over, [Alert(f"{incident.id}:resolved", "resolved", closed)] if tell else [], standing


def _over(incident: Incident, now_ms: int) -> Incident:
    return replace(incident, resolved_ms=max(now_ms, incident.opened_ms), resolution="answered")


def _noted_beside(model: Model, incident: Incident, open_incidents: Iterable[Incident]) -> list[Incident]:
    """Notes of what a rule has told of already; whoever only looks on gets nothing but notes, and each is its own."""
    if incident.kind != "rule" or model.mode == "observe":
        return []
    names = _names(incident)
    return [i for i in open_incidents if i.severity == "note" and latches(i) and any(name in names for name in _names(i))]


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
            moved = [c.name for c in model.columns] if _together(incident) else columns_of_subjects(model, _names(incident))
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


def _mended(model: Model, standing: Standing, incident: Incident, at_ms: int, now_ms: int) -> Standing:
    """Windows that had begun at the answer hold events from before the fix: their subjects are not judged, all else is.

    However far event time is behind, no more of them than are open while records come on time, and one on its way: a backlog is judged.
    """
    until_ms = min(at_ms + 1, now_ms + 2 * model.window_ms + model.lateness_ms)
    # all columns by their names: no names would mean the model as a whole, with its silence and its unreadable partitions
    names = tuple(dict.fromkeys(c.subject for c in model.columns)) if _together(incident) else _names(incident)
    said = {(event.from_ms, frozenset(event.subjects)) for event in standing.calendar}
    if until_ms <= now_ms or not incident.subjects or (now_ms, frozenset(names)) in said:
        return standing
    return expecting(standing, Expected(now_ms, until_ms, None, names, "raincheck", MENDED))


def _together(incident: Incident) -> bool:
    return any(subject.statistic.endswith(TOGETHER) for subject in incident.subjects)


def _names(incident: Incident) -> tuple[str, ...]:
    return tuple(dict.fromkeys(subject.name for subject in incident.subjects))


def _expecting(model: Model, standing: Standing, incident: Incident, answer: Answer, now_ms: int) -> Standing:
    """Without a date the event is taken to last for another `max_latch`: nobody answers a page to get the next one."""
    until_ms = answer.until_ms if answer.until_ms is not None else now_ms + model.max_latch_ms
    return expecting(standing, Expected(incident.onset_ms, until_ms, answer.every_ms, _names(incident), answer.who, answer.note))


def expecting(standing: Standing, event: Expected) -> Standing:
    """The standing with one more event in its calendar; those that have been over for as long as is learnt from are forgotten.

    What was said before of the same subjects from the same time on is overtaken; an event of no length only calls it off.
    """
    same = (event.from_ms, set(event.subjects))
    kept = tuple(e for e in remembered(standing) if (e.from_ms, set(e.subjects)) != same)
    return replace(standing, calendar=(*kept, event) if event.until_ms > event.from_ms else kept)
