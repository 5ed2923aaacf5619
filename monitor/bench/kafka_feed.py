"""The bench's traffic through a real broker: written to a topic of its own, read back by the Kafka source, deleted again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from monitor.batch import Records
from monitor.bench.river import River
from monitor.bench.traffic import STREAM
from monitor.plan import Kafka
from monitor.sources.kafka import KafkaSource


def through_kafka(bootstrap: str, traffic: Sequence[Records], river: River) -> River:
    """Reads `traffic` back from the broker into `river`, which keeps the time; producing it is not counted."""
    from kafka import KafkaAdminClient

    topic = f"raincheck-bench-{os.getpid()}"
    partitions = sorted({records.partition for records in traffic})
    admin: Any = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics({topic: {"num_partitions": len(partitions), "replication_factor": 1}}, wait_for_metadata=True)
        _produce(bootstrap, topic, traffic)
        source = KafkaSource(Kafka((bootstrap,)), {STREAM: topic})
        source.start({}, {})
        try:
            return river.run(_read(source, sum(len(records.values) for records in traffic)), partitions, fetching=True)
        finally:
            source.close()
    finally:
        admin.delete_topics([topic])
        admin.close()


def _produce(bootstrap: str, topic: str, traffic: Sequence[Records]) -> None:
    from kafka import KafkaProducer

    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="lz4", linger_ms=20, batch_size=200_000)
    for records in traffic:
        number = int(records.partition.rpartition("/")[2])
        for value, time_ms in zip(records.values, records.stamps_ms, strict=True):
            producer.send(topic, value, partition=number, timestamp_ms=time_ms)
    producer.flush(timeout=60)
    producer.close(timeout=10)


def _read(source: KafkaSource, expected: int) -> Iterator[Records]:
    while expected > 0:
        for item in source.poll(200):
            if isinstance(item, Records):
                expected -= len(item.values)
                yield item
