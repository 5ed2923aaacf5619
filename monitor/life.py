"""What an owner's answer does to an incident and to the promise."""

from __future__ import annotations

from dataclasses import replace

from monitor.alert import Alert
from monitor.incident import Answer, Incident
from monitor.judge import FALSE_STEP, LN10, boost
from monitor.plan import Model
from monitor.standing import Standing


def answered(model: Model, standing: Standing, incident: Incident, answer: Answer) -> tuple[Incident, list[Alert], Standing]:
    """The incident closed by `answer`, the notice of it, and the standing after it.

    "false" doubles A: the ledger's boost grows by 0.7 nats, and decays again at that pace per budget period. The other
    three leave the promise as it is. Whatever the answer, evidence starts again.
    """
    closed = replace(incident, answers=(*incident.answers, answer), resolved_ms=answer.at_ms, resolution="answered")
    ledger = standing.ledger
    if answer.kind == "false" and incident.kind == "statistical":
        now_ms = standing.next_ms or answer.at_ms
        ledger = replace(
            ledger,
            false_pages=ledger.false_pages + (incident.severity == "page"),
            boost=boost(standing, model, now_ms) * LN10 + FALSE_STEP,
            boost_ms=now_ms,
        )
    alerts = [] if incident.severity == "note" else [Alert(f"{incident.id}:resolved", "resolved", closed)]
    return closed, alerts, replace(standing, ledger=ledger)
