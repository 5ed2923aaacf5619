"""A producer for dead letters: bounded in time, never retried beyond it, its failures raised where they are counted."""

from __future__ import annotations

from typing import Any

from kafka import KafkaProducer

from monitor.plan import Kafka
from monitor.sources.kafka_client import built
from monitor.sources.kafka_preflight import client_arguments, context


class LetterProducer:
    """Sends one message and waits for the broker's word: letters are few, and one that is lost must be counted.

    The settings bound every wait: without them a dead broker holds each `send` for a minute (measured with 3.0.12).
    """

    def __init__(self, plan: Kafka) -> None:
        self._plan = plan
        self._producer: Any = None

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        """Raises kafka-python's errors; the connection is made at the first letter."""
        if self._producer is None:
            self._producer = built(
                KafkaProducer, client_arguments(self._plan, context(self._plan.security)), bootstrap_timeout_ms=2_000,
                compression_type="lz4", linger_ms=20, batch_size=262_144,
                max_block_ms=1_000, delivery_timeout_ms=15_000, request_timeout_ms=5_000,
            )  # fmt: skip
        self._producer.send(topic, key=key, value=value).get(timeout=20)
