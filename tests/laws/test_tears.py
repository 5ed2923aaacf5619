"""Laws of what was lost: no window that lacks a record goes unmarked, none is marked that cannot, and how it was read is all one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import config
from monitor.batch import Batch, Numbers, Slice
from monitor.engine import Engine
from monitor.fold import Fold
from monitor.plan import DAY_MS, Plan
from monitor.stores.memory import MemoryStore
from monitor.verdict import Verdict
from monitor.watermark import IDLE_MS

BEGIN_MS = 10 * DAY_MS
NOTICED_MS = 20 * DAY_MS  # after all events: what was lost had been sent
BEGAN_MS = 5 * DAY_MS  # the daemon's clock: far from event time, which so does not go on at its pace
DISORDER_MS = 30_000  # no event is further behind the newest of its partition; no model is less patient
PARTITIONS = ("in/0", "in/1")
MODELS = {"a": ("1m", "30s"), "b": ("5m", "45s")}

Log = list[tuple[str, int]]  # (model, event time) in the order of one partition
Loss = tuple[int, int]  # offsets [start, stop) of a partition that nobody has read


@cache
def plan() -> Plan:
    schema = {"features": {"x": {"kind": "numeric"}}}
    return config.compile({
        "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}},
        "owners": {"team": {}},
        "models": {name: {"owner": "team", "window": window, "lateness": lateness, "schema": schema}
                   for name, (window, lateness) in MODELS.items()},
    })  # fmt: skip


@dataclass(frozen=True)
class Torn:
    """Not a slice: records up to `stop` are lost."""

    partition: str
    stop: int
    why: str


@dataclass(frozen=True)
class Silence:
    """Not a slice: every partition has been read to its end for a while, so one that is behind follows the others."""


Op = Slice | Torn | Silence


@st.composite
def logs(draw: st.DrawFn) -> Log:
    one = st.tuples(st.sampled_from("ab"), st.sampled_from((0, 7_000, 20_000, 45_000, 130_000)), st.integers(-DISORDER_MS, 0))
    steps = draw(st.lists(one, min_size=12, max_size=30))
    clock, out = BEGIN_MS, []
    for model, step, late in steps:
        clock += step
        out.append((model, clock + late))
    return out


@st.composite
def losses(draw: st.DrawFn) -> list[Loss]:
    """Up to three stretches that do not touch each other."""
    out, at = list[Loss](), 0
    for apart, length in draw(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6)), max_size=3)):
        out.append((at + apart, at + apart + length))
        at += apart + length + 1
    return out


def ops(partition: str, log: Log, lost: Sequence[Loss], cuts: Sequence[int]) -> list[Op]:
    """One partition's way: slices that end at the given places, and what was lost between them."""
    lost = [(start, min(stop, len(log))) for start, stop in lost if start < len(log)]
    within = {min(cut, len(log)) for cut in cuts if not any(a < cut < b for a, b in lost)}
    places = sorted({0, len(log), *within, *(offset for loss in lost for offset in loss)})
    out: list[Op] = []
    for start, stop in pairwise(places):
        if any(a <= start < b for a, b in lost):
            out.append(Torn(partition, stop, ("retention", "poison")[start % 2]))
        else:
            out.append(Slice("in", partition, stop, 0, tuple(batches(partition, log, start, stop)), stop - start, 0))
    return out


def batches(partition: str, log: Log, start: int, stop: int) -> Iterator[Batch]:
    for model in MODELS:
        own = [offset for offset in range(start, stop) if log[offset][0] == model]
        if own:
            times, x = np.array([log[offset][1] for offset in own], dtype=np.int64), np.array([float(offset) for offset in own])
            yield Batch(model, "inputs", partition, "", np.array(own, dtype=np.int64), times, {"x": Numbers(x)})


def dealt(ways: Sequence[list[Op]], order: Sequence[int]) -> list[Op]:
    """The partitions' ways, mixed: whose turn it is is taken from `order`, round and round."""
    left, out = [list(way) for way in ways], list[Op]()
    while any(left):
        whose = order[len(out) % len(order)]
        out.append((left[whose] or left[1 - whose]).pop(0))
    return out


class Run:
    """An engine, interrupted after the given operations with all that it had not saved; `saves` after which it saves."""

    def __init__(
        self, all_ops: Sequence[Op], workers: int = 0, saves: frozenset[int] = frozenset(), crashes: frozenset[int] = frozenset()
    ) -> None:
        self.store = MemoryStore()
        self.workers = [Fold(plan()) for _ in range(workers)]
        self.engine = self._begin()
        at, saved, left = 0, 0, set(crashes)
        while at < len(all_ops):
            self._take(all_ops[at])
            at += 1
            if at in left:
                left.discard(at)
                self.engine, at = self._begin(), saved
            elif at in saves:
                self.store.save(self.engine.drain())
                saved = at
        self.store.save(self.engine.drain())

    def _begin(self) -> Engine:
        engine = Engine(plan(), self.store.load())
        engine.assign(PARTITIONS)
        return engine

    def _take(self, op: Op) -> None:
        if isinstance(op, Torn):
            self.engine.torn(op.partition, op.stop, op.why, NOTICED_MS)
        elif isinstance(op, Silence):
            ends = {name: (offset, offset) for name, offset in self.engine.positions().items()}
            for now_ms in (BEGAN_MS, BEGAN_MS + IDLE_MS):
                self.engine.tick(now_ms, ends)
        elif self.workers:
            worker = self.workers[PARTITIONS.index(op.partition) % len(self.workers)]
            self.engine.add(worker.fold(op), arrival_ms=0, records=op.records)
        else:
            self.engine.absorb(op)

    def verdicts(self) -> dict[str, Verdict]:
        return {verdict.id: verdict for verdict in self.store.verdicts()}

    def held(self) -> dict[str, Any]:
        """What each closed window was made of."""
        return {row.verdict.id: row.columns for model in MODELS for row in self.store.windows(model, 0, 2 * NOTICED_MS)}


