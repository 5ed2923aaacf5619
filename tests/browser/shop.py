"""A raincheck over the shop of tests/river, in one process: nine days learnt and judged, then one number moves and a page opens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor import config
from monitor.office import Office
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.sqlite import SqliteStore
from tests.river.world import configuration, events

QUIET, HOURS = 9 * 24, 9 * 24 + 12


class Shop:
    """`office` after nine quiet days; whoever made it stops it."""

    def __init__(self, path: Path) -> None:
        plan = config.compile(configuration())
        self._bus = Bus()
        for topic in ("in", "out"):
            self._bus.create(topic)
        source = MemorySource(self._bus, {"in": "in", "out": "out"})
        self.office = Office(plan, source, SqliteStore(path), lambda metrics: MemoryNotifier(plan), ticks=False)
        self.office.start()
        self.feed(range(QUIET))

    def feed(self, hours: Iterable[int], shifted: int | None = None) -> None:
        """Sends these hours, and turns the wheel until they have been read."""
        for topic, records in zip(("in", "out"), events(hours, shifted=shifted), strict=True):
            self._bus.extend(topic, list(records))
        while self.office.turn(0):
            pass


@contextmanager
def shop(path: Path) -> Iterator[Office]:
    """The office with its page open, at rest: whoever looks reads what has been saved."""
    made = Shop(path)
    try:
        made.feed(range(QUIET, HOURS), shifted=3)
        yield made.office
    finally:
        made.office.stop(5.0)
