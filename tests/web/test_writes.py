"""What people tell the daemon beforehand and afterwards: every mistake names its field, every write is guarded, forms need no script."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from monitor.errors import Transient
from monitor.http.asks import LAST_MS, MOST_ANSWERS, MOST_EVENTS
from monitor.incident import Answer, Incident
from monitor.life import expecting
from monitor.outlook import outlook
from monitor.plan import Http
from monitor.standing import Expected, Standing
from tests.web.fake_desk import DAY_MS, HOUR_MS, NOW_MS, FakeDesk, believable
from tests.web.test_pages import page_of, read

MODEL: Final = "traffic-light"
SALE: Final = {"from": "2026-11-27T00:00Z", "until": "2026-12-01T00:00Z", "who": "sales"}
EXPECTED: Final = {"answer": "expected", "who": "Mira"}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat()


ANNOUNCED: list[tuple[dict[str, Any], str, str]] = [
    ({"from": None}, "from", "it must begin"),
    ({"until": None}, "until", "it must end"),
    ({"from": ""}, "from", "an empty field of a form is no time"),
    ({"from": "2026-11-27T00:00"}, "from", "no zone: a day of Black Friday is another day elsewhere"),
    ({"until": "2026-12-01"}, "until", "no zone"),
    ({"from": "tomorrow"}, "from", "no time"),
    ({"from": 1_795_000_000_000}, "from", "a number has no unit"),
    ({"from": False}, "from", "no time, and not left out either"),
    ({"until": "2026-11-27T00:00Z"}, "until", "it ends when it begins"),
    ({"until": "2026-11-26T23:00Z"}, "until", "it ends before it begins"),
    ({"until": "2026-11-27T00:30+01:00"}, "until", "before it begins, in UTC"),
    ({"until": "9999-12-31T23:59Z"}, "until", "no zone east of here can write it down"),
    ({"from": "0001-01-01T00:00+14:00"}, "from", "before the calendar begins"),
    ({"every": "1d"}, "every", "it would begin again before it is over, and never end"),
    ({"every": "0s"}, "every", "never is told by leaving it out"),
    ({"every": "-7d"}, "every", "it does not come again in the past"),
    ({"every": "weekly"}, "every", "no length of time"),
    ({"every": 7}, "every", "seven of what"),
    ({"every": 0}, "every", "nought of what"),
    ({"subjects": ["nobody"]}, "subjects", "there is no such subject"),
    ({"subjects": ["speed", "nobody"]}, "subjects", "one of them is none"),
    ({"subjects": "speed, nobody"}, "subjects", "one of them is none"),
    ({"subjects": [["speed"]]}, "subjects", "a list is no name"),
    ({"subjects": {"speed": 1}}, "subjects", "an object is no list"),
    ({"who": " "}, "who", "somebody must have said it"),
    ({"note": "x" * 4001}, "note", "too long"),
    ({"notes": "typo"}, "notes", "a misspelt field would be lost silently"),
]


@pytest.mark.parametrize(("change", "field", "because"), ANNOUNCED)
def test_a_mistaken_event_names_its_field_and_changes_nothing(
    client: httpx.Client, desk: FakeDesk, change: dict[str, Any], field: str, because: str
) -> None:
    body = {name: value for name, value in {**SALE, **change}.items() if value is not None}
    answer = client.post(f"/api/v1/models/{MODEL}/expected", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), because
    assert answer.json()["right"]
    assert desk.events == []


def test_an_event_is_passed_on_with_its_zone_and_each_subject_once(client: httpx.Client, desk: FakeDesk) -> None:
    body = {**SALE, "from": "2026-11-27T01:00+01:00", "every": "52w", "subjects": ["speed", "frame", "speed"], "note": " Black Friday "}
    answer = client.post(f"/api/v1/models/{MODEL}/expected", json=body)
    assert answer.status_code == 201
    event = Expected(ms(SALE["from"]), ms(SALE["until"]), 364 * DAY_MS, ("speed", "frame"), "sales", "Black Friday")
    assert desk.events == [(MODEL, event)]
    assert answer.json()["event"]["until_ms"] == event.until_ms
    assert client.post("/api/v1/models/nobody/expected", json=SALE).status_code == 404


ANSWERED: list[tuple[dict[str, Any], str, str]] = [
    ({"answer": "false", "until": iso(NOW_MS + HOUR_MS)}, "until", "only what passes has an end"),
    ({"answer": "normal", "every": "7d"}, "every", "only what passes comes again"),
    ({"until": "2026-11-20T09:00"}, "until", "no zone"),
    ({"until": "soon"}, "until", "no time"),
    ({"until": iso(NOW_MS - DAY_MS)}, "until", "over before the incident began"),
    ({"until": iso(LAST_MS)}, "until", "the year 3000"),
    ({"until": iso(NOW_MS + HOUR_MS), "every": "1h"}, "every", "shorter than from the onset to the end: it would never be over"),
    ({"every": "7d"}, "until", "what comes again must end"),
    ({"until": iso(NOW_MS + HOUR_MS), "every": "a week"}, "every", "no length of time"),
]


@pytest.mark.parametrize(("change", "field", "because"), ANSWERED)
def test_a_mistaken_end_or_return_names_its_field_and_answers_nothing(
    client: httpx.Client, desk: FakeDesk, change: dict[str, Any], field: str, because: str
) -> None:
    answer = client.post(f"/api/v1/incidents/{page_of(desk)}/answer", json={**EXPECTED, **change})
    assert (answer.status_code, answer.json()["field"]) == (400, field), because
    assert not any(i.answers for i in desk.known if i.resolved_ms is None)


@pytest.mark.parametrize(
    ("body", "field", "because"),
    [
        ({"who": "ci"}, "version", "which one"),
        ({"version": "", "who": "ci"}, "version", "which one"),
        ({"version": 7, "who": "ci"}, "version", "a number is written as text: 7 and 7.0 are two versions"),
        ({"version": "7"}, "who", "somebody deployed it"),
        ({"version": "x" * 201, "who": "ci"}, "version", "too long"),
        ({"version": "7", "who": "ci", "from": "2026-11-27T00:00Z"}, "from", "it serves from now on; no field is lost silently"),
    ],
)
def test_a_mistaken_deployment_names_its_field(client: httpx.Client, desk: FakeDesk, body: Any, field: str, because: str) -> None:
    answer = client.post(f"/api/v1/models/{MODEL}/deployments", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), because
    assert desk.deployed == []


# ---- calling off


def test_an_event_that_was_called_off_is_forgotten_and_the_others_are_not(client: httpx.Client, desk: FakeDesk) -> None:
    (view,) = [v for v in desk.views if v.name == MODEL]
    first, second = view.outlook.calendar
    answer = client.post(f"/api/v1/models/{MODEL}/expected/withdrawn", json={"from": iso(first.from_ms), "who": "Mira"})
    assert answer.status_code == 200
    ((_, event),) = desk.events
    after = expecting(desk.standings[MODEL], event)
    assert outlook(desk.plan.models[MODEL], after).calendar == (second,)


def test_what_is_announced_again_overtakes_what_was_said_before(desk: FakeDesk) -> None:
    standing = desk.standings["card-fraud"] if "card-fraud" in desk.standings else desk.standing("card-fraud")
    first = Expected(NOW_MS, NOW_MS + HOUR_MS, None, ("speed", "frame"), "a", "an hour")
    longer = replace(first, until_ms=NOW_MS + DAY_MS, subjects=("frame", "speed"))
    other = replace(first, subjects=("speed",))
    assert expecting(expecting(expecting(standing, first), other), longer).calendar == (other, longer)


@pytest.mark.parametrize(
    ("body", "status", "because"),
    [
        ({"from": "2026-11-27T00:00Z"}, 404, "no event begins then"),
        ({}, 404, "which one"),
        ({"from": iso(NOW_MS), "subjects": ["speed"]}, 200, "two begin then: the one of this subject"),
        ({"from": iso(NOW_MS), "subjects": "a, b"}, 200, "the other, as a form's one line"),
        ({"from": iso(NOW_MS), "subjects": ["a, b"]}, 200, "a name may hold a comma"),
        ({"from": iso(NOW_MS)}, 404, "two begin then"),
        ({"from": iso(NOW_MS), "subjects": ["frame"]}, 404, "none of them is of this subject"),
        ({"from": iso(NOW_MS + DAY_MS)}, 200, "the only one that begins then"),
        ({"from": iso(NOW_MS + DAY_MS), "who": ""}, 400, "somebody must have said it"),
        ({"from": iso(NOW_MS + DAY_MS), "until": iso(NOW_MS)}, 400, "no field is lost silently"),
    ],
)
def test_which_event_is_called_off(client: httpx.Client, desk: FakeDesk, body: dict[str, Any], status: int, because: str) -> None:
    at = [(NOW_MS, ("speed",)), (NOW_MS, ("a, b",)), (NOW_MS + DAY_MS, ())]
    events = tuple(Expected(from_ms, from_ms + HOUR_MS, None, subjects, "ops") for from_ms, subjects in at)
    known = outlook(desk.plan.models[MODEL], replace(desk.standings[MODEL], calendar=events))
    desk.views = [replace(v, outlook=known) if v.name == MODEL else v for v in desk.views]
    answer = client.post(f"/api/v1/models/{MODEL}/expected/withdrawn", json={"who": "Mira", **body})
    assert answer.status_code == status, because
    assert [(e.from_ms, e.until_ms) for _, e in desk.events] == ([(ms(body["from"]),) * 2] if status == 200 else []), because


# ---- forms

HERE: Final = {"sec-fetch-site": "same-origin"}


def test_the_forms_are_unfolded_by_a_link_and_what_is_typed_is_not_reloaded(client: httpx.Client, desk: FakeDesk) -> None:
    folded = read(client, f"/models/{MODEL}")
    assert folded.all("form") == []
    assert {"href": "?announce=now#announce"} in folded.all("a")
    page = read(client, f"/models/{MODEL}?announce=now")
    paths = [form["action"] for form in page.all("form")]
    assert paths == [f"/models/{MODEL}/expected", f"/models/{MODEL}/deployments", *[f"/models/{MODEL}/expected/withdrawn"] * 2]
    assert not [m for m in page.all("meta") if m.get("http-equiv") == "refresh"]
    fields = [i for i in page.all("input") + page.all("textarea") if i.get("type") != "hidden"]
    assert len(page.all("label")) == len(fields), "every field has a label"
    assert "Europe/Amsterdam" in page.text, "whose clock"


def test_times_of_a_form_are_those_of_the_models_zone(client: httpx.Client, desk: FakeDesk) -> None:
    form = {"from": "2026-12-24T18:00", "until": "2026-12-27T06:00", "every": "", "subjects": "", "who": "ops", "note": ""}
    answer = client.post(f"/models/{MODEL}/expected", data=form, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/models/{MODEL}")
    assert desk.events == [(MODEL, Expected(ms("2026-12-24T17:00Z"), ms("2026-12-27T05:00Z"), None, (), "ops", ""))]
    form = {"answer": "expected", "who": "Mira", "until": "2026-11-20T09:00", "every": "7d", "note": ""}
    assert client.post(f"/incidents/{page_of(desk)}/answer", data=form, headers=HERE).status_code == 303
    (given,) = next(i for i in desk.known if i.answers and i.answers[0].kind == "expected" and i.answers[0].until_ms).answers
    assert given == Answer("expected", "Mira", "", NOW_MS, ms("2026-11-20T08:00Z"), 7 * DAY_MS)


def test_fields_left_empty_belong_to_every_answer(client: httpx.Client, desk: FakeDesk) -> None:
    key = page_of(desk)
    form = {"answer": "fixed", "who": "Mira", "note": "", "until": "", "every": ""}
    assert client.post(f"/incidents/{key}/answer", data=form, headers=HERE).status_code == 303
    form |= {"until": "2026-11-20T09:00"}
    page = client.post(f"/incidents/{key}/answer", data=form, headers=HERE)
    assert page.status_code == 400
    assert "only an expected event has an end" in page.text


def test_a_field_that_comes_twice_is_refused(client: httpx.Client, desk: FakeDesk) -> None:
    body = "version=1&version=2&who=ci"
    headers = {**HERE, "content-type": "application/x-www-form-urlencoded"}
    assert client.post(f"/models/{MODEL}/deployments", content=body, headers=headers).status_code == 400
    assert desk.deployed == []


def test_a_deployment_and_a_withdrawal_by_form_go_back_to_the_page(client: httpx.Client, desk: FakeDesk) -> None:
    answer = client.post(f"/models/{MODEL}/deployments", data={"version": "15", "who": "ci", "note": "new camera"}, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/models/{MODEL}")
    assert desk.deployed == [(MODEL, "15", "ci", "new camera")]
    page = read(client, f"/models/{MODEL}?announce=now")
    hidden = [i for i in page.all("input") if i.get("type") == "hidden"][:2]
    form = {str(i["name"]): str(i["value"]) for i in hidden} | {"who": "Mira"}
    assert client.post(f"/models/{MODEL}/expected/withdrawn", data=form, headers=HERE).status_code == 303
    ((_, event),) = desk.events
    assert event.from_ms == event.until_ms


def leaving() -> Future[Incident]:
    future: Future[Incident] = Future()
    future.cancel()
    return future


def unsaved() -> Future[Incident]:
    future: Future[Incident] = Future()
    future.set_exception(Transient("raincheck left before the state could be saved"))
    return future


@pytest.mark.parametrize("owed", [leaving, unsaved])
def test_who_writes_while_raincheck_leaves_is_told_to_ask_again(
    client: httpx.Client, desk: FakeDesk, owed: Callable[[], Future[Incident]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "answer", lambda incident, answer: owed())
    answer = client.post(f"/api/v1/incidents/{page_of(desk)}/answer", json={"answer": "fixed", "who": "Mira"})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["retry-after"]) == (503, "application/json", "10")
    assert "ask again once it is back" in answer.json()["right"]


# ---- who may

WRITES: Final[list[tuple[str, dict[str, str]]]] = [
    (f"/models/{MODEL}/expected", SALE),
    (f"/models/{MODEL}/expected/withdrawn", {"from": iso(NOW_MS + 30 * HOUR_MS), "who": "ops"}),
    (f"/models/{MODEL}/deployments", {"version": "15", "who": "ci"}),
    ("/incidents/{incident}/answer", {"answer": "fixed", "who": "Mira"}),
]


def outcome(desk: FakeDesk) -> str:
    return json.dumps([desk.deployed, len(desk.events), [len(i.answers) for i in desk.known]])


@pytest.mark.parametrize(("path", "body"), WRITES, ids=[path for path, _ in WRITES])
@pytest.mark.parametrize(
    ("headers", "form", "status", "because"),
    [
        ({}, False, 200, "a program on this machine"),
        (HERE, True, 200, "our own page"),
        ({}, True, 403, "no sign of where the form stood"),
        ({"sec-fetch-site": "cross-site"}, True, 403, "a foreign page's form"),
        ({"origin": "https://evil.example"}, False, 403, "a foreign page's script"),
        ({**HERE, "host": "evil.example"}, True, 403, "a re-pointed name"),
    ],
)
def test_every_write_is_guarded_alike(
    client: httpx.Client, desk: FakeDesk, path: str, body: dict[str, str], headers: dict[str, str], form: bool, status: int, because: str
) -> None:
    before, path = outcome(desk), path.format(incident=page_of(desk))
    answer = client.post(path, data=body, headers=headers) if form else client.post(f"/api/v1{path}", json=body, headers=headers)
    assert answer.status_code // 100 == (status // 100 if status != 200 else 3 if form else 2), (because, answer.text)
    assert (outcome(desk) == before) == (status != 200), because


@pytest.mark.parametrize(("path", "body"), WRITES, ids=[path for path, _ in WRITES])
def test_off_loopback_every_write_needs_the_token(
    serve: Callable[[FakeDesk], httpx.Client], tmp_path: Path, path: str, body: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("right")
    desk = believable(Http(bind="0.0.0.0", token_file=str(tmp_path / "token"), external_url="https://raincheck.example"))
    client, path, before = serve(desk), path.format(incident=page_of(desk)), outcome(desk)
    for given, status in (({}, 401), ({"token": "wrong"}, 401)):
        assert client.post(path, data={**body, **given}, headers=HERE).status_code == status
    assert client.post(f"/api/v1{path}", json=body).status_code == 401
    assert outcome(desk) == before
    assert client.post(path, data={**body, "token": "right"}, headers=HERE).status_code == 303
    page = read(client, f"/models/{MODEL}?announce=now")
    tokens = [i for i in page.all("input") if i.get("name") == "token"]
    assert len(tokens) == len(page.all("form"))


@pytest.mark.parametrize(
    ("headers", "content", "status", "because"),
    [
        ({}, None, 202, "a program on this machine; curl sends no body"),
        ({"sec-fetch-site": "cross-site"}, None, 403, "a foreign page's script"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=b", 403, "a form that does not say where it stood"),
        ({"host": "evil.example"}, None, 403, "a re-pointed name"),
    ],
)
def test_who_may_have_the_configuration_read_again(
    client: httpx.Client, desk: FakeDesk, headers: dict[str, str], content: bytes | None, status: int, because: str
) -> None:
    answer = client.post("/-/reload", headers=headers, content=content)
    assert answer.status_code == status, because
    assert answer.headers["content-type"] == "application/json", "programs ask for this"
    assert desk.reloads == (status == 202), because


def test_a_reload_lists_the_mistakes_of_the_configuration(client: httpx.Client, desk: FakeDesk) -> None:
    desk.unreadable = True
    answer = client.post("/-/reload")
    assert (answer.status_code, answer.json()["reloading"]) == (400, False)
    assert "models.m.window" in answer.json()["mistakes"][0]


def test_no_incident_is_answered_for_ever(client: httpx.Client, desk: FakeDesk) -> None:
    key = page_of(desk)
    for index, incident in enumerate(desk.known):
        if incident.id == key:
            desk.known[index] = replace(incident, answers=(Answer("fixed", "Mira", "", NOW_MS),) * (MOST_ANSWERS - 1))
    ask = {"answer": "fixed", "who": "Mira"}
    assert client.post(f"/api/v1/incidents/{key}/answer", json=ask).status_code == 200, "the last one that is kept"
    refused = client.post(f"/api/v1/incidents/{key}/answer", json=ask)
    assert (refused.status_code, refused.json()["field"]) == (409, "answer")


@pytest.mark.parametrize(
    ("ahead", "over", "forgotten", "status", "because"),
    [
        (MOST_EVENTS - 1, 0, 0, 201, "the last one that is kept"),
        (MOST_EVENTS, 0, 0, 409, "each is looked at with every window"),
        (MOST_EVENTS - 10, 10, 0, 409, "so are those that are over, as long as they are kept"),
        (MOST_EVENTS - 10, 9, 50, 201, "what has been over for a month goes with the next one"),
    ],
)
def test_no_calendar_grows_for_ever(
    client: httpx.Client, desk: FakeDesk, ahead: int, over: int, forgotten: int, status: int, because: str
) -> None:
    sale = Expected(NOW_MS, NOW_MS + DAY_MS, 7 * DAY_MS, ("speed",), "Mira", "")
    begins = [NOW_MS + index for index in range(ahead)]
    past = [NOW_MS - 3 * DAY_MS + index for index in range(over)] + [NOW_MS - 40 * DAY_MS + index for index in range(forgotten)]
    calendar = (*(replace(sale, from_ms=at) for at in begins), *(Expected(at, at + 1) for at in past))
    standing = Standing(stage="judging", next_ms=NOW_MS, calendar=calendar)
    seen = outlook(desk.plan.models[MODEL], standing)
    desk.views = [replace(one, outlook=seen) if one.name == MODEL else one for one in desk.views]
    answer = client.post(f"/api/v1/models/{MODEL}/expected", json=SALE)
    assert answer.status_code == status, because
    assert ("call one off first" in answer.text) == (status == 409)
    assert ("10 that are over" in answer.text) == (status == 409 and over == 10)
    form = client.post(f"/models/{MODEL}/expected", data=SALE, headers={"origin": str(client.base_url).rstrip("/")})
    assert form.status_code == (409 if status == 409 else 303)
    if status == 201:
        assert len(expecting(standing, Expected(NOW_MS, NOW_MS + 1)).calendar) == MOST_EVENTS, "what is counted is what is kept"
