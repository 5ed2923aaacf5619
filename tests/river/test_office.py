"""The front of a running raincheck: leaving when something does not work."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from monitor import config
from monitor.changes import Changes
from monitor.errors import Transient
from monitor.office import Office
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.memory import MemoryStore

PLAN = config.compile(
    {
        "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}},
        "owners": {"team": {}},
        "models": {
            "m": {"owner": "team", "window": "5m", "schema": {"features": {"x": {"kind": "numeric"}}}, "reference": {"learn": "7d"}}
        },
    }
)


class FullDisk(MemoryStore):
    """Saves nothing, and knows whether it was closed."""

    closed = False

    def save(self, changes: Changes) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def close(self) -> None:
        self.closed = True


def test_everything_is_let_go_of_although_the_state_cannot_be_saved() -> None:
    threads = set(threading.enumerate())
    bus, store = Bus(), FullDisk()
    bus.create("in")
    source = MemorySource(bus, {"in": "in"})
    office = Office(PLAN, source, store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.turn(0)
    bus.append("in", b"{}")
    office.turn(0)
    owed = office.deployment("m", "2", "someone", "")
    with pytest.raises(Transient, match="disk is full"):
        office.stop(5.0)
    assert not owed.done()
    assert store.closed
    assert not source.status().connected
    assert set(threading.enumerate()) <= threads, "neither the courier nor the dead letters keep a thread"
