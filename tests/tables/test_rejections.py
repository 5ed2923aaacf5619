"""Rejected records in the log: at once, then at most once a minute and stream, with all that came between."""

from __future__ import annotations

import pytest

from monitor import wall
from monitor.batch import Records, Rejected, Slice
from monitor.engine import Engine
from monitor.log import EventLog
from monitor.metrics import Metrics
from monitor.rejections import Rejections
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.memory import MemoryStore
from monitor.telemetry import Telemetry
from tests.tables.test_telemetry import PLAN

Told = list[tuple[str, dict[str, int]]]


@pytest.mark.parametrize(
    ("steps", "told", "because"),
    [
        ([(0, "a", ["x"])], [[("a", {"x": 1})]], "the first is told at once"),
        ([(0, "a", [])], [[]], "nothing was rejected"),
        ([(0, "a", ["x"]), (59, "a", ["x"])], [[("a", {"x": 1})], []], "not again within the minute"),
        ([(0, "a", ["x"]), (60, "a", [])], [[("a", {"x": 1})], []], "nothing has come since"),
        ([(0, "a", ["x"]), (30, "a", ["y", "y"]), (60, "a", ["x"])], [[("a", {"x": 1})], [], [("a", {"y": 2, "x": 1})]], "all since then"),
        ([(0, "a", ["x"]), (30, "b", ["x"])], [[("a", {"x": 1})], [("b", {"x": 1})]], "each stream has a minute of its own"),
    ],
)
def test_what_is_told_when(steps: list[tuple[float, str, list[str]]], told: list[Told], because: str) -> None:
    rejections, found = Rejections(), []
    for now_s, stream, reasons in steps:
        rejections.add(stream, reasons)
        found.append(rejections.due(now_s))
    assert found == told, because


def test_a_tick_tells_and_the_counts_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(EventLog, "warning", lambda _, event, /, **fields: said.append((event, fields)))
    monkeypatch.setattr(wall, "monotonic", lambda: 1000.0)
    telemetry, bus = Telemetry(PLAN, Metrics(process=False)), Bus()
    bus.create("in")
    records = Records("in", "in/0", [0, 1], [0, 0], [b"{", b"{"], 2, 7)
    rejected = tuple(Rejected(offset, "not_json", "cut off") for offset in (0, 1))
    telemetry.decoded(records, Slice("in", "in/0", 2, 7, (), 2, 2, rejected))
    for _ in range(3):
        telemetry.ticked(Engine(PLAN, MemoryStore().load()), MemorySource(bus, {"in": "in"}))
    lines = [fields for event, fields in said if event == "records_rejected"]
    assert lines == [{"stream": "in", "n": 2, "reasons": {"not_json": 2}}]
    assert telemetry.rejections.counts() == {"in": {"not_json": 2}}
