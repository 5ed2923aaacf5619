"""What the page budget costs: seconds to calibrate, milliseconds to close a window, bytes of state, a backtest from frames.

CPU seconds of this process, which keeps to one core (set OMP_NUM_THREADS=1). The model has 50 numeric features and 28 days of
five-minute windows; its state is one open window of four partitions with 64 cells a feature, and the evidence. The backtest walks
5 million events of 20 features from frames of a day each, made as they are read and not counted, against a reference learnt before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from monitor.plan import Plan

NAME = "budget"
HELP = "seconds to calibrate, milliseconds to close a window, bytes of state, events per second of a backtest"
DAYS, PARTITIONS = 28, 4
PER_WINDOW = 580  # events, in the reference as after it


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", type=int, default=50, help="features of the calibrated model (default: %(default)s)")
    parser.add_argument("--events", type=int, default=5_000_000, help="events of the backtest (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a small form: 6 features, 3 days of reference, 50,000 events")


def measure(args: argparse.Namespace) -> dict[str, float]:
    if args.quick:
        return _model(6, days=3) | _backtest(50_000, features=3, days=3)
    return _model(args.features, DAYS) | _backtest(args.events, 20, DAYS)


def _model(features: int, days: int) -> dict[str, float]:
    from detectors.budget.calibration import Options, calibrate
    from detectors.testing.traffic import DAY_MS, SCENARIOS, WINDOW_MS, draw
    from monitor.bench.episodes import cost

    per_day = DAY_MS // WINDOW_MS
    columns, past = draw(SCENARIOS["all"], features, days * per_day, 1, world=1)
    began = time.process_time()
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    spent = time.process_time() - began
    del past
    _, day = draw(SCENARIOS["all"], features, per_day, 2, world=1, start_ms=days * DAY_MS)
    closing = cost(calibration, day)
    panes = _panes(features)
    return {
        "calibration_s": spent, "calibration_bytes": float(len(calibration.pack())), "step_ms": closing["step_ms"],
        "evidence_bytes": float(closing["state_bytes"]), "pane_bytes": panes, "state_bytes": closing["state_bytes"] + panes,
    }  # fmt: skip


def _panes(features: int, events: int = 5000) -> float:
    """Packed bytes of one open window of every partition."""
    import numpy as np

    from detectors.cuts import NumericCuts, learn
    from detectors.hashing import event_keys
    from detectors.summaries.histogram import Histogram
    from detectors.summaries.sample import Sample

    rng = np.random.default_rng(5)
    total = 0
    for _ in range(features):
        values = rng.normal(size=events)
        cuts = learn("numeric", [Sample.fold(event_keys("bench/0", np.arange(events)), values)])
        assert isinstance(cuts, NumericCuts)
        total += sum(len(Histogram.fold(cuts, part).pack()) for part in np.array_split(values, PARTITIONS))
    return float(total)


def _backtest(events: int, features: int, days: int) -> dict[str, float]:
    from monitor import backtest, learn
    from monitor.plan import DAY_MS, Feature, Model, Owner, Plan, Schema, Stream

    window_ms, name = 300_000, "bench"
    schema = Schema(tuple(Feature(f"x{i}", "numeric", ("features", f"x{i}")) for i in range(features)))
    plan = Plan(
        models={name: Model(name, name, schema, window_ms=window_ms)},
        owners={name: Owner(name)},
        streams={name: Stream(name, name, "inputs")},
    )
    windows = days * DAY_MS // window_ms
    learnt = learn(plan, _frames(plan, 3, 0, windows, PER_WINDOW))
    frames = _Timed(_frames(plan, 4, windows, -(-events // PER_WINDOW), PER_WINDOW))
    began = time.process_time()
    result = backtest(plan, frames, learnt)
    spent = time.process_time() - began - frames.made_s
    judged = len(result.windows)
    return {
        "backtest_events": float(frames.rows), "backtest_windows": float(judged), "backtest_cpu_s": spent,
        "backtest_events_per_second": frames.rows / spent, "backtest_pages": float(len(result.pages)),
    }  # fmt: skip


class _Timed:
    """Frames, and the seconds that making them took."""

    def __init__(self, frames: Iterator[pd.DataFrame]) -> None:
        self._frames, self.made_s, self.rows = frames, 0.0, 0

    def __iter__(self) -> Iterator[pd.DataFrame]:
        while True:
            began = time.process_time()
            frame = next(self._frames, None)
            self.made_s += time.process_time() - began
            if frame is None:
                return
            self.rows += len(frame)
            yield frame


def _frames(plan: Plan, seed: int, first: int, windows: int, per_window: int) -> Iterator[pd.DataFrame]:
    """Normal numbers for every feature, evenly spread over `windows` windows from number `first` on, a day at a time."""
    import numpy as np
    import pandas as pd

    (model,) = plan.models.values()
    rng = np.random.default_rng(seed)
    per_day = 288
    for begin in range(first, first + windows, per_day):
        rows = min(per_day, first + windows - begin) * per_window
        times = begin * model.window_ms + np.arange(rows) * model.window_ms // per_window
        columns = {feature.name: rng.normal(size=rows) for feature in model.schema.features}
        yield pd.DataFrame({"time": pd.to_datetime(times, unit="ms", utc=True), **columns})
