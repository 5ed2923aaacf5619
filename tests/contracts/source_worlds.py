"""The worlds that sources read: one per implementation, with the same handles, and a ledger of what a source handed out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from monitor import wall
from monitor.batch import Records
from monitor.plan import Kafka
from monitor.sources import Assigned, Gap, Note, Recreated, Rewound, Source
from monitor.sources.files import FilesSource
from monitor.sources.kafka import KafkaSource
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.recording import Recorder
from monitor.sources.source import partition_name
from tests.services.broker import Broker
from tests.services.feed import Feed

STREAM = "clicks"
DEADLINE_S = 30.0
N = TypeVar("N", bound=Note)


@dataclass
class Ledger:
    """What arrived, by partition in order; notes are applied as a reader must apply them."""

    rows: dict[str, list[tuple[int, int, bytes | None]]] = field(default_factory=dict)
    next: dict[str, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def take(self, items: Sequence[Records | Note]) -> None:
        for item in items:
            if isinstance(item, Records):
                self._records(item)
                continue
            self.notes.append(item)
            if isinstance(item, Assigned):
                self.next.update(item.starts)
            elif isinstance(item, Gap):
                assert item.start == self.next[item.partition], "a gap begins where we are"
                self.next[item.partition] = item.stop
            elif isinstance(item, Rewound):
                self.rows[item.partition] = [row for row in self.rows.get(item.partition, []) if row[0] < item.start]
                self.next[item.partition] = item.start
            elif isinstance(item, Recreated):
                for table in (self.rows, self.next):
                    for name in [name for name in table if name.startswith(f"{item.stream}/")]:
                        del table[name]

    def _records(self, item: Records) -> None:
        assert item.partition in self.next, "records of a partition that was not announced"
        assert item.stream == STREAM
        assert len(item.offsets) == len(item.stamps_ms) == len(item.values)
        assert item.offsets == sorted(set(item.offsets)), "offsets rise"
        if item.offsets:
            assert item.offsets[0] >= self.next[item.partition], "nothing is handed out twice"
            assert item.next_offset > item.offsets[-1]
        self.rows.setdefault(item.partition, []).extend(zip(item.offsets, item.stamps_ms, item.values, strict=True))
        self.next[item.partition] = item.next_offset

    def values(self, number: int = 0) -> list[bytes | None]:
        return [value for _, _, value in self.rows.get(partition_name(STREAM, number), [])]

    def of(self, kind: type[N]) -> list[N]:
        return [note for note in self.notes if isinstance(note, kind)]

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))


def read(source: Source, until: Callable[[Ledger], object], ledger: Ledger | None = None) -> Ledger:
    """Poll until the condition holds; a deadline, not a duration: it is only reached when something is broken."""
    ledger = ledger or Ledger()
    deadline = wall.monotonic() + DEADLINE_S
    while True:
        ledger.take(source.poll(100))
        if until(ledger):
            return ledger
        if wall.monotonic() > deadline:
            pytest.fail(f"not reached within {DEADLINE_S} s: {ledger.count} records, notes {ledger.notes}, {source.status()}")


def caught_up(source: Source) -> bool:
    reached = source.caught_up()
    return bool(reached) and all(one.position == one.end for one in reached.values())


class World(Protocol):
    topic: str

    def make(self, partitions: int = 1) -> None: ...
    def produce(self, values: Sequence[bytes | None], partition: int = 0, stamps_ms: Sequence[int] | None = None) -> None: ...
    def open(self, saved: Mapping[str, int] | None = None, identities: Mapping[str, str] | None = None, **options: Any) -> Source: ...


class LiveWorld(World, Protocol):
    """A world that changes under its reader."""

    def delete(self) -> None: ...
    def widen(self, partitions: int) -> None: ...
    def trim(self, before: int, partition: int = 0) -> None: ...
    def corrupt(self, value: bytes, partition: int = 0) -> None: ...


class Opened:
    """Sources that a world has opened, to be closed with it."""

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def opened(self, source: Source, saved: Mapping[str, int] | None, identities: Mapping[str, str] | None) -> Source:
        source.start(saved or {}, identities or {})
        self.sources.append(source)
        return source

    def close(self) -> None:
        for source in self.sources:
            source.close()


class MemoryWorld(Opened):
    def __init__(self) -> None:
        super().__init__()
        self.bus = Bus()
        self.topic = "shop.clicks"

    def make(self, partitions: int = 1) -> None:
        self.bus.create(self.topic, partitions)

    def produce(self, values: Sequence[bytes | None], partition: int = 0, stamps_ms: Sequence[int] | None = None) -> None:
        self.bus.extend(self.topic, list(values), partition, None if stamps_ms is None else list(stamps_ms))

    def open(self, saved: Mapping[str, int] | None = None, identities: Mapping[str, str] | None = None, **options: Any) -> Source:
        return self.opened(MemorySource(self.bus, {STREAM: self.topic}, **options), saved, identities)

    def delete(self) -> None:
        self.bus.delete(self.topic)

    def widen(self, partitions: int) -> None:
        self.bus.widen(self.topic, partitions)

    def trim(self, before: int, partition: int = 0) -> None:
        self.bus.trim(self.topic, partition, before)

    def corrupt(self, value: bytes, partition: int = 0) -> None:
        self.bus.corrupt(self.topic, partition, self.bus.topics[self.topic].logs[partition].values.index(value))


class KafkaWorld(Opened):
    def __init__(self, broker: Broker, feed: Feed) -> None:
        super().__init__()
        self.broker = broker
        self.feed = feed
        self.topic = feed.name()

    def make(self, partitions: int = 1) -> None:
        self.feed.create(self.topic, partitions)

    def produce(self, values: Sequence[bytes | None], partition: int = 0, stamps_ms: Sequence[int] | None = None) -> None:
        self.feed.produce(self.topic, values, partition, stamps_ms=stamps_ms, key=b"a record needs a key or a value")

    def open(self, saved: Mapping[str, int] | None = None, identities: Mapping[str, str] | None = None, **options: Any) -> Source:
        own = {name: options.pop(name) for name in ("since_ms", "most", "patience_s", "hung", "part", "look_s") if name in options}
        renamed = {"start": options.pop("begin", "beginning"), **options}
        plan = Kafka((self.broker.bootstrap,), **renamed)
        return self.opened(KafkaSource(plan, {STREAM: self.topic}, probe_s=0.2, topics_s=0.5, **own), saved, identities)

    def delete(self) -> None:
        self.feed.delete(self.topic)

    def widen(self, partitions: int) -> None:
        self.feed.widen(self.topic, partitions)

    def trim(self, before: int, partition: int = 0) -> None:
        self.feed.trim(self.topic, partition, before)

    def corrupt(self, value: bytes, partition: int = 0) -> None:
        """Flip a bit of a record on the broker's disk."""
        path = self.broker.segment(self.topic, partition)
        with path.open("r+b") as file:
            at = file.read().index(value)
            file.seek(at)
            file.write(bytes([value[0] ^ 1]))


