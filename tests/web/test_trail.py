"""What became of an incident and what lies ahead of a model, as pages and messages tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, get_args

import httpx
import pytest

from monitor.incident import Answer, AnswerKind, Incident
from monitor.message import body, title
from monitor.pages.trail import choices, trail
from monitor.phrases import odds
from monitor.plan import Plan
from monitor.standing import Expected
from monitor.verdict import Subject
from monitor.wording import evidence_text
from tests.web.fake_desk import DAY_MS, HOUR_MS, NOW_MS, FakeDesk, view
from tests.web.test_pages import page_of, read

OPENED: Final = NOW_MS - 5 * HOUR_MS
SPEED: Final = Subject("speed", "inputs", "location", "up", 0.21, "sd", 1.0, OPENED - HOUR_MS)
PAGE: Final = Incident("p", "card-fraud", "payments", "page", "statistical", OPENED, OPENED - HOUR_MS, (SPEED,), 5.1, 4.4, "speed", 900)
TICKET: Final = replace(PAGE, severity="ticket", evidence=0.0, threshold=0.0)
TREND: Final = replace(TICKET, id="t", rule="trend", onset_ms=OPENED - 7 * DAY_MS)
POOLED: Final = replace(TICKET, id="d", rule="distribution")
RULE: Final = replace(TICKET, id="r", kind="rule", rule="missing:speed", severity="page")
FALSE: Final = Answer("false", "Mira", "fog", NOW_MS - HOUR_MS)
SALE: Final = Answer("expected", "Ada", "", NOW_MS, NOW_MS + HOUR_MS, 7 * DAY_MS)


def closed(how: str, *answers: Answer) -> Incident:
    return replace(PAGE, resolved_ms=NOW_MS - 2 * HOUR_MS, resolution=how, answers=answers)


TRAILS: list[tuple[str, Incident, list[str], str]] = [
    ("open", PAGE, [], "nothing has happened since"),
    ("told again", replace(PAGE, told_ms=NOW_MS), ["still true and not answered: payments told again"], "a day without an answer"),
    ("recovered", closed("recovered"), ["resolved: the change is gone, open for 3 h"], "by itself"),
    ("answered", closed("answered", FALSE), ["answered False page", "resolved by the answer, open for 3 h"], "the answer closed it"),
    (
        "answered twice",
        closed("answered", FALSE, SALE),
        [
            "answered False page",
            "resolved by the answer, open for 3 h",
            "answered Expected event, until 3600, and every 7 days again",
        ],
        "the second came to what was closed",
    ),
    (
        "answered afterwards",
        closed("recovered", FALSE),
        ["resolved: the change is gone, open for 3 h", "answered False page"],
        "it had closed by itself",
    ),
    ("escalated", closed("escalated"), ["closed: a page says it now, open for 3 h"], "a ticket that became a page"),
]


@pytest.mark.parametrize(("name", "incident", "since", "because"), TRAILS, ids=[row[0] for row in TRAILS])
def test_the_trail_is_told_in_the_order_in_which_it_came(name: str, incident: Incident, since: list[str], because: str) -> None:
    marks = trail(incident, lambda time_ms: str((time_ms - NOW_MS) // 1000))
    assert [mark.text for mark in marks[:2]] == ["it began: the first bad window", "page opened, payments told"]
    assert [mark.text for mark in marks[2:]] == since, because


def test_a_note_told_nobody() -> None:
    assert trail(replace(PAGE, severity="note"), str)[1].text == "note opened"


@pytest.mark.parametrize(
    ("incident", "words", "because"),
    [
        (PAGE, "the threshold is once in", "windows have evidence"),
        (
            replace(TICKET, rule="latched", threshold=4.4, evidence=5.0),
            "the threshold is once in",
            "a page that its mode allows as a ticket",
        ),
        (TREND, "the last seven days as a whole against the reference", "no window showed it"),
        (POOLED, "against a reference without time", "the season is still learnt"),
        (RULE, "a rule of the plan", "a rule counts, it does not weigh"),
    ],
)
def test_evidence_is_told_where_there_is_some(client: httpx.Client, desk: FakeDesk, incident: Incident, words: str, because: str) -> None:
    assert words in evidence_text(incident, 300_000), because
    desk.known.append(incident)
    page = read(client, f"/incidents/{incident.id}")
    assert words[1:] in page.text, because  # a sentence begins with a capital
    told = body(incident, "opened", desk.plan)
    assert ("Evidence: " in told) == (incident.kind == "statistical")
    if not incident.threshold:
        for text in (page.text, told, title(incident, "opened")):
            assert "gets this far" not in text, "odds of nothing"
            assert "10^" not in text


def test_a_ticket_without_evidence_does_not_hide_the_models_own(serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk) -> None:
    desk.known.append(TREND)
    desk.views = [view(desk, "card-fraud")]
    page = read(serve(desk), "/")
    assert "page: once in 90 days" in page.text
    assert "not judged" not in page.text


def test_a_ticket_of_evidence_does_not_move_the_pages_line(serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk) -> None:
    desk.known.append(replace(PAGE, id="e", severity="ticket", evidence=2.6, threshold=2.46))  # a ticket's line: once in a day
    desk.views = [view(desk, "card-fraud")]
    assert "page: once in 90 days" in read(serve(desk), "/").text


@pytest.mark.parametrize(
    ("mode", "model_says", "fleet_says"),
    [
        ("page", "the owner is paged at once in 90 days.", "page: once in 90 days"),
        ("ticket", "what would be a page at once in 90 days, is a ticket in mode ticket.", "ticket: once in 90 days"),
        ("observe", "what would be a page at once in 90 days, is a note that nobody is told in mode observe.", "note: once in 90 days"),
    ],
)
def test_the_line_says_what_it_opens_in_this_mode(
    mode: str, model_says: str, fleet_says: str, serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk
) -> None:
    desk.views = [view(desk, "card-fraud", mode=mode)]
    client = serve(desk)
    assert model_says in read(client, "/models/card-fraud").text
    assert fleet_says in read(client, "/").text


def test_the_evidence_of_an_open_page_and_what_stands_since_are_not_taken_for_one(
    serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk
) -> None:
    desk.known.append(replace(PAGE, evidence=7.0))
    desk.verdicts["card-fraud"] = [replace(v, evidence=2.0) for v in desk.verdicts["card-fraud"]]
    desk.views = [view(desk, "card-fraud"), view(desk, "delivery-times")]
    client = serve(desk)
    then, now = odds(7.0, 300_000), odds(2.0, 300_000)
    assert f"When the page opened: {then}; now, counted anew since then: {now};" in read(client, "/models/card-fraud").text
    fleet = read(client, "/").text
    assert f"{then} when it opened; page: " in fleet
    assert now not in fleet
    desk.known.clear()
    desk.views = [view(desk, "card-fraud")]
    assert f"Now: {now};" in read(client, "/models/card-fraud").text
    assert f"{now} now; page: once in 90 days" in read(client, "/").text


def test_who_answers_fixed_is_told_when_it_is_judged_again() -> None:
    (meaning,) = [meaning for kind, _, meaning in choices(PAGE) if kind == "fixed"]
    assert "judged again from the next window that begins" in meaning
    assert "If it is broken still, it pages again." in meaning


def test_a_line_farther_out_than_the_budget_is_explained(client: httpx.Client) -> None:
    text = read(client, "/models/card-fraud").text
    assert "1 false page in 30 days" in text
    assert "paged at once in 90 days. That is 3 times rarer than the budget" in text


def test_a_message_says_who_closed_it() -> None:
    left = Plan({}, {})  # the model is no more in it
    told = body(closed("answered", FALSE, SALE), "resolved", left)
    assert 'answered "False page" by Mira, open for 3 h' in told
    assert "recovered, open for 3 h" in body(closed("recovered", FALSE), "resolved", left)


@pytest.mark.parametrize(
    "incident", [PAGE, TICKET, TREND, POOLED, RULE, replace(PAGE, severity="note")], ids=lambda i: i.rule or i.severity
)
def test_every_answer_says_what_it_does(incident: Incident) -> None:
    found = choices(incident)
    assert [kind for kind, _, _ in found] == list(get_args(AnswerKind))
    meanings = {kind: meaning for kind, _, meaning in found}
    assert ("promise" in meanings["false"]) == (incident.severity == "page" and incident.kind == "statistical"), "only these are counted"
    assert ("learnt anew" in meanings["normal"]) == (incident.kind == "statistical"), "rules learn nothing"


def test_a_closed_incident_can_be_answered_and_says_so(client: httpx.Client, desk: FakeDesk) -> None:
    assert "It has closed by itself" not in read(client, f"/incidents/{page_of(desk)}").text
    desk.known.append(closed("recovered"))
    page = read(client, "/incidents/p")
    assert "It has closed by itself. An answer still says what is to be learnt from it." in page.text
    answer = client.post("/incidents/p/answer", data={"answer": "false", "who": "Mira"}, headers={"sec-fetch-site": "same-origin"})
    assert answer.status_code == 303
    assert "Another answer is added" in read(client, "/incidents/p").text


def test_what_lies_ahead_is_on_the_models_page_and_in_json_and_in_the_fleet(client: httpx.Client) -> None:
    page = read(client, "/models/traffic-light")
    for words in (
        "not judged",
        "13:30 to 19:30",
        "prediction: the level is learnt anew",
        "Mon 15:00 to Mon 18:30, every 7 days",
        "cameras move to the new masts (Tomasz)",
        "the level of prediction, from more windows than before",
        "or call one off",
    ):
        assert words in page.text, words
    assert "no event is announced" in read(client, "/models/card-fraud").text
    assert "prediction not judged until 19:30" in read(client, "/").text
    rows = {m["name"]: m["outlook"] for m in client.get("/api/v1/models").json()["models"]}
    assert rows["traffic-light"]["version"] == "14"
    assert [held["subjects"] for held in rows["traffic-light"]["held"]] == [["prediction"]]
    assert [event["who"] for event in rows["traffic-light"]["calendar"]] == ["Tomasz", "Mira"]
    assert [step["step"] for step in rows["traffic-light"]["learnt"]] == ["rebase", "rebase", "trend"]
    assert client.get("/api/v1/models/traffic-light/report").json()["outlook"] == rows["traffic-light"]


def test_a_model_that_an_event_silences_altogether_is_said_to_be(serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk) -> None:
    desk.standings["card-fraud"] = replace(
        desk.standings["delivery-times"], calendar=(Expected(NOW_MS - HOUR_MS, NOW_MS + HOUR_MS, None, (), "Ada", "sale"),)
    )
    last = desk.verdicts["card-fraud"][-1]
    desk.verdicts["card-fraud"] = (*desk.verdicts["card-fraud"][:-1], replace(last, status="unknown", evidence=0.0, reason="an event"))
    desk.views = [view(desk, "card-fraud")]
    page = read(serve(desk), "/")
    assert "1 model: 1 not judged." in page.text
    assert "every subject not judged until 15:30" in page.text


def test_the_page_and_the_message_tell_one_length(client: httpx.Client, desk: FakeDesk) -> None:
    desk.known.append(closed("answered", FALSE))
    assert "resolved by the answer, open for 3 h" in read(client, "/incidents/p").text
    assert "open for 3 h" in body(desk.known[-1], "resolved", desk.plan), "onset 4 h before it was resolved, opened 3 h before"


def test_an_answer_of_today_to_what_happened_days_ago_has_its_day(client: httpx.Client, desk: FakeDesk) -> None:
    ago = 2 * DAY_MS
    desk.known.append(replace(PAGE, opened_ms=PAGE.opened_ms - ago, onset_ms=PAGE.onset_ms - ago, answers=(FALSE,)))
    text = read(client, "/incidents/p").text
    for line in ("Tue 08:30it began", "Tue 09:30page opened", "Thu 13:30Mira answered False page"):
        assert line in text, line
    desk.known[-1] = replace(PAGE, answers=(FALSE,))
    assert "Thu" not in read(client, "/incidents/p").text.partition("What happened since")[2].partition("What to do")[0], "all of today"
