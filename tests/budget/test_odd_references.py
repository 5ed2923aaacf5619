"""References that nobody would choose and everybody has: learnt or refused, never a number that is not one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.budget.calibration import Options, TooLittle, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.budget.walk import pages_of
from detectors.layout import Column, columns_of
from detectors.testing.steps import walk

HOUR = 3_600_000


def table(rng: np.random.Generator, kind: str, windows: int, events: int) -> np.ndarray:
    """Counts of one column whose values behave as `kind` says."""
    n = rng.poisson(events, windows) * (rng.random(windows) < 0.9)
    shares = {
        "full": np.r_[np.zeros(4), np.full(12, 1 / 12), 0],
        "still": np.r_[np.zeros(4), 1.0, np.zeros(4)],
        "two": np.r_[np.zeros(4), 0.97, 0.03, 0],
        "missing": np.r_[1.0, np.zeros(8)],
        "half missing": np.r_[0.5, np.zeros(3), np.full(8, 0.5 / 8), 0],
        "heaped": np.r_[np.zeros(4), 0.9, 0.001, 0.05, 0.049, 0],
        "infinite": np.r_[0, 0.2, 0.1, np.zeros(1), np.full(7, 0.1), 0],
    }[kind]
    return rng.multinomial(n, shares / shares.sum())


KINDS = ["full", "still", "two", "missing", "half missing", "heaped", "infinite"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    levels=st.booleans(),
    events=st.sampled_from([0, 1, 7, 40, 5000]),
    windows=st.sampled_from([8, 50, 200, 400]),
    seed=st.integers(0, 1000),
)
def test_whatever_the_reference(kinds: list[str], levels: bool, events: int, windows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns: list[Column] = []
    counts: dict[str, np.ndarray] = {}
    for i, kind in enumerate(kinds):
        columns += columns_of(f"x{i}", "numeric", "inputs")
        counts[f"x{i}"] = table(rng, kind, windows, events)
    if levels:
        columns += columns_of("prediction", "categorical", "predictions")
        counts["prediction"] = np.c_[np.zeros((windows, 4), int), rng.multinomial(np.full(windows, events), [0.7, 0.2, 0.1])]
    starts = HOUR * np.cumsum(rng.choice([1, 1, 1, 3], windows)).astype(np.int64)
    history = History(starts, HOUR, counts)
    try:
        calibration = calibrate(columns, history, Options(HOUR))
    except TooLittle:
        assert not any(t.sum() for t in counts.values())
        return
    chain = Chain(calibration)
    follow = History(starts + starts[-1], HOUR, {n: t[::-1] for n, t in counts.items()})
    for _, _, reading in walk(chain, follow):
        assert math.isfinite(reading.log10_m)
        assert all(math.isfinite(lead.size) for lead in reading.leads)
    pages_of(calibration, follow, (1000.0,))


@pytest.mark.parametrize("cell", [0, 2, 3, 4, 8])
def test_values_where_there_never_were_any(cell: int) -> None:
    """A column that was always missing comes to life, or its one value goes elsewhere: at once, whatever cell it falls in."""
    rng = np.random.default_rng(1)
    columns = columns_of("x", "numeric", "inputs") + columns_of("y", "numeric", "inputs")
    x = table(rng, "missing" if cell else "still", 400, 50)
    history = History(HOUR * np.arange(400, dtype=np.int64), HOUR, {"x": x, "y": table(rng, "full", 400, 50)})
    chain = Chain(calibrate(columns, history, Options(HOUR)))
    changed = np.zeros(9, np.int64)
    changed[cell] = 50
    _, reading = chain.step(chain.zero(), 400 * HOUR, {"x": changed, "y": history.counts["y"][1]})
    assert reading.log10_m >= reading.log10_a
    assert reading.leads[0].column == "x"
