"""Who is told and what is held back: amtool walks the routes, a real Alertmanager inhibits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts import Choices, generate
from alerts.routes import CONSEQUENCES, receivers, webhook
from monitor.sinks.notifier import receivers_of
from tests.rules.plans import ALL, PLANS, rules_of
from tests.services.alertmanager import Alertmanager
from tests.services.served import asked, until
from tests.services.tools import tool

Labels = dict[str, str]


def alertmanager(folder: Path, name: str = "demo") -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(generate(*PLANS[name])["alertmanager.yml"], encoding="utf-8")
    return path


def amtool(*words: str) -> tuple[int, str]:
    done = subprocess.run([tool("amtool"), *words], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(PLANS))
def test_amtool_takes_the_configuration(name: str, tmp_path: Path) -> None:
    code, said = amtool("check-config", str(alertmanager(tmp_path, name)))
    assert code == 0, said
    assert f"{2 * len({*PLANS[name][0].owners, PLANS[name][1].platform}) + 1} receivers" in said


@pytest.mark.parametrize(
    ("labels", "receiver", "because"),
    [
        ({"alertname": "ModelDrifted", "component": "drift", "owner": "payments-risk", "severity": "page"}, "payments-risk-page", "theirs"),
        (
            {"alertname": "ModelDrifted", "component": "drift", "owner": "payments-risk", "severity": "ticket"},
            "payments-risk-ticket",
            "by day",
        ),
        ({"alertname": "ModelBroken", "component": "drift", "owner": "vision-team", "severity": "page"}, "vision-team-page", "theirs"),
        (
            {"alertname": "RaincheckDown", "component": "pipeline", "owner": "vision-team", "severity": "page"},
            "vision-team-page",
            "they run it",
        ),
        ({"alertname": "RaincheckOffsetsLost", "component": "pipeline", "severity": "ticket"}, "vision-team-ticket", "by day"),
        ({"alertname": "Watchdog", "severity": "none"}, "watchdog", "a service outside listens"),
        ({"alertname": "ModelDrifted", "component": "drift", "owner": "left-us", "severity": "page"}, "vision-team-page", "nobody is lost"),
        ({"alertname": "Anything"}, "vision-team-page", "nor is anything else"),
    ],
)
def test_an_alert_goes_to(labels: Labels, receiver: str, because: str, tmp_path: Path) -> None:
    pairs = [f"{name}={value}" for name, value in labels.items()]
    code, said = amtool("config", "routes", "test", f"--config.file={alertmanager(tmp_path)}", f"--verify.receivers={receiver}", *pairs)
    assert code == 0, f"{because}: {said}"


def test_every_alert_reaches_its_own_owner(tmp_path: Path) -> None:
    path = alertmanager(tmp_path)
    kinds = {(r.name if r.name == "Watchdog" else "x", r.labels["component"], r.labels["owner"], r.labels["severity"]) for r in rules_of()}
    for name, component, owner, severity in sorted(kinds):
        receiver = "watchdog" if severity == "none" else f"{owner}-{severity}"
        labels = f"alertname={name}", f"component={component}", f"owner={owner}", f"severity={severity}"
        code, said = amtool("config", "routes", "test", f"--config.file={path}", f"--verify.receivers={receiver}", *labels)
        assert code == 0, said


def test_a_page_goes_where_the_daemon_itself_would_send_it() -> None:
    """Both ways out read the owner's addresses alike."""
    plan, choices = PLANS["demo"]
    found = {receiver.name: receiver for receiver in receivers(plan, choices.platform)}
    for name, owner in plan.owners.items():
        for severity in ("page", "ticket"):
            hooks = [url for address in receivers_of(owner, severity) if (url := webhook(address)) is not None]
            assert list(found[f"{name}-{severity}"].webhooks) == hooks


@pytest.mark.parametrize(
    ("address", "because"),
    [
        ("slack_file:secrets/slack", "what the file holds is not ours to read"),
        ("${HOOK}", "what a variable holds is a secret"),
        ("json://me:pw@hooks.example/x", "a password stands in it"),
        ("json://hooks.example/x?+Authorization=abc", "so it may in a query"),
        ("mailto://me@example.org", "another service"),
    ],
)
def test_no_secret_is_written_out(address: str, because: str) -> None:
    assert webhook(address) is None, because


