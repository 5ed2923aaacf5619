"""Right of the bar: one reading of the evidence and one closed window become a verdict, and move the incidents.

Pure: everything comes in as values, everything goes out as values. The chain (detectors.budget) says how strong the
evidence is; this file says what that means for the owner.

    evidence >= A and in the owner's groups and above the minimum effect   -> page (or what the model's mode allows)
    evidence >= A otherwise, or evidence >= one day                        -> ticket
    less, in a window of which nothing was read because it was lost        -> unknown: that is no health
    a rule has told of its first subject already                           -> a note, a page once another subject reaches A alone
    a page is open                                                         -> latched: no second page, subjects appended
    ... for max_latch, unanswered and still true                           -> told again, once per max_latch
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from detectors.budget.chain import Lead, Reading
from monitor.alert import Alert, AlertEvent
from monitor.incident import Incident, Severity, incident_id
from monitor.plan import DAY_MS, Model
from monitor.rules import Breach, Closed
from monitor.standing import Standing
from monitor.verdict import Status, Subject, Verdict, verdict_id
from monitor.watermark import UNREADABLE
from monitor.wording import incident_text, trend_text

LN10 = math.log(10)
FALSE_STEP = 0.7  # nats: a page answered "false" doubles A ...
LEAST_SHARE = 0.01  # of the first subject's: what carries less than a hundredth beside it is not told
TREND = "trend"  # a ticket about the last seven days, not about a window
_SEVERITY: Mapping[str, Severity] = {"page": "page", "ticket": "ticket", "observe": "note"}


@dataclass(frozen=True, slots=True)
class Judged:
    """`incidents` changed by this window; `reset`: the sums start again; `freeze`: leads whose level is held; `thaw`: let go."""

    verdict: Verdict
    standing: Standing
    incidents: tuple[Incident, ...] = ()
    alerts: tuple[Alert, ...] = ()
    reset: bool = False
    freeze: tuple[Lead, ...] = ()
    thaw: bool = False


def boost(standing: Standing, model: Model, now_ms: int) -> float:
    """log10 by which A stands above nominal after false answers; it decays by ln 2 per budget period."""
    ledger = standing.ledger
    periods = max(0, now_ms - ledger.boost_ms) / model.budget.per_ms
    return max(0.0, ledger.boost - FALSE_STEP * periods) / LN10


def latches(incident: Incident) -> bool:
    """Is it a page, or what stands for one: a note, or the ticket of a model whose mode allows no more?"""
    return incident.kind == "statistical" and incident.rule != TREND and (incident.severity != "ticket" or incident.rule == "latched")


def latch_of(open_incidents: Sequence[Incident]) -> Incident | None:
    """The page that is open, or what stands for one."""
    return next((i for i in open_incidents if latches(i)), None)


def subjects_of(leads: Sequence[Lead], model: Model) -> tuple[Subject, ...]:
    """One entry per schema column, its strongest statistic first, its shares added up."""
    what = {column.name: column.statistic for column in model.columns}
    found: dict[str, Subject] = {}
    # evidence without an effect is chance: it is counted, and nobody is told that something is missing which is not
    real = [lead for lead in leads if lead.size]
    for lead in sorted(real or leads, key=lambda x: -x.share):
        old = found.get(lead.subject)
        if old is not None:
            found[lead.subject] = replace(old, share=old.share + lead.share, onset_ms=min(old.onset_ms, lead.onset_ms))
            continue
        # of a picture: "noise location"; of a number: "location"
        statistic = f"{what.get(lead.column, '').replace('_', ' ')} {lead.statistic}".strip()
        found[lead.subject] = Subject(
            name=lead.subject, group=lead.group, statistic=statistic, direction=lead.direction,
            size=lead.size, unit=lead.unit, share=lead.share, onset_ms=lead.onset_ms,
        )  # fmt: skip
    return tuple(sorted(found.values(), key=lambda s: -s.share))


def carrying(subjects: Sequence[Subject], reaching: Collection[str]) -> Iterator[Subject]:
    """Those that carry something beside the first, or that would page alone.

    An answer is about an incident's subjects: `expected` silences them, `normal` learns their levels anew. A column that has not moved
    carries 10^-40 beside one that has, and must be neither told nor touched.
    """
    for subject in subjects:
        if subject.share >= LEAST_SHARE * subjects[0].share or subject.name in reaching:
            yield subject


def judge(
    model: Model,
    standing: Standing,
    window: Closed,
    reading: Reading | None,
    open_incidents: Sequence[Incident],
    broken: Sequence[Breach],
    *,
    reference: str,
    reason: str = "",
) -> Judged:
    """The verdict on one closed window. `reading` is None while the model learns, or for another `reason`: then only rules can page."""
    rule_incidents, rule_alerts = _rules(model, standing, window, open_incidents, broken)
    if reading is None:
        verdict = _verdict(model, window, "unknown", reference, reason=reason or standing.reason or standing.stage)
        return Judged(verdict, standing, rule_incidents, rule_alerts)

    groups = {column.subject: column.group for column in model.columns}
    threshold = reading.log10_a + boost(standing, model, window.end_ms)
    reaching = {lead.subject for lead in reading.leads if lead.log10_alone >= threshold}
    subjects = tuple(carrying(subjects_of(reading.leads, model), reaching))
    wanted = {*model.page_on, *(("embeddings",) if "inputs" in model.page_on else ())}
    counted = sum(share for subject, share in reading.shares.items() if groups.get(subject, "inputs") in wanted)
    reaches = reading.log10_m >= threshold
    pages = reaches and reading.effect_ok and counted > 0 and reading.log10_m + math.log10(counted) >= threshold
    status: Status = "page" if pages else "ticket" if reaches or reading.log10_m >= reading.log10_ticket else "ok"
    blind = unread(window) if status == "ok" else ""
    verdict = _verdict(model, window, "unknown", reference, reason=blind) if blind else _verdict(
        model, window, status, reference,
        evidence=reading.log10_m, threshold=threshold, onset_ms=reading.leads[0].onset_ms if reading.leads and status != "ok" else None,
        subjects=subjects if status != "ok" else (),
    )  # fmt: skip

    # what could not be seen is no time in which the promise was kept
    ledger = standing.ledger if blind else replace(standing.ledger, judged_ms=standing.ledger.judged_ms + model.window_ms)
    standing = replace(standing, ledger=ledger)
    latched = latch_of(open_incidents)
    ticket = next((i for i in open_incidents if i.kind == "statistical" and i.rule != TREND and i is not latched), None)
    out = _Outbox(list(rule_incidents), list(rule_alerts))
    # what a rule has told of this column is the same fault: recorded, held, and nobody is woken twice
    told = {s.name for i in (*open_incidents, *rule_incidents) if i.kind == "rule" and i.resolved_ms is None for s in i.subjects}
    waking = pages and any(name not in told and groups.get(name, "inputs") in wanted for name in reaching)
    severity: Severity = "note" if subjects and subjects[0].name in told and not waking else _SEVERITY[model.mode]

    # a feature that is missing for weeks would else silence all the others for as long
    if latched is not None and latched.severity == "note" and waking and severity != "note":
        out.close(latched, window.end_ms, "escalated", quiet=True)
        latched = None

    if latched is not None:
        # a note that stood beside a rule's page goes with it: evidence starts again, so that only what is still true can wake anybody
        over = {s.name for i in rule_incidents if i.resolved_ms is not None for s in i.subjects}
        if latched.severity == "note" and model.mode != "observe" and any(s.name in over for s in latched.subjects):
            out.close(latched, window.end_ms, "recovered")
            return Judged(verdict, standing, out.incidents, out.alerts, reset=True, thaw=True)
        if reading.recovered:
            out.close(latched, window.end_ms, "recovered")
            return Judged(verdict, standing, out.incidents, out.alerts, reset=True, thaw=True)
        known = {s.name for s in latched.subjects}
        also = tuple(s for s in subjects if s.name in reaching - known)
        if also:
            latched = replace(latched, subjects=latched.subjects + also)
            out.change(latched, "appended")
        if reaches and window.end_ms - (latched.told_ms or latched.opened_ms) >= model.max_latch_ms:
            out.change(replace(latched, told_ms=window.end_ms), "reminded")
            return Judged(verdict, standing, out.incidents, out.alerts, reset=True)
        return Judged(verdict, standing, out.incidents, out.alerts)

    if status == "page":
        page = _opened(model, window, subjects, reading, threshold, severity, rule="" if severity != "ticket" else "latched")
        out.change(page, "opened")
        if ticket is not None:
            out.close(ticket, window.end_ms, "escalated", quiet=True)
        standing = replace(standing, ledger=replace(ledger, pages=ledger.pages + (severity == "page")), ticket_ms=window.end_ms)
        return Judged(verdict, standing, out.incidents, out.alerts, reset=True, freeze=reading.leads)

    if ticket is not None and reading.log10_m < reading.log10_ticket - 1:
        out.close(ticket, window.end_ms, "recovered")
    elif ticket is None and status == "ticket" and model.mode != "observe" and _day_since(standing.ticket_ms, window.end_ms):
        out.change(_opened(model, window, subjects, reading, reading.log10_ticket, "ticket"), "opened")
        standing = replace(standing, ticket_ms=window.end_ms)
    return Judged(verdict, standing, out.incidents, out.alerts)


def unread(window: Closed) -> str:
    """Why nothing at all is known of a window that may lack events, empty where something was read or nothing is missing.

    >>> unread(Closed("m", 0, 1, 0, {}, lacks=(("in/0", UNREADABLE), ("in/1", "retention")))), unread(Closed("m", 0, 1, 0, {}))
    ('records lost', '')
    """
    if not window.lacks or window.events or any(counts.any() for counts in window.cells.values()):
        return ""
    return UNREADABLE if all(why == UNREADABLE for _, why in window.lacks) else "records lost"


class _Outbox:
    """Collects what changes, so that an incident and its alert can never part."""

    def __init__(self, incidents: list[Incident], alerts: list[Alert]) -> None:
        self._incidents, self._alerts = incidents, alerts

    def change(self, incident: Incident, event: AlertEvent) -> None:
        self._incidents.append(incident)
        if incident.severity != "note":
            marks = {"appended": f"appended-{len(incident.subjects)}", "reminded": f"reminded-{(incident.told_ms or 0) // 1000}"}
            mark = marks.get(event, event)
            self._alerts.append(Alert(f"{incident.id}:{mark}", event, incident))

    def close(self, incident: Incident, at_ms: int, resolution: str, *, quiet: bool = False) -> None:
        closed = replace(incident, resolved_ms=at_ms, resolution=resolution)
        if quiet:
            self._incidents.append(closed)
        else:
            self.change(closed, "resolved")

    @property
    def incidents(self) -> tuple[Incident, ...]:
        return tuple(self._incidents)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(self._alerts)


def looked_back(
    model: Model, leads: Sequence[Lead], open_incidents: Sequence[Incident], week: tuple[int, int]
) -> tuple[tuple[Incident, ...], tuple[Alert, ...]]:
    """The weekly look back: a ticket where the last seven days as a whole lie elsewhere than the reference, closed when they do no more."""
    out = _Outbox([], [])
    subjects = subjects_of(leads, model)
    known = next((i for i in open_incidents if i.rule == TREND), None)
    from_ms, until_ms = week
    if known is not None and not subjects:
        out.close(known, until_ms, "recovered")
    elif known is None and subjects:
        severity: Severity = "note" if model.mode == "observe" else "ticket"
        events = leads[0].events
        text = trend_text(model.name, subjects, from_ms, events)
        out.change(Incident(
            id=incident_id(model.name, "statistical", until_ms, severity, TREND), model=model.name, owner=model.owner, severity=severity,
            kind="statistical", opened_ms=until_ms, onset_ms=from_ms, subjects=subjects, evidence=0.0, threshold=0.0, message=text,
            events=events, rule=TREND,
        ), "opened")  # fmt: skip
    return out.incidents, out.alerts


def _day_since(last_ms: int | None, now_ms: int) -> bool:
    return last_ms is None or now_ms - last_ms >= DAY_MS


def _verdict(model: Model, window: Closed, status: Status, reference: str, *, evidence: float = -math.inf, threshold: float = math.inf,
             subjects: tuple[Subject, ...] = (), onset_ms: int | None = None, reason: str = "") -> Verdict:  # fmt: skip
    return Verdict(
        id=verdict_id(model.name, window.start_ms), model=model.name, start_ms=window.start_ms, end_ms=window.end_ms, status=status,
        events=window.events, evidence=evidence, threshold=threshold, subjects=subjects, onset_ms=onset_ms, reason=reason,
        partial=bool(window.lacks), plan=model.digest, reference=reference, versions=window.versions,
        lacks=tuple(f"{partition}: {why}" for partition, why in window.lacks),
    )  # fmt: skip


def _opened(model: Model, window: Closed, subjects: tuple[Subject, ...], reading: Reading, threshold: float, severity: Severity,
            rule: str = "") -> Incident:  # fmt: skip
    lead = reading.leads[0] if reading.leads else None
    onset_ms = lead.onset_ms if lead else window.start_ms
    events = lead.events if lead else window.events
    return Incident(
        id=incident_id(model.name, "statistical", window.end_ms, severity), model=model.name, owner=model.owner, severity=severity,
        kind="statistical", opened_ms=window.end_ms, onset_ms=onset_ms, subjects=subjects, evidence=reading.log10_m, threshold=threshold,
        message=incident_text(model.name, subjects, onset_ms, events, reading.log10_m, threshold, severity), events=events, rule=rule,
    )  # fmt: skip


def _rules(model: Model, standing: Standing, window: Closed, open_incidents: Sequence[Incident], broken: Sequence[Breach]
           ) -> tuple[tuple[Incident, ...], tuple[Alert, ...]]:  # fmt: skip
    """Rule incidents open with the first window that breaks the rule and close with the first that does not.

    What an announced event covers opens none; what was open before it stays so.
    """
    out = _Outbox([], [])
    known = {i.rule: i for i in open_incidents if i.kind == "rule"}
    now_broken = {f"{b.rule}:{b.subject}" if b.subject else b.rule: b for b in broken}
    for rule, breach in sorted(now_broken.items()):
        if rule in known or standing.expects(breach.subject, window.start_ms, model.window_ms):
            continue
        subject = Subject(breach.subject, "", breach.rule, "up", 100 * breach.share, "points", 1.0, window.start_ms)
        severity = _SEVERITY[model.mode]
        out.change(Incident(
            id=incident_id(model.name, "rule", window.end_ms, severity, rule), model=model.name, owner=model.owner, severity=severity,
            kind="rule", opened_ms=window.end_ms, onset_ms=window.start_ms, subjects=(subject,) if breach.subject else (),
            evidence=0.0, threshold=0.0, message=f"{model.name}: {breach.text}", events=window.events, rule=rule,
        ), "opened")  # fmt: skip
    for rule, incident in sorted(known.items()):
        enough = window.events > 0  # an empty window says nothing about missing values
        if rule not in now_broken and enough:
            out.close(incident, window.end_ms, "recovered")
    return out.incidents, out.alerts
