"""Learning in another process: it is told where the windows are, reads them itself, and what it cannot trust ends the daemon."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from monitor.changes import WindowRow
from monitor.errors import Corrupt, Transient
from monitor.rounds import LIVES
from monitor.stores.glance import SqliteGlance, Stretch
from monitor.stores.memory import MemoryStore
from monitor.stores.sqlite import SqliteStore
from monitor.stores.store import Store
from tests.river.test_rounds import START_MS, Life

DAY_MS = 86_400_000


class Apart(Executor):
    """A pool that gets everything as another process would: in bytes, each work's number of them kept."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        sent = pickle.dumps(args)
        self.sizes.append(len(sent))
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*pickle.loads(sent)))
        except Exception as error:  # noqa: BLE001 - as a pool does
            future.set_exception(pickle.loads(pickle.dumps(error)))
        return future


def lived(patch: pytest.MonkeyPatch, store: Store, pool: Executor | None, days: int = 7) -> Life:
    life = Life(patch, store, pool=pool)  # type: ignore[arg-type]  # any store will do
    for hour in range(days * 24 + 1):
        life.passed_s = (hour + 1) * 3600.0
        life.send(*range(hour * 60, hour * 60 + 60, 5))
        life.rounds.turn(0)
        while life.rounds.engine.due():
            life.rounds.turn(0)
    return life


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "state.db")
    yield made
    made.close()


def learnt(life: Life) -> list[Any]:
    """What was put in force, and from which position on."""
    return [
        (b["step"], b["reference"], b["reason"], b["offsets"]) for b in (row.body for row in life.store.inputs() if row.kind == "learned")
    ]


def test_the_same_is_learnt_and_no_window_is_sent(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        here = learnt(lived(patch, MemoryStore(), None))
    pool = Apart()
    with monkeypatch.context() as patch:
        life = lived(patch, store, pool)
    assert learnt(life) == here
    assert [step for step, *_ in here][:2] == ["cuts", "calibration"]
    rows = pickle.dumps(list(life.store.windows("m", START_MS, START_MS + 7 * DAY_MS)))
    assert max(pool.sizes) < len(rows) / 20


def test_a_stretch_holds_the_windows_of_its_days(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    life = lived(monkeypatch, store, None, days=3)
    whole = list(life.store.windows("m", 0, START_MS + 9 * DAY_MS))
    glance = SqliteGlance(store.path)
    for from_ms, until_ms, because in [
        (START_MS, START_MS + 2 * DAY_MS, "whole days"),
        (START_MS + 7 * 300_000, START_MS + DAY_MS + 300_000, "a day and a little, begun within one"),
        (START_MS, START_MS, "nothing"),
    ]:
        wanted = [row for row in whole if from_ms <= row.verdict.start_ms < until_ms]
        assert list(Stretch(glance, "m", from_ms, until_ms)) == wanted, because


@pytest.mark.parametrize("pool", [Apart(), None], ids=["elsewhere", "here"])
def test_a_damaged_window_ends_the_daemon_wherever_it_is_read(
    pool: Executor | None, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lived(monkeypatch, store, pool, days=3)
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE windows SET columns = zeroblob(length(columns)) WHERE start_ms = (SELECT min(start_ms) FROM windows)")
    other.close()
    assert life.rounds.engine.demand("m")
    with pytest.raises(Corrupt, match="a row of windows differs from what was written"):
        life.rounds.turn(0)


@pytest.mark.parametrize("pool", [Apart(), None], ids=["elsewhere", "here"])
def test_a_disk_that_cannot_be_read_for_a_while_holds_learning_back_and_ends_nothing(
    pool: Executor | None, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = lived(monkeypatch, store, pool, days=3)
    assert life.rounds.engine.demand("m")
    with monkeypatch.context() as patch:
        patch.setattr("monitor.stores.glance.rows", broken)
        patch.setattr("monitor.stores.sqlite.rows", broken)
        for _ in range(LIVES + 1):
            with pytest.raises(Transient, match="state could not be read: disk I/O error"):
                life.rounds.turn(0)
    before = len(learnt(life))
    life.rounds.turn(0)
    assert len(learnt(life)) == before + 1, "it was asked for all the while"
    assert life.ear.failed == []


def broken(*_: Any, **__: Any) -> Iterator[tuple[Any, ...]]:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize(("times", "fails"), [(LIVES - 1, False), (LIVES, True)], ids=["for a while", "too often"])
def test_a_state_that_cannot_be_read_over_there(times: int, fails: bool, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    read, left = SqliteGlance.windows, [times]

    def busy(glance: SqliteGlance, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        if left[0]:
            left[0] -= 1
            raise Transient("database is locked")
        yield from read(glance, model, from_ms, until_ms)

    monkeypatch.setattr(SqliteGlance, "windows", busy)
    life = lived(monkeypatch, store, Apart(), days=3)
    assert life.ear.failed == ([("m", "cuts", "Transient")] if fails else [])
    assert life.rounds.engine.standings["m"].stage == "learning", "asked for again"
