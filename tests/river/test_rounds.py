"""The rounds of the engine's thread on a bus in memory: outages, states that cannot be saved, learning that fails."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from monitor import config, wall
from monitor.batch import Records, Slice
from monitor.changes import Changes
from monitor.codecs import codec_for
from monitor.engine import Engine
from monitor.errors import Corrupt, Transient
from monitor.learning import Due, Learned
from monitor.rounds import Rounds
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.source import Note, Source
from monitor.stores.memory import MemoryStore

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
MINUTE_MS = 60_000


class FullDisk(MemoryStore):
    """A store whose saves fail while it is `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def save(self, changes: Changes) -> None:
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        super().save(changes)


class Ear:
    """Hears everything, and keeps what a test asks for."""

    def __init__(self) -> None:
        self.failed: list[tuple[str, str, str]] = []

    def decoded(self, records: Records, piece: Slice) -> None: ...

    def noted(self, note: Note) -> None: ...

    def saved(self, changes: Changes, engine: Engine, seconds: float) -> None: ...

    def save_failed(self, error: Exception) -> None: ...

    def learning_failed(self, due: Due, error: Exception) -> None:
        self.failed.append((due.model, due.step, type(error).__name__))

    def ticked(self, engine: Engine, source: Source) -> None: ...


class Life:
    """One stream, one model with windows of five minutes, and a clock that only the test moves."""

    def __init__(self, patch: pytest.MonkeyPatch, store: MemoryStore | None = None, **options: Any) -> None:
        self.passed_s = 0.0
        patch.setattr(wall, "now_ms", lambda: START_MS + int(self.passed_s * 1000))
        patch.setattr(wall, "monotonic", lambda: self.passed_s)
        schema = {"features": {"x": {"kind": "numeric"}}}
        model = {"owner": "team", "window": "5m", "schema": schema, "reference": {"learn": "7d"}, "rules": {"silent_for": "5m"}}
        fields = {"time": "at", "model": "model"}
        streams = {"in": {"topic": "in", "role": "inputs", "fields": fields}}
        self.plan = config.compile({"streams": streams, "owners": {"team": {}}, "models": {"m": model}})
        self.bus = Bus(wall.now_ms)
        self.bus.create("in")
        self.store = store or MemoryStore()
        self.ear, self._options = Ear(), options
        self.again()

    def again(self) -> None:
        """A process after the last one, which was killed: it has the store and nothing else."""
        self.source = MemorySource(self.bus, {"in": "in"})
        codecs = {"in": codec_for(self.plan, self.plan.streams["in"])}
        self.rounds = Rounds(self.plan, self.source, self.store, codecs, listener=self.ear, **self._options)
        self.rounds.start()

    def send(self, *minutes: float) -> None:
        """An event at each of these minutes of event time."""
        for minute in minutes:
            self.bus.append("in", json.dumps({"at": START_MS + int(minute * MINUTE_MS), "model": "m", "x": minute % 7}).encode())

    def live(self, seconds: int, each: Callable[[], object]) -> None:
        """Lets time pass in steps of ten seconds, with an event and a round in each."""
        for _ in range(seconds // 10):
            self.send(self.passed_s / 60)
            each()
            self.passed_s += 10

    def events(self) -> list[int]:
        return [verdict.events for verdict in self.store.verdicts("m")]


def test_an_outage_of_the_bus_is_no_silence_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    life.live(20 * 60, lambda: life.rounds.turn(0))
    before = life.events()
    life.bus.outage(True)
    life.live(20 * 60, lambda: life.rounds.turn(0))
    assert life.events()[len(before) :] in ([], [30]), "nothing new was read: at most the window that was whole is closed"
    life.bus.outage(False)
    life.live(20 * 60, lambda: life.rounds.turn(0))
    life.rounds.save()
    assert life.events() == [30] * len(life.events())
    assert len(life.events()) >= 11
    assert life.store.load().counts["m", "late"] == 0
    assert list(life.store.incidents()) == []


def test_an_end_that_was_probed_long_ago_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that stands still without failing (a poll that isolates a batch, a broker that is being connected to) says nothing new."""
    life = Life(monkeypatch)
    life.live(20 * 60, lambda: life.rounds.turn(0))
    before = life.events()
    monkeypatch.setattr(life.source, "poll", lambda timeout_ms: [])
    life.live(20 * 60, lambda: life.rounds.turn(0))
    assert life.events() == before


def test_what_could_not_be_saved_is_saved_before_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FullDisk()
    life = Life(monkeypatch, store)
    life.passed_s = 40 * 60.0
    life.send(*range(40))
    with pytest.raises(Transient, match="disk is full"):
        life.rounds.turn(0)
    answer = life.rounds.submit(lambda: life.rounds.engine.deployed("m", "2", "someone", "", 1))
    store.full = False
    life.rounds.drain()
    assert answer.done()
    assert store.load().marks["in/0"].next_offset == 40
    assert life.events() == [5] * 7, "the windows that were closed before the disk had room again"
    assert [row.seq for row in store.inputs()] == list(range(len(store.inputs()))), "no input is missing"


def test_an_answer_waits_for_the_transaction_that_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = FullDisk()
    life = Life(monkeypatch, store)
    life.passed_s = 40 * 60.0
    life.send(*range(40))
    with pytest.raises(Transient):
        life.rounds.turn(0)
    answer = life.rounds.submit(lambda: life.rounds.engine.deployed("m", "2", "someone", "", 1))
    store.full = False
    life.rounds.board.show = lambda changes, engine: setattr(store, "full", True)  # type: ignore[method-assign] # full again after one
    with pytest.raises(Transient):
        life.rounds.drain()
    assert len(life.events()) == 7, "what was owed is on disk"
    assert not answer.done(), "and that success was not taken for the answer's"


def test_nobody_waits_for_an_engine_that_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process leaves once its threads have: the scheduler's would else wait minutes for its answer."""
    store = FullDisk()
    life = Life(monkeypatch, store)
    life.send(0)
    begun = life.rounds.submit(lambda: life.rounds.engine.deployed("m", "2", "someone", "", 1))
    with pytest.raises(Transient):
        life.rounds.turn(0)
    waiting = life.rounds.submit(lambda: 1)
    with pytest.raises(Transient):
        life.rounds.drain()
    life.rounds.close()
    with pytest.raises(Transient, match="before the state could be saved"):
        begun.result(timeout=0)
    assert waiting.cancelled()
    assert life.rounds.submit(lambda: 1).cancelled(), "and what comes after is not kept for nobody"


def test_a_state_that_cannot_be_trusted_ends_the_rounds_whoever_came_upon_it(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    life.send(0)

    def look() -> None:
        raise Corrupt("state.db: a row of outbox differs from what was written", "raincheck state restore")

    kept, asked = life.rounds.submit(lambda: 1), life.rounds.submit(look)
    with pytest.raises(Corrupt, match="a row of outbox"):
        life.rounds.turn(0)
    assert isinstance(asked.exception(timeout=0), Corrupt), "and the one who asked hears of it, too"
    life.rounds.drain()
    assert kept.result(timeout=0) == 1


def test_positions_are_on_disk_together_with_whose_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two transactions a crash would leave offsets of a topic made anew beside the old one's name: it would be read twice."""
    store = FullDisk()
    life = Life(monkeypatch, store)
    life.passed_s = 40 * 60.0
    life.bus.append("in", b"no JSON")
    life.send(*range(40))
    for _ in range(3):
        with pytest.raises(Transient):
            life.rounds.turn(0)
    assert (store.load().marks, store.identities()) == ({}, {})
    store.full = False
    life.send(40)
    life.rounds.turn(0)
    assert store.load().counts["in", "not_json"] == 1, "what was owed is saved once"
    assert store.identities() == dict(life.source.identities())
    assert life.rounds.engine.positions() == {"in/0": 42}


def test_what_retention_took_is_counted_once_however_often_it_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    life.passed_s = 40 * 60.0
    life.send(*range(10))
    life.bus.trim("in", 0, 4)
    for _ in range(3):  # each begins where the last one was killed, right after its save
        life.rounds.turn(0)
        life.rounds.save()
        life.again()
    assert life.store.load().counts == {}, "what had gone before the first start is nobody's loss"
    life.bus.trim("in", 0, 10)
    life.send(10)
    life.bus.trim("in", 0, 11)  # retention leaves nothing to read: no record will tell where the log goes on
    for _ in range(3):
        life.rounds.turn(0)
        life.rounds.save()
        life.again()
    assert life.store.load().counts == {("in", "gap_retention"): 1}
    assert life.rounds.engine.positions() == {"in/0": 11}


def test_a_batch_that_holds_its_partition_is_not_counted_at_every_start(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(monkeypatch)
    life.passed_s = 40 * 60.0
    life.send(*range(10))
    life.bus.corrupt("in", 0, 5)
    for _ in range(3):
        life.rounds.turn(0)
        life.rounds.turn(0)
        life.rounds.save()
        life.again()
    assert life.store.load().counts == {}, "it may still be read"
    assert life.store.load().marks["in/0"].next_offset == 5
    assert {row.kind for row in life.store.inputs()} == {"assigned", "blocked"}


class Killed(Executor):
    """A pool whose worker dies at each work."""

    def __init__(self) -> None:
        self.works = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.works += 1
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("a process was terminated abruptly"))
        return future


def failing(*arguments: Any) -> Learned:
    raise ArithmeticError("a plug-in's mistake")


@pytest.mark.parametrize(("pool", "error"), [(Killed(), "BrokenProcessPool"), (None, "ArithmeticError")], ids=["in a pool", "in the round"])
def test_learning_that_fails_ends_nothing_and_is_asked_for_again(
    pool: Executor | None, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.rounds.perform", failing)
    life = Life(monkeypatch, pool=pool)
    for hour in range(3 * 24):  # the cells are due after two days of windows of five minutes
        life.passed_s = (hour + 1) * 3600.0
        life.send(*range(hour * 60, hour * 60 + 60, 5))
        life.rounds.turn(0)
    assert life.ear.failed[0] == ("m", "cuts", error)
    assert len(life.ear.failed) >= 2, "asked for again"
    assert life.rounds.engine.standings["m"].stage == "gathering"
    learned = [row.body for row in life.store.inputs() if row.kind == "learned"]
    assert learned[0]["reason"].startswith(f"cuts failed: {error}: ")
    assert len(life.events()) > 2 * 24 * 12, "windows are closed and saved meanwhile"


class Mortal(Killed):
    """A pool whose worker dies at the first works, and then does them."""

    def __init__(self, deaths: int) -> None:
        super().__init__()
        self.deaths = deaths

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn)
        if self.works > self.deaths:
            future = Future()
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_learning_process_that_is_killed_changes_nothing_of_what_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    def learnt(pool: Executor) -> list[Any]:
        with monkeypatch.context() as patch:
            life = Life(patch, pool=pool)
            for hour in range(7 * 24 + 1):
                life.passed_s = (hour + 1) * 3600.0
                life.send(*range(hour * 60, hour * 60 + 60, 5))
                life.rounds.turn(0)
                while life.rounds.engine.due():
                    life.rounds.turn(0)
            assert life.ear.failed == []
            return [row for row in life.store.inputs() if row.kind == "learned"]

    undisturbed = learnt(Mortal(0))
    assert [row.body["step"] for row in undisturbed][:2] == ["cuts", "calibration"]
    assert learnt(Mortal(2)) == undisturbed


def test_a_state_that_this_release_cannot_read_is_refused_with_the_command_that_helps() -> None:
    """Exit code 1 would have a service manager try again for ever."""
    store = MemoryStore()
    plan = config.compile({"owners": {"team": {}}, "models": {"m": {"owner": "team", "schema": {"features": {"x": {"kind": "numeric"}}}}}})
    store.save(Changes(evidence={"m": b"\x92\x02\xa0"}))  # format 2 of nothing
    with pytest.raises(Corrupt, match="raincheck state reset"):
        Rounds(plan, MemorySource(Bus(), {}), store, {}, listener=Ear())
