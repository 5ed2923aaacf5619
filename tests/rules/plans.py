"""Plans that rules are made for in these tests, from the smallest to those that could break a template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alerts import Choices
from alerts.models import model_rules
from alerts.pipeline import pipeline_rules
from alerts.rule import Rule
from monitor import config
from monitor.plan import Plan

ROOT = Path(__file__).parents[2]


def plan(**more: Any) -> Plan:
    model = {"owner": "team", "schema": {"features": {"x": "numeric"}}}
    return config.compile({"owners": {"team": {}}, "models": {"m": model | more.pop("model", {})}} | more)


PLANS: dict[str, tuple[Plan, Choices]] = {
    "demo": (config.load(ROOT / "alerts" / "demo" / "rain.yaml", look_for_files=False), Choices("vision-team")),
    "smallest": (plan(), Choices("team")),
    "late": (plan(model={"lateness": "2h", "window": "1d"}), Choices("team")),
    "shards": (plan(shard={"index": 1, "count": 3}), Choices("ops", job="ml/raincheck", pages="https://wiki.example/books")),
    "hostile": (
        plan(
            model={"runbook": 'https://wiki.example/{{$labels.x}}/"\\`#:%20'},
            http={"external_url": "https://r.example/{{$value}}/"},
        ),
        Choices("team"),
    ),
}


def rules_of(name: str = "demo") -> tuple[Rule, ...]:
    watched, choices = PLANS[name]
    models = [rule for model in watched.models.values() for rule in model_rules(watched, model, choices.pages)]
    return (*pipeline_rules(watched, choices.platform, choices.pages), *models)


ALL = {rule.name: rule for rule in (*rules_of(), *rules_of("shards"))}
