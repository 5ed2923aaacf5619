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
SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")
HEADS: Final = {"statistical": "{{ $labels.model }} has drifted", "rule": "{{ $labels.model }}: broken records"}
# one subject of an incident, in the summary and with its share in the description
SHORT: Final = {
    "statistical": "{{ $one.Labels.subject }} {{ $one.Labels.statistic }} {{ $one.Labels.direction }}",
    "rule": '{{ if eq $one.Labels.statistic "silent" }}none come{{ else }}{{ $one.Labels.subject }} {{ $one.Labels.statistic }}{{ end }}',
}
LONG: Final = {
    "statistical": SHORT["statistical"] + " ({{ $one.Value | humanizePercentage }} of the evidence)",
    "rule": SHORT["rule"] + "{{ if $one.Labels.subject }} ({{ $one.Value | humanizePercentage }} of the events){{ end }}",
}
TO_DO: Final[dict[tuple[str, Severity], str]] = {
    ("statistical", "page"): "Open the incident, look whether it does harm, and answer it: that closes the page.",
    ("statistical", "ticket"): "Weaker evidence than a page's: look at it by day, and answer it.",
    ("rule", "page"): "The incident says what is wrong. It closes by itself once the records are whole again.",
    ("rule", "ticket"): "The incident says what is wrong. It closes by itself once the records are whole again.",
}
MOST_DAYS: Final = 36_500  # what is rarer than once in a century is told as that


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
    text = f"Since {{{{ with query `{onset}` }}}}{{{{ . | first | value | humanizeTimestamp }}}}{{{{ else }}}}(unknown){{{{ end }}}}"
    text += _subjects(which, LONG[kind]) + "."
    if (kind, severity) == ("statistical", "page"):
        text += _odds(model)
    annotations = {
        "summary": HEADS[kind] + _subjects(which, SHORT[kind]),
        "description": f"{text} {TO_DO[kind, severity]}",
        "runbook": literal(model.runbook) if model.runbook is not None else place_of(name, pages),
    }
    if plan.http.external_url is not None:
        annotations["incident"] = literal(f"{plan.http.external_url.rstrip('/')}/models/{quote(model.name, safe='')}#incidents")
    labels = {"severity": severity, "owner": model.owner, "component": "drift"}
    expr = f"max by ({', '.join(kept_labels(plan))}, model, kind) (raincheck_incident_active{which}) == 1"
    return Rule(name, expr, labels, annotations, _cases(plan, model, kind, severity))


def _subjects(which: str, one: str) -> str:
    """The three heaviest subjects of the open incidents after a colon; nothing where there are none."""
    heaviest = f"sort_desc(topk(3, raincheck_incident_subject_ratio{which}))"
    return f"{{{{ range $i, $one := query `{heaviest}` }}}}{{{{ if $i }}}}, {{{{ else }}}}: {{{{ end }}}}{one}{{{{ end }}}}"


def _odds(model: Model) -> str:
    """How sure it is: chance gets to E at most once in 10^E windows. Left out while the sums of an open incident begin again."""
    which = f'{{JOB,model="{model.name}"}}'
    days = f"min(raincheck_window_expected_interval_seconds{which}) / 86400"
    line = f"10 ^ min(raincheck_evidence_threshold{which}) * {days}"
    reached = f"clamp_max(10 ^ min(raincheck_evidence{which}) * {days}, {MOST_DAYS}) >= {line}"
    shown = '{{ . | first | value | printf "%.0f" }}'
    return (
        f"{{{{ with query `{reached}` }}}} Chance alone gets this far at most once in {shown} days"
        f"{{{{ with query `{line}` }}}}; pages begin at {shown}{{{{ end }}}}.{{{{ end }}}}"
    )


def _cases(plan: Plan, model: Model, kind: str, severity: Severity) -> tuple[Case, ...]:
    """Open, closed, the daemon gone for less and for more than the rule is kept, and somebody else's incident."""
    own = f'JOB,instance="a:9740",model="{model.name}"'
    which = f'{{{own},severity="{severity}",kind="{kind}"'
    active, onset = f"raincheck_incident_active{which}}}", f"raincheck_incident_onset_timestamp_seconds{which}}}"
    head = HEADS[kind].replace("{{ $labels.model }}", model.name)
    target = {name: {"job": "JOB", "instance": "a:9740"}[name] for name in kept_labels(plan)}

    def fired(short: str = "", long: str = "", sure: str = "") -> tuple[Fired, ...]:
        text = f"Since 1970-01-01 01:00:00 +0000 UTC{long}.{sure} {TO_DO[kind, severity]}"
        return (Fired(target | {"model": model.name, "kind": kind}, texts={"summary": head + short, "description": text}),)

    def subjects(rows: dict[tuple[str, str, str], float]) -> dict[str, str]:
        name = f"raincheck_incident_subject_ratio{which}"
        return {f'{name},subject="{s}",statistic="{t}",direction="{d}"}}': f"{share}x20" for (s, t, d), share in rows.items()}

    opened = {active: "1x20", onset: "3600x20"}
    cases = [
        Case("an incident is open", {active: "0x4 1x20", onset: "_x4 3600x20"}, "10m", fired()),
        Case("it is over, and was for longer than a rule is kept", {active: "1x4 0x30", onset: "3600x4 _x30"}, "20m"),
        Case("the daemon restarts: no series is no good news", {active: "1x4 _x30", onset: "3600x4 _x30"}, "12m", fired()),
        Case("the daemon is gone for good: the pipeline's own alerts tell", {active: "1x4 _x30"}, "30m"),
        Case("another model's incident", {active.replace(f'model="{model.name}"', 'model="another model"'): "1x20"}, "10m"),
    ]
    if kind == "rule":
        broken = subjects({("x", "missing", ""): 1.0, ("", "silent", ""): 0.5})
        cases.append(
            Case(
                "what is broken is named",
                opened | broken,
                "10m",
                fired(": x missing, none come", ": x missing (100% of the events), none come"),
            )
        )
        return tuple(cases)
    moved = subjects(
        {("x", "scale", "up"): 0.1, ("frame", "noise location", "up"): 0.62, ("y", "missing", "up"): 0.08, ("z", "location", "down"): 0.2}
    )
    names = "frame noise location up", "z location down", "x scale up"
    short = ": " + ", ".join(names)
    long = ": " + ", ".join(f"{name} ({share} of the evidence)" for name, share in zip(names, ("62%", "20%", "10%"), strict=True))
    cases.append(Case("the three heaviest subjects are named", opened | moved, "10m", fired(short, long)))
    if severity == "page":
        base = {f"raincheck_window_expected_interval_seconds{{{own}}}": "300x20", f"raincheck_evidence_threshold{{{own}}}": "4.414x20"}
        for because, evidence, sure in (
            ("how sure it is", "5x20", " Chance alone gets this far at most once in 347 days; pages begin at 90."),
            ("a century is enough", "30x20", " Chance alone gets this far at most once in 36500 days; pages begin at 90."),
            ("the sums have begun again", "1x20", ""),
        ):
            cases.append(Case(because, opened | base | {f"raincheck_evidence{{{own}}}": evidence}, "10m", fired(sure=sure)))
    return tuple(cases)
