"""The demo's play: the world's camera and service on one side of an in-process bus, raincheck on the other.

raincheck sees what a broker would show it: pictures and predictions as JSON, no labels. What was right is kept here, and
only shown beside the evidence.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from monitor import config
from monitor.demo.story import STORY, Episode, Story
from monitor.demo.world import Hour, Report, World
from monitor.desk import Series
from monitor.incident import Incident
from monitor.office import Office
from monitor.plan import Plan
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.export import iso
from monitor.stores.memory import MemoryStore

MODEL = "traffic-light"
INPUTS, PREDICTIONS = "vision.inputs", "vision.predictions"
BEFORE = 7 * 24  # clean hours before an episode that its accuracy is compared with
_encode = msgspec.json.encode


def demo_plan(port: int | None = None) -> Plan:
    """The plan in demo.yaml; `port` for the pages."""
    tree: dict[str, Any] = yaml.safe_load(files("monitor.demo").joinpath("demo.yaml").read_text(encoding="utf-8"))
    if port is not None:
        tree["http"] = {"port": port}
    return config.compile(tree, origin="demo.yaml")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened: an episode began or ended, a page opened or was resolved."""

    hour: int
    what: str  # "begins" | "ends" | "page" | "resolved"
    episode: Episode | None = None
    incident: Incident | None = None


@dataclass
class Play:
    """The whole story, hour by hour. `office` must not have been started; whoever owns it may serve its pages."""

    office: Office
    bus: Bus
    world: World
    story: Story = STORY
    accuracy: list[float] = field(default_factory=list)

    def train(self) -> Report:
        return self.world.train()

    def hours(self) -> Iterator[tuple[Hour, list[Told]]]:
        """Plays one hour after the other and tells what happened in it."""
        known: dict[str, Incident] = {}
        current: Episode | None = None
        for index in range(self.story.windows):
            hour = self.world.hour(index)
            told: list[Told] = []
            if hour.episode is not current:
                if current is not None:
                    told.append(Told(index, "ends", current))
                if hour.episode is not None:
                    told.append(Told(index, "begins", hour.episode))
                current = hour.episode
            self.publish(hour)
            self.accuracy.append(hour.accuracy)
            while self.office.turn(0):
                pass
            for incident in reversed(self.office.incidents()):
                before = known.get(incident.id)
                if incident.severity == "page" and before is None:
                    told.append(Told(index, "page", incident=incident))
                if before is not None and before.resolved_ms is None and incident.resolved_ms is not None and incident.severity == "page":
                    told.append(Told(index, "resolved", incident=incident))
                known[incident.id] = incident
            points = tuple((self.story.start_ms + (i + 1) * self.story.window_ms, a) for i, a in enumerate(self.accuracy))
            self.office.board.draw(MODEL, [Series("true accuracy", "share", points)])
            yield hour, told

    def now_ms(self) -> int:
        """The story's own time, by which ages are told: the end of its newest hour."""
        return self._time(len(self.accuracy))

    def publish(self, hour: Hour) -> None:
        """What a vision service sends: the picture it was asked about, and its reply."""
        who = {"name": MODEL, "version": "1"}
        inputs: list[bytes | None] = []
        predictions: list[bytes | None] = []
        stamps: list[int] = []
        for number, shot in enumerate(hour.shots):
            request, at = f"{hour.index}-{number}", iso(shot.time_ms)
            frame = base64.b64encode(shot.jpeg).decode()
            inputs.append(_encode({"request_id": request, "captured_at": at, "model": who, "frame": frame}))
            reply = {"request_id": request, "ts": at, "model": who, "label": shot.predicted, "scores": list(shot.probabilities)}
            predictions.append(_encode(reply))
            stamps.append(shot.time_ms)
        self.bus.extend(INPUTS, inputs, stamps_ms=stamps)
        self.bus.extend(PREDICTIONS, predictions, stamps_ms=stamps)

    def summary(self) -> dict[str, Any]:
        """What happened, computed from the run: pages, and how each episode went.

        `false_pages` fell outside whatever harms the model; `answered_false` are those that somebody called so, by the ledger.
        """
        pages = sorted((i for i in self.office.incidents() if i.severity == "page"), key=lambda i: i.opened_ms)
        harmful = [e for e in self.story.episodes if e.harmful]
        return {
            "pages": [
                {"model": p.model, "time": iso(p.opened_ms), "onset": iso(p.onset_ms), "subjects": [s.name for s in p.subjects],
                 "message": p.message} for p in pages
            ],
            "false_pages": sum(not any(self._within(p, e) for e in harmful) for p in pages),
            "answered_false": self.office.report(MODEL).ledger.false_pages,
            "episodes": [self._went(episode, pages) for episode in self.story.episodes],
        }  # fmt: skip

    def _within(self, page: Incident, episode: Episode) -> bool:
        """The window that decided it overlaps the episode."""
        start, end = self._time(episode.start), self._time(episode.end)
        return start < page.opened_ms and page.opened_ms - self.story.window_ms < end

    def _went(self, episode: Episode, pages: list[Incident]) -> dict[str, Any]:
        clean = [
            a for i, a in enumerate(self.accuracy[: episode.start]) if i >= episode.start - BEFORE and self.story.episode(i) is None
        ]  # fmt: skip
        during = self.accuracy[episode.start : episode.end]
        first = next((p for p in pages if self._within(p, episode)), None)
        return {
            "name": episode.name, "harmful": episode.harmful, "start": iso(self._time(episode.start)), "end": iso(self._time(episode.end)),
            "accuracy_before": round(sum(clean) / len(clean), 4) if clean else None,
            "accuracy_during": round(sum(during) / len(during), 4) if during else None,
            "paged_after_windows": None if first is None else (first.opened_ms - self._time(episode.start)) // self.story.window_ms,
        }  # fmt: skip

    def _time(self, hour: int) -> int:
        return self.story.start_ms + hour * self.story.window_ms


def stage(plan: Plan, seed: int = 0) -> Play:
    """Everything set up: topics made, the office waiting."""
    bus = Bus()
    for topic in (INPUTS, PREDICTIONS):
        bus.create(topic)
    source = MemorySource(bus, {name: stream.topic for name, stream in plan.streams.items()})
    office = Office(plan, source, MemoryStore(), lambda metrics: MemoryNotifier(plan), ticks=False)  # noqa: ARG005 - the office offers metrics
    return Play(office, bus, World(seed))
