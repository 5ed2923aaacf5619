"""Kafka -> raincheck -> Prometheus -> Alertmanager -> webhook, each as its own process: who is told what, and what nobody is told."""

from __future__ import annotations

import re
import subprocess
import urllib.request

import pytest

from monitor import wall
from tests.paging.world import Paging, page
from tests.river.world import raincheck
from tests.services.served import until
from tests.services.tools import tool

pytestmark = pytest.mark.kafka
SHIFT = {"shifted": "x3"}


def test_a_night_on_call(paging: Paging) -> None:
    """One story, since each step begins where the last one ended: nothing may be told twice, nor taken back, whatever dies meanwhile."""
    board, prometheus, alertmanager = paging.switchboard, paging.prometheus, paging.alertmanager

    # 1. a shift pages its own owner: one notification of one alert, whose links open
    paging.bring(6, shop=SHIFT)
    told = board.wait("shop-team-page", "ModelDrifted", "firing")
    assert [alert["labels"]["model"] for alert in told.alerts] == ["shop"]
    said = told.alerts[0]["annotations"]
    assert said["summary"] == "shop has drifted: x3 location up"
    assert re.fullmatch(
        r"Since \d{4}-\d\d-\d\d \d\d:00:00 \+0000 UTC: x3 location up \(\d+(\.\d+)?% of the evidence\)\. "
        r"Chance alone gets this far at most once in \d+ days; pages begin at \d+\. Open the incident, .*",
        said["description"],
    )
    assert raincheck(*said["runbook"].split()[1:]).startswith("# ModelDrifted\n")
    (incident,) = [one for one in paging.incidents("shop") if one["severity"] == "page"]
    assert "x3" in page(said["incident"])
    assert f"/incidents/{incident['id']}" in page(said["incident"])
    assert "x3" in page(f"{paging.url}/incidents/{incident['id']}")

    # 2. the daemon dies: whoever runs it is paged; the drift is kept and held back, and nobody hears that it is over
    paging.kill_daemon()
    down = board.wait("ops-page", "RaincheckDown", "firing")
    assert [alert["state"] for alert in prometheus.alerts("ModelDrifted")] == ["firing"]
    (held,) = alertmanager.alerts(alertname="ModelDrifted", severity="page")
    assert held["status"]["inhibitedBy"] == [down.alerts[0]["fingerprint"]]
    paging.start_daemon()
    board.wait("ops-page", "RaincheckDown", "resolved")
    until(lambda: [a["status"]["state"] for a in alertmanager.alerts(alertname="ModelDrifted", severity="page")] == ["active"])

    # 3. a ticket begins to wait for its time
    for _ in range(2):  # a counter that appears has not risen yet
        paging.spoil("shop", 2000)
        until(lambda: prometheus.query('raincheck_records_rejected_total{stream="shop"} >= 2000'))
    until(lambda: prometheus.alerts("RaincheckRecordsRejected"))

    # 4. Alertmanager dies: what happens meanwhile arrives once it is back, and what was sent is not sent again
    alertmanager.remember()
    alertmanager.kill()
    paging.bring(3, shop=SHIFT, bank={"missing": "x2"})
    until(lambda: prometheus.alerts("ModelBroken"))
    alertmanager.start()
    broken = board.wait("bank-team-page", "ModelBroken", "firing")
    assert [alert["annotations"]["summary"] for alert in broken.alerts] == ["bank: broken records: x2 missing"]
    until(lambda: alertmanager.alerts(alertname="ModelDrifted", severity="page"))

    # 5. Prometheus dies: what had waited need not wait again, and what fires is not taken for resolved
    waited = "time() - ALERTS_FOR_STATE{alertname='RaincheckRecordsRejected'}"
    until(lambda: prometheus.query(f"{waited} > 10"))
    prometheus.kill()
    dead_ms = wall.now_ms()
    prometheus.start()
    until(lambda: prometheus.query(f"{waited} > time() - {dead_ms / 1000}"), "its time began again")
    board.wait("ops-ticket", "RaincheckRecordsRejected", "firing")

    # 6. it is over: one answer by a person, one recovery
    paging.bring(1)
    paging.judged("shop")
    paging.answer(incident["id"], "fixed")
    paging.bring(2)
    over = board.wait("shop-team-page", "ModelDrifted", "resolved")
    assert over.alerts[0]["annotations"]["summary"] == said["summary"], "and it never was about anything else"
    board.wait("bank-team-page", "ModelBroken", "resolved")

    # the whole night, as each of them saw it
    board.rounds(1)
    seen = {name: [one.said for one in board.heard(name)] for name in ("shop-team-page", "bank-team-page", "ops-page", "ops-ticket")}
    assert seen == {
        "shop-team-page": [("ModelDrifted", "firing"), ("ModelDrifted", "resolved")],
        "bank-team-page": [("ModelBroken", "firing"), ("ModelBroken", "resolved")],
        "ops-page": [("RaincheckDown", "firing"), ("RaincheckDown", "resolved")],
        "ops-ticket": [("RaincheckRecordsRejected", "firing")],
    }


def test_promtool_finds_nothing_on_a_living_daemon(paging: Paging) -> None:
    with urllib.request.urlopen(f"{paging.url}/metrics", timeout=10) as answer:
        body = answer.read()
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=body, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_every_rule_is_evaluated_without_an_error(paging: Paging) -> None:
    rules = until(lambda: [rule for rule in paging.prometheus.rules() if rule["health"] != "unknown"])
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}
    for rule in rules:
        paging.prometheus.query(rule["query"])
    assert len(rules) == sum(text.count("alert:") for text in (p.read_text() for p in paging.rules.glob("*.rules.yml")))
