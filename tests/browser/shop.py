"""A raincheck over the shop of tests/river, in one process: nine days learnt and judged, then one number moves and a page opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor import config
from monitor.office import Office
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.sqlite import SqliteStore
from tests.river.world import configuration, events

QUIET, HOURS = 9 * 24, 9 * 24 + 12


@contextmanager
def shop(path: Path) -> Iterator[Office]:
    """The office, at rest: whoever looks reads what has been saved."""
    plan = config.compile(configuration())
    bus = Bus()
    for topic in ("in", "out"):
        bus.create(topic)
    office = Office(
        plan, MemorySource(bus, {"in": "in", "out": "out"}), SqliteStore(path), lambda metrics: MemoryNotifier(plan), ticks=False
    )
    office.start()
    for hours, shifted in ((range(QUIET), None), (range(QUIET, HOURS), 3)):
        inputs, outputs = events(hours, shifted=shifted)
        for topic, records in (("in", inputs), ("out", outputs)):
            bus.extend(topic, list(records))
        while office.turn(0):
            pass
    try:
        yield office
    finally:
        office.stop(5.0)
