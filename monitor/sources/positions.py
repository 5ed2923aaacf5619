"""The table of positions that a source owns: where each partition begins, and what a log's limits do to it. No IO."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from monitor.sources.source import (
    Assigned,
    Gap,
    Note,
    Recreated,
    Rewound,
    another,
    epoch_key,
    partition_name,
    partition_number,
    stream_key,
    topics_of,
)

UNKNOWN = -1  # as Kafka itself writes an epoch that nobody knows


class Positions:
    """`next` is {partition: next offset} of every partition that was placed once; `identities` says whose offsets they are,
    as of `Source.identities`. `epochs` is {partition: the leader's epoch of the last record before that offset}, where it is known: asked
    with it, a cluster tells whether its log still holds what we have read, or was cut meanwhile and has grown again. Where a position was
    moved without reading it is `UNKNOWN`, and is said so: what was saved before belongs to another offset.

    `streams` is {stream: topic}; `begin` says where a partition without a saved position starts when its topic was never read before.
    `since_ms` is {stream: age} of those that start at their first record of at most that age instead, by the broker's stamps.
    Partitions added to a topic that was read before start at the beginning, whatever both say: their records are all new.
    """

    def __init__(self, streams: Mapping[str, str], begin: Literal["beginning", "end"], since_ms: Mapping[str, int] | None = None) -> None:
        self.topics = topics_of(streams)
        self.next: dict[str, int] = {}
        self.identities: dict[str, str] = {}
        self.epochs: dict[str, int] = {}
        self.skipped: dict[str, int] = {}
        self._begin = begin
        self._since_ms = dict(since_ms or {})
        self._saved: dict[str, int] = {}
        self._announced: set[str] = set()
        self._met: dict[str, dict[str, str]] = {}  # {stream: identities} of topics that were seen and have no position yet
        self._read_before: set[str] = set()

    def restore(self, saved: Mapping[str, int], identities: Mapping[str, str]) -> None:
        self._saved = dict(saved)
        mine = self.topics.keys() | {stream_key(stream) for stream in self.topics.values()}
        self.identities = {name: identity for name, identity in identities.items() if name in mine}
        self.epochs = {name: int(identities[epoch_key(name)]) for name in saved if epoch_key(name) in identities}
        self._read_before = {stream for topic, stream in self.topics.items() if topic in identities}
        self._read_before |= {partition_number(name)[0] for name in saved}

    def identify(self, topic: str, identity: str, partitions: int) -> list[Note]:
        """Compare a stream's topic with the one we know; another one voids all positions of the stream."""
        stream = self.topics[topic]
        before = another(self.identities, stream, topic, identity)
        met = {topic: identity, stream_key(stream): topic}
        if before is None and stream not in self._read_before:
            self._met[stream] = met  # who stops before it is placed has not read it: its identity must not be saved without a position
            return []
        self.identities |= met
        if before is None:
            return []
        for table in (self.next, self._saved):
            for name in [name for name in table if partition_number(name)[0] == stream]:
                del table[name]
        self.epochs |= {name: UNKNOWN for name in self.epochs if partition_number(name)[0] == stream}
        self.forget(stream)
        self._read_before.add(stream)
        names = tuple(partition_name(stream, number) for number in range(partitions))
        return [Recreated(stream, topic, before, identity, names)]

    def said(self) -> dict[str, str]:
        """What is saved beside the offsets, and handed to `restore` at the next start."""
        return self.identities | {epoch_key(name): str(epoch) for name, epoch in self.epochs.items()}

    def forget(self, stream: str) -> None:
        """Have the stream's partitions announced again: its topic is gone for now, or another one."""
        self._announced = {name for name in self._announced if partition_number(name)[0] != stream}

    def unread(self, partitions: Collection[str]) -> list[str]:
        """Those of the partitions whose topic was never read before, as far as our state and this life know."""
        return [name for name in partitions if name not in self.next and partition_number(name)[0] not in self._read_before]

    def by_age(self, partitions: Collection[str]) -> dict[str, int]:
        """Those of the partitions that only stamps can place: {partition: age in ms that its first record may have}."""
        streams = {name: partition_number(name)[0] for name in self.unread(partitions)}
        return {name: self._since_ms[stream] for name, stream in streams.items() if stream in self._since_ms}

    def place(
        self,
        begins: Mapping[str, int],
        ends: Mapping[str, int],
        cut: Mapping[str, int | None],
        beyond: Collection[str],
        young: Mapping[str, int | None] | None = None,
    ) -> list[Note]:
        """Give each partition of `begins` a position within its log, and say what that cost.

        `cut` names partitions whose log was cut behind us, with the end of the common past where it is known; `beyond` those whose
        position the broker has refused. Without such a word of the broker's a position above the end stays: the end may be a late one.
        `young` tells the first record that is young enough for each of `by_age` (None: there is none, so it starts at the end).
        """
        starts: dict[str, dict[str, int]] = {}
        out: list[Note] = []
        first = {name: ends[name] if offset is None else offset for name, offset in (young or {}).items()}
        for name in sorted(begins, key=partition_number):
            stream, _ = partition_number(name)
            if name not in self.next:
                fresh = ends[name] if self._begin == "end" and stream not in self._read_before else begins[name]
                self.next[name] = self._saved.pop(name, first.get(name, fresh))
            position = self.next[name]
            if name not in self._announced:
                self._announced.add(name)
                starts.setdefault(stream, {})[name] = position
            if name in cut:
                known = cut[name]
                out += self._rewind(name, min(position, ends[name] if known is None else known))
            elif name in beyond and position > ends[name]:
                out += self._rewind(name, ends[name])
            if self.next[name] < begins[name]:
                out.append(self.lose(name, begins[name], "retention"))
        for stream in starts:
            self._read_before.add(stream)
            self.identities |= self._met.pop(stream, {})
        return [*(Assigned(stream, places) for stream, places in starts.items()), *out]

    def _rewind(self, name: str, start: int) -> list[Note]:
        position = self.next[name]
        if start >= position:
            return []
        self.next[name] = start
        self.epochs[name] = UNKNOWN
        return [Rewound(partition_number(name)[0], name, position, start)]

    def lose(self, name: str, stop: int, reason: Literal["retention", "poison"]) -> Gap:
        """Move a position over what will never be read."""
        start = self.next[name]
        self.next[name] = stop
        self.epochs[name] = UNKNOWN
        self.skipped[name] = self.skipped.get(name, 0) + stop - start
        return Gap(partition_number(name)[0], name, start, stop, reason)
