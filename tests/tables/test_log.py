"""Log lines: what they say, what they never say, and how many of them there are."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from monitor import log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """JSON lines of the whole process."""
    root, ours = logging.getLogger(), logging.getLogger("raincheck")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    stream = io.StringIO()
    log.setup("debug", "json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_and_its_fields(lines: io.StringIO) -> None:
    log.events("engine").warning("window_overdue", model="m", behind_ms=90_000)
    (line,) = read(lines)
    assert line["at"].endswith("Z")
    assert {k: v for k, v in line.items() if k != "at"} == {
        "level": "warning", "log": "engine", "event": "window_overdue", "model": "m", "behind_ms": 90_000,
    }  # fmt: skip


NEVER = [
    (b"hunter2", "<7 bytes>", "a record"),
    ("x" * 5000, "x" * 300 + "... (5000 characters)", "a payload as text"),
    ({"value": b"hunter2"}, {"value": "<7 bytes>"}, "a record inside"),
    ([[["hunter2"]]], [["<list>"]], "depth"),
    (object(), "<object>", "somebody's repr"),
    (ValueError("bad"), "ValueError: bad", "an exception in words"),
]


@pytest.mark.parametrize(("value", "shown", "because"), NEVER, ids=[row[2] for row in NEVER])
def test_payloads_never_reach_a_line(lines: io.StringIO, value: object, shown: object, because: str) -> None:
    log.events("kafka").info("rejected", value=value)
    assert read(lines)[0]["value"] == shown, because
    assert "hunter2" not in lines.getvalue()


def test_a_field_cannot_pose_as_the_event(lines: io.StringIO) -> None:
    log.events("http").info("answered", event="forged", level="debug")
    assert read(lines)[0]["event"] == "answered"


def test_a_value_with_line_breaks_is_one_line(lines: io.StringIO) -> None:
    log.events("http").info("answered", note='a\n{"event": "forged"}')
    assert len(read(lines)) == 1


def test_libraries_speak_from_warnings_on(lines: io.StringIO) -> None:
    logging.getLogger("somebody").info("chatter %s", 1)
    logging.getLogger("somebody").warning("trouble %s", 2)
    (line,) = read(lines)
    assert (line["event"], line["log"], line["message"]) == ("library", "somebody", "trouble 2")


def test_a_crash_keeps_its_traceback(lines: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        log.events("main").exception("crashed")
    assert "ValueError: boom" in read(lines)[0]["exception"]


def record(event: str, at: float) -> logging.LogRecord:
    made = logging.LogRecord("raincheck.kafka", logging.WARNING, "", 0, event, (), None)
    made.created = at
    return made


def test_a_flood_is_held_back_and_counted() -> None:
    throttle = log.Throttle(burst=3, period_s=60.0)
    assert [throttle.filter(record("poison", second)) for second in range(10)] == [True] * 3 + [False] * 7
    assert throttle.filter(record("other", 5.0)), "each event has its own allowance"
    later = record("poison", 61.0)
    assert throttle.filter(later)
    assert later.held_back == 7  # type: ignore[attr-defined]  # nothing lost silently


def test_events_that_hold_values_do_not_cost_memory_for_ever() -> None:
    throttle = log.Throttle()
    for number in range(5000):
        throttle.filter(record(f"offset {number}", 0.0))
    assert len(throttle._seen) <= 1000


def test_people_read_a_line_and_colours_only_on_terminals() -> None:
    made = logging.LogRecord("raincheck.engine", logging.WARNING, "", 0, "window_overdue", (), None)
    made.fields = {"model": "m", "behind_ms": 90_000}
    made.created = 0.0
    assert log.Pretty(colour=False).format(made) == '00:00:00 warning engine window_overdue model="m" behind_ms=90000'
    assert "\033[33m" in log.Pretty(colour=True).format(made)


def test_setting_up_again_replaces_the_handler(lines: io.StringIO) -> None:
    second = io.StringIO()
    log.setup("info", "json", second)
    log.events("main").info("started")
    assert (lines.getvalue(), len(read(second))) == ("", 1)


def test_lines_are_tallied_by_level_also_those_that_are_held_back(lines: io.StringIO) -> None:
    heard: list[str] = []
    silence = log.tallied(heard.append)
    for _ in range(log.BURST + 5):
        log.events("kafka").warning("poison")
    silence()
    log.events("kafka").error("after the end")
    assert heard == ["warning"] * (log.BURST + 5)
