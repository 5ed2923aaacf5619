"""What the chain promises whoever steps it: nothing lost, nothing mutated, nothing different for being interrupted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.chain import Chain, State
from detectors.budget.history import History
from detectors.budget.walk import pages_of
from detectors.layout import Column
from detectors.testing.steps import walk
from detectors.testing.traffic import WINDOW_MS, Drift

Live = Callable[..., History]


def frozen_bytes(state: State) -> bytes:
    return state.pack()


def test_stepping_and_walking_page_in_the_same_windows(chain: Chain, calibration: Calibration, live: Live) -> None:
    """Calibration, reports and benches judge a stretch at once; the daemon steps. Both must be the same detector."""
    history = live(220, 7, Drift(shift=0.3), onset=100)
    thresholds = (30.0, 300.0, 3000.0)
    expected = pages_of(calibration, history, thresholds)
    for threshold, rows in zip(thresholds, expected, strict=True):
        state, found = chain.zero(), []
        for row, start in enumerate(history.start_ms):
            state, reading = chain.step(state, int(start), {n: t[row] for n, t in history.counts.items()})
            if reading.log10_m >= math.log10(threshold):
                found.append(row)
                state = chain.reset(state)
        assert found == rows
    assert expected[2], "the drift must be found, or this test compares nothing"


def test_step_leaves_its_argument_alone(chain: Chain, live: Live) -> None:
    for _, state, _ in walk(chain, live(5, 3)):
        before = state.pack()
        history = live(1, 4)
        chain.step(state, state.end_ms, {n: t[0] for n, t in history.counts.items()})
        assert state.pack() == before


@settings(max_examples=8, deadline=None)
@given(at=st.integers(1, 29))
def test_an_interruption_changes_nothing(chain: Chain, at: int, live: Live) -> None:
    """Packed and unpacked after any window, the evidence goes on as if nothing had happened."""
    history = live(30, 11)
    readings = [r.log10_m for _, _, r in walk(chain, history)]
    state = chain.zero()
    for row, start in enumerate(history.start_ms):
        if row == at:
            state = chain.unpack(state.pack())
        state, reading = chain.step(state, int(start), {n: t[row] for n, t in history.counts.items()})
        assert reading.log10_m == readings[row]


@settings(max_examples=8, deadline=None)
@given(quiet=st.sets(st.integers(2, 38), max_size=20))
def test_an_empty_window_is_no_window(chain: Chain, quiet: set[int], live: Live) -> None:
    """Quiet hours and gaps cost nothing: a row of zeros and no row at all leave the same evidence."""
    history = live(40, 12)
    some = [r for r in range(40) if r not in quiet]
    gaps = History(history.start_ms[some], WINDOW_MS, {n: t[some] for n, t in history.counts.items()})
    zeros = History(
        history.start_ms, WINDOW_MS, {n: np.where(np.isin(np.arange(40), some)[:, None], t, 0) for n, t in history.counts.items()}
    )
    *_, (_, _, skipped) = walk(chain, gaps)
    *_, (_, _, empty) = walk(chain, zeros)
    assert skipped.log10_m == pytest.approx(empty.log10_m, abs=1e-9)


def test_a_gap_of_a_month_breaks_nothing(chain: Chain, live: Live) -> None:
    history = live(4, 13)
    *_, (_, state, _) = walk(chain, history)
    state, reading = chain.step(state, int(history.start_ms[-1]) + 30 * 86_400_000, {n: t[0] for n, t in history.counts.items()})
    assert math.isfinite(reading.log10_m)
    assert reading.log10_m < reading.log10_a


def test_a_window_from_the_past_is_refused(chain: Chain, live: Live) -> None:
    history = live(2, 14)
    *_, (_, state, _) = walk(chain, history)
    with pytest.raises(ValueError, match="begins before the last one's end"):
        chain.step(state, int(history.start_ms[0]), {n: t[0] for n, t in history.counts.items()})


def test_a_column_of_another_width_is_named(chain: Chain) -> None:
    with pytest.raises(ValueError, match=r"'f0': 3 cells, the reference has 69"):
        chain.step(chain.zero(), 0, {"f0": np.zeros(3, np.int64)})


def test_state_of_another_calibration_is_refused(chain: Chain, reference: tuple[list[Column], History]) -> None:
    columns, history = reference
    short = History(history.start_ms[:600], WINDOW_MS, {n: t[:600] for n, t in history.counts.items()})
    other = Chain(calibrate(columns, short, Options(WINDOW_MS)))
    with pytest.raises(ValueError, match="belongs to calibration"):
        other.unpack(chain.zero().pack())


def test_calibration_survives_packing(calibration: Calibration) -> None:
    data = calibration.pack()
    again = Calibration.unpack(data)
    assert again.pack() == data
    for field in fields(again.learnt):
        np.testing.assert_array_equal(getattr(again.learnt, field.name), getattr(calibration.learnt, field.name))


def test_damaged_bytes_are_refused(calibration: Calibration) -> None:
    data = bytearray(calibration.pack())
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        Calibration.unpack(bytes(data))


def test_weights_sum_to_one(calibration: Calibration) -> None:
    assert calibration.weights.sum() == pytest.approx(1.0)


def test_state_and_calibration_stay_small(chain: Chain, calibration: Calibration) -> None:
    """At most 1 MB for 50 features; six columns may take an eighth of it."""
    assert len(calibration.pack()) + len(chain.zero().pack()) < 131_072
