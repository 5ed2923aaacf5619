"""The same events fold to the same panes, in any batches and over any number of workers; lateness included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.summaries import cells_of
from monitor.batch import Batch, Numbers, Slice, Texts
from monitor.engine import Engine
from monitor.fold import Fold
from monitor.pane import Folded, Pane, PaneKey
from monitor.plan import DAY_MS, Feature, Label, Model, Owner, Plan, Schema
from monitor.stores.memory import MemoryStore

SCHEMA = Schema((Feature("x", "numeric", ("x",)), Feature("c", "categorical", ("c",))), label=Label(("y",)), segments=("camera",))
PLAN = Plan(
    {
        "a": Model("a", "team", SCHEMA, window_ms=60_000, lateness_ms=30_000),
        "b": Model("b", "team", SCHEMA, window_ms=300_000, lateness_ms=0),
    },
    {"team": Owner("team")},
)
CUTS: Mapping[str, Cuts] = {
    "x": NumericCuts(np.array([0.0]), -2.0, 2.0, np.array([-1.0, 1.0])),
    "c": CategoricalCuts(("red", "green")),
}


@dataclass(frozen=True)
class Event:
    model: str
    version: str
    time_ms: int
    x: float
    c: str | None
    camera: str | None


@st.composite
def logs(draw: st.DrawFn, jump_ms: int = 200_000, stray_ms: int = 0) -> list[Event]:
    """One partition's events in the order of its log: time moves on, with stragglers and, with `stray_ms`, wrong stamps."""
    off = st.one_of(st.integers(-jump_ms, 20_000), st.integers(-stray_ms, stray_ms)) if stray_ms else st.integers(-jump_ms, 20_000)
    steps = draw(st.lists(st.tuples(st.integers(0, 40_000), off), max_size=40))
    clock, out = 10 * DAY_MS, []
    for step, late in steps:
        clock += step
        out.append(
            Event(
                draw(st.sampled_from("ab")), draw(st.sampled_from(("v1", "v2"))), clock + late,
                draw(st.one_of(st.floats(-3, 3), st.sampled_from([np.nan, np.inf]))),
                draw(st.sampled_from((None, "red", "green", "blue"))), draw(st.sampled_from((None, "north", "south"))),
            )
        )  # fmt: skip
    return out


def batches(partition: str, events: Sequence[tuple[int, Event]]) -> tuple[Batch, ...]:
    """As a codec would: one batch per model and version, events in the order of the log."""
    groups: dict[tuple[str, str], list[tuple[int, Event]]] = {}
    for seq, event in events:
        groups.setdefault((event.model, event.version), []).append((seq, event))
    return tuple(
        Batch(
            model, "inputs", partition, version, np.array([seq for seq, _ in own], dtype=np.int64),
            np.array([e.time_ms for _, e in own], dtype=np.int64),
            {"x": Numbers(np.array([e.x for _, e in own])), "c": Texts([e.c for _, e in own])},
            segments={"camera": Texts([e.camera for _, e in own])},
        )
        for (model, version), own in groups.items()
    )  # fmt: skip


def slices(partition: str, log: Sequence[Event], cuts: Sequence[int]) -> list[Slice]:
    """The log in polls that end at the given places."""
    ends = sorted({min(cut, len(log)) for cut in cuts} | {len(log)})
    out = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        own = batches(partition, [(seq, log[seq]) for seq in range(start, end)])
        out.append(Slice("s", partition, end, 0, own, end - start, 0))
    return out


def add_up(
    pieces: Sequence[Folded],
) -> tuple[dict[tuple[str, PaneKey], tuple[int, dict[str, Any]]], Counter[tuple[str, int]], dict[str, int | None]]:
    panes: dict[tuple[str, PaneKey], Pane] = {}
    late: Counter[tuple[str, int]] = Counter()
    marks: dict[str, int | None] = {}
    for piece in pieces:
        late.update(piece.late)
        marks[piece.partition] = piece.mark_ms
        for key, pane in piece.panes.items():
            old = panes.setdefault((piece.partition, key), Pane())
            old.events += pane.events
            for name, summary in pane.columns.items():
                old.columns[name] = old.columns[name].merge(summary) if name in old.columns else summary
    return {key: (pane.events, pane.columns) for key, pane in panes.items()}, late, marks


