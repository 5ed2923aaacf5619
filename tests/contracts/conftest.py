"""State files that several contracts are tried on."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from monitor.stores.sqlite import SqliteStore

STATES = Path(__file__).with_name("states")


def kept(number: str) -> bytes:
    """A state as an older format kept it: 215 windows, one page that was answered, an announced event, labels, two messages to be sent."""
    return gzip.decompress((STATES / f"format-{number}.db.gz").read_bytes())


@pytest.fixture(scope="session")
def older() -> bytes:
    return kept("2")


@pytest.fixture(scope="session")
def small(older: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same in today's format with the newest tenth of its windows and labels, so that every place in it can be damaged in turn."""
    path = tmp_path_factory.mktemp("small") / "state.db"
    path.write_bytes(older)
    store = SqliteStore(path)
    for table, time in (("windows", "start_ms"), ("pairs", "time_ms")):
        store._db.execute(f"DELETE FROM {table} WHERE {time} < 1767960000000 - 3600000 * 12")
    store._db.execute("DELETE FROM checkpoints WHERE at_ms < (SELECT max(at_ms) FROM checkpoints)")
    store._db.execute("PRAGMA journal_mode = DELETE")
    store._db.execute("VACUUM")
    store.close()
    return path.read_bytes()


@pytest.fixture
def state(small: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    path.write_bytes(small)
    return path
