"""What learning holds: rows are let go, counts are kept narrow, and tables of a number per window and stream are few at any time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from detectors.budget.calibration import Options, calibrate
from detectors.budget.history import narrow
from detectors.cuts import NumericCuts
from detectors.testing.traffic import SCENARIOS, WINDOW_MS, draw
from monitor.changes import WindowRow
from monitor.learning import ROWS_AT_ONCE, history_of
from monitor.plan import Feature, Model, Schema
from monitor.reference import pack_cells
from monitor.verdict import Verdict, verdict_id

# Four of the series, residuals, innovations, z, and what a step works on, are 13 here; 20 when every step took all streams at once.
TABLES = 16


def test_a_calibration_holds_few_tables_at_a_time() -> None:
    columns, drawn = draw(SCENARIOS["all"], 16, 7 * 288, 3)
    history = replace(drawn, counts={name: narrow(table) for name, table in drawn.counts.items()})
    del drawn
    tracemalloc.start()
    try:
        learnt = calibrate(columns, history, Options(WINDOW_MS))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    table = len(history.start_ms) * len(learnt.shape.streams) * 8
    assert peak < TABLES * table, f"{peak / table:.1f} tables of {table / 1e6:.1f} MB"


def test_windows_become_counts_whatever_their_size() -> None:
    """A count that needs more bytes than those before it widens its column and no other; rows are read a few at a time and let go."""
    rng = np.random.default_rng(4)
    windows = 2 * ROWS_AT_ONCE + 7
    counts = {name: rng.integers(0, 100, (windows, 7)) for name in ("x", "y", "z")}
    counts["y"][ROWS_AT_ONCE + 3, 4] = 40_000
    counts["z"][-1, 0] = 5_000_000_000
    alive = [0, 0]

    class Row(WindowRow):
        def __init__(self, t: int) -> None:
            at = t * WINDOW_MS
            verdict = Verdict(verdict_id("m", at), "m", at, at + WINDOW_MS, "ok", 1, 0.0, 0.0)
            WindowRow.__init__(self, verdict, "cells", {name: pack_cells(table[t]) for name, table in counts.items() if name != "z" or t})
            alive[0] += 1
            alive[1] = max(alive)

        def __del__(self) -> None:
            alive[0] -= 1

    def rows() -> Iterator[WindowRow]:
        return (Row(t) for t in range(windows))

    counts["z"][0] = 0  # the column was not seen in the first window
    model = Model("m", "team", Schema(tuple(Feature(name, "numeric", (name,)) for name in counts)), window_ms=WINDOW_MS)
    cuts = {name: NumericCuts(np.array([1.0]), 0.0, 2.0, np.array([0.5, 1.5])) for name in counts}
    history = history_of(model, rows(), cuts)
    for name, table in counts.items():
        np.testing.assert_array_equal(history.counts[name], table)
    assert [history.counts[name].dtype for name in counts] == [np.int8, np.int32, np.int64]
    assert alive[1] <= 2 * ROWS_AT_ONCE, "a few at a time"
    assert list(history.start_ms) == [t * WINDOW_MS for t in range(windows)]