def fold(pieces: Sequence[Slice], effective_ms: int | None) -> list[Folded]:
    worker = Fold(PLAN) if effective_ms is None else Fold(PLAN, {"a": (CUTS, effective_ms)})
    return [worker.fold(piece) for piece in pieces]


effects = st.sampled_from([None, 0, 10 * DAY_MS + 180_000])
polls = st.lists(st.integers(0, 40), max_size=6)


@given(log=st.one_of(logs(), logs(stray_ms=4 * DAY_MS)), one=polls, other=polls, effective_ms=effects)
def test_batch_sizes_change_nothing(log: list[Event], one: list[int], other: list[int], effective_ms: int | None) -> None:
    whole = add_up(fold(slices("p/0", log, one), effective_ms))
    assert add_up(fold(slices("p/0", log, other), effective_ms)) == whole


@given(all_logs=st.lists(logs(), min_size=5, max_size=5), cuts=polls, workers=st.sampled_from([2, 5]), effective_ms=effects)
def test_workers_change_nothing(all_logs: list[list[Event]], cuts: list[int], workers: int, effective_ms: int | None) -> None:
    pieces = [piece for i, log in enumerate(all_logs) for piece in slices(f"p/{i}", log, cuts)]
    alone = add_up(fold(pieces, effective_ms))
    shared = [
        folded
        for worker in range(workers)
        for folded in fold([piece for piece in pieces if int(piece.partition[2:]) % workers == worker], effective_ms)
    ]
    assert add_up(shared) == alone


@given(log=logs(), cuts=polls, effective_ms=effects)
def test_lateness_and_counts_by_the_book(log: list[Event], cuts: list[int], effective_ms: int | None) -> None:
    """Against the rule spelled out event by event."""
    newest, late, events = -(2**62), Counter[tuple[str, int]](), Counter[PaneKey]()
    cells: dict[PaneKey, Counter[str | None]] = {}
    for event in log:
        model = PLAN.models[event.model]
        start = event.time_ms // model.window_ms * model.window_ms
        if start + model.window_ms + model.lateness_ms <= newest:
            late[event.model, start] += 1
        else:
            for segment in {"", *([f"camera={event.camera}"] if event.camera else [])}:
                key = PaneKey(event.model, event.version, segment, "inputs", start)
                events[key] += 1
                cells.setdefault(key, Counter())[event.c] += 1
        newest = max(newest, event.time_ms)
    panes, found_late, marks = add_up(fold(slices("p/0", log, cuts), effective_ms))
    assert found_late == late
    assert {key: n for (_, key), (n, _) in panes.items()} == events
    assert marks["p/0"] == (newest if log else None)
    for (_, key), (n, columns) in panes.items():
        assert columns["x"].n == columns["c"].n == n
        counted = key.model == "a" and effective_ms is not None and key.start_ms >= effective_ms
        assert columns["x"].kind == ("histogram" if counted else "sample")
        if counted:
            expected = cells[key]
            assert cells_of(columns["c"]).tolist() == [expected[None], 0, expected["blue"], 0, expected["red"], expected["green"]]


def one(model: str, times: Sequence[int], first_seq: int = 0, partition: str = "p/0", role: Any = "inputs", **more: Any) -> Batch:
    n = len(times)
    seq = np.arange(first_seq, first_seq + n, dtype=np.int64)
    columns = more.pop("columns", {"x": Numbers(np.zeros(n)), "c": Texts(["red"] * n)})
    return Batch(model, role, partition, "", seq, np.array(times, dtype=np.int64), columns, **more)


def piece(*own: Batch) -> Slice:
    return Slice("s", "p/0", 0, 0, own, sum(map(len, own)), 0)


