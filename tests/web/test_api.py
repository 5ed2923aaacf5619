"""What machines are answered: statuses, content types, mistakes that name their field, writes that wait for the disk."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

import monitor.http.api
from monitor.desk import Health
from monitor.metrics import CONTENT_TYPE, CONTENT_TYPE_OPENMETRICS
from monitor.plan import Http
from tests.web.fake_desk import FakeDesk, believable

JSON = "application/json"
HTML = "text/html; charset=utf-8"
PROMETHEUS_242 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/", 200, HTML),
        ("/models/traffic-light", 200, HTML),
        ("/models/traffic-light?span=30d", 200, HTML),
        ("/models/traffic-light?span=nonsense", 200, HTML),
        ("/models/nobody", 404, HTML),
        ("/models/traffic-light/report", 200, HTML),
        ("/models/nobody/report", 404, HTML),
        ("/api/v1/models/traffic-light/report", 200, JSON),
        ("/api/v1/models/nobody/report", 404, JSON),
        ("/incidents/nobody", 404, HTML),
        ("/raincheck.css", 200, "text/css; charset=utf-8"),
        ("/-/healthy", 200, JSON),
        ("/-/ready", 200, JSON),
        ("/api/v1/models", 200, JSON),
        ("/api/v1/models/traffic-light/windows", 200, JSON),
        ("/api/v1/models/nobody/windows", 404, JSON),
        ("/api/v1/incidents", 200, JSON),
        ("/api/v1/incidents?model=nobody", 404, JSON),
        ("/api/v1/incidents/nobody", 404, JSON),
        ("/api/v1/nothing", 404, JSON),
        ("/nothing", 404, HTML),
        ("/metrics", 200, CONTENT_TYPE),
    ],
)
def test_every_path_answers_in_its_own_language(client: httpx.Client, path: str, status: int, kind: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accept", "kind", "because"),
    [
        (PROMETHEUS_242, CONTENT_TYPE_OPENMETRICS, "Prometheus likes OpenMetrics best"),
        ("text/plain;version=0.0.4", CONTENT_TYPE, "older scrapers ask for text"),
        ("*/*", CONTENT_TYPE, "curl does not mind, people read text"),
        ("", CONTENT_TYPE, "no header at all"),
        ("application/openmetrics-text;version=2.0.0", CONTENT_TYPE, "a version not spoken here"),
        ("application/openmetrics-text;q=nonsense", CONTENT_TYPE, "a weight that is no number counts as none"),
    ],
)
def test_metrics_are_negotiated(client: httpx.Client, accept: str, kind: str, because: str) -> None:
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"] == kind, because
    assert answer.text.endswith("# EOF\n") == (kind == CONTENT_TYPE_OPENMETRICS)


def test_metrics_are_compressed_for_those_who_ask(client: httpx.Client) -> None:
    with client.stream("GET", "/metrics", headers={"accept-encoding": "gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert b"raincheck_exported_series_limit" in gzip.decompress(body)
    plain = client.get("/metrics", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert b"raincheck_exported_series_limit" in plain.content


def test_requests_are_counted_by_pattern_and_never_by_path(client: httpx.Client, desk: FakeDesk) -> None:
    client.get("/models/traffic-light")
    client.get("/models/somebody-typed-this")
    client.get("/and-this")
    count: Final = "raincheck_http_requests_total"
    assert desk.values.value(count, handler="/models/{model:path}", code="200") == 1
    assert desk.values.value(count, handler="/models/{model:path}", code="404") == 1
    assert desk.values.value(count, handler="none", code="404") == 1
    assert b"somebody-typed-this" not in desk.values.render()


@pytest.mark.parametrize(
    ("readiness", "unready", "stalled", "kafka", "ready", "healthy", "because"),
    [
        ("full", (), (), True, 200, 200, "all is well"),
        ("full", (), (), False, 503, 200, "the broker is away: not ready, and no reason to restart"),
        ("local", (), (), False, 200, 200, "a sidecar must not take its model out of service for a broker"),
        ("local", ("state is not restored",), (), True, 503, 200, "cannot work yet"),
        ("full", (), ("engine",), True, 200, 503, "a loop hangs: only a restart helps"),
    ],
)
def test_health_and_readiness(
    serve: Callable[[FakeDesk], httpx.Client],
    readiness: Any,
    unready: tuple[str, ...],
    stalled: tuple[str, ...],
    kafka: bool,
    ready: int,
    healthy: int,
    because: str,
) -> None:
    desk = believable(Http(readiness=readiness))
    desk.state = Health({"engine": 1.0}, stalled, unready, {"kafka": kafka})
    client = serve(desk)
    assert client.get("/-/ready").status_code == ready, because
    assert client.get("/-/healthy").status_code == healthy, because


def test_windows_are_the_newest_oldest_first(client: httpx.Client) -> None:
    windows = client.get("/api/v1/models/traffic-light/windows?limit=3").json()["windows"]
    assert [w["start_ms"] for w in windows] == sorted(w["start_ms"] for w in windows)
    assert len(windows) == 3
    assert windows[-1]["id"] == f"traffic-light:{windows[-1]['start_ms']}"


def test_numbers_json_cannot_say_become_null(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable()
    last = desk.verdicts["card-fraud"][-1]
    desk.verdicts["card-fraud"] = [replace(last, evidence=float("-inf"), threshold=float("nan"))]
    window = serve(desk).get("/api/v1/models/card-fraud/windows?limit=1").json()["windows"][0]
    assert window["evidence"] is None
    assert window["threshold"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1e3", "999999999999999999999", "²", "1_0", " 5"])
def test_a_limit_that_is_no_number_in_range_is_named(client: httpx.Client, limit: str) -> None:
    answer = client.get("/api/v1/models/traffic-light/windows", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["field"] == "limit"
    assert answer.json()["value"] == limit
    assert "whole number" in answer.json()["right"]


@pytest.mark.parametrize(
    ("path", "field", "right"),
    [
        ("models?span=7d", "span", "no parameters: there are none here"),
        ("models/traffic-light?limit=5", "limit", "no parameters: there are none here"),
        ("models/traffic-light/report?limit=5", "limit", "no parameters: there are none here"),
        ("models/traffic-light/windows?limit=5&from=2026-11-19", "from", "one of the parameters limit"),
        ("models/traffic-light/windows?span=", "span", "one of the parameters limit"),
        ("models/traffic-light/columns?incidents=x", "incidents", "one of the parameters incident"),
        ("incidents?models=traffic-light", "models", "one of the parameters model, limit"),
        ("incidents/x?note=1", "note", "no parameters: there are none here"),
    ],
)
def test_a_parameter_that_does_nothing_is_refused_rather_than_passed_over(client: httpx.Client, path: str, field: str, right: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["field"], answer.json()["right"]) == (400, field, right)


def test_what_readme_says_of_the_limits_is_what_holds(client: httpx.Client, desk: FakeDesk) -> None:
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    assert "`/windows` tells the newest 288 windows, with `?limit=` 1 to 4,000;" in readme
    assert "`/incidents` the newest 100, with `?limit=` 1 to 10,000 and `?model=`" in readme
    desk.verdicts["traffic-light"] = [desk.verdicts["traffic-light"][0]] * 5_000
    desk.known = [replace(desk.known[0], id=str(i)) for i in range(200)]
    for path, usual, most in (("models/traffic-light/windows", 288, 4_000), ("incidents", 100, 10_000)):
        told = [len(client.get(f"/api/v1/{path}{limit}").json()[path.rpartition("/")[2]]) for limit in ("", f"?limit={most}")]
        assert told == [usual, min(most, 4_000 if "windows" in path else 200)]
        assert client.get(f"/api/v1/{path}?limit={most + 1}").json()["right"] == f"a whole number from 1 to {most}"


def open_page(desk: FakeDesk) -> str:
    return next(i.id for i in desk.known if i.model == "traffic-light" and i.resolved_ms is None)


def test_an_answer_is_kept_with_who_and_when(client: httpx.Client, desk: FakeDesk) -> None:
    key = open_page(desk)
    answer = client.post(f"/api/v1/incidents/{key}/answer", json={"answer": "fixed", "who": "Mira", "note": "lens wiped"})
    assert answer.status_code == 200
    kept = {"kind": "fixed", "who": "Mira", "note": "lens wiped", "at_ms": desk.now_ms, "until_ms": None, "every_ms": None}
    assert answer.json()["answers"] == [kept]
    assert client.get(f"/api/v1/incidents/{key}").json() == answer.json()


@pytest.mark.parametrize(
    ("body", "field", "because"),
    [
        ({"who": "Mira"}, "answer", "no answer"),
        ({"answer": "maybe", "who": "Mira"}, "answer", "there are four answers"),
        ({"answer": ["false"], "who": "Mira"}, "answer", "a list is no answer"),
        ({"answer": "false"}, "who", "somebody must have said it"),
        ({"answer": "false", "who": "   "}, "who", "blank is nobody"),
        ({"answer": "false", "who": 7}, "who", "a number is nobody"),
        ({"answer": "false", "who": "x" * 201}, "who", "too long for a name"),
        ({"answer": "false", "who": "Mira", "note": "x" * 4001}, "note", "too long for a note"),
        ({"answer": "false", "who": "Mira", "notes": "typo"}, "notes", "a misspelt field would be lost silently"),
        ([], "body", "not an object"),
        ("text", "body", "not an object"),
    ],
)
def test_a_mistaken_answer_names_its_field_and_changes_nothing(
    client: httpx.Client, desk: FakeDesk, body: Any, field: str, because: str
) -> None:
    answer = client.post(f"/api/v1/incidents/{open_page(desk)}/answer", json=body)
    assert answer.status_code == 400, because
    assert answer.json()["field"] == field, because
    assert answer.json()["right"]
    assert not any(i.answers for i in desk.known if i.resolved_ms is None)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b"answer=false", "text/plain", 415),
        (b"x", "multipart/form-data; boundary=x", 415),
        (b"{}", "", 415),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(client: httpx.Client, desk: FakeDesk, content: bytes, kind: str, status: int) -> None:
    answer = client.post(f"/api/v1/incidents/{open_page(desk)}/answer", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["field"] in ("body", "Content-Type")


def test_an_answer_that_does_not_reach_the_disk_is_not_confirmed(
    client: httpx.Client, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.http.api, "DURABLE_S", 0.01)
    desk.stuck = True
    answer = client.post(f"/api/v1/incidents/{open_page(desk)}/answer", json={"answer": "false", "who": "Mira"})
    assert answer.status_code == 503
    assert "not on disk yet" in answer.text


def test_unknown_incidents_and_models_are_told_what_there_is(client: httpx.Client, desk: FakeDesk) -> None:
    assert client.post("/api/v1/incidents/nobody/answer", json={"answer": "false", "who": "Mira"}).status_code == 404
    answer = client.post("/api/v1/models/nobody/deployments", json={"version": "7", "who": "ci"})
    assert answer.status_code == 404
    assert "card-fraud" in answer.json()["right"]
    assert desk.deployed == []


def test_a_deployment_is_passed_on(client: httpx.Client, desk: FakeDesk) -> None:
    answer = client.post("/api/v1/models/card-fraud/deployments", json={"version": "7", "who": "ci"})
    assert answer.status_code == 201
    assert desk.deployed == [("card-fraud", "7", "ci", "")]
    assert client.post("/api/v1/models/card-fraud/deployments", json={"who": "ci"}).json()["field"] == "version"


def test_the_wrong_method_is_refused(client: httpx.Client) -> None:
    assert client.post("/api/v1/models").status_code == 405
    assert client.get("/api/v1/models/card-fraud/deployments").status_code == 405


def test_columns_are_bars_of_both_sides(client: httpx.Client, desk: FakeDesk) -> None:
    found = client.get("/api/v1/models/traffic-light/columns").json()
    assert found["model"] == "traffic-light"
    first = found["columns"][0]
    assert (first["column"], first["leads"]) == ("frame.noise", True)
    assert {"label", "normal", "now", "place"} == set(first["bars"][0])
    page = next(i for i in desk.known if i.severity == "page" and i.resolved_ms is None)
    assert client.get(f"/api/v1/models/traffic-light/columns?incident={page.id}").status_code == 200


@pytest.mark.parametrize(
    ("model", "query", "status", "field"),
    [
        ("nobody", "", 404, "model"),
        ("traffic-light", "?incident=none", 404, "incident"),
        ("card-fraud", "?incident={page}", 400, "incident"),
    ],
)
def test_columns_of_what_is_not_there_are_refused(
    client: httpx.Client, desk: FakeDesk, model: str, query: str, status: int, field: str
) -> None:
    page = next(i for i in desk.known if i.severity == "page" and i.resolved_ms is None)
    answer = client.get(f"/api/v1/models/{model}/columns{query.format(page=page.id)}")
    assert answer.status_code == status
    assert answer.json()["field"] == field
