"""What a receiver reads: whose model, what has changed since when and by how much, on how much evidence, and where to look."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from monitor.alert import AlertEvent
from monitor.incident import Incident
from monitor.phrases import moment, phrase, span, units, zone_of
from monitor.plan import Plan
from monitor.wording import closing, evidence_text

HEADS: Final[dict[AlertEvent, str]] = {"opened": "", "appended": "also ", "reminded": "still ", "resolved": "resolved "}
TITLE_LENGTH: Final = 200  # some receivers refuse more; the body says it all
WINDOW_MS: Final = 300_000  # of a model that has left the plan since: only the odds' unit depends on it


def title(incident: Incident, event: AlertEvent) -> str:
    """One line that can be read on a locked telephone: severity, model, the leading subject and how many more.

    >>> title(Incident("i", "gate", "team", "page", "rule", 0, 0, (), 0.0, 0.0, "no events for 15 min"), "opened")
    '[page] gate: no events for 15 min'
    """
    what = incident.message.removeprefix(f"{incident.model}: ")
    if incident.kind == "statistical" and incident.subjects:
        what = phrase(incident.subjects[0])
        if len(incident.subjects) > 1:
            what += f" (and {len(incident.subjects) - 1} more)"
    text = " ".join(f"[{HEADS[event]}{incident.severity}] {incident.model}: {what}".split())
    return text if len(text) <= TITLE_LENGTH else text[: TITLE_LENGTH - 1] + "…"


def body(incident: Incident, event: AlertEvent, plan: Plan) -> str:
    """The whole message as plain text, one fact a line; times in the model's zone and in UTC."""
    model = plan.models.get(incident.model)
    zone = zone_of(model.timezone if model is not None else "UTC")

    def at(time_ms: int) -> str:
        local, utc = moment(time_ms, zone), moment(time_ms)
        if local == utc:
            return utc
        day, _, hour = utc.partition(", ")
        return f"{local} ({hour})" if local.startswith(day) else f"{local} ({utc})"

    lines = [f"Owner: {incident.owner}", f"Model: {incident.model}"]
    if event == "resolved" and incident.resolved_ms is not None:
        open_for = span(incident.resolved_ms - incident.opened_ms)
        lines.append(f"Resolved: {at(incident.resolved_ms)}, {closing(incident)}, open for {open_for}")
    if incident.kind == "statistical" and incident.subjects:
        lines.append("What changed:")
        for subject in incident.subjects:
            later = f", since {at(subject.onset_ms)}" if subject.onset_ms != incident.onset_ms else ""
            lines.append(f"  - {phrase(subject)} ({subject.share:.0%} of the evidence{later})")
        if told := units(incident.subjects):
            lines.append(f"  {told}")
    else:
        lines.append(f"What is wrong: {incident.message.removeprefix(f'{incident.model}: ')}")
    lines.append(f"Since: {at(incident.onset_ms)}, told by {incident.events} events up to {at(incident.opened_ms)}")
    if event == "reminded" and incident.told_ms is not None:
        lines.append(f"Nobody has answered for {span(incident.told_ms - incident.opened_ms)}, and it is still true")
    if incident.kind == "statistical":
        lines.append(f"Evidence: {evidence_text(incident, model.window_ms if model is not None else WINDOW_MS)}")
    link = incident_link(plan, incident)
    if link is not None:
        lines.append(f"Look and answer: {link}")
    if model is not None and model.runbook is not None:
        lines.append(f"Runbook: {model.runbook}")
    lines.append(f"Incident: {incident.id}")
    return "\n".join(lines)


def incident_link(plan: Plan, incident: Incident) -> str | None:
    """Where the incident's page is; None unless the plan says how raincheck is reached (`http.external_url`)."""
    if plan.http.external_url is None:
        return None
    return f"{plan.http.external_url.rstrip('/')}/incidents/{quote(incident.id, safe='')}"
