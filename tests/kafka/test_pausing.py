"""Pausing and resuming single partitions, as a backlog read unevenly asks for: each is read to its end, whatever the others do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from monitor.sources.kafka_client import KafkaClient
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka
EACH = 105  # no multiple of what a poll hands out: the last poll of a partition meets its end


def test_a_partition_resumed_while_the_others_are_paused_is_read_to_its_end(
    kafka_broker: Broker, feed: Feed, topic: Callable[..., str]
) -> None:
    name = topic(partitions=2)
    for number in range(2):
        for i in range(EACH):
            feed.producer.send(name, f"{number}-{i}".encode(), partition=number)
    feed.producer.flush()
    client = KafkaClient({"bootstrap_servers": [kafka_broker.bootstrap]}, {"s": name}, None, most=10)
    seen: Counter[str] = Counter()

    def read(until: Callable[[], bool]) -> None:
        for _ in range(60):  # each waits for an answer of the broker, half a second at most
            if until():
                return
            for records in client.poll(500):
                seen[records.partition] += len(records.offsets)

    try:
        client.assign({"s/0": 0, "s/1": 0})
        read(lambda: bool(seen))
        (first,) = seen  # ten of its records have been handed out, the client holds the others
        other = "s/1" if first == "s/0" else "s/0"
        client.pause([first])
        read(lambda: seen[other] == EACH)
        client.pause([other])
        client.resume([first])
        read(lambda: seen[first] == EACH)
    finally:
        client.close()
    assert seen == {first: EACH, other: EACH}
