"""Rules about models: they pass on what the daemon has decided, with the owner's name and the way to the incident.

Two alerts per model, `ModelDrifted` (evidence) and `ModelBroken` (a rule: missing, unreadable, silent), each as a page
and as a ticket. Which of them can fire is the plan's `mode`, which the daemon follows; the rules need not change with it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from alerts.rule import Case, Fired, Rule, Severity, literal
from alerts.runbook import place_of
from monitor.plan import Model, Plan

ALERTS: Final[dict[str, str]] = {"statistical": "ModelDrifted", "rule": "ModelBroken"}
SUMMARIES: Final[dict[str, str]] = {
    "ModelDrifted": "{{ $labels.model }}: the world has moved away from what the model knows",
    "ModelBroken": "{{ $labels.model }}: its records are broken, missing or silent",
}
SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")
UNNAMED: Final = "the incident's page names it"


def model_rules(plan: Plan, model: Model, pages: str | None) -> tuple[Rule, ...]:
    """The four rules of one model; `pages` is the address of the runbooks, where there is one."""
    return tuple(_rule(plan, model, kind, severity, pages) for kind in ALERTS for severity in SEVERITIES)


def kept_labels(plan: Plan) -> tuple[str, ...]:
    """Target labels that an alert about a model keeps.

    Not the instance: it changes when the daemon moves, and one incident would be two alerts. With several shards it must stay, so that
    one of them that is down holds back its own models' alerts and no others.
    """
    return ("job",) if plan.shard[1] == 1 else ("job", "instance")


def _rule(plan: Plan, model: Model, kind: str, severity: Severity, pages: str | None) -> Rule:
    name = ALERTS[kind]
    which = f'{{JOB,model="{model.name}",severity="{severity}",kind="{kind}"}}'
    onset = f"min(raincheck_incident_onset_timestamp_seconds{which})"
    text = f"Since {{{{ with query `{onset}` }}}}{{{{ . | first | value | humanizeTimestamp }}}}{{{{ else }}}}(unknown){{{{ end }}}}."
    if kind == "statistical":
        carriers = f'sort_desc(topk(3, raincheck_evidence_share{{JOB,model="{model.name}"}}))'
        text += (
            f" Evidence is carried by {{{{ range $i, $one := query `{carriers}` }}}}{{{{ if $i }}}}, {{{{ end }}}}"
            f"{{{{ $one.Labels.subject }}}} ({{{{ $one.Value | humanizePercentage }}}}){{{{ else }}}}{UNNAMED}{{{{ end }}}}."
        )
    else:
        text += f" Which column or partition: {UNNAMED}."
    annotations = {
        "summary": SUMMARIES[name],
        "description": text,
        "runbook": literal(model.runbook) if model.runbook is not None else place_of(name, pages),
    }
    if plan.http.external_url is not None:
        annotations["incident"] = literal(f"{plan.http.external_url.rstrip('/')}/models/{quote(model.name, safe='')}#incidents")
    labels = {"severity": severity, "owner": model.owner, "component": "drift"}
    expr = f"max by ({', '.join(kept_labels(plan))}, model, kind) (raincheck_incident_active{which}) == 1"
    return Rule(name, expr, labels, annotations, _cases(plan, model, kind, which))


def _cases(plan: Plan, model: Model, kind: str, which: str) -> tuple[Case, ...]:
    """Open, closed, the daemon gone for less and for more than the rule is kept, and somebody else's incident."""
    inside = which.replace("{JOB,", '{JOB,instance="a:9740",')
    active, onset = f"raincheck_incident_active{inside}", f"raincheck_incident_onset_timestamp_seconds{inside}"
    at_one = "Since 1970-01-01 01:00:00 +0000 UTC."
    tail = f" Evidence is carried by {UNNAMED}." if kind == "statistical" else f" Which column or partition: {UNNAMED}."

    def fired(text: str) -> tuple[Fired, ...]:
        own = {"job": "JOB", "instance": "a:9740"}
        labels = {name: own[name] for name in kept_labels(plan)} | {"model": model.name, "kind": kind}
        return (Fired(labels, texts={"description": text}),)

    cases = [
        Case("an incident is open", {active: "0x4 1x20", onset: "_x4 3600x20"}, "10m", fired(at_one + tail)),
        Case("it is over, and was for longer than a rule is kept", {active: "1x4 0x30", onset: "3600x4 _x30"}, "20m"),
        Case("the daemon restarts: no series is no good news", {active: "1x4 _x30", onset: "3600x4 _x30"}, "12m", fired(at_one + tail)),
        Case("the daemon is gone for good: the pipeline's own alerts tell", {active: "1x4 _x30"}, "30m"),
        Case("another model's incident", {active.replace(f'model="{model.name}"', 'model="another model"'): "1x20"}, "10m"),
    ]
    if kind == "statistical":
        shares = {
            f'raincheck_evidence_share{{JOB,instance="a:9740",model="{model.name}",subject="{subject}"}}': f"{share}x20"
            for subject, share in (("x", 0.1), ("frame", 0.62), ("y", 0.08), ("z", 0.2))
        }
        named = f"{at_one} Evidence is carried by frame (62%), z (20%), x (10%)."
        cases.insert(1, Case("the three heaviest subjects are named", {active: "1x20", onset: "3600x20", **shares}, "10m", fired(named)))
    return tuple(cases)
