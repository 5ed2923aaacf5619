"""The files for one plan, as texts: the same plan gives the same bytes on every machine, so that they can be committed and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from alerts.models import model_rules
from alerts.pipeline import pipeline_rules
from alerts.routes import Receiver, inhibitions, receiver_yaml, receivers, routes
from alerts.rule import Rule, rule_yaml, tests_yaml
from monitor.plan import Plan

HEAD: Final = "# Made by `raincheck alerts generate`: changes belong into the configuration. `--check` says whether this is up to date.\n"


@dataclass(frozen=True, slots=True)
class Choices:
    """What a plan does not say.

    Args:
        platform: who runs raincheck and is told when it fails itself: an owner of the plan, or another team's name.
        job: the name of Prometheus' scrape job.
        pages: the address under which `alerts/runbooks` is served; None to name the command that prints a runbook.
        receivers: Alertmanager receivers by name that take the place of the generated ones.
    """

    platform: str
    job: str = "raincheck"
    pages: str | None = None
    receivers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def generate(plan: Plan, choices: Choices) -> dict[str, str]:
    """Every file by its name: rules of the pipeline and of the models, promtool's tests of both, Alertmanager's configuration.

    >>> from monitor import config
    >>> plan = config.compile({"owners": {"team": {}}, "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}}})
    >>> sorted(generate(plan, Choices("team")))
    ['alertmanager.yml', 'models.rules.yml', 'models.test.yml', 'pipeline.rules.yml', 'pipeline.test.yml']
    """
    groups: dict[str, dict[str, Sequence[Rule]]] = {
        "pipeline": {"raincheck": pipeline_rules(plan, choices.platform, choices.pages)},
        "models": {f"raincheck model {name}": model_rules(plan, model, choices.pages) for name, model in sorted(plan.models.items())},
    }
    files = {"alertmanager.yml": _alertmanager(plan, choices)}
    for kind, named in groups.items():
        rules = [{"name": name, "rules": [rule_yaml(rule, choices.job) for rule in several]} for name, several in named.items()]
        tests = [test for several in named.values() for test in tests_yaml(several, choices.job)]
        files[f"{kind}.rules.yml"] = HEAD + _dump({"groups": rules})
        files[f"{kind}.test.yml"] = HEAD + _dump({"rule_files": [f"{kind}.rules.yml"], "evaluation_interval": "1m", "tests": tests})
    return files


def unfilled(plan: Plan, choices: Choices) -> tuple[Receiver, ...]:
    """Receivers that reach nobody yet, or not everybody whom the plan names."""
    return tuple(r for r in receivers(plan, choices.platform) if r.missing and r.name not in choices.receivers)


def _alertmanager(plan: Plan, choices: Choices) -> str:
    lines = [HEAD, _dump({"route": routes(plan, choices.platform), "inhibit_rules": inhibitions(plan)}), "receivers:\n"]
    for receiver in receivers(plan, choices.platform):
        own = choices.receivers.get(receiver.name)
        lines += [f"# {receiver.name} lacks {what}\n" for what in receiver.missing if own is None]
        lines.append(_dump([dict(own) if own is not None else receiver_yaml(receiver)]))
    return "".join(lines)


def _dump(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=10_000)
    return text


class _Plain(yaml.SafeDumper):
    """Writes equal lists out each time: an anchor is harder to read than three lines."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class's name for it
        return True
