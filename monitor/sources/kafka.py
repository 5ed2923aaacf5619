"""Apache Kafka as a source: several topics, read from positions that we own, through every fault that we know of.

One thread calls `poll`. A second one (`TopicWatch`) asks which topics exist, a third one (`Watchdog`) notices a poll that does not
return. The rules behind the order of things were all learnt from a real broker; each stands where it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from monitor import wall
from monitor.batch import Records
from monitor.plan import Kafka
from monitor.sources.group import LOOK_S, Group
from monitor.sources.kafka_client import ClientFailed, KafkaClient
from monitor.sources.kafka_link import Link
from monitor.sources.kafka_poison import Isolation
from monitor.sources.kafka_preflight import check
from monitor.sources.kafka_topics import Snapshot, TopicWatch
from monitor.sources.positions import UNKNOWN, Positions
from monitor.sources.source import (
    Absent,
    Note,
    PartitionStatus,
    Reached,
    SourceStatus,
    partition_name,
    partition_number,
)
from monitor.sources.watchdog import Watchdog, leave

PROBE_S = 5.0
# How long a topic made anew may go unnoticed: the client fetches by name and goes on at the old position. What it brought is void then.
TOPICS_S = 10.0


class KafkaSource:
    """Reads the topics of `streams` ({stream: topic}) from the cluster of `plan`.

    A topic that was never read before begins where `plan.start` says; a stream of `since_ms` ({stream: age}) at its first record whose
    broker stamp is at most so many milliseconds old, or at its end if there is none.

    `part` says which part of the plan's models is judged here: other parts of the same plan may commit under the same group.

    `most` records are handed out per poll. `hung` is called, on another thread, with a sentence when a poll has not returned for
    `patience_s` seconds: by default it writes all stacks and ends the process. A poll that has to connect to a broker that takes
    connections and answers nothing returns after `connect_s`, whatever its own time. Raises `Misconfigured` with all mistakes that can be
    found without connecting.
    """

    def __init__(
        self,
        plan: Kafka,
        streams: Mapping[str, str],
        *,
        since_ms: Mapping[str, int] | None = None,
        part: str = "0/1",
        most: int = 2000,
        probe_s: float = PROBE_S,
        topics_s: float = TOPICS_S,
        look_s: float = LOOK_S,
        connect_s: float = 10.0,
        patience_s: float = 30.0,
        hung: Callable[[str], None] = leave,
    ) -> None:
        check(plan)
        self._group = Group(plan.group, part, look_s)
        self._skip = plan.on_corrupt == "skip"
        self._probe_s = probe_s
        self._positions = Positions(streams, plan.start, since_ms)
        self._link = Link(plan, streams, most, connect_s)
        self._watch = TopicWatch(self._link.admin, list(self._positions.topics), every_s=topics_s, failed=self._link.count)
        self._watchdog = Watchdog(patience_s, hung)
        self._wanted = 0  # the question about topics whose answer is needed before anything is handed out
        self._handled = 0  # the last one whose answer was compared with what we read
        self._counts: dict[str, int] = {}  # {stream: partitions} of the topics that exist
        self._absent: set[str] = set()
        self._unclear: str | None = None
        self._reassign = True
        self._cut: dict[str, int | None] = {}
        self._beyond: set[str] = set()
        self._isolation: Isolation | None = None
        self._paused: set[str] = set()
        self._halted: set[str] = set()
        self._reached: dict[str, Reached] = {}
        self._probe_at = 0.0
        self._doubted = False  # the last probe was not answered
        self._empty = False  # nothing was saved when we started
        self._late: list[Note] = []  # learnt outside of a poll
        self._commits = self._commit_failures = 0
        self._closed = False
        self._status = SourceStatus(connected=False)

    def start(self, positions: Mapping[str, int], identities: Mapping[str, str]) -> None:
        self._empty = not positions and not identities
        self._positions.restore(positions, identities)
        self._link.open()
        self._watch.start()
        self._watchdog.start()

    def poll(self, timeout_ms: int) -> list[Records | Note]:
        deadline = wall.monotonic() + timeout_ms / 1000
        out: list[Records | Note] = []
        if self._closed:
            return out
        out += self._late
        self._late.clear()
        with self._watchdog.guard("a poll of Kafka"):
            try:
                client = self._ready(deadline, out)
                if client is not None:
                    self._fetch(client, deadline, out)
            except ClientFailed as failure:
                self._failed(failure)
            self._publish()
        return out

    def _failed(self, failure: ClientFailed) -> None:
        """Remember what the failure means for our positions; the client is gone in any case."""
        self._reached.clear()
        if failure.kind == "range":
            self._beyond |= failure.offsets.keys()
        elif failure.kind == "cut":
            self._cut.update(failure.offsets)
            for name in failure.offsets:  # said once: asked for again before a record is read, it would be said for ever
                self._positions.epochs[name] = UNKNOWN
        elif failure.kind == "unreadable":
            self._isolation = Isolation(set(self._names()) - self._halted, skip=self._skip)
        self._link.failed(failure)

    def _ready(self, deadline: float, out: list[Records | Note]) -> KafkaClient | None:
        """A client that is assigned to what exists, or None if there is none within the time."""
        if self._link.client is None:
            if not self._link.build(deadline):
                return None
            self._reassign = True
            self._wanted = self._watch.ask()  # the topics may be others since we last looked
        snapshot = self._watch.answer(self._wanted, max(0.0, deadline - wall.monotonic()))
        if snapshot is None:
            if self._doubted and self._link.connected:
                self._link.unanswered()
            self._link.wait_out()
            return None
        if snapshot.number != self._handled:
            self._handled = snapshot.number
            self._reconcile(snapshot, out)
        client = self._link.client
        if client is None:
            return None
        if self._reassign:
            self._assign(client, out)
        if not self._counts:
            # nothing to read: the answer about topics is our contact, and the next one is what to wait for
            self._watch.answer(self._handled + 1, max(0.0, deadline - wall.monotonic()))
            return None
        return client

    def _names(self) -> list[str]:
        """All partitions that exist, whether they are being read or stand still."""
        return [partition_name(stream, number) for stream, count in self._counts.items() for number in range(count)]

    def _reconcile(self, snapshot: Snapshot, out: list[Records | Note]) -> None:
        """Compare what exists with what we read: topics that came, went, grew or were made anew."""
        self._link.touched()
        unclear = []
        for name, topic in snapshot.topics.items():
            stream = self._positions.topics[name]
            if topic.state == "unclear":
                unclear.append(f"topic {name}: the broker answers with error {topic.code}")
            elif topic.state == "absent":
                if name not in self._absent:
                    self._absent.add(name)
                    self._positions.forget(stream)
                    out.append(Absent(stream, name))
                # an absent topic must not be asked for by the consumer: that would create it
                self._reassign |= self._counts.pop(stream, None) is not None
                self._unreach(stream)
            else:
                self._absent.discard(name)
                anew = self._positions.identify(name, topic.identity, topic.partitions)
                if anew:
                    out += anew
                    self._void(stream)
                if self._counts.get(stream) != topic.partitions:
                    self._counts[stream] = topic.partitions
                    self._reassign = True
        self._unclear = "; ".join(unclear) or None
        if not self._counts:
            self._link.answered()  # there is nothing to probe: this answer is all the contact there can be

    def _void(self, stream: str) -> None:
        """Forget all that belongs to offsets of a topic that is no more; the client may hold some of its records."""
        self._unreach(stream)
        for names in (self._halted, self._beyond):
            names -= {name for name in names if partition_number(name)[0] == stream}
        self._cut = {name: at for name, at in self._cut.items() if partition_number(name)[0] != stream}
        self._link.drop("recreated")

    def _unreach(self, stream: str) -> None:
        self._reached = {name: reached for name, reached in self._reached.items() if partition_number(name)[0] != stream}

    def _assign(self, client: KafkaClient, out: list[Records | Note]) -> None:
        names = self._names()
        # those that are being read already stay where they are: the client may hold records that retention has overtaken
        fresh = [name for name in names if name not in client.assigned]
        begins, ends = client.beginnings(fresh), client.ends(fresh)
        unread = self._positions.unread(fresh) if self._empty else []
        # asked after the ends: where no record is young enough yet, one that comes in between must not be passed over
        now_ms = wall.now_ms()
        young = client.since({name: max(0, now_ms - age_ms) for name, age_ms in self._positions.by_age(fresh).items()})
        out += self._positions.place(begins, ends, self._cut, self._beyond, young)
        self._cut.clear()
        self._beyond.clear()
        try:
            out += self._group.recall(client, unread)
        except ClientFailed as failure:  # what people are told must not hold up what is read
            self._link.count(failure.name)
        if self._isolation is None:
            client.assign(
                {name: self._positions.next[name] for name in names if name not in self._halted}, self._paused, self._positions.epochs
            )
        self._reassign = False
        self._probe_at = 0.0

    def _fetch(self, client: KafkaClient, deadline: float, out: list[Records | Note]) -> None:
        if self._isolation is not None:
            try:
                out += self._isolation.step(client, self._positions, self._paused)
            except ClientFailed:
                self._isolation = None
                raise
            if self._isolation.done:
                self._halted |= self._isolation.halted
                self._isolation = None
                self._link.drop("unreadable")
            return
        found = client.poll(max(0, int((deadline - wall.monotonic()) * 1000)))
        for records in found:
            self._positions.next[records.partition] = records.next_offset
        self._positions.epochs |= client.epochs(records.partition for records in found)
        out += found
        if wall.monotonic() >= self._probe_at:
            self._probe(client, out)

    def _probe(self, client: KafkaClient, out: list[Records | Note]) -> None:
        """Ask for end offsets: the only sign of life that means something, since a poll is silent when the broker is dead."""
        self._probe_at = wall.monotonic() + self._probe_s
        names = self._names()
        try:
            ends = client.ends(names)
        except ClientFailed as failure:
            self._link.count(failure.name)
            if self._doubted:
                self._link.unanswered()
            self._doubted = True  # of a topic that was just deleted, nothing can be asked either: the watch over the topics tells which
            self._reached.clear()
            # when it answers again, the topics may be others: nothing is handed out before that is known
            self._wanted = self._watch.ask()
            self._probe_at = 0.0
            return
        self._link.answered()
        self._doubted = False
        now_ms = wall.now_ms()
        for name, position in client.positions().items():
            if position > self._positions.next[name]:  # past the markers and aborted records at the end of the log
                self._positions.next[name] = position
                out.append(Records(partition_number(name)[0], name, [], [], [], position, now_ms))
        self._positions.epochs |= client.epochs(client.assigned)
        self._reached = {name: Reached(self._positions.next[name], ends[name], now_ms) for name in names}

    def caught_up(self) -> Mapping[str, Reached]:
        return dict(self._reached)

    def pause(self, partitions: Collection[str]) -> None:
        self._paused |= set(partitions)
        if self._link.client is not None:
            self._link.client.pause(partitions)

    def resume(self, partitions: Collection[str]) -> None:
        self._paused -= set(partitions)
        if self._link.client is not None:
            self._link.client.resume(partitions)

    def release(self, partition: str) -> None:
        if partition in self._halted:
            self._halted.discard(partition)
            self._reassign = True

    def commit(self, offsets: Mapping[str, int]) -> None:
        # an absent topic must not be asked for, and a broker that is away would cost three seconds each time
        known = {name: offset for name, offset in offsets.items() if partition_number(name)[0] in self._counts}
        if not known or not self._group.name:
            return
        self._commits += 1
        try:
            if self._link.client is None or not self._link.connected:
                self._commit_failures += 1
            else:
                with self._watchdog.guard("a commit to Kafka"):
                    self._late += self._group.recall(self._link.client)
                    self._group.commit(self._link.client, known)
        except ClientFailed as failure:
            self._link.count(failure.name)
            self._commit_failures += 1

    def identities(self) -> Mapping[str, str]:
        return self._positions.said()

    def _publish(self) -> None:
        self._status = SourceStatus(
            connected=self._link.connected,
            cause=self._link.cause or self._unclear,
            absent=tuple(sorted(self._absent)),
            partitions={
                name: PartitionStatus(
                    position=position,
                    end=self._reached[name].end if name in self._reached else None,
                    paused=name in self._paused,
                    halted=name in self._halted,
                    skipped=self._positions.skipped.get(name, 0),
                )
                for name, position in self._positions.next.items()
            },
            errors=self._link.errors(),
            rebuilds=dict(self._link.rebuilds),
            commits=self._commits,
            commit_failures=self._commit_failures,
            another=self._group.other,
        )

    def status(self) -> SourceStatus:
        contact = self._link.contact
        age = None if contact is None else int((wall.monotonic() - contact) * 1000)
        return replace(self._status, contact_age_ms=age)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watch.close()
        self._watchdog.close()
        self._link.shut()
        self._watch.join(1.0)
        self._publish()
