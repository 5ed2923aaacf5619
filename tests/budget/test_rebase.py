"""A new normal for some columns: silent afterwards, still awake, and nobody else's business."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.budget.calibration import Calibration, TooLittle
from detectors.budget.chain import Chain, State
from detectors.budget.history import History
from detectors.budget.rebase import rebase
from detectors.budget.walk import left_of, pages_of, tape_of
from detectors.testing.steps import walk
from detectors.testing.traffic import Drift

Live = Callable[..., History]
MOVED = ("f0", "colour")
HOURS_6 = 72
SHIFT = Drift(shift=1.0)


def shares_moved(history: History, seed: int, first: int = 0) -> History:
    """The class `colour` as another version of the model would spread it, from window `first` on."""
    colour = history.counts["colour"].copy()
    n = colour.sum(1)[first:]
    colour[first:, 4:] = np.random.default_rng(seed).multinomial(n, [0.05, 0.3, 0.15, 0.2, 0.3])
    return History(history.start_ms, history.window_ms, {**history.counts, "colour": colour})


def part(history: History, rows: slice) -> History:
    return History(history.start_ms[rows], history.window_ms, {n: t[rows] for n, t in history.counts.items()})


def new_version(live: Live, windows: int, seed: int) -> History:
    return shares_moved(live(windows, seed, SHIFT), seed)


@pytest.fixture(scope="module")
def rebased(calibration: Calibration, live: Live) -> Calibration:
    return rebase(calibration, new_version(live, HOURS_6, 71), MOVED)


@pytest.mark.parametrize("seed", range(81, 86))
def test_a_week_of_the_new_normal_is_silent(calibration: Calibration, live: Live, seed: int) -> None:
    """At a tenth of the budget 2.3 pages a week are allowed on average in valid evidence; P(more than 7) is 0.002."""
    lived = new_version(live, HOURS_6 + 2016, seed)
    recent, later = part(lived, slice(HOURS_6)), part(lived, slice(HOURS_6, None))
    assert pages_of(calibration, recent)[0], "the change must be one that would have paged"
    after = rebase(calibration, recent, MOVED)
    tenth = calibration.options.budget_ms / lived.window_ms / 10
    own, often = pages_of(after, later, (after.threshold, tenth))
    assert not own
    assert len(often) <= 7


@pytest.mark.parametrize(
    ("then", "because"),
    [
        (Drift(shift=1.5), "half an sd on top of the new level is as visible as on the old"),
        (Drift(shift=0.5), "half an sd below it too"),
        (Drift(), "the old level is no longer normal"),
        (Drift(shift=1.0, scale=1.5), "its spread was not called normal"),
    ],
)
def test_what_moves_on_is_found_within_an_hour(rebased: Calibration, live: Live, then: Drift, because: str) -> None:
    lived = shares_moved(live(HOURS_6 + 24, 72, then), 72)
    found = pages_of(rebased, part(lived, slice(HOURS_6, None)))[0]
    assert found, because
    assert found[0] < 12, because


def test_streams_of_the_new_normal_have_mean_zero(rebased: Calibration, live: Live) -> None:
    """Over a week after it, what filters leave of the moved columns lies within their dead zones, and their z scatters as before."""
    left = left_of(rebased, part(new_version(live, 2016, 91), slice(HOURS_6, None)))
    tape = tape_of(rebased, left)
    for i, stream in enumerate(rebased.shape.streams):
        name = rebased.shape.layout.columns[stream.column].name
        seen = tape.elapsed[:, i] > 0
        if name not in MOVED or stream.law == "rate" or seen.sum() < 100:
            continue
        z = tape.z[seen, i] / rebased.learnt.kappa[i]
        error = 4 * z.std() / math.sqrt(len(z))
        excess = z.mean() if stream.law == "omnibus" else abs(z.mean())
        assert excess < rebased.learnt.dead[i] + error, (name, stream.statistic, stream.cadence)
        assert z.std() < 1.3, (name, stream.statistic, stream.cadence)


def test_other_columns_do_not_notice(calibration: Calibration, rebased: Calibration, live: Live) -> None:
    history = new_version(live, 150, 73)
    before, after = (tape_of(c, left_of(c, history)) for c in (calibration, rebased))
    others = [
        i for i, s in enumerate(calibration.shape.streams) if calibration.shape.layout.columns[s.column].name not in MOVED
    ]  # fmt: skip
    for field in ("z", "elapsed"):
        np.testing.assert_array_equal(getattr(before, field)[:, others], getattr(after, field)[:, others])
    rates = np.isin(np.flatnonzero(before.rate), others)
    np.testing.assert_array_equal(before.due[:, rates], after.due[:, rates])
    for field in ("dead", "cost"):
        np.testing.assert_array_equal(getattr(before, field)[others], getattr(after, field)[others])


def test_what_stays(calibration: Calibration, rebased: Calibration) -> None:
    """The streams, their weights, season, wander, tails; dead zones only grow."""
    assert rebased.shape.streams == calibration.shape.streams
    np.testing.assert_array_equal(rebased.weights, calibration.weights)
    for field in fields(calibration.wander):
        np.testing.assert_array_equal(getattr(rebased.wander, field.name), getattr(calibration.wander, field.name))
    for name in ("tails", "cost", "slots", "sharp"):
        np.testing.assert_array_equal(getattr(rebased.learnt, name), getattr(calibration.learnt, name))
    np.testing.assert_array_equal(rebased.learnt.gamma[1:], calibration.learnt.gamma[1:])
    np.testing.assert_array_equal(rebased.learnt.season[1:], calibration.learnt.season[1:])
    assert (rebased.learnt.dead >= calibration.learnt.dead).all()
    assert set(rebased.report["rebased"]) == set(MOVED)
    again = Calibration.unpack(rebased.pack())
    assert again.pack() == rebased.pack()
    np.testing.assert_array_equal(again.learnt.gamma, rebased.learnt.gamma)


def test_more_windows_leave_less_doubt(calibration: Calibration, live: Live) -> None:
    lived = new_version(live, 576, 74)
    few, many = (rebase(calibration, part(lived, slice(n)), MOVED).learnt.dead for n in (24, 576))
    assert (few >= many).all()
    assert few.sum() > many.sum()


def test_nothing_to_move_changes_nothing(calibration: Calibration, live: Live) -> None:
    assert rebase(calibration, live(20, 1), ()) is calibration


def test_too_little_and_the_unknown_are_refused(calibration: Calibration, live: Live) -> None:
    with pytest.raises(TooLittle, match="11 windows hold events of 'f1', at least 12"):
        rebase(calibration, live(11, 1), ["f1"])
    with pytest.raises(ValueError, match="no column 'f9'"):
        rebase(calibration, live(20, 1), ["f9"])
    history = live(20, 1)
    other = History(history.start_ms, 60_000, history.counts)
    with pytest.raises(ValueError, match="recent windows of 60000 ms"):
        rebase(calibration, other, ["f0"])


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_comes_the_new_law_is_finite(calibration: Calibration, live: Live, data: st.DataObject) -> None:
    """One cell only, all missing, all beyond the cells, next to nothing: numbers stay numbers, and the next window can be judged."""
    history = live(14, 5)
    cell = data.draw(st.integers(0, 68), label="cell")
    n = data.draw(st.sampled_from([1, 30, 5000]), label="events")
    f0, colour = np.zeros_like(history.counts["f0"]), np.zeros_like(history.counts["colour"])
    f0[:, cell], colour[:, cell % 9] = n, n
    odd = History(history.start_ms, history.window_ms, {**history.counts, "f0": f0, "colour": colour})
    after = rebase(calibration, odd, MOVED)
    for name in ("gamma", "season", "dead", "kappa", "upper", "effect_mean"):
        assert np.isfinite(getattr(after.learnt, name)).all(), name
    np.testing.assert_allclose(after.shape.panel.shares.sum(1), calibration.shape.panel.shares.sum(1), atol=1e-9)
    *_, (_, _, reading) = walk(Chain(after), odd)
    assert math.isfinite(reading.log10_m)
    assert reading.log10_m < reading.log10_a, "what was just called normal does not page"


def after_some_windows(chain: Chain, live: Live, rows: int = 100) -> State:
    *_, (_, state, reading) = walk(chain, new_version(live, rows, 75))
    return chain.freeze(state, reading.leads)


def test_adopting_forgets_the_moved_columns_and_nothing_else(chain: Chain, rebased: Calibration, live: Live) -> None:
    state = after_some_windows(chain, live)
    other = Chain(rebased)
    adopted = other.adopt(state, MOVED)
    zero = other.zero()
    streams = rebased.shape.streams
    mine = np.array([rebased.shape.layout.columns[s.column].name in MOVED for s in streams])
    rest = np.flatnonzero(~mine)
    for name in ("sums", "trail", "first_ms", "moved", "weighed", "base", "level", "spread", "held"):
        now, old, none = (getattr(s, name) for s in (adopted, state, zero))
        np.testing.assert_array_equal(now[rest], old[rest], name)
        np.testing.assert_array_equal(now[: len(mine)][mine], none[: len(mine)][mine], name)
    assert not adopted.sums[len(mine) :].any(), "the pooled group's evidence rests on the moved columns too"
    assert adopted.held[len(mine) :].all(), "an incident of other columns still holds the pooled group"
    for name in ("part", "met", "back", "ring_moved", "ring_weighed"):
        assert not getattr(adopted, name)[..., mine].any()
    moved = [i for i, c in enumerate(rebased.shape.layout.columns) if c.name in MOVED]
    assert (adopted.pending.first_ms[:, moved] == -1).all()
    assert (state.pending.first_ms[:, moved] >= 0).any(), "there must have been an open block to forget"
    others = [i for i in range(len(rebased.shape.layout.columns)) if i not in moved]
    np.testing.assert_array_equal(adopted.pending.expected[:, others], state.pending.expected[:, others])
    assert other.unpack(adopted.pack()).pack() == adopted.pack()
    with pytest.raises(ValueError, match="no column 'f9'"):
        other.adopt(state, ["f9"])


def test_emptying_drops_open_blocks_and_nothing_else(chain: Chain, live: Live) -> None:
    state = after_some_windows(chain, live)
    found, zero = chain.emptied(state, MOVED), chain.zero()
    moved = np.array([c.name in MOVED for c in chain.calibration.shape.layout.columns])
    assert (state.pending.first_ms[:, moved] >= 0).any(), "there must have been an open block to drop"
    assert (found.pending.first_ms[:, moved] == -1).all()
    np.testing.assert_array_equal(found.pending.first_ms[:, ~moved], state.pending.first_ms[:, ~moved])
    kept = replace(found, pending=state.pending, pool_sums=state.pool_sums, pool_counts=state.pool_counts)
    assert kept.pack() == state.pack()
    members = np.isin(chain.calibration.pool.members, [i for i, s in enumerate(chain.calibration.shape.streams) if moved[s.column]])
    assert state.pool_counts[:, members].any()
    assert not found.pool_counts[:, members].any()
    np.testing.assert_array_equal(found.pool_sums[:, ~members], state.pool_sums[:, ~members])
    assert chain.emptied(state, ()).pack() == state.pack()
    everything = chain.emptied(state, [c.name for c in chain.calibration.shape.layout.columns])
    np.testing.assert_array_equal(everything.pending.counts, zero.pending.counts)


def test_from_alarm_to_calm(chain: Chain, calibration: Calibration, live: Live) -> None:
    """A page, the answer "new normal", and two days of it window by window: evidence never comes near a page again."""
    lived = new_version(live, HOURS_6 + 576, 76)
    recent, later = part(lived, slice(HOURS_6)), part(lived, slice(HOURS_6, None))
    *_, (_, state, reading) = walk(chain, recent)
    assert reading.log10_m >= reading.log10_a
    after = Chain(rebase(calibration, recent, MOVED))
    highest = max(r.log10_m for _, _, r in walk(after, later, after.adopt(state, MOVED)))
    assert highest < math.log10(after.calibration.threshold)


def test_a_version_every_day_does_not_make_deaf(calibration: Calibration, live: Live) -> None:
    """Dead zones cover the last estimate's error, not the sum of all before."""
    once = many = rebase(calibration, new_version(live, HOURS_6, 77), MOVED)
    for seed in range(6):
        many = rebase(many, new_version(live, HOURS_6, 100 + seed), MOVED)
    scores = np.r_[calibration.shape.signed, np.zeros(calibration.pool.size, bool)]
    np.testing.assert_allclose(many.learnt.dead[scores], once.learnt.dead[scores])


def test_a_class_that_disappears_does_not_page_by_one_straggler(calibration: Calibration, live: Live) -> None:
    """Five levels of which one is gone: a straggler now and then is no news, its return is."""

    def without(history: History, back: int) -> History:
        colour = history.counts["colour"].copy()
        rng = np.random.default_rng(9)
        n = colour.sum(1)
        colour[:, 4:] = rng.multinomial(n, [0.45, 0.0002, 0.25, 0.2, 0.0998])
        colour[back:, 4:] = rng.multinomial(n[back:], [0.4, 0.1, 0.2, 0.2, 0.1])
        return History(history.start_ms, history.window_ms, {**history.counts, "colour": colour})

    lived = without(live(HOURS_6 + 288, 78), HOURS_6 + 276)
    after = rebase(calibration, part(lived, slice(HOURS_6)), ["colour"])
    found = pages_of(after, part(lived, slice(HOURS_6, None)))[0]
    assert found
    assert 276 <= found[0] < 276 + 6
