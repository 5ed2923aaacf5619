"""How far event time has come, per partition: what decides when a window may close.

A partition's mark is the newest event time it has brought. A window closes when every partition that can still hold its
events has passed it. A partition that has fallen silent would hold everything up, so a tick may release it, but only when
a fresh look at the log says that nothing is waiting there: what it brings later is counted, not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor import tears
from monitor.pane import Folded
from monitor.plan import DAY_MS, Model
from monitor.tears import Reader, Tear, grain

# Silent this long (arrival time) while other partitions moved ahead: the partition is idle and need not be waited for.
IDLE_MS = 30_000
NOWHERE = -1  # the next offset of one that stands for a topic which has never been there
UNREADABLE = "unreadable"  # why a window lacks what a partition holds that cannot be read, beside the reasons of tears


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
    tears: tuple[Tear, ...] = ()  # records that were lost before they were read

    @property
    def placed(self) -> bool:
        """Is it in a log?"""
        return self.next_offset != NOWHERE

    @property
    def believed_ms(self) -> int | None:
        """The newest event time that no later event can take back (monitor.lateness)."""
        return None if self.mark_ms == self.suspect_ms else self.mark_ms


class Watermark:
    """Positions of all partitions. Owned by one engine; every change comes in as a value."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}

    def assign(self, starts: Mapping[str, int]) -> None:
        """Partitions that are waited for from now on, each with the offset where it begins."""
        for partition, start in starts.items():
            self.positions.setdefault(partition, Position(start))

    def advance(self, folded: Folded, arrival_ms: int, records: int) -> None:
        """A slice was folded: the partition is awake."""
        position = self.positions.setdefault(folded.partition, Position())
        position.next_offset, position.records = folded.next_offset, position.records + records
        position.suspect_ms = folded.suspect_ms
        if folded.mark_ms is not None:
            position.mark_ms = folded.mark_ms  # lower than before only where a first stamp was wrong (monitor.lateness)
        if folded.first_ms is not None:
            position.tears = tears.closed(position.tears, folded.first_ms)
        if records:
            position.arrival_ms, position.idle, position.behind_since_ms = arrival_ms, False, None

    def move(self, partition: str, next_offset: int) -> bool:
        """The partition goes on there without a record (a gap, a log that was cut, a topic that has come): is that anything new?"""
        position = self.positions.setdefault(partition, Position())
        before, position.next_offset = position.next_offset, next_offset
        return before != next_offset

    def tear(self, partition: str, why: str, at_ms: int, readers: Sequence[Reader]) -> None:
        """Records of the partition were lost between what was read and what is read next; `readers` are the models that it gates."""
        position = self.positions.setdefault(partition, Position())
        position.tears = tears.added(position.tears, Tear(why, position.believed_ms, at_ms), grain(readers))

    def torn(self, partition: str) -> bool:
        """Has it lost records, and not moved on since?"""
        return partition in self.positions and any(tear.open for tear in self.positions[partition].tears)

    def restart(self, partitions: Sequence[str], why: str, at_ms: int, readers: Sequence[Reader]) -> list[str]:
        """Their stream's topic is another now: their offsets begin anew, and what the former one held unread is lost. Given are partitions
        that the new topic no longer has, and that are not waited for any more; the first one that it has stands for what they lost."""
        streams = {name.rpartition("/")[0] for name in partitions}
        before = {name: position for name, position in self.positions.items() if name.rpartition("/")[0] in streams}
        gone = [name for name in before if name not in partitions]
        for name in partitions:
            position = self.positions.setdefault(name, Position())
            position.next_offset, position.unreadable = 0, False
            if name in before:
                self.tear(name, why, at_ms, readers)
        heir = self.positions[partitions[0]] if partitions else Position()
        for name in gone:
            lost = self.positions.pop(name)
            heir.tears = tears.added((*heir.tears, *lost.tears), Tear(why, lost.believed_ms, at_ms), grain(readers))
        return gone

    def block(self, partition: str) -> bool:
        """The partition cannot be read on until someone acts; False where that is known. One that was never assigned is nowhere."""
        position = self.positions.setdefault(partition, Position(NOWHERE))
        before, position.unreadable = position.unreadable, True
        return not before

    def unblock(self, partition: str) -> bool:
        """The partition can be read, and is waited for from where it stood; False where that is known."""
        position = self.positions.get(partition, Position())
        before, position.unreadable = position.unreadable, False
        position.next_offset = max(0, position.next_offset)
        return before

    def stuck(self, partition: str) -> int | None:
        """Where a partition stands still that cannot be read; None where it can, or was never there to be read."""
        position = self.positions.get(partition, Position())
        return position.next_offset if position.unreadable and position.placed else None

    def lacks(self, model: Model, partitions: Iterable[str], start_ms: int) -> tuple[tuple[str, str], ...]:
        """What the model's window that starts then may lack: partitions, each with why."""
        at = {name: self.positions[name] for name in partitions}
        found = {(name, UNREADABLE) for name, position in at.items() if position.unreadable}
        found |= {(name, tear.why) for name, position in at.items() for tear in position.tears if tear.touches(model, start_ms)}
        return tuple(sorted(found))

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
