"""When windows may close: a table of partitions, ticks and releases, each with its because."""

from __future__ import annotations

import pytest

from monitor.pane import Folded
from monitor.watermark import IDLE_MS, Watermark

NOW = 1_800_000_000_000
MINUTE = 60_000


def made(**marks: int | None) -> Watermark:
    """Partitions with their marks relative to NOW, each read to offset 10; None: nothing has come yet."""
    watermark = Watermark()
    watermark.assign(dict.fromkeys(marks, 0))
    for name, mark in marks.items():
        if mark is not None:
            watermark.advance(Folded(name, 10, NOW + mark, {}), NOW, 10)
    return watermark


def at_end(*names: str, offset: int = 10) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(names, (offset, offset))


LOW = [
    ({"a": -5, "b": -9}, -9, "the slowest partition decides"),
    ({"a": -5, "b": None}, None, "a partition that has brought nothing may still bring anything"),
    ({}, None, "without partitions nothing can be complete"),
]


@pytest.mark.parametrize(("marks", "low", "because"), LOW)
def test_low(marks: dict[str, int | None], low: int | None, because: str) -> None:
    assert made(**marks).low_ms(marks) == (None if low is None else NOW + low), because


# (marks, waited before the second tick, ends as (position, end) per partition, released?, because)
RELEASES = [
    (
        {"a": 0, "b": -5 * MINUTE},
        IDLE_MS,
        at_end("b"),
        {"b": 0},
        "silent, at its end, others ahead for long enough: it follows the newest mark",
    ),
    ({"a": 0, "b": -5 * MINUTE}, IDLE_MS - 1, at_end("b"), {}, "not silent for long enough"),
    ({"a": 0, "b": -5 * MINUTE}, IDLE_MS, {"b": (10, 11)}, {}, "a record is waiting in it"),
    ({"a": 0, "b": -5 * MINUTE}, IDLE_MS, {"b": (9, 9)}, {}, "the probe is older than what we have read"),
    ({"a": 0, "b": -5 * MINUTE}, IDLE_MS, {}, {}, "nobody has looked at its end"),
    ({"a": 0, "b": 0}, IDLE_MS, at_end("b"), {}, "it is behind nobody"),
    ({"a": None, "b": None}, IDLE_MS, at_end("a", "b"), {}, "event time has not begun"),
]


@pytest.mark.parametrize(("marks", "waited", "ends", "released", "because"), RELEASES)
def test_release(
    marks: dict[str, int | None], waited: int, ends: dict[str, tuple[int, int]], released: dict[str, int], because: str
) -> None:
    watermark = made(**marks)
    assert watermark.release(marks, NOW, ends) == {}, "nobody is released at first sight"
    assert watermark.release(marks, NOW + waited, ends) == {name: NOW + mark for name, mark in released.items()}, because


def test_an_idle_partition_follows_without_waiting_again_until_it_wakes() -> None:
    watermark = made(a=0, b=-5 * MINUTE)
    watermark.release("ab", NOW, at_end("b"))
    watermark.release("ab", NOW + IDLE_MS, at_end("b"))
    watermark.advance(Folded("a", 20, NOW + MINUTE, {}), NOW + IDLE_MS, 10)
    assert watermark.release("ab", NOW + IDLE_MS + 1, at_end("b")) == {"b": NOW + MINUTE}
    watermark.advance(Folded("b", 11, NOW + MINUTE, {}), NOW + IDLE_MS + 2, 1)
    watermark.advance(Folded("a", 30, NOW + 2 * MINUTE, {}), NOW + IDLE_MS + 3, 10)
    assert watermark.release("ab", NOW + IDLE_MS + 4, at_end("b", offset=11)) == {}, "it has woken: it is waited for again"


def test_all_silent_event_time_goes_on_at_the_pace_of_the_wall() -> None:
    watermark = made(a=0, b=0)
    ends = at_end("a", "b")
    assert watermark.release("ab", NOW + IDLE_MS, ends) == {"a": NOW + IDLE_MS, "b": NOW + IDLE_MS}
    again = watermark.release("ab", NOW + 3 * IDLE_MS, ends)
    assert again == {"a": NOW + 3 * IDLE_MS, "b": NOW + 3 * IDLE_MS}, "every second of silence counts once"


def test_a_recording_of_another_year_has_no_wall_clock() -> None:
    year = 365 * 24 * 60 * MINUTE
    watermark = made(a=-year, b=-year)
    assert watermark.release("ab", NOW + 10 * IDLE_MS, at_end("a", "b")) == {}


AHEAD = [
    ({"a": 20 * MINUTE, "b": 0}, {"a"}, "a is further ahead than allowed: it is paused"),
    ({"a": 10 * MINUTE, "b": 0}, set(), "as far as allowed"),
    ({"a": 20 * MINUTE, "b": None}, set(), "b has brought nothing: nobody knows how far ahead a is"),
]


@pytest.mark.parametrize(("marks", "paused", "because"), AHEAD)
def test_ahead(marks: dict[str, int | None], paused: set[str], because: str) -> None:
    assert made(**marks).ahead(marks, 10 * MINUTE) == paused, because
