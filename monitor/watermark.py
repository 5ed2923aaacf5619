"""How far event time has come, per partition: what decides when a window may close.

A partition's mark is the newest event time it has brought. A window closes when every partition that can still hold its
events has passed it. A partition that has fallen silent would hold everything up, so a tick may release it, but only when
a fresh look at the log says that nothing is waiting there: what it brings later is counted, not judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from monitor.plan import DAY_MS

# Silent this long (arrival time) while other partitions moved ahead: the partition is idle and need not be waited for.
IDLE_MS = 30_000


@dataclass(slots=True)
class Position:
    """One partition. `behind_since_ms`: arrival time at which others first were ahead of it; `idle` once released."""

    next_offset: int = 0
    mark_ms: int | None = None
    records: int = 0
    suspect_ms: int | None = None  # kept for the fold, which goes on from it after a restart
    arrival_ms: int | None = None
    behind_since_ms: int | None = None
    idle: bool = False
    unreadable: bool = False  # a batch in it cannot be opened: it is not waited for, and windows without it are partial


class Watermark:
    """Positions of all partitions. Owned by one engine; every change comes in as a value."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}

    def assign(self, starts: Mapping[str, int]) -> None:
        """Partitions that are waited for from now on, each with the offset where it begins."""
        for partition, start in starts.items():
            self.positions.setdefault(partition, Position(start))

    def advance(
        self, partition: str, next_offset: int, mark_ms: int | None, arrival_ms: int, records: int, suspect_ms: int | None = None
    ) -> None:
        """A slice was folded: the partition is awake."""
        position = self.positions.setdefault(partition, Position())
        position.next_offset, position.records = next_offset, position.records + records
        position.suspect_ms = suspect_ms
        if mark_ms is not None:
            position.mark_ms = mark_ms  # lower than before only where a first stamp was wrong (monitor.lateness)
        if records:
            position.arrival_ms, position.idle, position.behind_since_ms, position.unreadable = arrival_ms, False, None, False

    def move(self, partition: str, next_offset: int) -> bool:
        """The partition goes on there without a record (a gap, a log that was cut, a topic that has come): is that anything new?"""
        position = self.positions.setdefault(partition, Position())
        before = position.next_offset, position.unreadable
        position.next_offset, position.unreadable = next_offset, False
        return before != (next_offset, False)

    def restart(self, partitions: Collection[str]) -> list[str]:
        """Their streams' topics are others now: their offsets begin anew. Given are partitions that the new topics no longer have, and
        that are not waited for any more."""
        streams = {name.rpartition("/")[0] for name in partitions}
        gone = [name for name in self.positions if name.rpartition("/")[0] in streams and name not in partitions]
        for name in gone:
            del self.positions[name]
        for name in partitions:
            self.positions.setdefault(name, Position()).next_offset = 0
        return gone

    def blocked(self, partition: str) -> None:
        """The partition cannot be read on until someone acts; records from it take that back."""
        self.positions.setdefault(partition, Position()).unreadable = True

    def partial(self, partitions: Iterable[str]) -> list[str]:
        """Those of them that cannot be read."""
        return sorted(p for p in partitions if self.positions[p].unreadable)

    def low_ms(self, partitions: Iterable[str]) -> int | None:
        """Event time that all of these have passed; None while one of them has brought nothing yet, or there are none."""
        marks = [self.positions[p].mark_ms for p in partitions if not self.positions[p].unreadable]
        if not marks or any(mark is None for mark in marks):
            return None
        return min(mark for mark in marks if mark is not None)

    def release(self, partitions: Iterable[str], now_ms: int, reached: Mapping[str, tuple[int, int]]) -> dict[str, int]:
        """New marks for the silent ones among `partitions`, which gate each other.

        `reached`: fresh (position, end offset) per partition. A partition counts as read to its end when both equal our own
        next offset. While some move on, an idle one follows the newest mark; when all are silent, event time goes on at the
        pace of the wall clock since the last arrival - but only where event time is within a day of it, since a recording
        of last year has no such clock.
        """
        group = {p: self.positions[p] for p in partitions if p in self.positions}
        ended = {p for p, s in group.items() if reached.get(p) == (s.next_offset, s.next_offset)}
        for position in group.values():
            if position.arrival_ms is None and position.mark_ms is not None:
                position.arrival_ms = now_ms  # restored: silence counts from here
        newest = max((s.mark_ms for s in group.values() if s.mark_ms is not None), default=None)
        if newest is None:
            return {}
        released: dict[str, int] = {}
        for name, position in sorted(group.items()):
            if position.mark_ms is not None and position.mark_ms >= newest:
                position.behind_since_ms = None
                continue
            if position.behind_since_ms is None:
                position.behind_since_ms = now_ms
            waited = now_ms - max(position.behind_since_ms, position.arrival_ms or 0)
            if name in ended and (position.idle or waited >= IDLE_MS):
                position.idle, position.mark_ms = True, newest
                released[name] = newest
        last = max((s.arrival_ms for s in group.values() if s.arrival_ms is not None), default=None)
        silent = last is not None and now_ms - last >= IDLE_MS and ended == set(group)
        if silent and last is not None and abs(last - newest) < DAY_MS:
            paced = newest + (now_ms - last)
            for name, position in group.items():
                position.mark_ms, position.idle = paced, True
                released[name] = paced
            for position in group.values():
                position.arrival_ms = now_ms  # the pace is counted once
        return released

    def ahead(self, partitions: Iterable[str], by_ms: int) -> set[str]:
        """Partitions that have run more than `by_ms` of event time ahead of the slowest that is not idle: to be paused,
        so that memory is bounded by event time and not by how unevenly a backlog is read."""
        group = {p: s for p, s in self.positions.items() if p in set(partitions)}
        marks = [s.mark_ms for s in group.values() if not s.idle and not s.unreadable]
        if not marks or any(mark is None for mark in marks):
            return set()
        slowest = min(mark for mark in marks if mark is not None)
        return {p for p, s in group.items() if s.mark_ms is not None and s.mark_ms - slowest > by_ms}
