"""An alert rule with the cases that prove it, and how both are written for Prometheus.

Expressions and series say `JOB` where the scrape job's matcher belongs, so that a table of them can be read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

# A scrape that fails ends every series of its target at once, and with them the alerts: so they are kept beyond a restart, and
# beyond the time that RaincheckAbsent and RaincheckDown take to fire and to inhibit them. No "resolved" is then good news by mistake.
KEEP = "10m"
Severity: TypeAlias = Literal["page", "ticket", "none"]


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert that a case expects: its labels beside the rule's own, and what `$value` is shown as.

    `texts` holds the annotations that cannot be worked out from those two.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    shown: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """Series by name in promtool's notation, a sample a minute from 0 on, and the alerts that fire `at` a time; none is a case, too."""

    because: str
    series: Mapping[str, str]
    at: str
    fires: tuple[Fired, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `hold` is how long `expr` must be true, `keep` for how long it is believed when its series are gone ("" = neither)."""

    name: str
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    cases: tuple[Case, ...]
    hold: str = ""
    keep: str = KEEP


def rule_yaml(rule: Rule, job: str) -> dict[str, Any]:
    """The rule as Prometheus reads it.

    >>> rule_yaml(Rule("Down", "up{JOB} == 0", {"severity": "page"}, {}, (), hold="3m", keep=""), "raincheck")["expr"]
    'up{job="raincheck"} == 0'
    """
    timing = {"for": rule.hold} if rule.hold else {}
    timing |= {"keep_firing_for": rule.keep} if rule.keep else {}
    expr = placed(rule.expr, job)
    return {"alert": rule.name, "expr": expr, **timing, "labels": dict(rule.labels), "annotations": _placed(rule.annotations, job)}


def tests_yaml(rules: Sequence[Rule], job: str) -> list[dict[str, Any]]:
    """The rules' cases as promtool's unit tests: one per case, alike in order.

    A case tells of its own rule only: what else its series set off is another rule's business.
    """
    found = []
    for rule in rules:
        for case in rule.cases:
            alerts = [_expected(rule, fired, job) for fired in case.fires]
            found.append(
                {
                    "name": f"{rule.name} ({rule.labels['severity']}): {case.because}",
                    "interval": "1m",
                    "input_series": [{"series": placed(name, job), "values": values} for name, values in case.series.items()],
                    "alert_rule_test": [{"alertname": rule.name, "eval_time": case.at, "exp_alerts": alerts}],
                }
            )
    return found


def placed(text: str, job: str) -> str:
    """The text with the job's matcher in place of JOB."""
    return text.replace("JOB", f'job="{job}"')


def literal(text: str) -> str:
    """A text of the configuration that no template engine may read as its own.

    >>> literal("https://wiki.example/{{page}}")
    'https://wiki.example/{{ "{{" }}page}}'
    """
    return text.replace("{{", '{{ "{{" }}')


def _placed(texts: Mapping[str, str], job: str) -> dict[str, str]:
    return {name: placed(text, job) for name, text in texts.items()}


def _expected(rule: Rule, fired: Fired, job: str) -> dict[str, Any]:
    labels = {name: job if value == "JOB" else value for name, value in fired.labels.items()}
    annotations = {
        name: fired.texts[name] if name in fired.texts else _expanded(text, labels, fired.shown)
        for name, text in _placed(rule.annotations, job).items()
    }
    return {"exp_labels": dict(sorted({**labels, **rule.labels}.items())), "exp_annotations": annotations}


def _expanded(text: str, labels: Mapping[str, str], shown: str) -> str:
    """What Prometheus makes of the two kinds of template that the tables use, and of `literal`.

    >>> _expanded("{{ $labels.model }}: {{ $value | humanize }} of 3", {"model": "m"}, "2")
    'm: 2 of 3'
    """
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: labels[match[1]], text)
    text = re.sub(r"\{\{ \$value[^}]*\}\}", lambda _: shown, text)
    return text.replace('{{ "{{" }}', "{{")
