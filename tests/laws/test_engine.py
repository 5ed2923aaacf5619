"""Laws of the engine: what was read decides what is concluded, not how it was cut, spread over workers, or interrupted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor import config
from monitor.batch import Batch, Numbers, Slice, Texts
from monitor.engine import Engine
from monitor.fold import Fold
from monitor.learning import perform
from monitor.plan import Plan
from monitor.stores.memory import MemoryStore
from monitor.stores.sqlite import SqliteStore
from monitor.verdict import Verdict

HOUR_MS = 3_600_000
HOURS = 8 * 24  # seven days are learnt from, one is judged
PER_HOUR = 12
PARTITIONS = ("in/0", "in/1", "out/0")


@cache
def plan() -> Plan:
    fields = {"time": "at", "model": "model"}
    return config.compile(
        {
            "streams": {
                "in": {"topic": "in", "role": "inputs", "fields": fields},
                "out": {"topic": "out", "role": "predictions", "fields": fields},
            },
            "owners": {"team": {}},
            "models": {
                "m": {
                    "owner": "team",
                    "window": "1h",
                    "schema": {"features": {"x": {"kind": "numeric"}, "c": {"kind": "categorical"}}, "prediction": {"class": "label"}},
                    "reference": {"learn": "7d"},
                }
            },
        }
    )


@cache
def log(partition: str) -> Batch:
    """All events of one partition in offset order: slightly out of time order, some of them very late, the last hours shifted."""
    rng = np.random.default_rng([3, PARTITIONS.index(partition)])
    n = HOURS * PER_HOUR
    times = np.sort(rng.integers(0, HOURS * HOUR_MS, n)) + rng.integers(-40_000, 40_000, n)
    late = rng.random(n) < 0.01
    times[late] -= 5 * HOUR_MS
    times = np.maximum(times, 0)
    shifted = times > (HOURS - 8) * HOUR_MS
    columns: dict[str, Any]
    if partition.startswith("in"):
        x = rng.normal(size=n) + 2.0 * shifted
        x[rng.random(n) < 0.02] = np.nan
        columns = {"x": Numbers(x), "c": Texts([("a", "b", "c", None)[i] for i in rng.choice(4, n, p=[0.5, 0.3, 0.15, 0.05])])}
    else:
        columns = {"prediction": Texts(rng.choice(["yes", "no"], n).tolist())}
    role = "inputs" if partition.startswith("in") else "predictions"
    return Batch("m", role, partition, "", np.arange(n, dtype=np.int64), times.astype(np.int64), columns)  # type: ignore[arg-type]


def part(batch: Batch, start: int, stop: int) -> Slice:
    def cut(values: Any) -> Any:
        return replace(values, values=values.values[start:stop])

    piece = replace(
        batch, seq=batch.seq[start:stop], time_ms=batch.time_ms[start:stop], columns={k: cut(v) for k, v in batch.columns.items()}
    )
    return Slice(batch.partition.split("/")[0], batch.partition, stop, 0, (piece,), stop - start, 0)


def dealt(sizes: Sequence[int], order: Sequence[int]) -> Iterator[Slice]:
    """All partitions to their ends: slice sizes and the partition whose turn it is are taken from the two lists, round and round."""
    at = dict.fromkeys(PARTITIONS, 0)
    turn = 0
    while any(at[p] < len(log(p)) for p in PARTITIONS):
        partition = PARTITIONS[order[turn % len(order)] % len(PARTITIONS)]
        if at[partition] >= len(log(partition)):
            partition = next(p for p in PARTITIONS if at[p] < len(log(p)))
        size = sizes[turn % len(sizes)]
        stop = min(len(log(partition)), at[partition] + size)
        yield part(log(partition), at[partition], stop)
        at[partition] = stop
        turn += 1


class Run:
    """One engine with a store and as many fold workers as asked for (0: the engine folds itself)."""

    def __init__(self, workers: int = 0, store: Any = None) -> None:
        self.store = store or MemoryStore()
        self.engine = Engine(plan(), self.store.load())
        self.engine.assign(PARTITIONS)
        self.workers = [Fold(plan()) for _ in range(workers)]

    def take(self, piece: Slice) -> None:
        if self.workers:
            worker = self.workers[PARTITIONS.index(piece.partition) % len(self.workers)]
            self.engine.add(worker.fold(piece), arrival_ms=0, records=piece.records)
        else:
            self.engine.absorb(piece)
        self.store.save(self.engine.drain())
        while self.engine.due():
            due = self.engine.due()[0]
            rows = self.store.windows(due.model, due.from_ms, due.until_ms)
            self.engine.learned(perform(plan().models["m"], due, rows, self.engine.references.get("m")))
            reference = self.engine.references["m"]
            for worker in self.workers:
                worker.set_cuts("m", reference.cuts, reference.effective_ms)
            self.store.save(self.engine.drain())

    def end(self) -> tuple[list[Verdict], Counter[tuple[str, str]], list[str]]:
        self.store.save(self.engine.drain())
        incidents = [i.id for i in self.store.incidents()]
        return list(self.store.verdicts()), self.store.load().counts, incidents


@cache
def expected() -> tuple[tuple[Verdict, ...], Counter[tuple[str, str]], tuple[str, ...]]:
    run = Run()
    for piece in dealt([500], [0, 1, 2]):
        run.take(piece)
    verdicts, counts, incidents = run.end()
    return tuple(verdicts), counts, tuple(incidents)


def same(run: Run) -> None:
    verdicts, counts, incidents = run.end()
    wanted, wanted_counts, wanted_incidents = expected()
    assert [plain(v) for v in verdicts] == [plain(v) for v in wanted]
    assert counts == wanted_counts
    assert tuple(incidents) == wanted_incidents


def plain(verdict: Verdict) -> Any:
    """Sums of floats agree to many digits, not to the last one."""
    subjects = tuple((s.name, s.statistic, s.direction, round(s.size, 6), round(s.share, 6), s.onset_ms) for s in verdict.subjects)
    return replace(verdict, evidence=round(verdict.evidence, 6), subjects=()), subjects


def test_the_walk_learns_judges_and_pages() -> None:
    """Without this the laws below could hold for an engine that concludes nothing."""
    verdicts, counts, incidents = expected()
    statuses = Counter(v.status for v in verdicts)
    assert statuses["unknown"] >= 7 * 24 - 1
    assert statuses["ok"] > 0
    assert statuses["page"] > 0
    assert counts["m", "late"] > 0
    assert incidents


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=6),
    order=st.lists(st.integers(0, 2), min_size=1, max_size=7),
    workers=st.sampled_from([0, 1, 2, 5]),
)
def test_batches_and_workers_change_nothing(sizes: list[int], order: list[int], workers: int) -> None:
    if max(sizes) < 20:
        sizes = [*sizes, 400]  # thousands of slices of one event each take long and show nothing more
    run = Run(workers)
    for piece in dealt(sizes, order):
        run.take(piece)
    same(run)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(crashes=st.lists(st.integers(0, 11), min_size=1, max_size=3, unique=True))
def test_a_crash_between_two_saves_changes_nothing(crashes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The engine is thrown away with what it had not saved; the next one goes on from the state file."""
    path = tmp_path_factory.mktemp("crash") / "state.db"
    run = Run(store=SqliteStore(path))
    at = dict.fromkeys(PARTITIONS, 0)
    for number, piece in enumerate(list(dealt([500], [0, 1, 2]))):
        if number in crashes:
            run.engine.absorb(piece)  # read, and not saved
            run.store.close()
            run = Run(store=SqliteStore(path))
            assert run.engine.positions() == at
        run.take(piece)
        at[piece.partition] = piece.next_offset
    same(run)
    run.store.close()
