"""The broker's twin inside the process: a bus of topics, and a source that reads it under the same contract as the real one.

The demo runs on it, and so do the daemon's tests: faults that are hard to have on demand (an outage, a poison batch, retention, a
topic made anew) are one call each.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from monitor import wall
from monitor.batch import Records
from monitor.sources.group import LOOK_S, Group
from monitor.sources.source import (
    Absent,
    Assigned,
    Gap,
    Note,
    PartitionStatus,
    Reached,
    Recreated,
    Rewound,
    SourceStatus,
    Unreadable,
    another,
    partition_name,
    partition_number,
    stream_key,
    topics_of,
)


@dataclass(slots=True)
class _Log:
    """One partition: `values[i]` has offset `first + i`."""

    first: int = 0
    values: list[bytes | None] = field(default_factory=list)
    stamps_ms: list[int] = field(default_factory=list)
    poison: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        return self.first + len(self.values)


@dataclass(slots=True)
class _Topic:
    identity: str
    logs: list[_Log]


class Bus:
    """Topics in memory: append, trim, delete, corrupt. Safe from any thread."""

    def __init__(self, now_ms: Callable[[], int] = wall.now_ms) -> None:
        self.now_ms = now_ms
        self.changed = threading.Condition()
        self.topics: dict[str, _Topic] = {}
        self.group: dict[str, tuple[int, str]] = {}  # what was committed: {partition: (offset, metadata)}
        self.down = False
        self._made = 0

    def create(self, topic: str, partitions: int = 1) -> str:
        """Make a topic and return its identity; one of the same name must not exist."""
        with self.changed:
            if topic in self.topics:
                raise ValueError(f"topic {topic!r} exists")
            self._made += 1
            self.topics[topic] = _Topic(f"memory-{self._made}", [_Log() for _ in range(partitions)])
            self.changed.notify_all()
            return self.topics[topic].identity

    def widen(self, topic: str, partitions: int) -> None:
        """Let the topic have this many partitions, which must not be fewer than it has."""
        with self.changed:
            logs = self.topics[topic].logs
            if partitions < len(logs):
                raise ValueError(f"topic {topic!r} has {len(logs)} partitions: their number cannot fall to {partitions}")
            logs.extend(_Log() for _ in range(partitions - len(logs)))
            self.changed.notify_all()

    def delete(self, topic: str) -> None:
        with self.changed:
            del self.topics[topic]
            self.changed.notify_all()

    def append(self, topic: str, value: bytes | None, partition: int = 0, stamp_ms: int | None = None) -> int:
        """Add a record and return its offset; its stamp is now unless told."""
        return self.extend(topic, [value], partition, None if stamp_ms is None else [stamp_ms])

    def extend(self, topic: str, values: list[bytes | None], partition: int = 0, stamps_ms: list[int] | None = None) -> int:
        """Add records at one go and return the first one's offset."""
        if stamps_ms is not None and len(stamps_ms) != len(values):
            raise ValueError(f"{len(values)} values with {len(stamps_ms)} stamps")
        with self.changed:
            log = self.topics[topic].logs[partition]
            offset = log.end
            log.values.extend(values)
            log.stamps_ms.extend([self.now_ms()] * len(values) if stamps_ms is None else stamps_ms)
            self.changed.notify_all()
            return offset

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Forget the records below an offset, as retention does."""
        with self.changed:
            log = self.topics[topic].logs[partition]
            gone = min(max(0, before - log.first), len(log.values))
            del log.values[:gone], log.stamps_ms[:gone]
            log.first += gone

    def cut(self, topic: str, partition: int, end: int) -> None:
        """Lose the records from an offset on, as an unclean change of leader does."""
        with self.changed:
            log = self.topics[topic].logs[partition]
            keep = max(0, end - log.first)
            del log.values[keep:], log.stamps_ms[keep:]

    def corrupt(self, topic: str, partition: int, offset: int) -> None:
        """Let the record at an offset be unreadable."""
        with self.changed:
            self.topics[topic].logs[partition].poison.add(offset)

    def heal(self, topic: str, partition: int, offset: int) -> None:
        with self.changed:
            self.topics[topic].logs[partition].poison.discard(offset)
            self.changed.notify_all()

    def outage(self, down: bool) -> None:
        """Let the bus be away (polls bring nothing, probes fail), or back."""
        with self.changed:
            self.down = down
            self.changed.notify_all()

    def commit(self, offsets: Mapping[str, int], metadata: str) -> None:
        """Remember the offsets of the one group that there is, and whose they are."""
        with self.changed:
            if self.down:
                raise ConnectionError("the bus is away")
            self.group |= {partition: (offset, metadata) for partition, offset in offsets.items()}

    def committed(self, partitions: Collection[str]) -> dict[str, tuple[int, str]]:
        with self.changed:
            if self.down:
                raise ConnectionError("the bus is away")
            return {partition: self.group[partition] for partition in partitions if partition in self.group}


class MemorySource:
    """Reads topics of a `Bus`. `streams` maps the plan's stream names to topics; `most` records per partition and poll.

    `begin` says where a topic begins that was never read before, and `since_ms` ({stream: age}) which begin at their first record whose
    stamp is at most so many milliseconds old instead. `part` is the part of the plan's models that is judged here.
    """

    def __init__(
        self,
        bus: Bus,
        streams: Mapping[str, str],
        *,
        begin: Literal["beginning", "end"] = "beginning",
        since_ms: Mapping[str, int] | None = None,
        on_corrupt: Literal["halt", "skip"] = "halt",
        most: int = 2000,
        part: str = "0/1",
        look_s: float = LOOK_S,
    ) -> None:
        self._bus = bus
        self._topics = topics_of(streams)
        self._begin = begin
        self._since_ms = dict(since_ms or {})
        self._skip = on_corrupt == "skip"
        self._most = most
        self._saved: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        self._next: dict[str, int] = {}
        self._seen_absent: set[str] = set()
        self._paused: set[str] = set()
        self._halted: set[str] = set()
        self._reached: dict[str, Reached] = {}
        self._skipped: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._contact: float | None = None
        self._cause: str | None = None
        self._group = Group("memory", part, look_s)
        self._empty = False
        self._commits = self._commit_failures = 0
        self._closed = False

    def start(self, positions: Mapping[str, int], identities: Mapping[str, str]) -> None:
        self._saved = dict(positions)
        self._empty = not positions and not identities
        mine = self._topics.keys() | {stream_key(stream) for stream in self._topics.values()}
        self._ids = {name: identity for name, identity in identities.items() if name in mine}

    def poll(self, timeout_ms: int) -> list[Records | Note]:
        deadline = wall.monotonic() + timeout_ms / 1000
        with self._bus.changed:
            while not (out := self._look()):
                left = deadline - wall.monotonic()
                if left <= 0 or self._closed:
                    return []
                self._bus.changed.wait(left)
            return out

    def _look(self) -> list[Records | Note]:
        if self._closed:
            return []
        if self._bus.down:
            self._cause = "the bus is away"
            self._reached.clear()
            return []
        self._cause = None
        out: list[Records | Note] = []
        for topic, stream in self._topics.items():
            out += self._topic(topic, stream)
        # what is known of all topics comes before any record, as from a broker: or windows would close without one that is there
        for topic, stream in self._topics.items():
            out += self._records(topic, stream)
        self._contact = wall.monotonic()
        return out

    def _topic(self, topic: str, stream: str) -> list[Records | Note]:
        found = self._bus.topics.get(topic)
        if found is None:
            if topic in self._seen_absent:
                return []
            self._seen_absent.add(topic)
            return [Absent(stream, topic)]
        self._seen_absent.discard(topic)
        out: list[Records | Note] = []
        names = [partition_name(stream, number) for number in range(len(found.logs))]
        before = another(self._ids, stream, topic, found.identity)
        # a saved table or a known identity says that the topic was read before: what was added since is read from its beginning
        known = before is not None or topic in self._ids or any(name in self._saved for name in names)
        self._ids |= {topic: found.identity, stream_key(stream): topic}
        if before is not None:
            for table in (self._saved, self._next, self._reached):
                for name in [name for name in table if partition_number(name)[0] == stream]:
                    del table[name]
            self._halted -= {name for name in self._halted if partition_number(name)[0] == stream}
            out.append(Recreated(stream, topic, before, found.identity, tuple(names)))
        starts: dict[str, int] = {}
        for name, log in zip(names, found.logs, strict=True):
            if name not in self._next:
                starts[name] = self._saved.pop(name, log.first if known else self._fresh(stream, log))
        if starts:
            if self._empty and not known:
                out += self._group.recall(self._bus, starts)
            self._next.update(starts)
            out.append(Assigned(stream, starts))
        return out

    def _records(self, topic: str, stream: str) -> list[Records | Note]:
        out: list[Records | Note] = []
        found = self._bus.topics.get(topic)
        for number, log in enumerate(found.logs if found is not None else ()):
            name = partition_name(stream, number)
            out += self._read(stream, name, log)
            self._reached[name] = Reached(self._next[name], log.end, self._bus.now_ms())
        return out

    def _fresh(self, stream: str, log: _Log) -> int:
        """Where a partition begins whose topic was never read before."""
        if stream in self._since_ms:
            oldest_ms = self._bus.now_ms() - self._since_ms[stream]
            return next((offset for offset, stamp_ms in enumerate(log.stamps_ms, log.first) if stamp_ms >= oldest_ms), log.end)
        return log.first if self._begin == "beginning" else log.end

    def _read(self, stream: str, name: str, log: _Log) -> list[Records | Note]:
        out: list[Records | Note] = []
        position = self._next[name]
        if position < log.first:
            out.append(Gap(stream, name, position, log.first, "retention"))
            self._skipped[name] += log.first - position
        elif position > log.end:
            out.append(Rewound(stream, name, position, log.end))
        position = min(max(position, log.first), log.end)
        if name not in self._paused and name not in self._halted and position < log.end:
            if position in log.poison:
                self._errors["CorruptRecord"] += 1
                out.append(Unreadable(stream, name, position, "CorruptRecord", not self._skip))
                if self._skip:
                    out.append(Gap(stream, name, position, position + 1, "poison"))
                    self._skipped[name] += 1
                    position += 1
                else:
                    self._halted.add(name)
            else:
                stop = min([position + self._most, log.end, *(bad for bad in log.poison if bad > position)])
                rows = slice(position - log.first, stop - log.first)
                offsets = list(range(position, stop))
                out.append(Records(stream, name, offsets, log.stamps_ms[rows], log.values[rows], stop, self._bus.now_ms()))
                position = stop
        self._next[name] = position
        return out

    def caught_up(self) -> Mapping[str, Reached]:
        return dict(self._reached)

    def pause(self, partitions: Collection[str]) -> None:
        self._paused |= set(partitions)

    def resume(self, partitions: Collection[str]) -> None:
        self._paused -= set(partitions)

    def release(self, partition: str) -> None:
        self._halted.discard(partition)

    def commit(self, offsets: Mapping[str, int]) -> None:
        self._commits += 1
        try:
            self._group.commit(self._bus, offsets)
        except ConnectionError:
            self._commit_failures += 1

    def identities(self) -> Mapping[str, str]:
        return dict(self._ids)

    def status(self) -> SourceStatus:
        with self._bus.changed:
            parts = {
                name: PartitionStatus(
                    position=position,
                    end=self._reached[name].end if name in self._reached else None,
                    paused=name in self._paused,
                    halted=name in self._halted,
                    skipped=self._skipped[name],
                )
                for name, position in self._next.items()
            }
            age = None if self._contact is None else int((wall.monotonic() - self._contact) * 1000)
            return SourceStatus(
                connected=self._contact is not None and not self._bus.down and not self._closed,
                contact_age_ms=age,
                cause=self._cause,
                absent=tuple(sorted(self._seen_absent)),
                partitions=parts,
                errors=dict(self._errors),
                commits=self._commits,
                commit_failures=self._commit_failures,
                another=self._group.other,
            )

    def close(self) -> None:
        with self._bus.changed:
            self._closed = True
            self._bus.changed.notify_all()
