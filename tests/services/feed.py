"""What tests do to a broker besides reading: topics made, widened, trimmed and deleted, records produced."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition


class Feed:
    """A test's hands on one broker, or on a cluster whose topics have so many `copies`. Its clients are opened on first use; `close`."""

    _numbers = itertools.count()

    def __init__(self, bootstrap: str, copies: int = 1) -> None:
        self.bootstrap = bootstrap
        self._copies = copies
        self._admin: Any = None
        self._producer: Any = None

    @property
    def admin(self) -> Any:
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=10_000)
        return self._admin

    @property
    def producer(self) -> Any:
        if self._producer is None:
            self._producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", max_request_size=20_000_000, max_block_ms=10_000)
        return self._producer

    def name(self) -> str:
        """A topic name that no other test of this run uses."""
        return f"topic-{next(self._numbers)}"

    def create(self, topic: str | None = None, partitions: int = 1, **configs: str) -> str:
        """Make a topic (settings with underscores for dots) and return its name once its leaders are known."""
        topic = topic or self.name()
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        wanted = {topic: {"num_partitions": partitions, "replication_factor": self._copies, "configs": settings}}
        self.admin.create_topics(wanted, wait_for_metadata=True)
        return topic

    def widen(self, topic: str, partitions: int) -> None:
        self.admin.create_partitions({topic: partitions})
        # a producer believes its cache about partitions: the next one asks anew
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None

    def delete(self, topic: str) -> None:
        """Delete a topic and return when the broker knows it no longer (error code 3)."""
        self.admin.delete_topics([topic])
        self._until(topic, lambda code: code == 3)

    def _until(self, topic: str, wanted: Any) -> None:
        for _ in range(2000):  # each round is a request of some milliseconds to the broker
            if wanted(self.admin.describe_topics([topic])[0]["error_code"]):
                return
        raise TimeoutError(f"topic {topic!r} did not get where it should")

    def identity(self, topic: str) -> str:
        return str(self.admin.describe_topics([topic])[0]["topic_id"])

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Delete the records below an offset, as retention does."""
        self.admin.delete_records({TopicPartition(topic, partition): before})

    def produce(
        self,
        topic: str,
        values: Iterable[bytes | None],
        partition: int = 0,
        *,
        stamps_ms: Sequence[int] | None = None,
        headers: list[tuple[str, Any]] | None = None,
        key: bytes | None = None,
    ) -> None:
        """Send records and return when the broker has them all."""
        sent = [
            self.producer.send(
                topic, value, key=key, partition=partition, headers=headers, timestamp_ms=None if stamps_ms is None else stamps_ms[row]
            )
            for row, value in enumerate(values)
        ]
        for future in sent:
            future.get(20)

    @contextmanager
    def transactional(self, name: str) -> Iterator[Any]:
        """A producer of its own with a transactional id."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, transactional_id=name, max_block_ms=10_000)
        try:
            producer.init_transactions()
            yield producer
        finally:
            producer.close(timeout=5)

    def ends(self, topic: str, partitions: int = 1) -> Mapping[int, int]:
        """The end offset of every partition, read by a client of its own."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            found = consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)], timeout_ms=10_000)
            return {tp.partition: end for tp, end in found.items()}
        finally:
            consumer.close(autocommit=False, timeout_ms=1000)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=2)
        if self._admin is not None:
            self._admin.close()
        self._producer = self._admin = None
