"""The demo tells its story: what breaks the model is paged, what does not is not. Played once, as a user would."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.demo.play import MODEL, Told, demo_plan, stage
from monitor.demo.show import _line
from monitor.incident import Answer, Incident
from tests.river.world import raincheck


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(raincheck("demo", "--once", "--json").splitlines()[-1])
    return answer


def test_what_harms_is_paged_within_a_few_windows(told: dict[str, Any]) -> None:
    harmful = [e for e in told["episodes"] if e["harmful"]]
    assert [e["name"] for e in harmful] == ["rain", "re-encoding"]
    for episode in harmful:
        assert episode["accuracy_before"] - episode["accuracy_during"] >= 0.10, "it really breaks the model"
        assert episode["paged_after_windows"] is not None
        assert episode["paged_after_windows"] <= 4


def test_the_control_and_the_clean_weeks_are_not(told: dict[str, Any]) -> None:
    (control,) = (e for e in told["episodes"] if not e["harmful"])
    assert abs(control["accuracy_before"] - control["accuracy_during"]) < 0.05, "it is harmless"
    assert control["paged_after_windows"] is None
    assert told["false_pages"] == 0


def test_pages_name_the_picture_and_when_it_began(told: dict[str, Any]) -> None:
    assert len(told["pages"]) == 2
    for page in told["pages"]:
        assert page["model"] == "traffic-light"
        assert page["subjects"][0] == "frame"
        assert page["onset"] < page["time"]
        assert "frame" in page["message"]


CLOSED: list[tuple[str, tuple[Answer, ...], str, str]] = [
    ("recovered", (), "resolved: back to normal", "the rain has gone"),
    ("answered", (Answer("false", "Mira", "", 0),), 'resolved: answered "False page" by Mira', "somebody has said so"),
    ("level learnt anew", (), "resolved: level learnt anew", "it never came back"),
]


@pytest.mark.parametrize(("resolution", "answers", "said", "because"), CLOSED, ids=[row[0] for row in CLOSED])
def test_a_line_says_what_closed_a_page(resolution: str, answers: tuple[Answer, ...], said: str, because: str) -> None:
    page = Incident(
        "p", MODEL, "team", "page", "statistical", 0, 0, (), 5.0, 4.4, "", resolved_ms=1, resolution=resolution, answers=answers
    )
    play = stage(demo_plan())
    assert _line(play, Told(3, "resolved", incident=page)).plain.endswith(said), because


def test_a_false_answer_is_counted_from_the_ledger() -> None:
    play = stage(demo_plan())
    page = Incident("p", MODEL, "team", "page", "statistical", play.now_ms(), play.now_ms(), (), 5.0, 4.4, "")
    play.office.start()
    try:
        with_answer = play.office.rounds.submit(lambda: play.office.rounds.engine.answer(page, Answer("false", "Mira", "", 0)))
        while play.office.turn(0) or not with_answer.done():
            pass
        assert play.summary()["answered_false"] == 1
    finally:
        play.office.stop(1.0)
