"""The calibration report: the same on the command line, over HTTP and on its page, and true of what was learnt and paged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor import config, learn
from monitor.http import Server, create_app
from monitor.reference import Reference
from monitor.report import ModelReport, report_of, told, upper_limit
from monitor.standing import Ledger, Standing
from tests.river.test_references import configuration, frame
from tests.river.test_reproduction import Life, life  # noqa: F401 - the fixture is one life for both files
from tests.river.world import configuration as shop
from tests.river.world import raincheck
from tests.web.fake_desk import NOW_MS, believable


@pytest.fixture(scope="module")
def reference() -> Reference:
    return learn(configuration(), frame(8)).models["m"][0]


def report(reference: Reference | None, ledger: Ledger | None = None) -> ModelReport:
    model = config.compile(configuration()).models["m"]
    return report_of(model, Standing(stage="judging", ledger=ledger or Ledger()), reference, ())


def test_it_says_which_row_of_the_table_holds_and_what_can_be_seen(reference: Reference) -> None:
    found = report(reference)
    assert found.stage is not None
    assert (found.stage["name"], found.allows) == ("7 to 14 days", "7 to 14 days: season daily; pages at 10 budgets")
    assert found.visible.keys() == {"x", "n"}, "a category has no shift"
    assert all(0 < shift["day"] < shift["hour"] for shift in found.visible.values()), "more windows see smaller shifts"
    text = told(found)
    for part in ("at most 1 false page per 30d", reference.name, "smallest visible shift", "at the whole budget", "nothing judged yet"):
        assert part in text


def test_without_a_reference_it_says_so() -> None:
    found = report(None)
    assert (found.stage, found.visible) == (None, {})
    assert "rules only" in told(found)


@given(st.integers(0, 30), st.floats(0.05, 120))
def test_the_limit_is_the_rate_at_which_so_few_would_be_rare(false_pages: int, months: float) -> None:
    limit = upper_limit(false_pages, months)
    assert limit is not None
    mean = limit * months
    tail = sum(math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(false_pages + 1))
    assert tail == pytest.approx(0.05, rel=1e-6)


def test_the_ledger_counts_what_nobody_answered(reference: Reference) -> None:
    ledger = Ledger(judged_ms=60 * 86_400_000, pages=3, false_pages=1)
    assert "3 pages in 2.0 months" in told(report(reference, ledger))
    assert report(reference, ledger).ledger.upper == upper_limit(1, 2.0)


def test_the_command_tells_a_life_from_its_state(life: Life, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    path = tmp_path / "raincheck.yaml"
    path.write_text(yaml.safe_dump(shop(state={"path": str(life.store.path)})))
    found = json.loads(raincheck("report", "shop", "--config", str(path), "--json"))
    assert (found["ledger"]["pages"], found["ledger"]["false_pages"], found["ledger"]["unanswered"]) == (2, 1, 1)
    assert [i["id"] for i in found["open_incidents"]] == [life.open_page().id]
    assert found["visible"].keys() == {f"x{i}" for i in range(16)}
    alone = json.loads(raincheck("report", "shop", "--state", str(life.store.path), "--json"))
    assert alone["budget"] == found["budget"], "the budget that was calibrated for"
    assert "smallest visible shift" in raincheck("report", "shop", "--config", str(path))
    raincheck("report", "nobody", "--config", str(path), codes=(78,))
    raincheck("report", "shop", codes=(78,))


def test_the_page_and_the_api_tell_the_same(reference: Reference) -> None:
    desk = believable()
    desk.reference = reference
    server = Server(create_app(desk, clock=lambda: NOW_MS), port=0)
    port = server.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            page = client.get("/models/traffic-light/report").text
            found = client.get("/api/v1/models/traffic-light/report").json()
            linked = client.get("/models/traffic-light").text
    finally:
        server.stop()
    assert 'href="/models/traffic-light/report"' in linked
    assert reference.name == found["reference"]
    for part in (reference.name, found["budget"], "3 pages in 2.0 months", "x</th>", f"{found['visible']['x']['hour']:.2f}"):
        assert part in page
    assert replace(desk.report("traffic-light"), open_incidents=()).visible == found["visible"]
