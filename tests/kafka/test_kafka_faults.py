"""The Kafka source against a real broker that dies, freezes, and holds awkward records."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.record.memory_records import MemoryRecordsBuilder

from monitor.plan import Kafka
from monitor.sources import Absent, Rewound
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka_client import ClientFailed, KafkaClient
from tests.contracts.source_worlds import STREAM, KafkaWorld, caught_up, read
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(kafka_broker: Broker, feed: Feed) -> Iterator[KafkaWorld]:
    made = KafkaWorld(kafka_broker, feed)
    yield made
    made.close()


def network_threads() -> set[int | None]:
    """The clients' threads; other rooms of a run may have clients of their own that live on."""
    return {thread.ident for thread in threading.enumerate() if thread.name.startswith("kafka-io")}


def numbered(first: int, count: int) -> list[bytes | None]:
    return [b"%06d" % number for number in range(first, first + count)]


def test_a_broker_killed_in_mid_stream_costs_no_record_and_repeats_none(world: KafkaWorld) -> None:
    others = network_threads()
    world.make(4)
    for number in range(4):
        world.produce(numbered(0, 500), number)
    world.feed.close()
    source = world.open(most=100)
    ledger = read(source, lambda ledger: ledger.count >= 700)  # in the middle of what there is
    assert len(network_threads() - others) == 2, "one of the consumer, one of the watch over the topics"
    world.broker.kill()
    read(source, lambda _: not source.status().connected, ledger)
    assert source.status().cause
    world.broker.start()
    for number in range(4):
        world.produce(numbered(500, 500), number)
    read(source, lambda ledger: ledger.count >= 4000 and caught_up(source), ledger)
    assert all(ledger.values(number) == numbered(0, 1000) for number in range(4))
    assert source.status().connected
    world.feed.close()
    assert len(network_threads() - others) == 2, "an outage leaves no client behind"


def test_a_frozen_broker_is_noticed_and_comes_back(world: KafkaWorld) -> None:
    world.make()
    world.produce(numbered(0, 10))
    source = world.open()
    ledger = read(source, lambda ledger: ledger.count == 10 and source.status().connected)
    world.broker.freeze()
    read(source, lambda _: not source.status().connected, ledger)
    age = source.status().contact_age_ms
    assert age is not None
    world.broker.thaw()
    world.produce(numbered(10, 10))
    read(source, lambda ledger: ledger.count == 20 and source.status().connected, ledger)
    assert ledger.values() == numbered(0, 20)
    assert source.status().rebuilds == {}, "a client that was never silent for long finds back by itself"


def test_a_broker_that_is_not_there_at_the_start_is_waited_for(world: KafkaWorld) -> None:
    others = network_threads()
    world.make()
    world.produce(numbered(0, 3))
    world.feed.close()
    world.broker.stop()
    source = world.open()
    ledger = read(source, lambda _: source.status().cause and source.status().errors.get("ConnectionError", 0) > 2)
    assert "Connection refused" in str(source.status().cause)
    assert network_threads() <= others, "clients that could not be built leave no thread behind"
    assert source.status().contact_age_ms is None
    world.broker.start()
    read(source, lambda ledger: ledger.count == 3, ledger)


def test_aborted_and_open_transactions_are_not_read_and_markers_are_no_loss(world: KafkaWorld) -> None:
    world.make()
    with world.feed.transactional(f"{world.topic}-writer") as producer:

        def write(value: bytes) -> None:
            producer.begin_transaction()
            for _ in range(5):
                producer.send(world.topic, value, partition=0)
            producer.flush()

        write(b"first")
        producer.commit_transaction()
        write(b"aborted")
        producer.abort_transaction()
        write(b"second")
        producer.commit_transaction()
        source = world.open()
        ledger = read(source, lambda ledger: ledger.count == 10 and caught_up(source))
        # 15 records and 3 markers: the position stands behind the last marker, so that the partition counts as caught up
        assert ledger.next == {f"{STREAM}/0": 18}
        write(b"open")
        again = world.open(ledger.next, source.identities())
        rest = read(again, lambda _: caught_up(again))
        assert rest.count == 0
        producer.commit_transaction()
        read(again, lambda ledger: ledger.count == 5, rest)
    assert ledger.values() + rest.values() == [b"first"] * 5 + [b"second"] * 5 + [b"open"] * 5