def test_receivers_of_ones_own_take_the_place_of_ours() -> None:
    plan, choices = PLANS["demo"]
    own = {"name": "payments-risk-page", "pagerduty_configs": [{"routing_key_file": "/run/secrets/pagerduty"}]}
    text = generate(plan, Choices(choices.platform, receivers={"payments-risk-page": own}))["alertmanager.yml"]
    assert own in yaml.safe_load(text)["receivers"]
    assert "payments-risk-page lacks" not in text
    assert "payments-risk-ticket lacks" in text


def test_consequences_name_alerts_that_there_are() -> None:
    assert {*CONSEQUENCES, *(name for effects in CONSEQUENCES.values() for name in effects)} <= set(ALL)


# ---- a real Alertmanager


@pytest.fixture(scope="module", params=["smallest", "shards"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("alertmanager")
    server = Alertmanager(folder, alertmanager(folder, request.param))
    server.start()
    yield request.param, f"{server.url}/api/v2"
    server.kill()


def as_fired(rule: str, severity: str | None = None, **labels: str) -> Labels:
    found = next(r for r in [*rules_of("shards"), *rules_of("smallest")] if r.name == rule and severity in (None, r.labels["severity"]))
    return {"alertname": rule, "job": "raincheck", **labels, **found.labels}


A, B = {"instance": "a:1"}, {"instance": "b:1"}
DRIFT = {"model": "m", "kind": "statistical"}


PAGE, TICKET = as_fired("ModelDrifted", "page", **DRIFT, **A), as_fired("ModelDrifted", "ticket", **DRIFT, **A)
BROKEN = as_fired("ModelBroken", "page", model="m", kind="rule", **A)
DOWN, UNREACHABLE = as_fired("RaincheckDown", **A), as_fired("RaincheckSourceUnreachable", **A)


@pytest.mark.parametrize(
    ("cause", "effect", "held", "because"),
    [
        (DOWN, PAGE, True, "its verdict may be old"),
        (as_fired("RaincheckAbsent"), PAGE, True, "there is nobody who could say it is over"),
        (as_fired("RaincheckStalled", **A), BROKEN, True, "it goes round no more"),
        (DOWN, as_fired("RaincheckStreamSilent", **A), True, "one page is enough"),
        (DOWN, as_fired("RaincheckSaveFailing", **A), False, "each leaves all verdicts in doubt"),
        (as_fired("RaincheckSaveFailing", **A), as_fired("RaincheckStalled", **A), True, "it waits for the disk"),
        (UNREACHABLE, as_fired("RaincheckWindowOverdue", model="m", **A), True, "no broker, no windows"),
        (UNREACHABLE, PAGE, False, "what was found is still true"),
        (as_fired("RaincheckOffsetsLost"), PAGE, False, "verdicts rest on what was there"),
        (BROKEN, TICKET, True, "who is awake need not be told by day"),
        (TICKET, PAGE, False, "a page is never held back by a ticket"),
        (PAGE, TICKET | {"model": "n"}, False, "another model"),
        (DOWN | {"job": "other"}, PAGE, False, "another raincheck"),
        (DOWN, as_fired("ModelDrifted", "page", **DRIFT, **B), None, "with shards, another part is down"),
    ],
    ids=lambda value: f"{value['alertname']}-{value['severity']}" if isinstance(value, dict) else None,
)
def test_what_is_held_back(live: tuple[str, str], cause: Labels, effect: Labels, held: bool | None, because: str) -> None:
    """`held` None: yes with one daemon, whose alerts have no instance; no with several."""
    name, url = live
    if held is None:
        held = name == "smallest"
    if name == "smallest" and effect["component"] == "drift":
        effect = {label: value for label, value in effect.items() if label != "instance"}
    key = f"{cause['alertname']}-{effect['alertname']}-{because}"  # every row has a world of its own
    first, last = as_fired("RaincheckSaveFailing", **A), as_fired("RaincheckStalled", **A)
    first, last = ({**one, "job": f"control of {key}"} for one in (first, last))
    cause, effect = ({**one, "job": f"{one['job']} of {key}"} for one in (cause, effect))
    for labels in (cause, effect, first, last):
        asked(f"{url}/alerts", [{"labels": labels}])
    # causes are taken in by the order of their coming: once a later one holds its effect back, this one has been seen
    until(lambda: [status["inhibitedBy"] for status in statuses(url, last) if status["inhibitedBy"]])
    (status,) = statuses(url, effect)
    assert bool(status["inhibitedBy"]) == held, because


def statuses(url: str, labels: Labels) -> list[Any]:
    return [alert["status"] for alert in asked(f"{url}/alerts") if alert["labels"] == labels]
