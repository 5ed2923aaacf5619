"""A producer as its own process: endless believable events, as many as it is allowed to, as fast as it can.

`python -P -m tests.faults.flood BOOTSTRAP TOPIC PARTITIONS PER_HOUR`; each line of stdin is the number of events that may have been
sent by now, each line of stdout one that has been reached. An end of stdin ends it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from kafka import KafkaProducer

from tests.river.world import CATEGORICAL, HOUR_MS, LEVELS, NUMERIC, START_MS

BEGIN_MS = START_MS - 400 * 24 * HOUR_MS  # minutes of it are months of events, none of which may lie ahead of today
TEMPLATES = 4_000  # as many different events; they come again and again, with other times
STEP = 5_000


def templates() -> list[bytes]:
    """Events without their identity and time, which `%` fills in."""
    rng = np.random.default_rng(7)
    made = []
    for _ in range(TEMPLATES):
        values: dict[str, Any] = dict(zip(NUMERIC, rng.normal(size=len(NUMERIC)).round(4).tolist(), strict=True))
        levels = rng.choice(len(LEVELS), size=len(CATEGORICAL), p=[0.4, 0.3, 0.2, 0.1]).tolist()
        values |= {name: LEVELS[level] for name, level in zip(CATEGORICAL, levels, strict=True)}
        made.append(b'{"id": "%d", "at": %d, "model": "shop", "features": ' + json.dumps(values).encode() + b"}")
    return made


def main(bootstrap: str, topic: str, partitions: int, per_hour: int) -> None:
    producer: Any = KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", compression_type="lz4", linger_ms=50, batch_size=500_000, max_block_ms=60_000
    )
    made, sent = templates(), 0
    rng = np.random.default_rng(11)
    for line in sys.stdin:
        allowed = int(line)
        while sent < allowed:
            which = rng.integers(TEMPLATES, size=STEP).tolist()
            for number, template in zip(range(sent, sent + STEP), which, strict=True):
                at = BEGIN_MS + number * HOUR_MS // per_hour
                producer.send(topic, made[template] % (number, at), partition=number % partitions)
            sent += STEP
        producer.flush()
        sys.stdout.write(f"{sent}\n")
        sys.stdout.flush()
    producer.close(timeout=10)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