def test_awkward_records_arrive_whole(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make()
    append = MemoryRecordsBuilder.append

    def null_for_empty(self: Any, timestamp: Any, key: Any, value: Any, headers: Any) -> Any:
        """Other languages' producers write header values of null, which this one refuses to take."""
        return append(self, timestamp, key, value, [(name, header or None) for name, header in headers])

    monkeypatch.setattr(MemoryRecordsBuilder, "append", null_for_empty)
    large = bytes(range(256)) * 20_000  # 5 MB: five times what a fetch of one partition asks for
    world.feed.produce(world.topic, [b"headed"], headers=[("trace", b""), ("trace", b"twice")])
    world.feed.produce(world.topic, [None], key=b"tombstone")
    world.feed.produce(world.topic, [large])
    world.feed.produce(world.topic, [b"after"])
    assert read(world.open(), lambda ledger: ledger.count == 4).values() == [b"headed", None, large, b"after"]


def test_two_topics_are_read_by_one_source_and_one_may_be_absent(world: KafkaWorld) -> None:
    world.make()
    world.produce(numbered(0, 3))
    source = KafkaSource(Kafka((world.broker.bootstrap,)), {STREAM: world.topic, "labels": "not-there-yet"}, probe_s=0.2, topics_s=0.5)
    source.start({}, {})
    world.sources.append(source)
    ledger = read(source, lambda ledger: ledger.count == 3)
    assert ledger.of(Absent) == [Absent("labels", "not-there-yet")]
    assert set(source.identities()) == {world.topic, f"stream:{STREAM}", f"epoch:{STREAM}/0"}


def test_lag_tools_see_our_commits(world: KafkaWorld) -> None:
    world.make()
    world.produce(numbered(0, 7))
    source = world.open(group="lag-test")
    read(source, lambda ledger: ledger.count == 7 and source.status().connected)
    source.commit({f"{STREAM}/0": 7})
    source.poll(0)
    assert (source.status().commits, source.status().commit_failures) == (1, 0)
    committed = world.feed.admin.list_group_offsets(["lag-test"])
    assert "offset=7" in str(committed)


def test_looking_around_at_a_frozen_broker_ends_and_costs_that_commit_only(world: KafkaWorld) -> None:
    world.make()
    world.produce(numbered(0, 7))
    said: list[str] = []
    source = world.open(look_s=0.0, patience_s=10.0, hung=said.append)
    ledger = read(source, lambda ledger: ledger.count == 7 and source.status().connected)
    for _ in range(2):  # the second one looks around
        source.commit({f"{STREAM}/0": 7})
    world.broker.freeze()
    source.commit({f"{STREAM}/0": 7})
    world.broker.thaw()
    read(source, lambda _: caught_up(source), ledger)
    source.commit({f"{STREAM}/0": 7})
    source.poll(0)
    assert (source.status().commits, source.status().commit_failures, source.status().another) == (4, 1, None)
    assert said == [], "the watchdog had nothing to bite"
    assert ledger.values() == numbered(0, 7)


def test_a_poll_that_never_returns_is_noticed(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make()
    world.produce(numbered(0, 1))
    bitten = threading.Event()
    said: list[str] = []

    def hung(reason: str) -> None:
        said.append(reason)
        bitten.set()

    source = world.open(patience_s=0.3, hung=hung)
    monkeypatch.setattr("monitor.sources.kafka_client.KafkaClient.poll", lambda self, timeout_ms: [] * bitten.wait(20))
    read(source, lambda _: bitten.is_set())
    assert said == ["a poll of Kafka has not returned for 0.3 s"]


def test_a_position_beyond_the_end_goes_back_to_the_end(world: KafkaWorld) -> None:
    world.make()
    world.produce(numbered(0, 10))
    first = world.open()
    read(first, lambda ledger: ledger.count == 10)
    source = world.open({f"{STREAM}/0": 50}, first.identities())
    ledger = read(source, lambda ledger: ledger.of(Rewound))
    assert ledger.of(Rewound) == [Rewound(STREAM, f"{STREAM}/0", 50, 10)]
    world.produce(numbered(10, 5))
    read(source, lambda ledger: ledger.count == 5, ledger)
    assert ledger.values() == numbered(10, 5)


def test_a_cut_log_is_read_again_from_the_end_of_the_common_past(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make()
    world.produce(numbered(0, 10))
    source = world.open()
    ledger = read(source, lambda ledger: ledger.count == 10)
    poll = KafkaClient.poll
    raised: list[int] = []

    def cut_once(self: KafkaClient, timeout_ms: int) -> object:
        if not raised:  # one broker cannot lose an election uncleanly; what it would make the client raise is asserted elsewhere
            raised.append(1)
            raise ClientFailed("cut", ValueError("cut"), {f"{STREAM}/0": 7})
        return poll(self, timeout_ms)

    monkeypatch.setattr(KafkaClient, "poll", cut_once)
    read(source, lambda ledger: ledger.of(Rewound) and ledger.count == 10, ledger)
    assert ledger.of(Rewound) == [Rewound(STREAM, f"{STREAM}/0", 10, 7)]
    assert ledger.values() == numbered(0, 10)
    assert source.status().rebuilds == {"ValueError": 1}


def test_an_error_that_passes_costs_a_client_and_nothing_else(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.make(3)
    for number in range(3):
        world.produce(numbered(0, 100), number)
    poll = KafkaClient.poll
    polls = 0

    def every_third(self: KafkaClient, timeout_ms: int) -> object:
        nonlocal polls
        polls += 1
        if polls % 3 == 0 and polls < 20:
            raise ClientFailed("unreadable" if polls % 2 else "other", OSError("it passes"))
        return poll(self, timeout_ms)

    monkeypatch.setattr(KafkaClient, "poll", every_third)
    ledger = read(world.open(most=20), lambda ledger: ledger.count == 300)
    assert all(ledger.values(number) == numbered(0, 100) for number in range(3))
