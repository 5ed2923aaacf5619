"""The bed of the faults: two paces of the daemon, and what an undisturbed run makes of the same records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.faults.witness import account
from tests.river.world import HOUR_MS, START_MS
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River, stable

HOURS = 12  # as many as any test here sends


@dataclass(frozen=True)
class Calm:
    """The account of a run that nothing happened to."""

    verdicts: list[dict[str, Any]]
    windows: dict[int, Any]

    def holds(self, river: River, closed: int, lacks: Mapping[int, list[str]] | None = None) -> dict[str, Any]:
        """Verdicts, counts and cells of the first `closed` windows are those of the undisturbed run; the rest of the export.

        `lacks` names hours whose windows are nevertheless partial, since they might not have been the same.
        """
        found, mine = account(river.state)
        marks = {hour: {"partial": True, "lacks": why} for hour, why in (lacks or {}).items()}
        assert [stable(v) for v in found["verdicts"][:closed]] == [v | marks.get(hour, {}) for hour, v in enumerate(self.verdicts[:closed])]
        assert len({v["id"] for v in found["verdicts"]}) == len(found["verdicts"]), "one verdict per window"
        for hour in range(closed):
            start = START_MS + hour * HOUR_MS
            assert mine[start] == self.windows[start], f"hour {hour}: every value of every column"
        return found


@pytest.fixture(scope="session")
def calm(broker_process: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calm]:
    """What an undisturbed daemon makes of `HOURS` hours."""
    feed = Feed(broker_process.well().bootstrap)
    river = River(broker_process, feed, tmp_path_factory.mktemp("calm"))
    try:
        daemon = river.start()
        river.send(range(HOURS))
        found = river.when_closed(daemon, HOURS - 2)
        assert daemon.terminate() == 0
        assert found["counts"] == []
        yield Calm([stable(v) for v in found["verdicts"]], account(river.state)[1])
    finally:
        river.close()
        feed.close()
