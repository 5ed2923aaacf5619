"""The demo's story on a real broker, watched by a raincheck in a process of its own, scraped each second by a real Prometheus."""

from __future__ import annotations

import urllib.parse
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from monitor import wall
from monitor.demo.play import INPUTS, MODEL, PREDICTIONS, demo_plan, stage
from monitor.demo.story import STORY
from monitor.sources.memory import Bus
from tests.river.world import Daemon, Webhook
from tests.services.feed import Feed
from tests.services.prometheus import Prometheus
from tests.services.served import asked, until

UNTIL = STORY.episodes[0].end  # of the first rain: a page is open then
LATE_FROM = UNTIL - 48  # when the events of an hour of the day before come once more


class Wire(Bus):
    """The play's bus, with a broker behind it. Records get the broker's stamps: those of the story would be past their retention."""

    def __init__(self, feed: Feed, topics: dict[str, str]) -> None:
        super().__init__()
        self._feed, self._topics = feed, topics

    def extend(self, topic: str, values: list[bytes | None], partition: int = 0, stamps_ms: list[int] | None = None) -> int:
        for value in values:
            self._feed.producer.send(self._topics[topic], value, partition=partition)
        return 0


class Told:
    """Everything that the dashboards are about, from the broker to Prometheus; `begin` tells the story."""

    def __init__(self, feed: Feed, folder: Path) -> None:
        self.feed, self.webhook = feed, Webhook()
        self.topics = {INPUTS: feed.create(), PREDICTIONS: feed.create()}
        tree: dict[str, Any] = yaml.safe_load(files("monitor.demo").joinpath("demo.yaml").read_text(encoding="utf-8"))
        for stream in tree["streams"].values():
            stream["topic"] = self.topics[stream["topic"]]
        tree |= {
            "kafka": {"bootstrap": [feed.bootstrap]}, "state": {"path": str(folder / "state.db")}, "http": {"port": 0},
            "owners": {"vision-team": {"page": [self.webhook.url], "ticket": [self.webhook.url]}},
            "dead_letter": {"to": "file", "path": str(folder / "dead.jsonl")},
        }  # fmt: skip
        config = folder / "raincheck.yaml"
        config.write_text(yaml.safe_dump(tree), encoding="utf-8")
        self.began_s = wall.now_ms() / 1000
        self.daemon = Daemon(config)
        self.daemon.wait_for("started")
        self.prometheus = Prometheus(folder / "prometheus", [self.daemon.address.removeprefix("http://")])
        self.prometheus.start()

    def begin(self) -> None:
        """Tells the story up to the end of the first rain, and waits until Prometheus has seen that for a few seconds."""
        play = stage(demo_plan())
        play.bus = Wire(self.feed, self.topics)
        play.world.train(pictures=800, held_out=10)  # good enough to be right in clear weather, and quicker
        for index in range(UNTIL):
            play.publish(play.world.hour(index))
            if index == LATE_FROM:
                self.feed.producer.flush()
                self.feed.produce(self.topics[INPUTS], [b"half a rec"] * 3)
                play.publish(play.world.hour(index - 24))
        self.feed.producer.flush()
        # the last window stays open until something newer comes
        end_s = (STORY.start_ms + (UNTIL - 3) * STORY.window_ms) / 1000
        until(lambda: self._seen(end_s), "the last windows were never closed", 240)

    def _seen(self, end_s: float) -> bool:
        failed = [line for line in self.daemon.lines if line.get("level") == "error"]
        assert failed == [], "nothing goes wrong in this story"
        return bool(self.prometheus.query(f'raincheck_window_last_end_timestamp_seconds{{model="{MODEL}"}} offset 5s >= {end_s}'))

    def over_time(self, expr: str) -> list[dict[str, Any]]:
        """The result of a range query from the daemon's start until now, every second."""
        asks = {"query": expr, "start": self.began_s, "end": wall.now_ms() / 1000, "step": "1s"}
        found: list[dict[str, Any]] = asked(f"{self.prometheus.url}/api/v1/query_range?" + urllib.parse.urlencode(asks))["data"]["result"]
        return found

    def values_of(self, label: str, series: str) -> list[str]:
        """What Grafana's `label_values(series, label)` asks."""
        asks = urllib.parse.urlencode({"match[]": series})
        found: list[str] = asked(f"{self.prometheus.url}/api/v1/label/{label}/values?{asks}")["data"]
        return found

    def close(self) -> None:
        self.prometheus.stop()
        self.daemon.kill()
        self.webhook.close()
