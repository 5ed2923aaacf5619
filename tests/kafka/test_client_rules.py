"""What kafka-python does that our source is built around. A release that mends one of these fails here, and lets us delete code."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, LogTruncationError, OffsetOutOfRangeError

from monitor import wall
from monitor.sources.kafka_client import KafkaClient
from tests.contracts.source_worlds import DEADLINE_S, KafkaWorld
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.fortress import Fortress

pytestmark = pytest.mark.kafka


def consumer(bootstrap: str, **options: Any) -> Any:
    return KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none", **options)


def exists(admin: Any, topic: str) -> bool:
    return bool(admin.describe_topics([topic])[0]["error_code"] == 0)


def until(condition: Any, what: str) -> None:
    deadline = wall.monotonic() + DEADLINE_S
    while not condition():
        if wall.monotonic() > deadline:
            pytest.fail(f"not within {DEADLINE_S} s: {what}")


def test_asking_for_an_absent_topic_creates_it_whatever_the_setting_says(fortress: Fortress) -> None:
    admin = KafkaAdminClient(bootstrap_servers=fortress.bootstrap)
    client = consumer(fortress.bootstrap, allow_auto_create_topics=False)
    assert not exists(admin, "described")
    assert not exists(admin, "described"), "describe_topics asks without creating: the rule stands on it"
    client.assign([TopicPartition("polled", 0)])
    client.seek(TopicPartition("polled", 0), 0)

    def polled() -> bool:
        client.poll(timeout_ms=100)
        return exists(admin, "polled")

    until(polled, "kafka-python honours allow_auto_create_topics now: delete the hook in kafka_client.py")
    client.close(autocommit=False, timeout_ms=1000)
    admin.close()


def test_our_client_creates_nothing_even_when_a_topic_vanishes_under_it(fortress: Fortress) -> None:
    admin = KafkaAdminClient(bootstrap_servers=fortress.bootstrap)
    client = KafkaClient({"bootstrap_servers": fortress.bootstrap}, {"clicks": "vanished"}, None)
    client.assign({"clicks/0": 0})
    for _ in range(20):
        client.poll(100)
    assert not exists(admin, "vanished")
    client.close()
    admin.close()


POLLS = """
import sys
from kafka import KafkaConsumer, TopicPartition
tp = TopicPartition(sys.argv[2], 0)
client = KafkaConsumer(bootstrap_servers=sys.argv[1], enable_auto_commit=False, auto_offset_reset="none")
client.assign([tp])
client.seek(tp, 0)
try:
    while True:
        client.poll(500)
except Exception as error:
    print(type(error).__name__, flush=True)
client.poll(500)
print("returned", flush=True)
"""


def test_a_poll_after_an_exception_never_returns(kafka_broker: Broker, feed: Feed) -> None:
    world = KafkaWorld(kafka_broker, feed)
    world.make()
    world.produce([b"well-a-well-a"])
    world.produce([b"poison-poison"])
    world.corrupt(b"poison-poison")
    # in a process of its own, because nothing but its end stops the poll
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", POLLS, kafka_broker.bootstrap, world.topic], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == CorruptRecordError.__name__
        try:
            out, _ = child.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            child.kill()
        else:
            pytest.fail(f"kafka-python returns now ({out!r}): a client could be kept after an exception")


def test_errors_of_a_position_say_where_in_their_own_ways(kafka_broker: Broker, feed: Feed) -> None:
    topic = feed.create()
    feed.produce(topic, [b"x"] * 50)
    tp = TopicPartition(topic, 0)
    client = consumer(kafka_broker.bootstrap, metadata_max_age_ms=500)
    client.assign([tp])

    client.seek(tp, 1000)
    with pytest.raises(OffsetOutOfRangeError) as beyond:
        until(lambda: client.poll(timeout_ms=100), "an error above the end")
    assert beyond.value.args[0] == {tp: 1000}

    client.seek(tp, 0)
    until(lambda: client.poll(timeout_ms=100) and client.position(tp) == 50, "the records")
    feed.delete(topic)
    feed.create(topic)
    feed.produce(topic, [b"y"] * 10)
    with pytest.raises(LogTruncationError) as cut:
        until(lambda: client.poll(timeout_ms=100), "an error below the end")
    assert cut.value.divergent_offsets[tp].offset == 10

    feed.produce(topic, [b"z"] * 60)
    got: list[int] = []

    def more() -> bool:
        got.extend(row.offset for row in client.poll(timeout_ms=100).get(tp, ()))
        return bool(got)

    until(more, "the records beyond the swallowed error")
    assert got[0] == 50, "a swallowed truncation is silent afterwards: only the topic's identity tells"
    client.close(autocommit=False, timeout_ms=1000)
