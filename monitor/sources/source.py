"""What a source is: records with positions, in partition order, read from positions that we own.

A partition is named "<stream>/<number>". Offsets belong to the caller: it stores `next_offset` in the transaction that stores what the
records did, and hands the table back to `start`. The broker's memory of offsets decides nothing: it is read to tell people, no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from monitor.batch import Records

GapReason: TypeAlias = Literal["retention", "poison"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets `start` up to, not including, `stop` will never be delivered: retention was faster than we, or a poison batch was skipped.

    The number of lost records is at most `stop - start`: holes in offsets are normal, so it is an upper limit.
    """

    stream: str
    partition: str
    start: int
    stop: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Rewound:
    """The log was cut behind us: what was read from `start` on up to `position` no longer exists, and reading goes on at `start`."""

    stream: str
    partition: str
    position: int
    start: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The batch at `offset` cannot be opened. `halted`: the partition stands still until someone acts; else a `Gap` follows."""

    stream: str
    partition: str
    offset: int
    reason: str
    halted: bool


@dataclass(frozen=True, slots=True)
class Recreated:
    """The topic behind the stream is another one: all positions are void, reading goes on at its beginning.

    It was made anew under the same name (`before` is the identity that it had), or the plan points the stream at a topic of another name
    (`before` is that of the former). `partitions` are those of the new topic. Offsets alone cannot tell.
    """

    stream: str
    topic: str
    before: str
    now: str
    partitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assigned:
    """Partitions that are read from now on: all of a topic when it is first seen, or those added to it. `starts` is where each begins."""

    stream: str
    starts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Absent:
    """The topic does not exist (again, or not yet). It is waited for and never created by asking."""

    stream: str
    topic: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The state was empty at the start, but the group remembers an earlier life that committed these offsets under `by`'s name.

    The state was lost, or it is another one. Nothing is done about it: reading begins where it would without this memory.
    """

    offsets: Mapping[str, int]
    by: str


Note: TypeAlias = Gap | Rewound | Unreadable | Recreated | Assigned | Absent | Forgotten


@dataclass(frozen=True, slots=True)
class Reached:
    """What the last successful probe of a partition said: all below `position` had been handed out, the log ended at `end`."""

    position: int
    end: int
    at_ms: int

    @property
    def lag(self) -> int:
        return max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    position: int
    end: int | None = None  # None: not probed yet
    paused: bool = False
    halted: bool = False
    skipped: int = 0  # offsets that were never delivered: lost to retention or skipped as poison

    @property
    def lag(self) -> int | None:
        return None if self.end is None else max(0, self.end - self.position)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How the source is, for metrics and pages.

    `contact_age_ms` is the time since something answered (None: never); `cause` the best explanation of the last failure;
    `errors` counts failures by class name; `rebuilds` counts clients thrown away and built anew, by what ended the last one;
    `another` names another daemon that reads for the same group, while there is one.
    """

    connected: bool
    contact_age_ms: int | None = None
    cause: str | None = None
    absent: tuple[str, ...] = ()
    partitions: Mapping[str, PartitionStatus] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    rebuilds: Mapping[str, int] = field(default_factory=dict)
    commits: int = 0
    commit_failures: int = 0
    another: str | None = None


class Source(Protocol):
    """Something that hands out records from positions that we own. All methods are called by one thread, but `status` by any.

    `start` returns at once; connecting, and connecting again, is `poll`'s business, which raises nothing that the world can cause: a
    broker that is away is a status, not an exception.
    """

    def start(self, positions: Mapping[str, int], identities: Mapping[str, str]) -> None:
        """Take over the saved `{partition: next_offset}` and what `identities` said then; both are empty at the very first start."""
        ...

    def poll(self, timeout_ms: int) -> list[Records | Note]:
        """Return what came within the time, in order: a note stands before the records it is about.

        `Records` without records move a position only (transaction markers and aborted records at the end of a log).
        """
        ...

    def caught_up(self) -> Mapping[str, Reached]:
        """The last probe of each partition, as long as probes succeed: caught up where `position == end`; nothing is said in an outage."""
        ...

    def pause(self, partitions: Collection[str]) -> None:
        """Hand out nothing of these partitions until resumed; unknown names are remembered."""
        ...

    def resume(self, partitions: Collection[str]) -> None:
        """Undo `pause`."""
        ...

    def release(self, partition: str) -> None:
        """Read a halted partition again from where it stopped: once more, and a `Unreadable` follows if it still is."""
        ...

    def commit(self, offsets: Mapping[str, int]) -> None:
        """Tell the outside how far we are, after our own transaction; failures are counted and ignored, and reading never begins there."""
        ...

    def identities(self) -> Mapping[str, str]:
        """Whose offsets the positions are, to be stored beside them: `{topic: topic id}` and `{stream_key(stream): topic}` as last seen,
        and where it is known `{epoch_key(partition): leader's epoch of its last record}`."""
        ...

    def status(self) -> SourceStatus:
        """A snapshot for metrics; safe from any thread."""
        ...

    def close(self) -> None:
        """Leave; a second call does nothing."""
        ...


def partition_name(stream: str, number: int) -> str:
    """Name of a stream's partition.

    >>> partition_name("clicks", 3)
    'clicks/3'
    """
    return f"{stream}/{number}"


def partition_number(partition: str) -> tuple[str, int]:
    """Stream and number of a partition's name.

    >>> partition_number("clicks/eu/3")
    ('clicks/eu', 3)
    """
    stream, _, number = partition.rpartition("/")
    return stream, int(number)


def stream_key(stream: str) -> str:
    """Under which a stream's topic stands among the identities; no topic can have that name.

    >>> stream_key("clicks")
    'stream:clicks'
    """
    return f"stream:{stream}"


def epoch_key(partition: str) -> str:
    """Under which the leader's epoch of a partition's last record stands among the identities; no topic can have that name.

    >>> epoch_key("clicks/3")
    'epoch:clicks/3'
    """
    return f"epoch:{partition}"


def another(identities: Mapping[str, str], stream: str, topic: str, identity: str) -> str | None:
    """What stood behind the stream when `identities` were saved, if it was not this topic; None if it was, or nothing was read yet.

    >>> saved = {"clicks-v1": "A", "stream:clicks": "clicks-v1"}
    >>> another(saved, "clicks", "clicks-v1", "A")
    >>> another(saved, "clicks", "clicks-v1", "B")
    'A'
    >>> another(saved, "clicks", "clicks-v2", "C")
    'clicks-v1'
    """
    former = identities.get(stream_key(stream), topic)
    if former != topic:
        return former
    before = identities.get(topic, identity)
    return None if before == identity else before


def topics_of(streams: Mapping[str, str]) -> dict[str, str]:
    """Turn `{stream: topic}` into `{topic: stream}`; a topic read by two streams would be fetched once and counted twice, so it is refused.

    >>> topics_of({"clicks": "shop.clicks"})
    {'shop.clicks': 'clicks'}
    """
    found: dict[str, str] = {}
    for stream, topic in streams.items():
        if topic in found:
            raise ValueError(f"streams {found[topic]!r} and {stream!r} both read topic {topic!r}: a topic belongs to one stream")
        found[topic] = stream
    return found
