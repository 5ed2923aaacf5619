"""The epoch of a position's last record, asked about at a start: a log that was cut and grew again is told, one that only aged is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka.errors import CorruptRecordError

from monitor.batch import Records
from monitor.sources import Gap, Rewound, Unreadable
from monitor.sources.kafka_client import ClientFailed, KafkaClient
from monitor.sources.source import epoch_key
from tests.contracts.source_worlds import STREAM, KafkaWorld, Ledger, caught_up, read
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka
PLACE = f"{STREAM}/0"


@pytest.fixture
def world(kafka_broker: Broker, feed: Feed) -> Iterator[KafkaWorld]:
    made = KafkaWorld(kafka_broker, feed)
    yield made
    made.close()


def led_anew(world: KafkaWorld) -> None:
    """The broker dies and leads its partitions again, in a later epoch."""
    world.feed.close()
    world.broker.kill()
    world.broker.start()


def lived(world: KafkaWorld, count: int) -> tuple[Ledger, dict[str, str]]:
    """A first life that read so many records: where it stood, and what it would have saved of whose offsets these are."""
    source = world.open()
    ledger = read(source, lambda ledger: ledger.count == count)
    said = dict(source.identities())
    source.close()
    return ledger, said


def numbered(first: int, count: int) -> list[bytes | None]:
    return [b"%06d" % number for number in range(first, first + count)]


def test_a_log_that_was_cut_and_grew_beyond_our_offset_is_read_from_the_end_of_the_common_past(world: KafkaWorld) -> None:
    """Cut on the disk of a broker that died, as an unclean election would have it: what stands at our offset is another record now."""
    world.make()
    world.produce(numbered(0, 6))
    world.produce([b"vanishing"] * 4)
    ledger, said = lived(world, 10)
    assert said[epoch_key(PLACE)] == "0"
    world.feed.close()
    world.broker.kill()
    segment = world.broker.segment(world.topic, 0)
    with segment.open("r+b") as file:
        file.truncate(batch_of(file.read(), b"vanishing"))
    world.broker.start()
    world.produce(numbered(6, 9))
    second = world.open(ledger.next, said)
    after = read(second, lambda ledger: ledger.count == 9)
    assert after.of(Rewound) == [Rewound(STREAM, PLACE, 10, 6)]
    assert after.values() == numbered(6, 9)
    assert second.identities()[epoch_key(PLACE)] > "0"


def batch_of(log: bytes, value: bytes) -> int:
    """Where the batch begins that holds the value first: each says its length after its offset."""
    at, wanted = 0, log.index(value)
    while (following := at + 12 + int.from_bytes(log[at + 8 : at + 12], "big")) <= wanted:
        at = following
    return at


@pytest.mark.fault
def test_a_leader_that_dies_and_leads_again_cuts_nothing(world: KafkaWorld) -> None:
    """Records, markers of an aborted transaction, and nothing at all between two epochs: each position is still good."""
    world.make()
    world.produce(numbered(0, 10))
    position = 0
    said: dict[str, str] = {}
    for step in range(3):
        source = world.open({PLACE: position} if step else {}, said)
        ledger = read(source, lambda ledger: caught_up(source))  # noqa: B023
        assert (ledger.of(Rewound), ledger.of(Gap)) == ([], [])
        position, said = ledger.next[PLACE], dict(source.identities())
        source.close()
        led_anew(world)
        if step == 0:
            with world.feed.transactional(f"{world.topic}-writer") as producer:
                producer.begin_transaction()
                producer.send(world.topic, b"aborted", partition=0)
                producer.flush()
                producer.abort_transaction()
    assert position == 12, "ten records, an aborted one and the marker after it"


def test_what_retention_took_is_a_gap_and_no_cut(world: KafkaWorld) -> None:
    """All records of the epoch that we knew are gone: the cluster knows nothing of it any more, and that is no truncation."""
    world.make()
    world.produce(numbered(0, 10))
    ledger, said = lived(world, 10)
    led_anew(world)
    world.produce(numbered(10, 10))
    world.trim(15)
    second = world.open(ledger.next, said)
    after = read(second, lambda ledger: ledger.count == 5)
    assert after.of(Gap) == [Gap(STREAM, PLACE, 10, 15, "retention")]
    assert after.of(Rewound) == []
    assert after.values() == numbered(15, 5)


def poisoned_in_a_new_epoch(world: KafkaWorld, number: int) -> None:
    """The broker leads anew, and the first batch that it takes into the partition rots on its disk."""
    led_anew(world)
    world.produce([b"poisoned"], number)
    world.feed.close()
    world.broker.stop()
    world.corrupt(b"poisoned", number)
    world.broker.start()


def test_what_is_read_while_a_bad_batch_is_looked_for_is_read_once(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The suspects' records are of a new epoch: the client after them is asked for with it."""
    world.make(2)
    for number in range(2):
        world.produce(numbered(0, 10), number)
    ledger, said = lived(world, 20)
    poisoned_in_a_new_epoch(world, 1)
    world.produce(numbered(10, 10))
    poll, failures = KafkaClient.poll, [ClientFailed("unreadable", CorruptRecordError())]

    def answered_first(self: KafkaClient, timeout_ms: int) -> list[Records]:
        if failures:  # the broker's answers come in any order: here the bad batch's comes first
            raise failures.pop()
        return poll(self, timeout_ms)

    monkeypatch.setattr(KafkaClient, "poll", answered_first)
    second = world.open(ledger.next, said)
    after = read(second, lambda ledger: ledger.of(Unreadable))
    world.produce(numbered(20, 1))  # which a client fetches only once the cluster has told it whether the log was cut
    read(second, lambda ledger: ledger.values()[-1:] == numbered(20, 1), after)
    assert (after.of(Rewound), after.values()) == ([], numbered(10, 11))


def test_a_batch_that_was_passed_over_is_no_cut_at_the_next_start(world: KafkaWorld) -> None:
    """Nothing behind it was read, so nobody knows that epoch; what is saved must not be the former one's."""
    world.make()
    world.produce(numbered(0, 10))
    ledger, said = lived(world, 10)
    poisoned_in_a_new_epoch(world, 0)
    second = world.open(ledger.next, said, on_corrupt="skip")
    read(second, lambda ledger: ledger.of(Gap), ledger)
    said |= second.identities()  # as a state keeps them: what is not said again stays
    second.close()
    assert ledger.of(Gap) == [Gap(STREAM, PLACE, 10, 11, "poison")]
    world.produce(numbered(10, 1))
    third = world.open(ledger.next, said, on_corrupt="skip")
    after = read(third, lambda ledger: ledger.count == 1)
    assert (after.of(Rewound), after.of(Gap), after.of(Unreadable)) == ([], [], [])
