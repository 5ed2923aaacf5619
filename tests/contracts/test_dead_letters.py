"""One contract for every shelf of dead letters, and what happens when a shelf is full, slow or broken."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.batch import Rejected
from monitor.metrics import Metrics
from monitor.plan import DeadLetter
from monitor.sinks.deadletter import DeadLetters, FileShelf, Shelf, TopicShelf, open_dead_letters
from monitor.sinks.memory import MemoryShelf


class Topic:
    """A producer that keeps what it is given, and refuses while `full`."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes]] = []

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        self.sent.append((topic, key, value))


Kept = Callable[[], list[dict[str, object]]]


@pytest.fixture(params=["memory", "file", "topic"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Shelf, Kept]:
    if request.param == "memory":
        memory = MemoryShelf()
        return memory, lambda: [json.loads(line) for line in memory.lines]
    if request.param == "topic":
        topic = Topic()
        return TopicShelf("dead", topic), lambda: [json.loads(value) for _, _, value in topic.sent]
    path = tmp_path / "dead.jsonl"
    return FileShelf(str(path), 1_000_000), lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rejected(offset: int, value: bytes | None = b"\xff{") -> Rejected:
    return Rejected(offset, "not_json", "unexpected byte", value)


def test_reason_topic_partition_and_offset_are_always_kept_in_order(shelf: tuple[Shelf, Kept]) -> None:
    metrics = Metrics(process=False)
    letters = DeadLetters(shelf[0], metrics)
    for offset in range(1200):
        letters.put("cam", "cam.in", "cam/3", rejected(offset))
    assert letters.close(30)
    kept = shelf[1]()
    assert [row["offset"] for row in kept] == list(range(1200))
    assert {(row["stream"], row["topic"], row["partition"], row["reason"], row["detail"]) for row in kept} == {
        ("cam", "cam.in", "cam/3", "not_json", "unexpected byte")
    }
    assert metrics.value("raincheck_dead_letters_total", stream="cam") == 1200
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") is None


@pytest.mark.parametrize(
    ("payload", "value", "expected"),
    [(False, b"face", None), (True, b"\x00\xff\n", base64.b64encode(b"\x00\xff\n").decode()), (True, None, None), (True, b"", "")],
)
def test_bytes_are_kept_only_where_the_plan_asks_for_them(
    shelf: tuple[Shelf, Kept], payload: bool, value: bytes | None, expected: str | None
) -> None:
    letters = DeadLetters(shelf[0], Metrics(process=False), payload)
    letters.put("cam", "cam.in", "cam/0", rejected(1, value))
    assert letters.close(30)
    (row,) = shelf[1]()
    assert ("value" in row) is payload
    assert row.get("value") == expected


def test_after_closing_letters_are_counted_as_lost(shelf: tuple[Shelf, Kept]) -> None:
    metrics = Metrics(process=False)
    letters = DeadLetters(shelf[0], metrics)
    assert letters.close(30)
    letters.put("cam", "cam.in", "cam/0", rejected(1))
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") == 1
    assert shelf[1]() == []


def test_a_topic_letter_is_keyed_by_its_place() -> None:
    topic = Topic()
    letters = DeadLetters(TopicShelf("dead", topic), Metrics(process=False))
    letters.put("cam", "cam.in", "cam/3", rejected(7))
    assert letters.close(30)
    assert [(name, key) for name, key, _ in topic.sent] == [("dead", b"cam/3:7")]


def test_a_shelf_that_fails_loses_only_what_it_refused_and_is_tried_again() -> None:
    metrics, memory = Metrics(process=False), MemoryShelf()
    letters = DeadLetters(memory, metrics)
    memory.full = True
    letters.put("cam", "cam.in", "cam/0", rejected(1))
    assert letters.flush(30)
    memory.full = False
    letters.put("cam", "cam.in", "cam/0", rejected(2))
    assert letters.close(30)
    assert [json.loads(line)["offset"] for line in memory.lines] == [2]
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") == 1
    assert metrics.value("raincheck_dead_letters_total", stream="cam") == 1


class Stuck:
    """A disk that has stopped answering."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.written = 0

    def write(self, line: bytes) -> None:
        self.entered.set()
        assert self.release.wait(30)
        self.written += 1


@pytest.mark.parametrize(("queued", "queued_bytes", "room"), [(5, 10**9, 5), (10**6, 700, 2)])
def test_a_stuck_shelf_neither_blocks_the_stream_nor_fills_the_memory(queued: int, queued_bytes: int, room: int) -> None:
    metrics, stuck = Metrics(process=False), Stuck()
    letters = DeadLetters(stuck, metrics, payload=True, queued=queued, queued_bytes=queued_bytes)
    letters.put("cam", "cam.in", "cam/0", rejected(0))
    assert stuck.entered.wait(30)  # the first one is in the writer's hands
    for offset in range(1, 21):
        letters.put("cam", "cam.in", "cam/0", rejected(offset, b"x" * 150))
    lost = metrics.value("raincheck_dead_letter_failures_total", stream="cam")
    assert lost == 20 - room
    assert not letters.flush(0.0)
    stuck.release.set()
    assert letters.close(30)
    assert stuck.written == 1 + room


def test_the_file_and_its_predecessor_stay_below_the_cap_and_hold_the_newest(tmp_path: Path) -> None:
    path, cap = tmp_path / "dead.jsonl", 4_000
    letters = DeadLetters(FileShelf(str(path), cap), Metrics(process=False))
    for offset in range(500):
        letters.put("cam", "cam.in", "cam/0", rejected(offset))
    assert letters.close(30)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["dead.jsonl", "dead.jsonl.1"]
    assert sum(f.stat().st_size for f in files) <= cap
    offsets = [json.loads(line)["offset"] for f in reversed(files) for line in f.read_text().splitlines()]
    assert offsets == list(range(offsets[0], 500)), "whole lines, no gap, the newest last"
    assert path.stat().st_mode & 0o077 == 0, "nobody else reads what people sent"


def test_a_letter_larger_than_the_file_is_kept_without_its_bytes(tmp_path: Path) -> None:
    """What leads to the record, reason and place, must not be lost with what is too large: the topic still has the bytes."""
    metrics, path = Metrics(process=False), tmp_path / "dead.jsonl"
    letters = DeadLetters(FileShelf(str(path), 2_000), metrics, payload=True)
    for offset, value in ((1, b"x"), (2, b"x" * 10_000), (3, b"x")):
        letters.put("cam", "cam.in", "cam/0", rejected(offset, value))
    assert letters.close(30)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["offset"], row["reason"], "value" in row) for row in kept] == [
        (1, "not_json", True),
        (2, "not_json", False),
        (3, "not_json", True),
    ]
    assert kept[1]["value_left_out"].startswith("10000 bytes: ")
    assert metrics.value("raincheck_dead_letters_total", stream="cam") == 3
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") is None


def test_a_letter_that_is_too_large_without_its_bytes_is_refused_alone(tmp_path: Path) -> None:
    metrics, path = Metrics(process=False), tmp_path / "dead.jsonl"
    letters = DeadLetters(FileShelf(str(path), 600), metrics, payload=True)
    for offset, detail in ((1, "short"), (2, "x" * 300), (3, "short")):
        letters.put("cam", "cam.in", "cam/0", Rejected(offset, "not_json", detail, b""))
    assert letters.close(30)
    assert [json.loads(line)["offset"] for line in path.read_text().splitlines()][-1] == 3
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") == 1


def test_a_path_that_cannot_be_written_costs_letters_and_nothing_else(tmp_path: Path) -> None:
    metrics = Metrics(process=False)
    letters = DeadLetters(FileShelf(str(tmp_path / "not" / "there.jsonl"), 2_000), metrics)
    letters.put("cam", "cam.in", "cam/0", rejected(1))
    assert letters.flush(30)
    assert metrics.value("raincheck_dead_letter_failures_total", stream="cam") == 1
    (tmp_path / "not").mkdir()  # somebody mends it
    letters.put("cam", "cam.in", "cam/0", rejected(2))
    assert letters.close(30)
    assert metrics.value("raincheck_dead_letters_total", stream="cam") == 1


def test_none_keeps_nothing_and_counts_nothing() -> None:
    metrics = Metrics(process=False)
    letters = open_dead_letters(DeadLetter(), metrics)
    letters.put("cam", "cam.in", "cam/0", rejected(1))
    assert letters.close()
    assert metrics.value("raincheck_dead_letters_total", stream="cam") is None


@pytest.mark.parametrize("plan", [DeadLetter("file"), DeadLetter("topic"), DeadLetter("topic", topic="dead")])
def test_a_plan_that_cannot_be_kept_is_refused_at_the_start(plan: DeadLetter) -> None:
    with pytest.raises(ValueError, match="needs"):
        open_dead_letters(plan, Metrics(process=False))
