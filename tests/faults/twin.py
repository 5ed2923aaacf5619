"""The whole river inside the test's process: a bus, a plan, an office, a clock that only the test moves, and its account at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from detectors.summaries import cells_of, unpack
from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally
from monitor import config, wall
from monitor.office import Office
from monitor.plan import Plan
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.memory import MemoryStore
from tests.river.world import START_MS

SCHEMA: Mapping[str, Any] = {
    "features": {
        "speed": {"kind": "numeric", "path": "sensors.speed"},
        "weather": "categorical",
        "frame": {"kind": "image", "path": "frame", "encoding": "base64"},
    }
}
FIELDS: Mapping[str, str] = {"id": "id", "time": "at", "model": "model"}


def compiled(*, streams: Mapping[str, Any] | None = None, model: Mapping[str, Any] | None = None, **more: Any) -> Plan:
    """One model `m` with hourly windows on the stream `in`; `model` and `more` change it."""
    one = {"owner": "team", "window": "1h", "schema": SCHEMA, "reference": {"learn": "8d"}} | dict(model or {})
    return config.compile(
        {
            "streams": streams or {"in": {"topic": "in", "role": "inputs", "fields": FIELDS}},
            "owners": {"team": {}},
            "models": {"m": one},
        }
        | more
    )


class Topic:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, topic: str, key: bytes, value: bytes) -> None:
        self.sent.append(value)


class Clock:
    """Wall time that moves when it is told to; it stands far behind any event's time, and long after it, as a backlog's reader does."""

    def __init__(self, start_ms: int = START_MS + 400 * 86_400_000) -> None:
        self.start_ms, self.passed_s = start_ms, 0.0

    def now_ms(self) -> int:
        return self.start_ms + int(self.passed_s * 1000)

    def monotonic(self) -> float:
        return self.passed_s

    def set(self, patch: Any) -> Clock:
        patch.setattr(wall, "now_ms", self.now_ms)
        patch.setattr(wall, "monotonic", self.monotonic)
        return self


@dataclass
class Twin:
    """An office on a bus. `passed_s` is how far its clock has gone; give `clock` to `wall` (the fixture does) before making one."""

    plan: Plan
    partitions: int = 1
    clock: Clock = field(default_factory=Clock)
    ticks: bool = False
    most: int = 2000

    def __post_init__(self) -> None:
        self.bus, self.store, self.topic = Bus(self.clock.now_ms), MemoryStore(), Topic()
        for stream in self.plan.streams.values():
            self.bus.create(stream.topic, self.partitions)
        self.source = MemorySource(self.bus, {name: stream.topic for name, stream in self.plan.streams.items()}, most=self.most)
        letters = self.topic if self.plan.dead_letter.to == "topic" else None
        self.office = Office(
            self.plan, self.source, self.store, lambda metrics: MemoryNotifier(self.plan), letters=letters, ticks=self.ticks
        )
        self.office.start()

    def read(self) -> None:
        """Rounds until everything is read, learnt and saved."""
        rounds = self.office.rounds
        while self.office.turn(0) or rounds.engine.due():
            pass
        rounds.save()

    def end(self) -> Account:
        """Reads to the end and stops; what it all came to."""
        self.read()
        shown = self.office.metrics().decode()
        self.office.stop(5.0)
        return Account(self.plan, self.store, shown, [json.loads(line) for line in self._letters()])

    def _letters(self) -> Sequence[str | bytes]:
        path = self.plan.dead_letter.path
        return self.topic.sent if path is None or not Path(path).exists() else Path(path).read_text().splitlines()


@dataclass(frozen=True)
class Account:
    """What a run left behind."""

    plan: Plan
    store: MemoryStore
    shown: str
    letters: list[dict[str, Any]]

    @property
    def counts(self) -> dict[tuple[str, str], int]:
        return dict(+Counter(self.store.load().counts))

    @property
    def events(self) -> int:
        """Events in closed and open windows."""
        inside = sum(pane.events for (_, key), pane in self.store.load().panes.items() if not key.segment)
        return inside + sum(v.events for v in self.store.verdicts("m"))

    def verdicts(self) -> list[Any]:
        return list(self.store.verdicts("m"))

    def columns(self) -> dict[int, dict[str, Any]]:
        """Per closed window what each column holds: its cells, or all its values while there are none."""
        return {
            row.verdict.start_ms: {name: _content(row.form, body) for name, body in row.columns.items()}
            for row in self.store.windows("m", 0, 2**62)
        }

    def metric(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.shown):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None


def _content(form: str, body: bytes) -> Any:
    """A sample's keys name offsets, which a record more or less moves: its values are compared."""
    if form == "cells":
        return body
    kind, _, packed = body.partition(b"\0")
    summary = unpack(kind.decode(), packed)
    if isinstance(summary, Sample):
        assert summary.n <= summary.k, "windows here are small enough to be kept whole"
        return (*cells_of(summary).tolist()[:3], *(round(v, 9) for v in sorted(summary.values[np.isfinite(summary.values)].tolist())))
    assert isinstance(summary, Tally)
    return (summary.missing, summary.invalid, summary.others, dict(summary.counts))
