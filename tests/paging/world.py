"""Two models of two teams, a third team that runs raincheck, and every process from the broker to the webhook."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from monitor import wall
from tests.paging.hurry import hurry
from tests.paging.switchboard import Switchboard
from tests.river.world import HOUR_MS, Daemon, raincheck
from tests.services.alertmanager import Alertmanager
from tests.services.feed import Feed
from tests.services.prometheus import Prometheus
from tests.services.served import asked, lasting_port, until

MODELS = {"shop": "shop-team", "bank": "bank-team"}
RECEIVERS = ("watchdog", *(f"{team}-{severity}" for team in (*MODELS.values(), "ops") for severity in ("page", "ticket")))
PULSE = "pulse"  # a third model, of the bank's team: windows of a minute, and a minute's silence is too long
NUMERIC = [f"x{i}" for i in range(6)]
LEVELS = ["red", "green", "blue", "grey"]
PER_HOUR = 60
LEARNT = 9 * 24  # eight days, the shortest reference that may page, and a day that is judged
STORY = 12  # hours of events that a test may still bring; the last of them ends now


def records(model: str, hours: Iterable[int], start_ms: int, *, shifted: str = "", missing: str = "") -> list[bytes]:
    """Inputs of one model, in time order; `shifted` is a number that moves by 1.5 sd, `missing` one that is not there."""
    found = []
    for hour in hours:
        rng = np.random.default_rng([hour, *model.encode()])
        numbers = rng.normal(size=(PER_HOUR, len(NUMERIC)))
        levels = rng.choice(LEVELS, size=PER_HOUR, p=[0.4, 0.3, 0.2, 0.1])
        for i in range(PER_HOUR):
            values: dict[str, Any] = dict(zip(NUMERIC, numbers[i].round(4).tolist(), strict=True)) | {"colour": str(levels[i])}
            if shifted:
                values[shifted] += 1.5
            values.pop(missing, None)
            at = start_ms + hour * HOUR_MS + i * (HOUR_MS // PER_HOUR)
            found.append(json.dumps({"id": f"{hour}-{i}", "at": at, "features": values}).encode())
    return found


class Paging:
    """Broker -> daemon -> Prometheus -> Alertmanager -> webhooks. The daemon keeps its port over restarts, as do the others."""

    def __init__(self, feed: Feed, folder: Path) -> None:
        self.feed, self.folder = feed, folder
        self.port = lasting_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.topics = {model: feed.create() for model in (*MODELS, PULSE)}
        # whole hours, so that what is left of the story ends before now: a verdict is never fresher or older than it says
        self.start_ms = wall.now_ms() // HOUR_MS * HOUR_MS - (LEARNT + STORY) * HOUR_MS
        self.told = 0  # hours that have been brought
        self.config = folder / "raincheck.yaml"
        self.config.write_text(yaml.safe_dump(self._configuration(feed.bootstrap)), encoding="utf-8")
        self.switchboard = Switchboard()
        self.rules = folder / "rules"
        receivers = folder / "receivers.yml"
        receivers.write_text(yaml.safe_dump([self.switchboard.receiver(name) for name in RECEIVERS]), encoding="utf-8")
        self.generate = ("alerts", "generate", "--config", str(self.config), "--out", str(self.rules), "--platform", "ops",
                         "--receivers", str(receivers))  # fmt: skip
        raincheck(*self.generate)
        hurry(self.rules)
        self.alertmanager = Alertmanager(folder / "alertmanager", self.rules / "alertmanager.yml", remember="1s")
        self.prometheus = Prometheus(
            folder / "prometheus",
            [f"127.0.0.1:{self.port}"],
            sorted(self.rules.glob("*.rules.yml")),
            [f"127.0.0.1:{self.alertmanager.port}"],
        )
        self.daemon: Daemon | None = None

    def begin(self) -> None:
        """Starts everything, brings both models' reference and a clean day, and returns when they are learnt."""
        daemon = self.start_daemon()
        self.prometheus.start()
        # it takes some seconds to find its target, which hurried rules take for absence: who could tell it comes after that
        until(lambda: self.prometheus.query("up == 1"), "Prometheus does not scrape the daemon")
        self.alertmanager.start()
        self.bring(LEARNT)
        for _ in range(2 * len(MODELS)):  # the frozen cells, then the calibration
            daemon.wait_for("learnt")

    def _configuration(self, bootstrap: str) -> dict[str, Any]:
        features: dict[str, Any] = {name: {"kind": "numeric", "path": f"features.{name}"} for name in NUMERIC}
        features["colour"] = {"kind": "categorical", "path": "features.colour"}
        fields = {"id": "id", "time": "at"}
        return {
            "kafka": {"bootstrap": [bootstrap]},
            "state": {"path": str(self.folder / "state.db")},
            "http": {"port": self.port, "external_url": self.url},
            "streams": {
                model: {"topic": topic, "role": "inputs", "format": "json", "model": model, "fields": fields}
                for model, topic in self.topics.items()
            },
            "models": {
                model: {"owner": owner, "window": "1h", "schema": {"features": features}, "reference": {"learn": "8d"}}
                for model, owner in MODELS.items()
            }
            | {
                PULSE: {
                    "owner": MODELS["bank"],
                    "window": "1m",
                    "lateness": "0s",
                    "schema": {"features": {"x0": features["x0"]}},
                    "rules": {"silent_for": "1m"},
                }
            },
            # Alertmanager carries everything: the configuration names no receiver, and nobody is told twice
            "owners": {owner: {} for owner in MODELS.values()},
        }

    def start_daemon(self) -> Daemon:
        """The daemon on its port, once it says that it has started."""
        self.daemon = Daemon(self.config, port=self.port)
        self.daemon.wait_for("started")
        return self.daemon

    def kill_daemon(self) -> None:
        """SIGKILL."""
        assert self.daemon is not None
        self.daemon.kill()

    def bring(self, hours: int, **strange: dict[str, str]) -> None:
        """The next hours of every model's events; `strange` says by model what is shifted or missing in them."""
        coming = range(self.told, self.told + hours)
        for model in MODELS:
            for record in records(model, coming, self.start_ms, **strange.get(model, {})):
                self.feed.producer.send(self.topics[model], record, partition=0)
        self.feed.producer.flush()
        self.told = coming.stop

    def judged(self, model: str) -> None:
        """Returns once every window that ended with an hour before the last one brought has been judged."""
        last_ms = self.start_ms + (self.told - 2) * HOUR_MS

        def seen() -> bool:
            (view,) = [view for view in asked(f"{self.url}/api/v1/models")["models"] if view["name"] == model]
            return view["last"] is not None and view["last"]["start_ms"] >= last_ms

        until(seen, f"{model} is not judged")

    def beat(self, minutes: int) -> None:
        """Events of the third model, one a second for so many minutes until now."""
        now_ms = wall.now_ms()
        at = range(now_ms - minutes * 60_000, now_ms, 1000)
        self.feed.produce(self.topics[PULSE], [json.dumps({"id": str(t), "at": t, "features": {"x0": 0.5}}).encode() for t in at])

    def spoil(self, model: str, n: int) -> None:
        """Records that nobody can read, in the model's topic."""
        self.feed.produce(self.topics[model], [b"{half"] * n)

    def incidents(self, model: str) -> list[dict[str, Any]]:
        """What the daemon's interface says, newest first."""
        found: list[dict[str, Any]] = asked(f"{self.url}/api/v1/incidents")["incidents"]
        return [incident for incident in found if incident["model"] == model]

    def answer(self, incident: str, kind: str) -> None:
        """As a person would, over HTTP."""
        asked(f"{self.url}/api/v1/incidents/{incident}/answer", {"answer": kind, "who": "on call", "note": ""})

    def close(self) -> None:
        self.prometheus.kill()
        self.alertmanager.kill()
        if self.daemon is not None:
            self.daemon.kill()
        self.switchboard.close()


def page(url: str) -> str:
    """What a browser gets at an address; HTTPError unless it is there."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text
