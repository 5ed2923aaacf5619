"""Records that could not be used, set aside with their reason and place: a file, a topic, or nowhere.

Setting aside is a courtesy to whoever mends the producer; it must never hold up the stream. So letters go through a
bounded queue to a thread of their own, what does not fit or cannot be written is counted, and the next one is tried again.
The record's own bytes are left out unless the plan asks for them: they may be somebody's face or account.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any, Final, Protocol

from monitor.batch import Rejected
from monitor.log import events
from monitor.metrics import Metrics
from monitor.plan import DeadLetter
from monitor.wall import now_ms

log = events("deadletter")
QUEUED: Final = 10_000
QUEUED_BYTES: Final = 32_000_000
LONGEST_DETAIL: Final = 300
BATCH: Final = 500


class Producer(Protocol):
    """The little of a Kafka client that a dead-letter topic needs."""

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Hands one message over and raises where it cannot be; may return before the broker has it."""
        ...


class Shelf(Protocol):
    """Where letters end up."""

    def write(self, line: bytes) -> None:
        """Keeps one line, or raises OSError or what the producer raises."""
        ...


class FileShelf:
    """One JSON object a line; the file and its predecessor (`.1`) together stay below `max_size_bytes`, the oldest go first.

    A letter larger than half of that is kept without the record's bytes: its reason and its place are what leads to them.
    """

    def __init__(self, path: str, max_size_bytes: int) -> None:
        self._path, self._half = Path(path), max(1, max_size_bytes // 2)

    def write(self, line: bytes) -> None:
        if len(line) > self._half:
            line = without_payload(line)
        if len(line) > self._half:
            raise OSError(f"a letter of {len(line)} bytes is larger than half of dead_letter.max_size")
        if self._path.exists() and self._path.stat().st_size + len(line) > self._half:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
        # readable by the owner only: with `payload: true` it holds what people sent
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError("the disk took only part of a letter")
            except OSError:
                os.ftruncate(descriptor, size)  # no half line in front of the next one
                raise
        finally:
            os.close(descriptor)


class TopicShelf:
    """One message per letter, keyed by its place in the log so that repeats after a restart can be told."""

    def __init__(self, topic: str, producer: Producer) -> None:
        self._topic, self._producer = topic, producer

    def write(self, line: bytes) -> None:
        place = json.loads(line)
        self._producer.send(self._topic, f"{place['partition']}:{place['offset']}".encode(), line.rstrip(b"\n"))


class DeadLetters:
    """Takes rejected records and writes them behind the caller's back.

    `put` never blocks and never raises. Whatever is lost, because the queue is full or the shelf fails, is counted in
    raincheck_dead_letter_failures_total; what is kept in raincheck_dead_letters_total. With `shelf` None letters are not kept.
    """

    def __init__(
        self, shelf: Shelf | None, metrics: Metrics, payload: bool = False, queued: int = QUEUED, queued_bytes: int = QUEUED_BYTES
    ) -> None:
        self._shelf, self._metrics, self._payload = shelf, metrics, payload
        self._room, self._room_bytes = queued, queued_bytes
        self._queue: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="deadletter", daemon=True)
        if shelf is not None:
            self._thread.start()

    def put(self, stream: str, topic: str, partition: str, rejected: Rejected) -> None:
        """Sets one record aside: reason, topic, partition and offset always, its bytes only if the plan says `payload: true`."""
        if self._shelf is None:
            return
        line = letter(stream, topic, partition, rejected, now_ms(), self._payload)
        with self._changed:
            if self._closed or len(self._queue) >= self._room or self._bytes + len(line) > self._room_bytes:
                self._metrics.inc("raincheck_dead_letter_failures_total", stream=stream)
                return
            self._queue.append((stream, line))
            self._bytes += len(line)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything put so far has been written or counted; False when the time was too short."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Writes what is left and ends the thread; what comes afterwards is counted as a failure."""
        done = self._shelf is None or self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return done

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closed)
                if not self._queue:
                    return
                batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                self._bytes -= sum(len(line) for _, line in batch)
                self._busy = True
            self._write(batch)
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _write(self, batch: list[tuple[str, bytes]]) -> None:
        assert self._shelf is not None
        for stream, line in batch:  # one by one: a letter that cannot be kept must not take its neighbours along
            try:
                self._shelf.write(line)
            except Exception as error:  # noqa: BLE001 - disk or client: nothing here may reach the stream
                self._metrics.inc("raincheck_dead_letter_failures_total", stream=stream)
                log.warning("dead_letter_failed", stream=stream, error=error)
            else:
                self._metrics.inc("raincheck_dead_letters_total", stream=stream)


def open_dead_letters(plan: DeadLetter, metrics: Metrics, producer: Producer | None = None) -> DeadLetters:
    """The dead letters that a plan asks for; `producer` only for `to: topic`."""
    shelf: Shelf | None = None
    if plan.to == "file" and plan.path is not None:
        shelf = FileShelf(plan.path, plan.max_size_bytes)
    elif plan.to == "topic" and plan.topic is not None and producer is not None:
        shelf = TopicShelf(plan.topic, producer)
    elif plan.to != "none":
        raise ValueError(f"dead_letter.to is {plan.to!r}: a file needs a path, a topic needs a name and a producer")
    return DeadLetters(shelf, metrics, plan.payload)


def letter(stream: str, topic: str, partition: str, rejected: Rejected, at_ms: int, payload: bool) -> bytes:
    """One line of JSON.

    >>> letter("cam", "cam.in", "cam/0", Rejected(7, "not_json", "line 1", b"{"), 0, payload=True)
    b'{"at_ms":0,"stream":"cam","topic":"cam.in","partition":"cam/0","offset":7,"reason":"not_json","detail":"line 1","value":"ew=="}\\n'
    """
    fields: dict[str, Any] = {
        "at_ms": at_ms, "stream": stream, "topic": topic, "partition": partition, "offset": rejected.offset,
        "reason": rejected.reason, "detail": rejected.detail[:LONGEST_DETAIL],
    }  # fmt: skip
    if payload:
        fields["value"] = None if rejected.value is None else base64.b64encode(rejected.value).decode()
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def without_payload(line: bytes) -> bytes:
    """The same letter without the record's bytes, of which it says how many they were.

    >>> json.loads(without_payload(b'{"offset":7,"value":"ew=="}'))
    {'offset': 7, 'value_left_out': '1 byte: the letter would be larger than half of dead_letter.max_size'}
    """
    fields: dict[str, Any] = json.loads(line)
    value = fields.pop("value", None)
    if value is not None:
        count = len(base64.b64decode(value))
        fields["value_left_out"] = f"{count} byte{'' if count == 1 else 's'}: the letter would be larger than half of dead_letter.max_size"
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
