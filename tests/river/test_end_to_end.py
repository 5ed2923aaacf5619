"""The whole river on the real broker, with the daemon as its own process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.river.world import START_MS, Daemon, Webhook, configuration, events, raincheck
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka
LEARNT, CLEAN, SHIFTED = 8 * 24, 24, 6
PER_HOUR = 60


class River:
    """Two topics, a configuration, a webhook and the processes started on them."""

    def __init__(self, broker: Broker, feed: Feed, folder: Path) -> None:
        self.feed, self.folder = feed, folder
        self.webhook = Webhook()
        self.topics = {"in": feed.create(partitions=2), "out": feed.create()}
        self.state = folder / "state.db"
        plan = configuration(
            kafka={"bootstrap": [broker.bootstrap]},
            state={"path": str(self.state)},
            http={"port": 0},
            owners={"shop-team": {"page": [self.webhook.url]}, "other-team": {"page": ["json://127.0.0.1:1/never"]}},
        )
        for stream, topic in self.topics.items():
            plan["streams"][stream]["topic"] = topic
        self.config = folder / "raincheck.yaml"
        self.config.write_text(yaml.safe_dump(plan))
        self.daemons: list[Daemon] = []

    def start(self) -> Daemon:
        daemon = Daemon(self.config)
        self.daemons.append(daemon)
        daemon.wait_for("started")
        return daemon

    def send(self, hours: range, shifted: int | None = None) -> int:
        """Inputs alternate between two partitions; both topics get the hours at once."""
        inputs, outputs = events(hours, PER_HOUR, shifted)
        for i, (one, other) in enumerate(zip(inputs, outputs, strict=True)):
            self.feed.producer.send(self.topics["in"], one, partition=i % 2)
            self.feed.producer.send(self.topics["out"], other, partition=0)
        self.feed.producer.flush()
        return len(inputs)

    def exported(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(raincheck("state", "export", "--json", str(self.state)))
        return answer

    def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()
        self.webhook.close()


@pytest.fixture
def river(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> Iterator[River]:
    made = River(kafka_broker, feed, tmp_path)
    yield made
    made.close()


def test_a_shift_pages_the_right_owner_and_a_restart_loses_nothing(river: River) -> None:
    first = river.start()
    river.send(range(LEARNT + CLEAN))
    # learning is asked for at event times and told in the log: the frozen cells, then the calibration
    assert [first.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    shifted = range(LEARNT + CLEAN, LEARNT + CLEAN + SHIFTED)
    river.send(shifted, shifted=3)

    message = river.webhook.next()
    text = json.dumps(message)
    onset = START_MS + shifted.start * 3_600_000
    incident = first.get("/api/v1/incidents")["incidents"][0]
    assert "shop-team" in text
    assert "x3" in text
    assert incident["subjects"][0]["name"] == "x3"
    assert abs(incident["onset_ms"] - onset) <= 2 * 3_600_000, "the onset is told to within two windows"
    assert 'raincheck_incident_active{kind="statistical",model="shop",severity="page"} 1.0' in first.get("/metrics")

    # in the middle of the stream: what comes while nobody runs is read after the restart
    river.send(range(shifted.stop, shifted.stop + 3))
    assert first.terminate() == 0
    river.send(range(shifted.stop + 3, shifted.stop + 6))
    second = river.start()
    last = range(shifted.stop + 6, shifted.stop + 8)
    river.send(last)
    ended = _when_closed(river, second, last.start)
    assert second.terminate() == 0

    total = last.stop * PER_HOUR
    assert sum(p["records"] for name, p in ended["offsets"].items() if name.startswith("in/")) == total
    assert sum(p["records"] for name, p in ended["offsets"].items() if name.startswith("out/")) == total
    closed = ended["verdicts"]
    assert [v["events"] for v in closed] == [PER_HOUR] * len(closed), "every window holds each of its records once"
    assert len({v["id"] for v in closed}) == len(closed)
    assert ended["counts"] == []
    assert river.webhook.waiting <= 1, "no second page for one drift (a notice of recovery may follow)"

    # the same records from a file are judged alike
    recording = river.folder / "topic.jsonl.gz"
    raincheck("record", "--config", str(river.config), "--out", str(recording), "--until-end")
    replayed = [json.loads(line) for line in raincheck("replay", "--config", str(river.config), str(recording)).splitlines()]
    assert [_stable(v) for v in replayed] == [_stable(v) for v in closed]


def test_an_incident_is_computed_again_from_the_broker_until_retention_takes_its_records(river: River) -> None:
    daemon = river.start()
    river.send(range(LEARNT + CLEAN))
    assert [daemon.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    shifted = range(LEARNT + CLEAN, LEARNT + CLEAN + SHIFTED)
    river.send(shifted, shifted=3)
    incident = river.webhook.next() and daemon.get("/api/v1/incidents")["incidents"][-1]
    again = ("replay", "--incident", incident["id"], "--config", str(river.config), "--json")
    found = json.loads(raincheck(*again))  # while the daemon goes on
    assert (found["outcome"], found["parts"], found["missing"]) == ("same", "", {})
    assert found["found"]["subjects"][0]["name"] == "x3"
    assert found["found"]["evidence"] == pytest.approx(incident["evidence"], abs=1e-6)
    assert daemon.terminate() == 0

    recording = river.folder / "topic.jsonl.gz"
    raincheck("record", "--config", str(river.config), "--out", str(recording), "--until-end")
    total = shifted.stop * PER_HOUR
    for topic, partition, end in (("in", 0, total // 2), ("in", 1, total // 2), ("out", 0, total)):
        river.feed.trim(river.topics[topic], partition, end)
    gone = json.loads(raincheck(*again, codes=(3,)))
    assert gone["outcome"] == "gone"
    assert sum(gone["missing"].values()) > 0
    assert all(n <= total for n in gone["missing"].values())
    assert "cannot be reproduced" in raincheck(*again[:-1], codes=(3,))
    assert json.loads(raincheck(*again, str(recording)))["outcome"] == "same", "a recording outlives retention"


def test_a_second_daemon_on_the_same_state_is_refused(river: River) -> None:
    river.start()
    second = Daemon(river.config)
    river.daemons.append(second)
    assert second.process.wait(30) == 78


def _when_closed(river: River, daemon: Daemon, hour: int) -> dict[str, Any]:
    """The exported state once the window of this hour has been saved: asked for by a request that the engine answers in turn."""
    start = START_MS + hour * 3_600_000
    for _ in range(600):
        views = daemon.get("/api/v1/models")["models"]
        if views[0]["last"] is not None and views[0]["last"]["start_ms"] >= start:
            return river.exported()
        daemon.process.poll()
        assert daemon.process.returncode is None
        river.feed.admin.list_topics()  # a round trip to the broker is the pause between two looks
    raise AssertionError(f"window of hour {hour} was never closed: {daemon.lines[-5:]}")


def _stable(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict but for the last digits of its sums: floats add up in another order when partitions are read in another."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in verdict.items()}
