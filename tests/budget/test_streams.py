"""Scores, blocks and profiles: what a number per window must be before anybody bets on it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtr

from detectors.budget import calendar
from detectors.budget.mixes import directions
from detectors.budget.profile import Hours
from detectors.layout import columns_of
from detectors.streams import blocks
from detectors.streams.cells import layout
from detectors.streams.expected import cuts_of, from_cuts
from detectors.streams.measure import along, at_own_location, measure
from detectors.streams.scores import polynomials, smooth_scores
from detectors.streams.shape import DIRECTIONS, VALUES, Panel, shape

WINDOW = 300_000
shares_of = st.integers(5, 40).flatmap(lambda b: arrays(float, b, elements=st.floats(0.05, 1.0))).map(lambda p: p / p.sum())


@settings(max_examples=60, deadline=None)
@given(shares_of)
def test_polynomials_are_orthonormal(shares: np.ndarray) -> None:
    """So that scores have variance one and do not echo each other, whatever the cells."""
    phi = polynomials(shares)
    np.testing.assert_allclose((phi * shares) @ phi.T, np.eye(4), atol=1e-6)
    np.testing.assert_allclose(phi @ shares, 0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(shares_of, st.integers(1, 500))
def test_expected_counts_score_zero(shares: np.ndarray, n: int) -> None:
    np.testing.assert_allclose(smooth_scores(n * shares, shares), 0, atol=1e-6)


def test_two_cells_know_location_only() -> None:
    assert (polynomials(np.array([0.8, 0.2]))[1:] == 0).all()


def panel(shares: np.ndarray) -> Panel:
    k = len(shares)
    return Panel(np.arange(k)[None], shares[None], np.zeros((1, k), np.int64), np.ones(1, bool), np.zeros((DIRECTIONS, 1, k)))


@settings(max_examples=40, deadline=None)
@given(st.floats(-0.8, 0.8))
def test_a_shift_leaves_no_trace_in_the_shape(shift: float) -> None:
    """A wander of location reaches none of the other scores, at any size that wanders have."""
    before = np.full(64, 1 / 64)
    after = np.diff(ndtr(np.r_[-9, cuts_of(before), 9] - shift))
    moved = at_own_location(panel(before), 300 * after[None], before[None])[0]
    np.testing.assert_allclose(smooth_scores(300 * after, moved)[1:], 0, atol=0.1)


@settings(max_examples=40, deadline=None)
@given(shares_of)
def test_cuts_give_back_their_shares(shares: np.ndarray) -> None:
    np.testing.assert_allclose(from_cuts(panel(shares), cuts_of(shares)[None])[0], shares, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=60), st.sampled_from([(1,), (1, 12), (1, 12, 72)]))
def test_blocks_lose_nothing(events: list[int], cadences: tuple[int, ...]) -> None:
    """Whatever was put in is either in a closed block or still pending, in every cadence; and what was expected goes with it."""
    place = layout(columns_of("x", "numeric", "inputs"), {"x": 7})
    pending = blocks.nothing(place, cadences, 2)
    out = np.zeros((len(cadences), 7))
    for i, n in enumerate(events):
        flat = np.array([0, 0, 0, 0, n, 0, 0])
        pending, closed = blocks.add(place, cadences, pending, i * WINDOW, WINDOW, flat, np.array([[0.25, 0.75]]))
        out += np.where(closed.mask, closed.counts, 0)
        # a closed block holds enough events, or has waited for an hour
        waited = i * WINDOW + WINDOW - closed.first_ms
        assert ((closed.counts.sum(1) >= blocks.ENOUGH) | (waited[:, 0] >= blocks.PATIENCE_MS) | ~closed.mask[:, 0]).all()
        np.testing.assert_allclose(closed.shares[closed.mask], np.tile([0.25, 0.75], (int(closed.mask.sum()), 1)))
    np.testing.assert_array_equal(out.sum(1) + pending.counts.sum(1), sum(events))
    np.testing.assert_allclose(pending.expected.sum((1, 2)), pending.counts.sum(1))


def test_every_column_gets_its_weight_whatever_its_cells() -> None:
    """A constant, a two-valued and a column never seen lose streams, not weight."""
    columns = [c for n in ("full", "two", "still", "never") for c in columns_of(n, "numeric", "inputs")]
    place = layout(columns, {c.name: 13 for c in columns})
    totals = np.zeros(place.width, np.int64)
    totals[4:12] = 100
    totals[13 + 4 : 13 + 6] = 400
    totals[26 + 4] = 800
    got = shape(place, totals, np.full(4, 300.0), (1, 12, 72))
    weight = np.zeros(4)
    for stream in got.streams:
        weight[stream.column] += stream.weight
    np.testing.assert_allclose(weight, 0.25)
    names = [{s.statistic for s in got.streams if s.column == i} for i in range(4)]
    assert "tails" in names[0]
    assert names[1] == {"location", "missing", "invalid", "out of range"}
    assert names[2] == names[3] == {"missing", "invalid", "out of range"}


def test_time_of_day_is_local_time() -> None:
    """When the clocks change, eight in the morning stays eight in the morning."""
    saturday = 1_774_684_800_000  # 2026-03-28 08:00 UTC, a day before Europe changes
    winter, summer = calendar.local(np.array([saturday, saturday + 86_400_000 - 3_600_000]), "Europe/Berlin")
    assert winter % 86_400_000 == summer % 86_400_000
    np.testing.assert_allclose(
        calendar.columns(np.array([saturday - 7 * 86_400_000]), "Europe/Berlin", 28),
        calendar.columns(np.array([saturday]), "Europe/Berlin", 28), atol=1e-9,
    )  # fmt: skip


def test_ends_that_are_usual_belong_to_the_law() -> None:
    """Cells cut from the first day only: a fifth of the nights lies below them, and a shift among those must be seen as one."""
    columns = columns_of("x", "numeric", "inputs")
    place = layout(columns, {"x": 13})
    totals = np.array([0, 0, 0, 500, *[200] * 8, 1])
    got = shape(place, totals, np.array([300.0]), (1,))
    assert (got.panel.shares[0] > 0).sum() == 9
    beyond = [s for s in got.streams if s.statistic == "out of range"]
    assert len(beyond) == 1
    assert got.rates.share[beyond[0].place - VALUES] < 0.001


def test_a_mix_that_sways_has_a_direction_and_noise_has_none() -> None:
    """Two levels trade events from hour to hour: that is one number with a sign, and chi-square must not see it any more."""
    rng = np.random.default_rng(6)
    hours, n = 300, 400
    sway = 0.08 * rng.normal(size=hours)
    usual = np.array([0.4, 0.3, 0.2, 0.1])
    shares = usual + sway[:, None] * np.array([0.5, -0.5, 0.0, 0.0])
    still, swaying = (rng.multinomial(n, p) for p in (np.tile(usual, (hours, 1)), shares))
    place = layout(columns_of("x", "categorical", "inputs"), {"x": 8})
    totals = np.zeros(8, np.int64)
    found = []
    for counts in (still, swaying):
        totals = np.r_[np.zeros(4, np.int64), counts.sum(0)]
        got = shape(place, totals, np.array([float(n)]), (1,))
        below = (counts.cumsum(1)[:, :-1] / n)[:, None]
        sums = Hours(np.ones((hours, 1)), np.full((hours, 1), float(n)), below, np.arange(hours) // 24)
        gamma = cuts_of(got.panel.shares)[None]
        found.append(directions(got.panel, gamma, sums))
    assert not found[0].any()
    assert found[1].any()
    again = shape(place, totals, np.array([float(n)]), (1,), found[1])
    flat = np.c_[np.zeros((hours, 4), np.int64), swaying]
    values = measure(again, flat, np.tile(again.panel.shares, (hours, 1, 1)))
    mix = next(s for s in again.streams if s.statistic == "mix")
    rest = next(s for s in again.streams if s.statistic == "categories")
    assert abs(np.corrcoef(values.value[:, mix.place], sway)[0, 1]) > 0.8
    assert abs(np.corrcoef(values.value[:, rest.place], sway**2)[0, 1]) < 0.3


def test_a_slow_mix_is_found_beside_a_lively_one_and_among_rare_levels() -> None:
    """Two levels sway from hour to hour; fifty rare ones drift together over days, too little to be seen in an hour."""
    rng = np.random.default_rng(7)
    hours, n, width = 480, 500, 60
    usual = np.r_[np.full(10, 0.08), np.full(50, 0.004)]
    fast, slow = rng.normal(size=hours), np.repeat(rng.normal(size=20), 24)
    lively, rare = np.r_[1.0, -1.0, np.zeros(58)], np.r_[np.zeros(2), np.full(8, -0.25), np.full(50, 0.8)]
    counts = np.stack([rng.multinomial(n, usual * (1 + 0.3 * a * lively + 0.09 * b * rare)) for a, b in zip(fast, slow, strict=True)])
    place = layout(columns_of("x", "categorical", "inputs"), {"x": 4 + width})
    flat = np.c_[np.zeros((hours, 4), np.int64), counts]
    first = shape(place, flat.sum(0), np.array([float(n)]), (1,))
    cells = flat[:, first.panel.places[0]]
    below = (cells.cumsum(1)[:, :-1] / n)[:, None]
    sums = Hours(np.ones((hours, 1)), np.full((hours, 1), float(n)), below, np.arange(hours) // 24)
    found = directions(first.panel, cuts_of(first.panel.shares)[None], sums)
    got = shape(place, flat.sum(0), np.array([float(n)]), (1,), found)
    values = measure(got, flat, np.tile(got.panel.shares, (hours, 1, 1))).value
    mixes = [s.place for s in got.streams if s.statistic == "mix"]
    assert len(mixes) == DIRECTIONS
    assert abs(np.corrcoef(values[:, mixes[0]], fast)[0, 1]) > 0.9
    assert abs(np.corrcoef(values[:, mixes[1]].reshape(20, 24).mean(1), slow[::24])[0, 1]) > 0.9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_chi_square_is_blind_along_the_directions_and_nowhere_else(seed: int, one: float, two: float) -> None:
    rng = np.random.default_rng(seed)
    shares = np.sort(rng.dirichlet(np.full(8, 5.0)) * 0.9 + 0.0125)[::-1]
    totals = np.r_[np.zeros(4, np.int64), (shares * 1_000_000).astype(np.int64)]
    place = layout(columns_of("x", "categorical", "inputs"), {"x": 12})
    got = shape(place, totals, np.array([1e6]), (1,), rng.normal(size=(DIRECTIONS, 1, 8)))
    usual = got.panel.shares[0]
    mix = along(got.panel.direction[:, 0], usual)
    np.testing.assert_allclose((mix * usual) @ mix.T, np.eye(DIRECTIONS), atol=1e-9)
    other = along(np.r_[got.panel.direction[:, 0], rng.normal(size=(1, 8))], usual)[-1]
    tilted = usual * np.exp(one * mix[0] + two * mix[1])
    moved = np.stack([usual, tilted / tilted.sum(), usual * (1 + 0.1 * other)])
    flat = np.zeros((3, 12), np.int64)
    flat[:, got.panel.places[0]] = np.rint(10_000_000 * moved)
    rest = next(s.place for s in got.streams if s.statistic == "categories")
    values = measure(got, flat, np.tile(usual, (3, 1, 1))).value[:, rest]
    np.testing.assert_allclose(values[1], values[0], atol=0.1)  # ten million events: a wander that far would else be thousands
    assert values[2] > values[0] + 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=80), st.sampled_from([1, 12]))
def test_blocks_of_a_stretch_close_where_blocks_of_single_windows_do(story: list[tuple[int, int]], cadence: int) -> None:
    """Thin windows, empty ones and gaps included."""
    place = layout(columns_of("x", "numeric", "inputs"), {"x": 7})
    start = WINDOW * np.cumsum([1 + gap for _, gap in story])
    pending = blocks.nothing(place, (cadence,), 2)
    closed = []
    for (n, _), at in zip(story, start, strict=True):
        pending, now = blocks.add(place, (cadence,), pending, int(at), WINDOW, np.array([0, 0, 0, 0, n, 0, 0]), np.array([[0.5, 0.5]]))
        closed.append(bool(now.mask[0, 0]))
    assert blocks.closings(np.array([n for n, _ in story]), start, WINDOW, cadence).tolist() == closed
