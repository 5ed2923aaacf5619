"""Frozen cells: whatever the reference looked like, every value has exactly one cell, and news does not hide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, NumericCuts, learn, learn_categorical, learn_numeric, unpack
from detectors.cuts.numeric import BELOW, FIRST
from detectors.hashing import event_keys
from detectors.summaries import recut
from detectors.summaries.categories import Categories
from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally

finite = st.floats(allow_nan=False, allow_infinity=False)
lumpy = st.one_of(finite, st.integers(-5, 5).map(float), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))


def sample(values: NDArray[np.float64] | list[float], partition: str = "p/0", k: int = 4096) -> Sample:
    column = np.asarray(values, dtype=np.float64)
    return Sample.fold(event_keys(partition, np.arange(len(column), dtype=np.int64)), column, k=k)


def share(cuts: NumericCuts, values: NDArray[np.float64] | list[float]) -> NDArray[np.float64]:
    counts = np.bincount(cuts.codes(np.asarray(values, dtype=np.float64)), minlength=cuts.size)
    shares: NDArray[np.float64] = counts / max(1, counts.sum())
    return shares


@given(values=st.lists(lumpy, min_size=1, max_size=300), others=arrays(np.float64, 20, elements=st.floats()))
def test_cells_of_any_reference(values: list[float], others: NDArray[np.float64]) -> None:
    cuts = learn_numeric(sample(values))
    assert (np.diff(cuts.edges) > 0).all()
    assert len(cuts.means) == len(cuts.edges) + 1 <= 64
    assert len(cuts.names()) == cuts.size
    codes = cuts.codes(others)
    assert ((codes >= 0) & (codes < cuts.size)).all()
    counts = np.bincount(cuts.codes(np.array(values)), minlength=cuts.size)
    assert (counts[FIRST:-1] > 0).all(), "no cell without reference mass"
    if not cuts.points:
        assert counts[BELOW] == counts[-1] == 0, "the reference lies between its own extremes"
        assert (np.diff(cuts.means / 2) >= 0).all()
    assert cuts.codes(np.array([-np.inf if min(values) < -1e308 else np.nextafter(min(values), -np.inf)]))[0] in (1, BELOW), (
        "one step below the smallest is below (or -inf)"
    )
    again = unpack(cuts.pack())
    assert again.digest == cuts.digest
    assert np.array_equal(again.codes(others), codes) if isinstance(again, NumericCuts) else False


@given(values=st.lists(lumpy, min_size=2, max_size=200), data=st.data())
def test_cells_do_not_depend_on_the_order_of_the_reference(values: list[float], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(values))
    assert learn_numeric(sample(values)).digest == learn_numeric(sample(mixed)).digest


def test_a_continuous_column_has_64_equal_cells() -> None:
    values = np.random.default_rng(1).normal(size=50_000)
    cuts = learn_numeric(sample(values, k=50_000))
    assert len(cuts.means) == 64
    assert share(cuts, values)[FIRST:-1] == pytest.approx(1 / 64, abs=1e-4)
    fresh = share(cuts, np.random.default_rng(2).normal(size=50_000))
    assert fresh[BELOW] + fresh[-1] < 5e-4, "mass beyond the extremes of 50,000 events is about 2 in 50,000"


def test_windows_weigh_what_they_stand_for() -> None:
    # a quiet window around 10 and one a thousand times as busy around 0: of 256 kept events each
    quiet, busy = sample(np.full(256, 10.0), "q"), sample(np.random.default_rng(1).normal(size=256_000), "b", k=256)
    cuts = learn_numeric([quiet, busy])
    assert cuts.edges[32] == pytest.approx(0, abs=0.3), "the median is the busy window's"


VISIBLE = [
    # reference, news, because
    ([90.0] * 500, 40.0, "a constant column (JPEG quality) that changes"),
    ([90.0] * 500, 90.5, "a constant column that changes a little"),
    ([0.0, 1.0] * 300, 0.5, "a value between the two of a flag"),
    ([0.0, 1.0] * 300, 2.0, "a third value of a flag"),
    (list(range(1, 41)) * 30, 17.5, "half a unit among counts"),
    ([10.0, 20.0, 50.0] * 100, 30.0, "a price nobody had"),
]


@pytest.mark.parametrize(("reference", "news", "because"), VISIBLE)
def test_a_value_never_seen_in_a_column_of_few_values_is_seen_at_once(reference: list[float], news: float, because: str) -> None:
    cuts = learn_numeric(sample(reference))
    assert cuts.points
    assert share(cuts, reference)[[BELOW, -1]].sum() == 0
    assert share(cuts, [news])[[BELOW, -1]].sum() == 1, because


def test_new_values_count_towards_the_nearer_end() -> None:
    cuts = learn_numeric(sample([0.0, 10.0, 20.0, 30.0] * 50))
    assert cuts.codes(np.array([5.0, 25.0])).tolist() == [BELOW, cuts.size - 1]


def test_a_value_with_much_mass_has_a_cell_of_its_own_among_continuous_ones() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(4000) < 0.4, 0.0, rng.lognormal(size=4000))
    cuts = learn_numeric(sample(values))
    assert not cuts.points
    codes = cuts.codes(np.array([0.0, 1e-9]))
    assert codes[0] != codes[1], "almost nothing is not nothing"
    assert share(cuts, values)[codes[0]] == pytest.approx((values == 0).mean())


def test_heaps_keep_their_cells() -> None:
    # ages told in round fives by a third of the people
    rng = np.random.default_rng(1)
    age = rng.uniform(18, 90, size=4000)
    age = np.where(rng.random(4000) < 0.5, np.round(age / 5) * 5, age)
    cuts = learn_numeric(sample(age))
    told = cuts.codes(np.array([35.0]))[0]
    assert cuts.codes(np.array([34.9]))[0] != told
    assert cuts.means[told - FIRST] == 35.0


def test_a_value_seen_once_is_no_known_value() -> None:
    cuts = learn_numeric(sample([1.0, 2.0] * 200 + [7.0]))
    assert cuts.means.tolist() == [1.0, 2.0]
    assert share(cuts, [1.0, 2.0] * 200 + [7.0])[-1] == pytest.approx(1 / 401), "the reference shows how often news comes"


def test_a_column_that_was_never_there() -> None:
    cuts = learn_numeric(sample([np.nan] * 50))
    assert cuts.codes(np.array([np.nan, 3.0])).tolist() == [0, cuts.size - 1]
    assert unpack(cuts.pack()).digest == cuts.digest
    assert learn("categorical", Tally.fold([None] * 9)).size == FIRST


def test_flags_overrule_values() -> None:
    cuts = learn_numeric(sample(np.arange(1000.0)))
    assert cuts.codes(np.array([5.0, 5.0, 5.0]), np.array([1, 2, 3], dtype=np.uint8)).tolist() == [0, 1, 2]


@given(tallies=st.lists(st.lists(st.sampled_from([f"n{i}" for i in range(90)]), max_size=200).map(Tally.fold), max_size=4))
def test_cells_of_any_names(tallies: list[Tally]) -> None:
    cuts = learn_categorical(tallies)
    assert len(cuts.levels) <= 62
    assert not set(cuts.levels) & set(cuts.rest)
    assert unpack(cuts.pack()).digest == cuts.digest
    seen = [sum(name in tally.counts for tally in tallies) for name in (*cuts.levels, *cuts.rest)]
    assert all(n >= 2 for n in seen) or len(tallies) == 1


def test_names_beyond_the_62_most_frequent_are_other_and_new_ones_unseen() -> None:
    tally = Tally.fold([f"n{i:03d}" for i in range(100) for _ in range(200 - i)])
    cuts = learn_categorical(tally)
    assert cuts.levels == tuple(f"n{i:03d}" for i in range(62))
    assert [cuts.cell(name) for name in ("n000", "n061", "n062", "n099", "n100")] == [4, 65, 3, 3, 2]


def test_the_reference_estimates_the_rate_of_names_to_come() -> None:
    # names from a long tail: what came once in the first half comes about as often as news in the second
    rng = np.random.default_rng(1)
    draws = [f"n{v}" for v in rng.zipf(1.6, size=8000).tolist()]
    first = Tally.fold(draws[:4000])
    cuts = learn_categorical(first)
    told, came = recut(first, cuts).counts[2], Categories.fold(cuts, draws[4000:]).counts[2]
    assert came == pytest.approx(told, rel=0.2)


def test_where_names_were_dropped_a_missing_name_proves_nothing() -> None:
    tally = Tally.fold([f"id-{i}" for i in range(5000)] * 2)
    cuts = learn_categorical(tally)
    assert not cuts.complete
    assert isinstance(cuts, CategoricalCuts)
    assert cuts.cell("id-99999") == 3
