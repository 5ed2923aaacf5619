"""One contract for both stores: what was saved comes back, all of a turn or none of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally
from monitor.alert import Alert
from monitor.changes import Changes, Checkpoint, InputRow, Mark, Outcome, ReferenceRow, Snapshot, WindowRow
from monitor.errors import Corrupt, Misconfigured
from monitor.incident import Answer, Incident
from monitor.pane import Pane, PaneKey
from monitor.stores.holding import set_aside
from monitor.stores.memory import MemoryStore
from monitor.stores.sqlite import SqliteStore, check
from monitor.stores.store import Store
from monitor.tears import Tear
from monitor.verdict import Subject, Verdict

Make = Callable[[Path], Store]
STORES: dict[str, Make] = {"sqlite": lambda folder: SqliteStore(folder / "state.db"), "memory": lambda _: MemoryStore()}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


def verdict(start: int, model: str = "m", status: str = "ok") -> Verdict:
    return Verdict(f"{model}:{start}", model, start, start + 10, status, 5, float("-inf"), float("inf"))  # type: ignore[arg-type]


def incident(number: int, resolved: int | None = None) -> Incident:
    subject = Subject("x", "inputs", "location", "up", 1.5, "sd", 0.9, 3)
    return Incident(
        f"i{number}", "m", "team", "page", "statistical", number, 1, (subject,), 5.0, 4.0, "it moved", resolved_ms=resolved,
        answers=() if resolved is None else (Answer("false", "someone", "no", resolved),),
    )  # fmt: skip


TORN = (Tear("retention", 50, 80, open=False), Tear("poison", None, 90))
MARKS: dict[str, Mark | None] = {"in/0": Mark(7, 99, 7, 5), "in/1": Mark(0, None, unreadable=True), "in/2": Mark(3, 9, 3, tears=TORN)}
KEY = ("in/0", PaneKey("m", "v1", "", "inputs", 100))


def everything() -> Changes:
    pane = Pane(3, {"x": Sample.fold(np.array([1, 2, 3], np.uint64), np.array([1.0, np.nan, 2.0])), "c": Tally.fold(["a", None, "b"])})
    return Changes(
        marks=MARKS,
        panes={KEY: pane},
        windows=[WindowRow(verdict(0), "cells", {"x": b"\x01\x02"}), WindowRow(verdict(10), "summaries", {})],
        evidence={"m": b"state"},
        references={"m": ReferenceRow("r1", "m", b"reference", b"chain")},
        incidents={"i1": incident(1), "i2": incident(2, resolved=20)},
        alerts=[Alert("i1:opened", "opened", incident(1))],
        inputs=[InputRow(0, "learned", "m", 5, {"step": "cuts"})],
        outcomes=[Outcome("m", "r1", 50, "yes")],
        counts=Counter({("m", "late"): 2}),
    )


def test_what_was_saved_comes_back(store: Store) -> None:
    store.save(everything())
    snapshot = store.load()
    assert snapshot.marks == MARKS
    assert snapshot.panes.keys() == {KEY}
    assert snapshot.panes[KEY].events == 3
    assert snapshot.panes[KEY].columns == everything().panes[KEY].columns  # type: ignore[union-attr]
    assert (snapshot.evidence, snapshot.references) == ({"m": b"state"}, {"m": b"reference"})
    assert snapshot.incidents == {"i1": incident(1)}, "only what is open concerns the engine"
    assert snapshot.alerts == everything().alerts
    assert snapshot.next_input == 1
    assert snapshot.counts == {("m", "late"): 2}
    assert list(store.verdicts()) == [verdict(0), verdict(10)]
    assert list(store.verdicts("m", 1)) == [verdict(10)], "the newest"
    assert [r.verdict.start_ms for r in store.windows("m", 5, 20)] == [10], "from inclusive, until exclusive"
    assert next(iter(store.windows("m", 0, 1))).columns == {"x": b"\x01\x02"}
    assert [i.id for i in store.incidents()] == ["i2", "i1"], "newest first"
    assert store.inputs() == [InputRow(0, "learned", "m", 5, {"step": "cuts"})]
    assert list(store.outcomes()) == [("m", "r1", 50, "yes")]


def test_saving_again_replaces_and_counts_add_up(store: Store) -> None:
    store.save(everything())
    store.save(
        Changes(marks={"in/0": Mark(9, 120, 9)}, panes={KEY: None}, counts=Counter({("m", "late"): 3}), incidents={"i1": incident(1, 30)})
    )
    snapshot = store.load()
    assert snapshot.marks["in/0"] == Mark(9, 120, 9)
    assert snapshot.panes == {}
    assert snapshot.counts == {("m", "late"): 5}
    assert snapshot.incidents == {}


def test_an_alert_leaves_the_outbox_when_it_has_been_delivered(store: Store) -> None:
    store.save(everything())
    store.attempted("i1:opened", 40, "refused")
    assert [(d.alert.id, d.attempts, d.error) for d in store.pending()] == [("i1:opened", 1, "refused")]
    store.attempted("i1:opened", 50, "")
    assert store.pending() == []
    store.save(Changes(alerts=everything().alerts))
    assert store.pending() == [], "the same alert is not sent twice because it was saved twice"


def test_a_forgotten_model_leaves_nothing_behind(store: Store) -> None:
    store.save(everything())
    store.save(Changes(forgotten=["m"], evidence={"m": b"new"}))
    snapshot = store.load()
    assert snapshot.panes == {}
    assert snapshot.evidence == {"m": b"new"}, "what is written in the same turn stays"
    assert snapshot.references == {}
    assert list(store.verdicts()) == []


def test_pruning_forgets_the_old_and_keeps_what_is_open(store: Store) -> None:
    store.save(everything())
    assert store.prune(15) == 1
    assert [v.start_ms for v in store.verdicts()] == [10]
    store.prune(1000)
    assert [i.id for i in store.incidents()] == ["i1"], "open incidents are never forgotten"
    assert list(store.outcomes()) == []


def test_pruning_forgets_delivered_alerts_and_no_others(store: Store) -> None:
    alerts = [Alert(f"{name}:opened", "opened", incident(1)) for name in ("sent", "waiting")]
    store.save(Changes(alerts=alerts))
    store.attempted("sent:opened", 40, "")
    store.attempted("waiting:opened", 40, "refused")
    assert store.prune(40) == 0
    assert store.prune(41) == 1, "the one that was delivered"
    assert [delivery.alert.id for delivery in store.pending()] == ["waiting:opened"]


def test_an_attempt_at_an_alert_that_is_kept_no_longer_changes_nothing(store: Store) -> None:
    """Its delivery may be told after it was forgotten, or after the state was made anew."""
    store.attempted("nobody:opened", 40, "")
    assert store.pending() == []


def point(at_ms: int, next_input: int, reference: str = "r1") -> Checkpoint:
    snapshot = Snapshot(
        marks={"in/0": Mark(7, 99, 7, tears=TORN), "in/1": Mark(0, None, unreadable=True)},
        panes={KEY: everything().panes[KEY]},  # type: ignore[dict-item] # it holds a pane, not its deletion
        evidence={"m": b"state"}, incidents={"i1": incident(1)}, next_input=next_input,
    )  # fmt: skip
    return Checkpoint("m", at_ms, reference, snapshot)


def test_references_stay_by_name_and_the_last_one_is_in_force(store: Store) -> None:
    store.save(everything())
    later = ReferenceRow("r2", "m", b"another", b"")
    store.save(Changes(references={"m": later}))
    assert store.load().references == {"m": b"another"}
    assert store.reference("r1") == ReferenceRow("r1", "m", b"reference", b"chain"), "verdicts of last month name it"
    assert store.reference("r2") == later
    assert store.reference("r3") is None


def test_the_last_checkpoint_before_a_time_comes_back_whole(store: Store) -> None:
    store.save(Changes(checkpoints=[point(100, 1), point(200, 4), point(300, 9)]))
    found = store.checkpoint("m", 299)
    assert found is not None
    wanted = point(200, 4)
    assert (found.at_ms, found.reference) == (200, "r1")
    for name in ("marks", "evidence", "incidents", "next_input", "references"):
        assert getattr(found.snapshot, name) == getattr(wanted.snapshot, name)
    assert found.snapshot.panes[KEY].columns == wanted.snapshot.panes[KEY].columns
    assert store.checkpoint("m", 99) is None
    assert store.checkpoint("other", 299) is None


def test_pruning_keeps_what_the_kept_checkpoints_need(store: Store) -> None:
    store.save(Changes(references={"m": ReferenceRow("r0", "m", b"oldest")}))
    store.save(Changes(references={"m": ReferenceRow("r1", "m", b"old")}))
    store.save(Changes(references={"m": ReferenceRow("r2", "m", b"now")}))
    store.save(Changes(
        inputs=[InputRow(seq, "tick", "", seq, {}) for seq in range(6)],
        checkpoints=[point(100, 1, "r0"), point(200, 3, "r1")],
    ))  # fmt: skip
    assert store.prune(150) == 5, "a checkpoint, inputs 0 to 2, reference r0"
    assert store.checkpoint("m", 150) is None
    assert [row.seq for row in store.inputs()] == [3, 4, 5]
    assert (store.reference("r0"), store.reference("r1") is None) == (None, False)
    store.prune(1000)
    assert [row.seq for row in store.inputs()] == [5], "the next input is numbered after the last one"
    assert store.load().next_input == 6
    assert store.reference("r1") is None
    assert store.load().references == {"m": b"now"}, "what is in force stays"


def test_a_truth_that_is_told_twice_is_one_and_the_oldest_comes_first(store: Store) -> None:
    for value in ("red", "green"):
        store.save(Changes(outcomes=[Outcome("m", "2", 7, "red"), Outcome("m", "1", 5, value)]))
    assert store.outcomes() == [("m", "1", 5, "green"), ("m", "2", 7, "red")]


def test_topic_identities_are_remembered(store: Store) -> None:
    store.save(Changes(identities={"a": "id-1"}))
    store.save(Changes(identities={"a": "id-2", "b": "id-3"}))
    assert store.identities() == {"a": "id-2", "b": "id-3"}


# ---- what only the file can do


def test_a_turn_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    broken = everything()
    broken.inputs = [*broken.inputs, *broken.inputs]  # the same number twice: the transaction cannot end
    with pytest.raises(sqlite3.IntegrityError):
        store.save(broken)
    assert store.load().marks == {}
    assert list(store.verdicts()) == []
    store.close()


def test_the_file_outlives_the_process(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    store.save(everything())
    store.close()
    again = SqliteStore(tmp_path / "state.db")
    assert again.load().marks["in/0"] == Mark(7, 99, 7, 5)
    again.close()


def test_who_answered_is_forgotten_with_what_was_answered(tmp_path: Path) -> None:
    """`state.keep` promises it, and an answer names a person."""
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    answered = replace(incident(3), answers=(Answer("fixed", "somebody else", "yes", 30),))
    store.save(Changes(incidents={"i2": incident(2, resolved=20), "i3": answered}))
    for before_ms, named in ((15, ["i2", "i3"]), (1000, ["i3"])):
        store.prune(before_ms)
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert [row[0] for row in db.execute("SELECT incident FROM answers ORDER BY incident")] == named
    store.close()


def test_a_second_owner_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    store.save(everything())
    with pytest.raises(Misconfigured, match="in use by another raincheck"):
        SqliteStore(tmp_path / "state.db")
    reader = SqliteStore(tmp_path / "state.db", reader=True)
    assert len(reader.verdicts()) == 2
    reader.close()
    store.close()


@pytest.mark.parametrize(
    ("damage", "because"),
    [
        (lambda data: b"not a database at all, but long enough to be looked at" * 20, "another kind of file"),
        (lambda data: data[: len(data) // 2 // 4096 * 4096 + 100], "cut off"),
        (lambda data: data[:8192] + b"\xff" * 8192 + data[16384:], "pages overwritten"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_the_command_that_helps(
    tmp_path: Path, damage: Callable[[bytes], bytes], because: str
) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(path)
    store.save(everything())
    store.close()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Corrupt, match="raincheck state reset"):
        SqliteStore(path).load()
    assert check(path), because
    aside = set_aside(path)
    assert aside, "nothing is destroyed"
    assert aside[0].exists()
    fresh = SqliteStore(path)
    assert fresh.load().marks == {}
    fresh.close()


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    db.close()
    with pytest.raises(Corrupt, match="format 99"):
        SqliteStore(path)