T = 10 * DAY_MS  # start of a window of both models
LATE = [
    # model, times in the order of the log, late, because
    ("a", [T, T + 89_999, T + 59_999], 0, "end of the window plus lateness is 90 s: 89.999 s is not yet past it"),
    ("a", [T, T + 90_000, T + 59_999], 1, "exactly at the limit is too late: the window may have been closed"),
    ("a", [T + 59_999, T + 90_000], 0, "who is first is never late, and who moves the mark is not late by it"),
    ("b", [T, T + 300_000, T + 1], 1, "without lateness the next window's first event closes the last one"),
    ("b", [T, T + 299_999, T + 1], 0, "within the window order is free"),
]


@pytest.mark.parametrize(("model", "times", "late", "because"), LATE)
def test_late_or_not(model: str, times: list[int], late: int, because: str) -> None:
    assert sum(Fold(PLAN).fold(piece(one(model, times))).late.values()) == late, because


def test_the_mark_of_one_model_makes_another_models_events_late() -> None:
    folded = Fold(PLAN).fold(piece(one("a", [T + 300_000], 0), one("b", [T + 1], 1)))
    assert folded.late == {("b", T): 1}, "one log, one clock: an event's place in the log decides"


def test_a_released_partition_is_late_with_what_was_given_up() -> None:
    worker = Fold(PLAN)
    worker.fold(piece(one("a", [T])))
    worker.release("p/0", T + 600_000)
    folded = worker.fold(piece(one("a", [T + 1], 1)))
    assert folded.late == {("a", T): 1}
    assert folded.mark_ms == T + 600_000
    worker.release("p/0", T)
    assert worker.fold(piece()).mark_ms == T + 600_000, "a release never takes anything back"


D = DAY_MS
STAMPS = [
    # times in the order of the log, mark after them, late, because
    ([T, T + 400 * D, T + 1, T + 60_000], T + 60_000, 0, "one stamp from the future makes nobody late"),
    ([T + 400 * D, T, T + 60_000, T + 1], T + 60_000, 0, "nor does it as the first of its partition"),
    ([T, T + 400 * D, T + 1, T + 400 * D, T + 60_000], T + 60_000, 0, "nor a second one, with good ones between them"),
    ([T, T + 400 * D, T + 900 * D, T + 1], T + 400 * D, 1, "two in a row are believed up to the earlier one: a partition may be sparse"),
    ([T, T + 3 * D, T + 3 * D + 60_000, T + 1], T + 3 * D + 60_000, 1, "after a pause the second event confirms the first"),
    ([T, T + 3 * D, T + 6 * D, T + 9 * D], T + 6 * D, 0, "a partition of less than an event a day is believed one event later"),
    ([T, T + D, T + 2 * D], T + 2 * D, 0, "an event a day is no jump"),
    ([0, T, T + 60_000], T + 60_000, 0, "a first stamp in 1970 holds nothing up"),
    ([T, T, 0, T + 60_000], T + 60_000, 1, "a later one is late"),
    ([T], T, 0, "a first event is believed as long as nobody speaks against it"),
]  # fmt: skip


@pytest.mark.parametrize(("times", "mark", "late", "because"), STAMPS, ids=[row[3] for row in STAMPS])
def test_what_a_stamp_moves(times: list[int], mark: int, late: int, because: str) -> None:
    folded = Fold(PLAN).fold(piece(one("a", times)))
    assert (folded.mark_ms, sum(folded.late.values())) == (mark, late), because
    kept = sum(pane.events for pane in folded.panes.values())
    assert kept + late == len(times), "every event is folded in its own window, or counted"
    worker, marks = Fold(PLAN), [0]
    for i, time_ms in enumerate(times):
        marks.append(worker.fold(piece(one("a", [time_ms], i))).mark_ms or 0)
    assert marks[-1] == mark, "one poll or many"


