"""`reference: {topic_since: ...}`: a topic's past is learnt from, and judging begins where the past ends."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest

from monitor import config, wall
from monitor.codecs import codec_for
from monitor.plan import DAY_MS
from monitor.rounds import Rounds
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.memory import MemoryStore
from tests.river.test_rounds import Ear

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
HOUR_MS = 3_600_000
KEPT = 20 * 24  # hours that the topic holds when raincheck comes
PER_HOUR = 30


class Service:
    """A topic with weeks of past, each record stamped when it happened, and raincheck coming to it late."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hour = KEPT
        patch.setattr(wall, "now_ms", lambda: START_MS + self.hour * HOUR_MS)
        model = {"owner": "team", "window": "1h", "schema": {"features": {"x": "numeric"}}, "reference": {"topic_since": "8d"}}
        streams = {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}}
        self.plan = config.compile({"streams": streams, "owners": {"team": {}}, "models": {"m": model}})
        self.bus = Bus(wall.now_ms)
        self.bus.create("in")
        self.store = MemoryStore()

    def send(self, hours: Iterable[int]) -> None:
        for hour in hours:
            x = np.random.default_rng([3, hour]).normal(size=PER_HOUR)
            times = [START_MS + hour * HOUR_MS + row * (HOUR_MS // PER_HOUR) for row in range(PER_HOUR)]
            rows: list[bytes | None] = [
                json.dumps({"at": t, "model": "m", "x": v}).encode() for t, v in zip(times, x.tolist(), strict=True)
            ]
            self.bus.extend("in", rows, stamps_ms=times)

    def begin(self) -> Rounds:
        since_ms = self.plan.since_ms("in")
        assert since_ms is not None
        source = MemorySource(self.bus, {"in": "in"}, since_ms={"in": since_ms})
        rounds = Rounds(self.plan, source, self.store, {"in": codec_for(self.plan, self.plan.streams["in"])}, listener=Ear())
        rounds.start()
        return rounds

    def read(self, rounds: Rounds) -> None:
        while rounds.engine.positions().get("in/0") != self.bus.topics["in"].logs[0].end:
            rounds.turn(0)
        rounds.save()


def test_the_last_days_are_learnt_and_the_first_new_window_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    service.send(range(KEPT))
    rounds = service.begin()
    service.read(rounds)
    standing = rounds.engine.standings["m"]
    assert standing.origin_ms == START_MS + KEPT * HOUR_MS - 8 * DAY_MS, "nothing older than 8 days was read"
    for _ in range(4):  # what is learnt by one window is in force for a later one
        service.hour += 1
        service.send([service.hour - 1])
        service.read(rounds)
    assert rounds.engine.standings["m"].stage == "judging"
    assert [verdict.status for verdict in service.store.verdicts("m")][-1] == "ok"


def test_a_place_is_kept_before_anything_was_read_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic whose past is too old: raincheck stops before a new record comes, and is back a month later."""
    service = Service(monkeypatch)
    service.send(range(3))
    rounds = service.begin()
    rounds.turn(0)
    rounds.drain()
    service.send(range(KEPT, KEPT + 2))
    service.hour += 30 * 24
    again = service.begin()
    service.read(again)
    assert again.engine.standings["m"].origin_ms == START_MS + KEPT * HOUR_MS, "what came meanwhile is read, old as it is by now"