both = st.tuples(logs(), logs())
lost = st.tuples(losses(), losses())
polls = st.lists(st.integers(0, 30), max_size=6)
orders = st.lists(st.integers(0, 1), min_size=1, max_size=6)
places = st.frozensets(st.integers(1, 30), max_size=6)
often = st.frozensets(st.integers(1, 40), min_size=8)


def ways(all_logs: Sequence[Log], all_lost: Sequence[Sequence[Loss]], cuts: Sequence[int] = ()) -> list[list[Op]]:
    return [ops(p, log, own, cuts) for p, log, own in zip(PARTITIONS, all_logs, all_lost, strict=True)]


@settings(max_examples=60)
@given(all_logs=both, all_lost=lost)
def test_no_window_that_lacks_a_record_goes_unmarked(all_logs: tuple[Log, Log], all_lost: tuple[list[Loss], list[Loss]]) -> None:
    whole, torn = Run(dealt(ways(all_logs, ((), ())), [0, 1])), Run(dealt(ways(all_logs, all_lost), [0, 1]))
    before, after, verdicts = whole.held(), torn.held(), torn.verdicts()
    lacking = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    assert lacking <= {id_ for id_, verdict in verdicts.items() if verdict.partial}
    assert not any(verdict.partial or verdict.lacks for verdict in whole.verdicts().values())


@settings(max_examples=60)
@given(all_logs=both, all_lost=lost)
def test_who_is_marked_could_have_lost_something(all_logs: tuple[Log, Log], all_lost: tuple[list[Loss], list[Loss]]) -> None:
    """By the rule spelled out record by record: it still counted events, and the log had not moved on beyond it."""
    marked = {(v.id, partition) for v in Run(dealt(ways(all_logs, all_lost), [0, 1])).verdicts().values() for partition in v.lacks}
    for verdict_id, lacks in marked:
        name, start_ms = verdict_id.rsplit(":", 1)
        partition, _ = lacks.split(": ")
        number, model = PARTITIONS.index(partition), plan().models[name]
        log, own = all_logs[number], all_lost[number]
        read = [offset for offset in range(len(log)) if not any(a <= offset < b for a, b in own)]
        found = False
        for a, b in own:
            before = [log[offset][1] for offset in read if offset < a]
            newest = max(before) if len(before) > 1 else None  # one event alone may be taken back
            moving = (log[o][1] for o in read[1:] if o >= b and log[o][1] >= max(log[r][1] for r in read if r < o))
            after = next(moving, NOTICED_MS)
            counted = newest is None or int(start_ms) + model.window_ms + model.lateness_ms > newest
            found |= counted and int(start_ms) - model.lateness_ms <= after
        assert found, f"{verdict_id} is marked for {lacks}"


@settings(max_examples=60)
@given(all_logs=both, all_lost=lost, cuts=polls, order=orders, workers=st.sampled_from([0, 1, 2]))
def test_batches_and_workers_change_no_mark(
    all_logs: tuple[Log, Log], all_lost: tuple[list[Loss], list[Loss]], cuts: list[int], order: list[int], workers: int
) -> None:
    one, other = Run(dealt(ways(all_logs, all_lost), [0, 1])), Run(dealt(ways(all_logs, all_lost, cuts), order), workers)
    assert other.verdicts() == one.verdicts()


@settings(max_examples=60)
@given(all_logs=both, all_lost=lost, cuts=polls, saves=places, crashes=places)
def test_a_crash_changes_no_mark(
    all_logs: tuple[Log, Log], all_lost: tuple[list[Loss], list[Loss]], cuts: list[int], saves: frozenset[int], crashes: frozenset[int]
) -> None:
    all_ops = dealt(ways(all_logs, all_lost, cuts), [0, 1])
    assert Run(all_ops, saves=saves, crashes=crashes).verdicts() == Run(all_ops).verdicts()


def replayed(all_ops: Sequence[Op], store: MemoryStore) -> dict[str, Verdict]:
    """The verdicts of an engine that is given the same slices and what was recorded, each input at the positions that it tells."""
    slices = {partition: [op for op in all_ops if isinstance(op, Slice) and op.partition == partition] for partition in PARTITIONS}
    run = Run(())
    engine = run.engine
    for row in store.inputs():
        for partition, offset in row.body["offsets"].items():
            while engine.positions()[partition] < offset:
                engine.absorb(slices[partition].pop(0))
        match row.kind:
            case "tick":
                engine.release(row.body["released"])
            case "torn":
                engine.torn(row.body["partition"], row.body["next_offset"], row.body["why"], row.at_ms)
    for piece in (piece for rest in slices.values() for piece in rest):
        engine.absorb(piece)
    run.store.save(engine.drain())
    return run.verdicts()


@settings(max_examples=200)
@given(all_logs=both, all_lost=lost, every=st.integers(1, 4), order=orders, silences=often, saves=places, crashes=places)
def test_what_is_recorded_gives_the_same_marks(
    all_logs: tuple[Log, Log],
    all_lost: tuple[list[Loss], list[Loss]],
    every: int,
    order: list[int],
    silences: frozenset[int],
    saves: frozenset[int],
    crashes: frozenset[int],
) -> None:
    """Not every tick is recorded; of those that are not, no mark may depend."""
    all_ops = dealt(ways(all_logs, all_lost, range(0, 31, every)), order)
    for place in sorted(silences, reverse=True):
        all_ops.insert(place, Silence())
    run = Run(all_ops, saves=saves, crashes=crashes)
    assert replayed(all_ops, run.store) == run.verdicts()
