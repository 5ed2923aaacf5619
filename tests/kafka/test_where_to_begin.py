"""From a written configuration to the first record that the daemon reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import wall
from monitor.config import load
from monitor.daemon import source_of
from monitor.sources import Assigned
from tests.contracts.source_worlds import STREAM, KafkaWorld, read
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka

HOUR_MS = 3_600_000
PLAN = """
kafka: {{bootstrap: [{bootstrap}], start: {start}}}
streams: {{clicks: {{topic: {topic}, role: inputs, model: m}}}}
owners: {{team: {{}}}}
models: {{m: {{owner: team, schema: {{features: {{x: numeric}}}}, reference: {{{reference}}}}}}}
"""


@pytest.mark.parametrize(
    ("reference", "start", "at", "because"),
    [
        ("topic_since: 5h", "beginning", 5, "the last five hours"),
        ("topic_since: 5h", "end", 5, "they are wanted wherever other topics begin"),
        ("learn: 5h", "beginning", 0, "a topic keeps what can be learnt from"),
        ("learn: 5h", "end", 10, "only what is new"),
    ],
)
def test_the_daemon_begins_where_the_configuration_says(
    kafka_broker: Broker, feed: Feed, tmp_path: Path, reference: str, start: str, at: int, because: str
) -> None:
    world = KafkaWorld(kafka_broker, feed)
    world.make()
    now_ms = wall.now_ms()
    # half an hour from any limit, whatever the test takes
    world.produce([b"{}"] * 10, stamps_ms=[now_ms - (9 - row) * HOUR_MS - HOUR_MS // 2 for row in range(10)])
    path = tmp_path / "rain.yaml"
    path.write_text(PLAN.format(bootstrap=kafka_broker.bootstrap, topic=world.topic, start=start, reference=reference))
    source = source_of(load(str(path)))
    source.start({}, {})
    try:
        ledger = read(source, lambda ledger: ledger.of(Assigned))
    finally:
        source.close()
    assert ledger.of(Assigned) == [Assigned(STREAM, {f"{STREAM}/0": at})], because
