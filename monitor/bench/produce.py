"""Fills a topic for the benches: many records, big lz4 batches, dealt over the partitions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitor.plan import Kafka
from monitor.sources.kafka_preflight import client_arguments, context


def produce(plan: Kafka, topic: str, values: Iterable[bytes], *, partitions: int, stamps_ms: Iterable[int] | None = None) -> int:
    """Send the values to partitions 0, 1, ... in blocks of a batch each and return how many arrived.

    Raises the first error of the producer: a bench over half a topic would measure something else.
    """
    from kafka import KafkaProducer

    producer = KafkaProducer(
        **client_arguments(plan, context(plan.security)),
        acks="all",
        linger_ms=50,
        batch_size=256 * 1024,
        compression_type="lz4",
        max_block_ms=10_000,
    )
    failures: list[Any] = []
    sent = 0
    try:
        stamps = iter(stamps_ms) if stamps_ms is not None else None
        for sent, value in enumerate(values, 1):
            stamp = None if stamps is None else next(stamps)
            # one partition for a run of records: batches fill up, as those of a busy producer do
            future = producer.send(topic, value, partition=(sent // 500) % partitions, timestamp_ms=stamp)
            future.add_errback(failures.append)
        producer.flush(timeout=60)
    finally:
        producer.close(timeout=10)
    if failures:
        raise failures[0]
    return sent
