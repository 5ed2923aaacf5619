"""The river of the bench: codec, fold and engine over one model, with a clock on each part."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from detectors.budget.calibration import calibrate
from detectors.budget.history import History
from detectors.cuts import learn
from monitor.batch import Records
from monitor.bench.traffic import MODEL, START_MS, STREAM, WINDOW_MS, plan
from monitor.codecs import codec_for
from monitor.engine import Engine
from monitor.fold import Fold
from monitor.learning import options
from monitor.reference import Reference

DAYS = 2  # enough for the cadences that a week has, in a quarter of its time


def calibrated(traffic: Sequence[Records]) -> Reference:
    """A reference for the bench's model: cells learnt from `traffic`, the law of its windows from counts drawn with the same shares."""
    bench = plan()
    model, fold, codec = bench.models[MODEL], Fold(bench), codec_for(bench, bench.streams[STREAM])
    panes = [pane for records in traffic for pane in fold.fold(codec.decode(records)).panes.values()]
    cuts = {c.name: learn(c.kind, [pane.columns[c.name] for pane in panes]) for c in model.columns}
    counting = Fold(bench, {MODEL: (cuts, 0)})
    counted = [pane for records in traffic for pane in counting.fold(codec.decode(records)).panes.values()]
    rng = np.random.default_rng(3)
    windows = DAYS * 288
    counts = {}
    for name in cuts:
        total = np.sum([pane.columns[name].cells() for pane in counted], axis=0)  # type: ignore[attr-defined]  # histograms and categories
        counts[name] = rng.multinomial(5000, total / total.sum(), size=windows)
    end_ms = START_MS
    starts = end_ms - WINDOW_MS * np.arange(windows, 0, -1, dtype=np.int64)
    calibration = calibrate(model.columns, History(starts, WINDOW_MS, counts), options(model))
    return Reference(MODEL, model.digest, cuts, 0, int(starts[0]), end_ms, calibration)


@dataclass
class River:
    """One engine under load; `cpu_s` by part: fetch, decode, fold, judge (which merges panes and closes windows too)."""

    reference: Reference
    cpu_s: dict[str, float] = field(default_factory=dict)
    events: int = 0
    windows: int = 0
    wall_s: float = 0.0

    def __post_init__(self) -> None:
        bench = plan()
        self._codec = codec_for(bench, bench.streams[STREAM])
        self._engine = Engine(bench)
        self._engine.install(self.reference)

    @property
    def total_s(self) -> float:
        return sum(self.cpu_s.values())

    def shares(self) -> dict[str, float]:
        """Part of the CPU time that each part took."""
        return {f"share_{part}": seconds / self.total_s for part, seconds in self.cpu_s.items()}

    def run(self, traffic: Iterable[Records], assigned: Iterable[str], *, fetching: bool = False) -> River:
        """All of the traffic, then the windows still open."""
        engine, codec = self._engine, self._codec
        engine.assign(assigned)
        gc.collect()
        wall, last = time.perf_counter(), time.process_time()
        clock = dict.fromkeys(("fetch", "decode", "fold", "judge"), 0.0)

        def lap(part: str) -> None:
            nonlocal last
            now = time.process_time()
            clock[part] += now - last
            last = now

        for records in traffic:
            lap("fetch")
            piece = codec.decode(records)
            lap("decode")
            folded = engine.fold.fold(piece)
            lap("fold")
            engine.add(folded, arrival_ms=piece.arrival_ms, records=piece.records)
            self.windows += len(engine.drain().windows)
            self.events += sum(map(len, piece.batches))
            lap("judge")
        engine.close_all()
        self.windows += len(engine.drain().windows)
        lap("judge")
        self.wall_s = time.perf_counter() - wall
        if not fetching:
            del clock["fetch"]
        self.cpu_s = clock
        return self
