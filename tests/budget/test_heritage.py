"""A reference learnt anew takes the evidence over: nothing found is forgotten, and nothing is added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detectors.budget.calibration import Options, calibrate
from detectors.budget.chain import Chain, Reading, State
from detectors.budget.history import History
from detectors.layout import Column, columns_of
from detectors.testing.steps import walk
from detectors.testing.traffic import WINDOW_MS, Drift

Live = Callable[..., History]
NIGHT = 60


@pytest.fixture(scope="module")
def renewed(reference: tuple[list[Column], History], live: Live) -> Chain:
    """Learnt from the reference and a day more."""
    columns, past = reference
    day = live(288, 21)
    starts = np.r_[past.start_ms, day.start_ms]
    return Chain(
        calibrate(columns, History(starts, WINDOW_MS, {n: np.r_[t, day.counts[n]] for n, t in past.counts.items()}), Options(WINDOW_MS))
    )


def walked(chain: Chain, history: History) -> tuple[State, Reading]:
    *_, (_, state, reading) = walk(chain, history)
    return state, reading


def named(chain: Chain, i: int) -> tuple[str, str, int]:
    stream = chain.calibration.shape.streams[i]
    return chain.calibration.shape.layout.columns[stream.column].name, stream.statistic, stream.cadence


def test_evidence_and_onset_survive_the_night(chain: Chain, renewed: Chain, live: Live) -> None:
    ramp = live(NIGHT, 22, Drift(shift=0.35), onset=NIGHT - 14)
    state, before = walked(chain, ramp)
    assert before.log10_m > before.log10_ticket, "there must be something to carry"
    warm, _ = walked(renewed, ramp)
    heir = renewed.inherit(renewed.reset(warm), chain, state)
    start = state.end_ms
    quiet = live(NIGHT + 1, 22)
    _, told = renewed.step(heir, start, {n: t[-1] for n, t in quiet.counts.items()})
    _, forgotten = renewed.step(renewed.reset(warm), start, {n: t[-1] for n, t in quiet.counts.items()})
    assert told.leads
    assert (told.leads[0].column, told.leads[0].statistic) == (before.leads[0].column, before.leads[0].statistic)
    assert told.leads[0].onset_ms == before.leads[0].onset_ms
    assert told.log10_m > forgotten.log10_m + 1
    np.testing.assert_array_equal(heir.level, warm.level)
    assert renewed.unpack(heir.pack()).pack() == heir.pack()


def test_there_is_never_more_evidence_than_there_was(chain: Chain, renewed: Chain, live: Live) -> None:
    state, _ = walked(chain, live(NIGHT, 23, Drift(shift=0.4, features=3)))
    warm = renewed.zero()
    heir = renewed.inherit(warm, chain, state)
    assert 0 < (renewed.calibration.weights * heir.sums).sum() <= (chain.calibration.weights * state.sums).sum() * (1 + 1e-12)
    # time is credited once: what was counted until the old state's end is not counted again
    old = {named(chain, i): state.last_ms[i] for i in range(len(chain.calibration.shape.streams))}
    both = [i for i in range(len(renewed.calibration.shape.streams)) if named(renewed, i) in old]
    assert len(both) > 30
    assert [heir.last_ms[i] for i in both] == [old[named(renewed, i)] for i in both]


def test_a_stream_whose_weight_grew_has_its_sums_scaled_down(chain: Chain, reference: tuple[list[Column], History], live: Live) -> None:
    """Without the other columns each stream weighs several times as much; half of what is there may not become more than it was."""
    columns, past = reference
    few = Chain(calibrate(columns[:2], past, Options(WINDOW_MS)))
    state, _ = walked(chain, live(NIGHT, 24, Drift(shift=0.4)))
    heir = few.inherit(few.zero(), chain, state)
    mine = [i for i in range(len(chain.calibration.shape.streams)) if named(chain, i)[0] in ("f0", "f1")]
    was = (chain.calibration.weights * state.sums)[mine].sum()
    assert (few.calibration.weights * heir.sums).sum() == pytest.approx(was, rel=1e-9)


def test_of_the_same_calibration_all_evidence_is_kept(chain: Chain, live: Live) -> None:
    state, reading = walked(chain, live(NIGHT, 25, Drift(shift=0.4)))
    held = chain.freeze(state, reading.leads)
    heir = chain.inherit(chain.zero(), chain, held)
    for name in ("sums", "trail", "first_ms", "moved", "weighed", "base", "held", "part", "met", "back", "ring_moved", "ring_weighed"):
        np.testing.assert_array_equal(getattr(heir, name), getattr(held, name), name)
    np.testing.assert_array_equal(heir.level[held.held], held.level[held.held])
    assert not heir.level[~held.held].any()


def test_levels_are_told_apart_by_their_cells(chain: Chain, live: Live) -> None:
    """All levels of a column share name, statistic, cadence and law; each one's evidence must still come to itself."""
    state, _ = walked(chain, live(NIGHT, 26))
    levels = [i for i, s in enumerate(chain.calibration.shape.streams) if s.statistic == "level"]
    marked = replace(state, sums=state.sums.copy())
    marked.sums[levels] = np.arange(1.0, len(levels) + 1)[:, None, None]
    heir = chain.inherit(chain.zero(), chain, marked)
    np.testing.assert_array_equal(heir.sums[levels], marked.sums[levels])


def test_a_mix_is_told_by_its_direction() -> None:
    """Learnt anew, the two directions of a column may change places: each one's evidence must still come to itself."""
    rng = np.random.default_rng(8)
    columns = columns_of("x", "categorical", "inputs")
    T = 288 * 14
    swings = np.repeat(rng.normal(size=(T // 12, 2)), 12, axis=0) * [0.2, 0.1]
    loadings = np.array([[1.0, -1.0, 0, 0, 0, 0], [0, 0, 1.0, -1.0, 0, 0]])
    cells = rng.poisson(50 * np.clip(1 + swings @ loadings, 0, None))
    past = History(np.arange(T) * WINDOW_MS, WINDOW_MS, {"x": np.c_[np.zeros((T, 4), np.int64), cells]})
    before = calibrate(columns, past, Options(WINDOW_MS))
    panel = before.shape.panel
    after = replace(before, shape=replace(before.shape, panel=replace(panel, direction=panel.direction[::-1])))
    mixes = [i for i, s in enumerate(before.shape.streams) if s.statistic == "mix"]
    assert len(mixes) == 2
    old, new = Chain(before), Chain(after)
    marked = old.zero()
    marked.sums[mixes] = np.array([1.0, 2.0])[:, None, None]
    heir = new.inherit(new.zero(), old, marked)
    np.testing.assert_array_equal(heir.sums[mixes], marked.sums[mixes[::-1]])
    np.testing.assert_array_equal(old.inherit(old.zero(), old, marked).sums[mixes], marked.sums[mixes])


def test_states_of_other_chains_are_refused(chain: Chain, renewed: Chain) -> None:
    with pytest.raises(ValueError, match="expected ones of"):
        renewed.inherit(chain.zero(), chain, chain.zero())
    with pytest.raises(ValueError, match="expected ones of"):
        renewed.inherit(renewed.zero(), chain, renewed.zero())
