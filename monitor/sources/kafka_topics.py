"""What topics exist, asked by a thread of its own: their identities and their numbers of partitions.

Only an admin client may be asked: a consumer's own question about an absent topic creates it on brokers that allow that, whatever the
client's settings say, and a consumer's answers come from a cache. The thread has its own client because an admin call cannot be bounded
in time when the broker is frozen.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from monitor import wall

State: TypeAlias = Literal["present", "absent", "unclear"]
UNKNOWN_TOPIC = 3  # Kafka's error code for a topic that does not exist


@dataclass(frozen=True, slots=True)
class Topic:
    """`state` unclear: the broker answered with an error (`code`) that says neither yes nor no, such as a missing permission."""

    state: State
    identity: str = ""
    partitions: int = 0
    code: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An answer to question `number`; questions are counted from 1 in the order in which they were sent."""

    number: int
    topics: Mapping[str, Topic]


class TopicWatch:
    """Asks every `every_s` seconds, every `absent_every_s` while a topic is not there, and at once when told.

    `connect` returns a fresh admin client; it and the client's calls may raise anything and may take seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        topics: Collection[str],
        *,
        every_s: float = 30.0,
        absent_every_s: float = 1.0,
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._connect = connect
        self._topics = sorted(topics)
        self._every_s = every_s
        self._absent_every_s = absent_every_s
        self._failed = failed
        self._changed = threading.Condition()
        self._sent = 0
        self._wanted = 1
        self._latest: Snapshot | None = None
        self._answered: float | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="kafka-topics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask(self) -> int:
        """Have a question sent that no earlier answer can satisfy, and return its number."""
        with self._changed:
            self._wanted = self._sent + 1
            self._changed.notify_all()
            return self._wanted

    def answer(self, number: int, timeout_s: float) -> Snapshot | None:
        """The latest answer to question `number` or a later one; waits no longer than told, None if there is none by then."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has(number), timeout_s)
            return self._latest if self._has(number) else None

    def _has(self, number: int) -> bool:
        return self._latest is not None and self._latest.number >= number

    def age_s(self) -> float | None:
        """Seconds since the last answer; None before the first."""
        with self._changed:
            return None if self._answered is None else wall.monotonic() - self._answered

    def close(self) -> None:
        """Let the thread end; it is not waited for, since its call may hang in a frozen broker until the request times out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        admin: Any = None
        while not self._closed:
            with self._changed:
                self._sent += 1
                number = self._sent
            try:
                if admin is None:
                    admin = self._connect()
                found = {row["name"]: topic_of(row) for row in admin.describe_topics(self._topics)}
                snapshot = Snapshot(number, {topic: found.get(topic, Topic("unclear")) for topic in self._topics})
                complete = all(topic.state == "present" for topic in snapshot.topics.values())
                pause_s = self._every_s if complete else self._absent_every_s
                with self._changed:
                    self._latest = snapshot
                    self._answered = wall.monotonic()
                    self._changed.notify_all()
            except Exception as error:  # noqa: BLE001 - whatever the client raises: it is told, thrown away and built anew
                self._failed(type(error).__name__)
                _leave(admin)
                admin = None
                pause_s = self._absent_every_s
            with self._changed:
                # a failed question stays wanted, but is repeated at the pace of failures, not at once
                last = self._latest.number if self._latest is not None else 0
                if last < number:
                    self._changed.wait_for(lambda: self._closed, pause_s)
                else:
                    self._changed.wait_for(lambda: self._closed or self._wanted > self._sent, pause_s)
        _leave(admin)


def topic_of(row: Mapping[str, Any]) -> Topic:
    """What a row of `describe_topics` says."""
    code = int(row["error_code"])
    if code == UNKNOWN_TOPIC:
        return Topic("absent", code=code)
    if code:
        return Topic("unclear", code=code)
    return Topic("present", str(row["topic_id"]), len(row["partitions"]))


def _leave(admin: Any) -> None:
    if admin is not None:
        with contextlib.suppress(Exception):  # a client that failed may fail again while leaving, and nothing depends on it
            admin.close()