class FilesWorld(Opened):
    """Records what is produced, in bits of two, so that the partitions are interleaved in the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.topic = STREAM
        self.parts: list[Records] = []
        self.ends: dict[int, int] = {}

    def make(self, partitions: int = 1) -> None:
        self.ends = dict.fromkeys(range(partitions), 0)

    def produce(self, values: Sequence[bytes | None], partition: int = 0, stamps_ms: Sequence[int] | None = None) -> None:
        first = self.ends[partition]
        stamps = list(stamps_ms) if stamps_ms is not None else [wall.now_ms()] * len(values)
        for row in range(0, len(values), 2):
            part = list(values[row : row + 2])
            offsets = list(range(first + row, first + row + len(part)))
            name = partition_name(STREAM, partition)
            self.parts.append(Records(STREAM, name, offsets, stamps[row : row + 2], part, offsets[-1] + 1, wall.now_ms()))
        self.ends[partition] = first + len(values)

    def open(self, saved: Mapping[str, int] | None = None, identities: Mapping[str, str] | None = None, **options: Any) -> Source:
        path = self.folder / f"recording-{len(self.sources)}.jsonl.gz"
        with Recorder(path) as recorder:
            for part in sorted(self.parts, key=lambda part: part.offsets[0]):
                recorder.write(part)
        return self.opened(FilesSource([path], **options), saved, identities)
