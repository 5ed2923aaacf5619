"""Topics on the real broker, a configuration, a webhook, and the raincheck processes that stand in this river."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.river.world import START_MS, Daemon, Webhook, configuration, events, raincheck
from tests.services.broker import Broker
from tests.services.cluster import Cluster
from tests.services.feed import Feed
from tests.services.fortress import Fortress

PER_HOUR = 60


class River:
    """Two topics, a configuration, a webhook and the processes started on them. `more` are further parts of the configuration."""

    def __init__(self, broker: Broker | Fortress | Cluster, feed: Feed, folder: Path, **more: Any) -> None:
        self.feed, self.folder = feed, folder
        self.webhook = Webhook()
        self.topics = {"in": feed.create(partitions=2), "out": feed.create()}
        self.state = folder / "state.db"
        self.plan = configuration(
            **{
                "kafka": {"bootstrap": broker.bootstrap.split(",")},
                "state": {"path": str(self.state)},
                "http": {"port": 0},
                "owners": {"shop-team": {"page": [self.webhook.url]}, "other-team": {"page": ["json://127.0.0.1:1/never"]}},
            }
            | more
        )
        for stream, topic in self.topics.items():
            self.plan["streams"][stream]["topic"] = topic
        self.config = folder / "raincheck.yaml"
        self.write()
        self.daemons: list[Daemon] = []

    def write(self) -> None:
        """The configuration's file as `plan` stands now: the next daemon reads it."""
        self.config.write_text(yaml.safe_dump(self.plan))

    def start(self, *, ready: bool = True, env: Mapping[str, str] | None = None, program: Sequence[str] = ("-m", "monitor")) -> Daemon:
        """Another daemon; `program` is what takes the place of the package, `ready` waits until it says that it has started."""
        daemon = Daemon(self.config, env=env, program=program)
        self.daemons.append(daemon)
        if ready:
            daemon.wait_for("started")
        return daemon

    def send(self, hours: range, shifted: int | None = None) -> int:
        """Inputs alternate between two partitions; both topics get the hours at once. Returns when the broker has them."""
        count = self.begin(hours, shifted)
        self.feed.producer.flush()
        return count

    def begin(self, hours: range, shifted: int | None = None) -> int:
        """As `send`, but what the broker does in between is between it and the producer; the next `send` waits for it."""
        inputs, outputs = events(hours, PER_HOUR, shifted)
        for i, (one, other) in enumerate(zip(inputs, outputs, strict=True)):
            self.feed.producer.send(self.topics["in"], one, partition=i % 2)
            self.feed.producer.send(self.topics["out"], other, partition=0)
        return len(inputs)

    def exported(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(raincheck("state", "export", "--json", str(self.state)))
        return answer

    def when_closed(self, daemon: Daemon, hour: int) -> dict[str, Any]:
        """The exported state once the window of this hour has been saved: asked for by a request that the engine answers in turn."""
        start = START_MS + hour * 3_600_000
        for _ in range(600):
            views = daemon.get("/api/v1/models")["models"]
            if views[0]["last"] is not None and views[0]["last"]["start_ms"] >= start:
                return self.exported()
            daemon.process.poll()
            assert daemon.process.returncode is None
            self.feed.admin.list_topics()  # a round trip to the broker is the pause between two looks
        raise AssertionError(f"window of hour {hour} was never closed: {daemon.lines[-5:]}")

    def replayed(self) -> list[dict[str, Any]]:
        """The verdicts of a replay of all that the topics hold: it has seen nothing of what happened to the daemon."""
        recording = self.folder / "topic.jsonl.gz"
        raincheck("record", "--config", str(self.config), "--out", str(recording), "--until-end")
        return [json.loads(line) for line in raincheck("replay", "--config", str(self.config), str(recording)).splitlines()]

    def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()
        self.webhook.close()


def stable(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict but for the last digits of its sums: floats add up in another order when partitions are read in another."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in verdict.items()}
