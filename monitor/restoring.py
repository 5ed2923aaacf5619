"""What of a saved state still holds under today's plan: everything, or for a model whose numbers changed, nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from monitor.alert import Alert
from monitor.changes import Changes, Snapshot
from monitor.incident import Incident
from monitor.pane import Pane, PaneKey
from monitor.plan import Plan
from monitor.reference import Reference
from monitor.standing import Standing


@dataclass(slots=True)
class Restored:
    """`changed`: models whose plan changed, with the digest before; `forgotten` besides them those that have left the plan.

    Their incidents are `closed` and told of (`alerts`): nobody would ever resolve them, and a new run of the model must
    not be latched by them.
    """

    standings: dict[str, Standing] = field(default_factory=dict)
    references: dict[str, tuple[Reference, bytes]] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    panes: dict[tuple[str, PaneKey], Pane] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    closed: list[Incident] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    def changes(self) -> Changes:
        """What the first save says of it; what was just read need not be written again."""
        forgotten = [*sorted(self.changed), *self.forgotten]
        return Changes(forgotten=forgotten, incidents={incident.id: incident for incident in self.closed}, alerts=list(self.alerts))


def restored(plan: Plan, snapshot: Snapshot) -> Restored:
    """Sorts a snapshot by what the plan still says; ValueError where a packed body cannot be read."""
    found = Restored()
    ends: dict[str, int] = {}
    for name, packed in snapshot.evidence.items():
        standing = Standing.unpack(packed)
        ends[name] = standing.next_ms or 0
        model = plan.models.get(name)
        if model is None:
            found.forgotten.append(name)
        elif standing.digest != model.digest:
            found.changed[name] = standing.digest
        else:
            found.standings[name] = replace(standing, chain=b"")
            if name in snapshot.references:
                found.references[name] = (Reference.unpack(snapshot.references[name]), standing.chain)
    for name, model in plan.models.items():
        found.standings.setdefault(name, Standing(digest=model.digest))
    found.forgotten += sorted({key.model for _, key in snapshot.panes} - set(plan.models) - set(found.forgotten))
    gone = {*found.changed, *found.forgotten}
    found.panes = {key: pane for key, pane in snapshot.panes.items() if key[1].model not in gone}
    _settle(found, snapshot.incidents.values(), gone | ({i.model for i in snapshot.incidents.values()} - set(plan.models)), ends)
    return found


def _settle(found: Restored, incidents: Iterable[Incident], gone: set[str], ends: dict[str, int]) -> None:
    for incident in incidents:
        if incident.model not in gone:
            found.incidents[incident.id] = incident
            continue
        at_ms = max(incident.opened_ms, ends.get(incident.model, 0))
        closed = replace(incident, resolved_ms=at_ms, resolution="plan changed")
        found.closed.append(closed)
        if closed.severity != "note":
            found.alerts.append(Alert(f"{closed.id}:resolved", "resolved", closed))
