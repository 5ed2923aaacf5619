"""Rules about raincheck itself, for whoever runs it: what the daemon cannot tell when it is the one that is ill."""

from __future__ import annotations

from typing import Final

from alerts.delivery import DELIVERY
from alerts.process import PROCESS, shards
from alerts.row import Row
from alerts.rule import Case, Fired, Rule
from alerts.runbook import place_of
from alerts.traffic import TRAFFIC, windows
from monitor.plan import Plan

WATCHDOG: Final = "Watchdog"


def pipeline_rules(plan: Plan, owner: str, pages: str | None) -> tuple[Rule, ...]:
    """The Watchdog and every rule about raincheck; `owner` is who runs it, `pages` the address of the runbooks, where there is one."""
    rows = (*PROCESS, *shards(plan), *TRAFFIC, *windows(plan), *DELIVERY)
    return (_watchdog(owner, pages), *(_rule(row, owner, pages) for row in rows))


def _rule(row: Row, owner: str, pages: str | None) -> Rule:
    labels = {"severity": row.severity, "owner": owner, "component": "pipeline", "scope": row.scope}
    annotations = {"summary": row.summary, "description": row.description, "runbook": place_of(row.name, pages)}
    return Rule(row.name, row.expr, labels, annotations, row.cases, row.hold, row.keep)


def _watchdog(owner: str, pages: str | None) -> Rule:
    annotations = {
        "summary": "Prometheus and Alertmanager reach their receivers",
        "description": "Always firing. Whoever receives it raises the alarm when it stops: then no page would arrive either.",
        "runbook": place_of(WATCHDOG, pages),
    }
    labels = {"severity": "none", "owner": owner, "component": "watchdog"}
    return Rule(WATCHDOG, "vector(1)", labels, annotations, (Case("always", {}, "0m", (Fired(),)),), keep="")
