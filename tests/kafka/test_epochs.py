"""The epoch of a position's last record, asked about at a start: a log that was cut and grew again is told, one that only aged is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.sources import Gap, Rewound
from monitor.sources.source import epoch_key
from tests.contracts.source_worlds import STREAM, KafkaWorld, caught_up, read
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


def numbered(first: int, count: int) -> list[bytes | None]:
    return [b"%06d" % number for number in range(first, first + count)]


def test_a_log_that_was_cut_and_grew_beyond_our_offset_is_read_from_the_end_of_the_common_past(world: KafkaWorld) -> None:
    """Cut on the disk of a broker that died, as an unclean election would have it: what stands at our offset is another record now."""
    world.make()
    world.produce(numbered(0, 6))
    world.produce([b"vanishing"] * 4)
    first = world.open()
    ledger = read(first, lambda ledger: ledger.count == 10)
    said = dict(first.identities())
    assert said[epoch_key(PLACE)] == "0"
    first.close()
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
    first = world.open()
    ledger = read(first, lambda ledger: ledger.count == 10)
    said = dict(first.identities())
    first.close()
    led_anew(world)
    world.produce(numbered(10, 10))
    world.trim(15)
    second = world.open(ledger.next, said)
    after = read(second, lambda ledger: ledger.count == 5)
    assert after.of(Gap) == [Gap(STREAM, PLACE, 10, 15, "retention")]
    assert after.of(Rewound) == []
    assert after.values() == numbered(15, 5)
