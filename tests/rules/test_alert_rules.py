"""Alert rules do what they say: promtool runs every rule's cases, and the cases notice when a rule is broken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from alerts import generate, runbook_names
from alerts.delivery import LEARNING
from alerts.pipeline import WATCHDOG, pipeline_rules
from alerts.rule import KEEP, Rule
from monitor.catalogue import CATALOGUE, COUNTERS
from monitor.learning import FirstStep
from monitor.standing import AgainStep
from tests.rules.plans import ALL, PLANS, ROOT, rules_of
from tests.services.tools import tool

TARGET = {"job", "instance"}


every_plan = pytest.mark.parametrize("name", sorted(PLANS))


every_rule = pytest.mark.parametrize("rule", ALL.values(), ids=ALL)


def promtool(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run([tool("promtool"), *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def written(folder: Path, name: str) -> Path:
    for file, text in generate(*PLANS[name]).items():
        (folder / file).write_text(text, encoding="utf-8")
    return folder


@every_plan
def test_promtool_finds_nothing_to_say(name: str, tmp_path: Path) -> None:
    code, said = promtool(written(tmp_path, name), "check", "rules", "pipeline.rules.yml", "models.rules.yml")
    assert code == 0, said
    assert f"{len(pipeline_rules(PLANS[name][0], 'x', None))} rules found" in said


@pytest.mark.parametrize(
    ("name", "kind"), [*((name, "pipeline") for name in ("demo", "late", "shards")), *((name, "models") for name in PLANS)]
)
def test_every_case_comes_out_as_it_says(name: str, kind: str, tmp_path: Path) -> None:
    code, said = promtool(written(tmp_path, name), "test", "rules", f"{kind}.test.yml")
    assert code == 0, said


@pytest.mark.parametrize(
    ("broken", "spared", "because"),
    [
        ({"expr": "vector(1) > 2"}, set(), "a rule that never fires fails a case that expects it to"),
        ({"expr": "vector(1)", "for": "0s"}, {WATCHDOG}, "a rule that always fires fails a case that expects it not to"),
    ],
)
def test_a_broken_rule_is_noticed(broken: dict[str, str], spared: set[str], because: str, tmp_path: Path) -> None:
    written(tmp_path, "shards")
    expected = {rule.name for rule in rules_of("shards")} - spared
    for kind in ("pipeline", "models"):
        path = tmp_path / f"{kind}.rules.yml"
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in tree["groups"]:
            group["rules"] = [rule | broken for rule in group["rules"]]
        path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    code, said = promtool(tmp_path, "test", "rules", "pipeline.test.yml", "models.test.yml")
    assert code != 0
    assert expected - set(re.findall(r"alertname: ?(\w+)", said)) == set(), because


def test_without_keeping_a_restart_would_pass_for_good_news(tmp_path: Path) -> None:
    path = written(tmp_path, "smallest") / "models.rules.yml"
    path.write_text(path.read_text(encoding="utf-8").replace(f"keep_firing_for: {KEEP}", "keep_firing_for: 0s"), encoding="utf-8")
    code, said = promtool(tmp_path, "test", "rules", "models.test.yml")
    assert code != 0
    assert {"ModelDrifted", "ModelBroken"} <= set(re.findall(r"alertname: ?(\w+)", said))


def test_alerts_about_models_are_kept_until_their_inhibition_is_there() -> None:
    """Down or Absent must have fired, have been evaluated and have reached Alertmanager (two minutes) before the kept ones end."""
    kept = {rule.keep for rule in rules_of() if rule.labels["component"] == "drift"}
    slowest = max(minutes(rule.hold) for rule in rules_of() if rule.labels.get("scope") == "all")
    assert min(minutes(keep) for keep in kept) >= slowest + 2


@every_rule
def test_a_restart_of_prometheus_passes_for_no_recovery(rule: Rule) -> None:
    """Alertmanager believes an alert for four minutes; at worst it was last sent a minute and an evaluation before Prometheus died.

    What waits for less than ten minutes then waits anew; what waits longer is given its time back (Prometheus' for-grace-period). So a
    page fires again within two minutes, which leaves half a minute for the restart, or its time is restored.
    """
    assert minutes(rule.hold) <= 2 or minutes(rule.hold) >= 10


@every_rule
def test_every_metric_is_in_the_catalogue_with_its_labels(rule: Rule) -> None:
    texts = [rule.expr, *rule.annotations.values(), *(name for case in rule.cases for name in case.series)]
    for text in texts:
        for metric, inside in re.findall(r"([a-z_][a-z0-9_]*)\{(?!\{)([^}]*)\}", text):
            if metric == "up":
                continue
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", inside)) - TARGET
            assert metric in CATALOGUE, f"{metric} is not exported"
            assert labels <= set(CATALOGUE[metric].labels), f"{metric} has no label {labels - set(CATALOGUE[metric].labels)}"
        for named in re.findall(r"\braincheck_[a-z_]+", text):
            assert named in CATALOGUE


@every_rule
def test_every_metric_is_set_somewhere(rule: Rule) -> None:
    """The catalogue promises; a rule on a metric that nobody sets would never fire."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "monitor").rglob("*.py") if path.name != "catalogue.py")
    assert [name for name in re.findall(r"\braincheck_[a-z_]+", rule.expr) if f'"{name}"' not in code] == []


@every_rule
def test_counters_are_never_compared_as_they_stand(rule: Rule) -> None:
    for name in COUNTERS:
        for before in re.findall(rf"(\w*\(?){name}\{{", rule.expr):
            assert before in ("increase(", "rate(") or f"{name}{{" in rule.expr.partition(" or ")[2], f"{name} only grows"


@every_rule
def test_an_alert_says_what_it_is_about_and_what_to_do(rule: Rule) -> None:
    assert {"summary", "description", "runbook"} <= set(rule.annotations)
    assert rule.labels["severity"] in {"page", "ticket", "none"}
    assert rule.labels["owner"]
    assert {"pipeline": "scope" in rule.labels, "drift": True, "watchdog": True}[rule.labels["component"]]
    assert any(case.fires for case in rule.cases)
    assert rule.name == WATCHDOG or any(not case.fires for case in rule.cases), "a rule that is never silent proves nothing"
    assert len({case.because for case in rule.cases}) == len(rule.cases)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert set(runbook_names()) == set(ALL)


@pytest.mark.parametrize("page", sorted((ROOT / "alerts" / "runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_a_runbook_is_short_and_names_what_there_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert lines[0] == f"# {page.stem}"
    assert "\n1. " in text, "it says what to do first"
    assert len(lines) <= 30, "it fits on a screen"
    assert set(re.findall(r"\braincheck_[a-z_]+", text)) <= set(CATALOGUE)
    assert set(re.findall(r"\b(?:Raincheck|Model)[A-Z]\w+", text)) <= set(ALL), "it points to alerts that there are"


def test_the_steps_of_learning_are_those_that_there_are() -> None:
    steps = {*FirstStep.__args__, *AgainStep.__args__}  # type: ignore[attr-defined]
    assert set(LEARNING) == steps


def minutes(text: str) -> int:
    return int(text.removesuffix("m") or 0)