@pytest.mark.parametrize(("times", "mark", "late", "because"), STAMPS, ids=[row[3] for row in STAMPS])
def test_a_restart_after_any_event_changes_nothing(times: list[int], mark: int, late: int, because: str) -> None:
    engine, counts = Engine(PLAN), Counter[tuple[str, int]]()
    store = MemoryStore()
    for i, time_ms in enumerate(times):
        folded = engine.fold.fold(piece(one("a", [time_ms], i)))
        counts.update(folded.late)
        engine.add(folded, arrival_ms=0, records=1)
        store.save(engine.drain())
        engine = Engine(PLAN, store.load())
    assert (engine.watermark.positions["p/0"].mark_ms, counts.total()) == (mark, late), because


def test_a_partition_that_was_gone_comes_back_as_a_new_one_whether_or_not_the_process_is() -> None:
    """A topic made anew may have fewer partitions, and be widened later: how far the old one had got says nothing of the new one."""
    store, engine = MemoryStore(), Engine(PLAN)
    for partition in ("s/0", "s/1"):
        engine.absorb(replace(piece(one("a", [T + DAY_MS, T + 3 * DAY_MS])), partition=partition))
    engine.restart(["s/0"], "recreated", 0)
    store.save(engine.drain())
    for went_on in (engine, Engine(PLAN, store.load())):
        folded = went_on.fold.fold(replace(piece(one("a", [T])), partition="s/1"))
        assert (folded.mark_ms, folded.suspect_ms, folded.late) == (T, T, {})
        folded = went_on.fold.fold(replace(piece(one("a", [T])), partition="s/0"))
        assert (folded.mark_ms, folded.late) == (T + DAY_MS, {("a", T): 1}), "the one that stayed goes on"


def test_new_cells_hold_from_their_window_on_and_old_ones_before() -> None:
    worker = Fold(PLAN, {"a": (CUTS, 0)})
    other: Mapping[str, Cuts] = {**CUTS, "x": NumericCuts(np.array([1.0]), -2.0, 2.0, np.array([0.0, 1.5]))}
    worker.set_cuts("a", other, T + 60_000)
    folded = worker.fold(piece(one("a", [T, T + 60_000])))
    found = {key.start_ms: pane.columns["x"].cuts for key, pane in folded.panes.items()}  # type: ignore[attr-defined]  # histograms
    assert found == {T: CUTS["x"].digest, T + 60_000: other["x"].digest}


def test_a_column_that_no_record_brings_is_missing_throughout() -> None:
    folded = Fold(PLAN, {"a": (CUTS, 0)}).fold(piece(one("a", [T, T], columns={})))
    (pane,) = folded.panes.values()
    assert [cells_of(pane.columns[name])[0] for name in ("x", "c")] == [2, 2]


def test_more_segments_than_fit_share_a_pane_whatever_the_batches() -> None:
    names: list[str | None] = [f"camera-{i}" for i in range(100)]
    folded = Fold(PLAN).fold(piece(one("a", [T] * 100, segments={"camera": Texts(names)})))
    events = {key.segment: pane.events for key, pane in folded.panes.items()}
    assert len(events) == 34
    assert events[""] == 100
    assert events["camera=…other"] == 68


def test_late_truths_are_kept_and_never_late() -> None:
    labels = {"label": Texts(["red", None, "green"])}
    batch = one("a", [T + DAY_MS, T, T], role="outcomes", columns=labels, ids=["7", "8", ""])
    folded = Fold(PLAN).fold(piece(batch))
    assert folded.outcomes == (("a", "7", T + DAY_MS, "red"),)
    assert folded.counts == {("a", "outcome_without_id_or_value"): 2}
    assert folded.panes == {}


def test_an_empty_slice_before_any_event_has_no_mark() -> None:
    assert Fold(PLAN).fold(piece()).mark_ms is None


def test_a_model_of_another_shard_is_counted() -> None:
    folded = Fold(PLAN).fold(piece(one("elsewhere", [T, T])))
    assert (folded.counts, folded.panes, folded.mark_ms) == ({("", "other_shard"): 2}, {}, T)
