"""What panes, workers, restarts and backtests rest on: every summary found in detectors/summaries adds up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.cuts import CategoricalCuts, NumericCuts
from detectors.hashing import event_keys
from detectors.summaries import cells_of, kinds, merged, recut, unpack
from detectors.summaries.categories import Categories
from detectors.summaries.histogram import Histogram
from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally

NUMERIC = NumericCuts(np.array([-1.0, 0.0, 2.5]), -4.0, 9.0, np.array([-2.0, -0.5, 1.0, 5.0]))
CATEGORICAL = CategoricalCuts(("red", "green"), ("amber",))
Event = tuple[int, Any]

numbers = st.one_of(st.floats(width=32), st.sampled_from([0.0, -1.0, 2.5, 9.0, np.nan, np.inf, -np.inf]))
names = st.one_of(st.none(), st.sampled_from(["red", "green", "amber", "blue"]), st.text(max_size=3), st.text(min_size=119, max_size=122))


def fold_histogram(events: Sequence[Event]) -> Histogram:
    return Histogram.fold(NUMERIC, np.array([value for _, value in events], dtype=np.float64))


def fold_sample(events: Sequence[Event]) -> Sample:
    keys = event_keys("p/0", np.array([seq for seq, _ in events], dtype=np.int64))
    return Sample.fold(keys, np.array([value for _, value in events], dtype=np.float64), k=7)


# kind -> (values of a column, its fold, its zero)
SUMMARIES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Sequence[Event]], Any], Callable[[], Any]]] = {
    "histogram": (numbers, fold_histogram, lambda: Histogram.zero(NUMERIC)),
    "sample": (numbers, fold_sample, lambda: Sample.zero(7)),
    "tally": (names, lambda events: Tally.fold([value for _, value in events]), Tally.zero),
    "categories": (
        names,
        lambda events: Categories.fold(CATEGORICAL, [value for _, value in events]),
        lambda: Categories.zero(CATEGORICAL),
    ),
}


def test_every_summary_is_held_to_these_laws() -> None:
    assert set(kinds()) == set(SUMMARIES)


@pytest.fixture(autouse=True, params=["roomy", "full"], scope="module")
def bounds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once as shipped, once with tables so small that most names do not fit."""
    if request.param == "roomy":
        yield
        return
    with patch("detectors.summaries.tally.MOST", 3), patch("detectors.summaries.categories.NAMED", 2):
        yield


each_kind = pytest.mark.parametrize("kind", sorted(SUMMARIES))


def events_of(data: st.DataObject, kind: str) -> list[Event]:
    return list(enumerate(data.draw(st.lists(SUMMARIES[kind][0], max_size=40), label="events")))


def parts_of(data: st.DataObject, events: list[Event]) -> list[list[Event]]:
    places = data.draw(st.lists(st.integers(0, 3), min_size=len(events), max_size=len(events)), label="parts")
    return [[event for event, place in zip(events, places, strict=True) if place == part] for part in range(4)]


@each_kind
@given(data=st.data())
def test_zero_is_neutral(kind: str, data: st.DataObject) -> None:
    _, fold, zero = SUMMARIES[kind]
    whole = fold(events_of(data, kind))
    assert zero().merge(whole) == whole == whole.merge(zero())


@each_kind
@given(data=st.data())
def test_the_whole_is_the_merge_of_its_parts_whatever_their_order_and_grouping(kind: str, data: st.DataObject) -> None:
    _, fold, _ = SUMMARIES[kind]
    events = events_of(data, kind)
    a, b, c, d = (fold(part) for part in parts_of(data, events))
    whole = fold(events)
    assert a.merge(b).merge(c).merge(d) == whole
    assert a.merge(b.merge(c.merge(d))) == whole
    assert d.merge(b).merge(a.merge(c)) == whole
    assert whole.merge(a).pack() == a.merge(whole).pack(), "equal down to the bytes"


@each_kind
@given(data=st.data())
def test_merge_and_pack_mutate_nobody(kind: str, data: st.DataObject) -> None:
    _, fold, _ = SUMMARIES[kind]
    a, b, *_ = (fold(part) for part in parts_of(data, events_of(data, kind)))
    before = a.pack(), b.pack()
    merged_ = a.merge(b)
    merged_.merge(a)
    assert (a.pack(), b.pack()) == before


@each_kind
@given(data=st.data())
def test_pack_round_trip(kind: str, data: st.DataObject) -> None:
    _, fold, _ = SUMMARIES[kind]
    whole = fold(events_of(data, kind))
    again = unpack(kind, whole.pack())
    assert again == whole
    assert again.pack() == whole.pack()


@each_kind
@given(data=st.data())
def test_nobody_is_lost(kind: str, data: st.DataObject) -> None:
    _, fold, _ = SUMMARIES[kind]
    events = events_of(data, kind)
    whole = fold(events)
    assert whole.n == len(events)
    assert int(cells_of(whole).sum()) == len(events)


@each_kind
@given(data=st.data(), cut=st.integers(0, 60))
def test_damaged_bytes_are_refused(kind: str, data: st.DataObject, cut: int) -> None:
    _, fold, _ = SUMMARIES[kind]
    packed = fold(events_of(data, kind)).pack()
    with pytest.raises(ValueError, match="packed"):
        unpack(kind, packed[: min(cut, len(packed) - 1)])
    with pytest.raises(ValueError, match="packed"):
        unpack(kind, packed + b"\0")


@given(values=st.lists(numbers, max_size=40))
def test_a_sample_that_kept_everything_recuts_to_the_histogram_of_everything(values: list[float]) -> None:
    keys = event_keys("p/0", np.arange(len(values), dtype=np.int64))
    sample = Sample.fold(keys, np.array(values, dtype=np.float64), k=40)
    assert recut(sample, NUMERIC) == Histogram.fold(NUMERIC, np.array(values, dtype=np.float64))


@given(values=st.lists(numbers, max_size=40), k=st.integers(1, 40), less=st.integers(1, 40))
def test_reducing_a_sample_is_having_kept_less(values: list[float], k: int, less: int) -> None:
    keys, column = event_keys("p/0", np.arange(len(values), dtype=np.int64)), np.array(values, dtype=np.float64)
    reduced = Sample.fold(keys, column, k=k).reduce(less)
    assert reduced == Sample.fold(keys, column, k=min(k, less))


@given(texts=st.lists(names, max_size=40))
def test_a_tally_recuts_to_the_categories_of_the_same_events(texts: list[str | None]) -> None:
    with patch("detectors.summaries.tally.MOST", 4096):
        assert recut(Tally.fold(texts), CATEGORICAL) == Categories.fold(CATEGORICAL, texts)


def test_a_full_tally_counts_what_it_kept_exactly() -> None:
    with patch("detectors.summaries.tally.MOST", 4096):
        parts = [Tally.fold([f"name-{i % 9000}" for i in range(start, 27_000, 3)]) for start in range(3)]
        whole = reduce(lambda a, b: a.merge(b), parts)
    assert len(whole.counts) == 4096
    assert set(whole.counts.values()) == {3}
    assert whole.others == 27_000 - 3 * 4096


def test_a_sample_is_uniform_over_the_values() -> None:
    n, k = 200_000, 4096
    sample = Sample.fold(event_keys("p/0", np.arange(n, dtype=np.int64)), np.arange(n, dtype=np.float64), k=k)
    # the mean of k draws without replacement from 0 .. n-1 has this standard error; 5 of them come once in two million
    error = n / np.sqrt(12 * k)
    assert abs(sample.values.mean() - n / 2) < 5 * error


def test_counts_over_other_cells_do_not_add_up() -> None:
    other = NumericCuts(np.array([0.0]), -1.0, 1.0, np.array([-0.5, 0.5]))
    with pytest.raises(ValueError, match="different cells"):
        Histogram.zero(NUMERIC).merge(Histogram.zero(other))
    with pytest.raises(ValueError, match="recut"):
        recut(Histogram.zero(NUMERIC), other)
    with pytest.raises(TypeError):
        recut(Tally.zero(), other)


def test_hashes_are_the_same_on_every_machine() -> None:
    # by hand: BLAKE2b-64 of "p/0" seeds SplitMix64; a change here would make old samples and new ones different samples
    from hashlib import blake2b

    mask = (1 << 64) - 1
    z = (int.from_bytes(blake2b(b"p/0", digest_size=8).digest(), "little") + 5 * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    assert int(event_keys("p/0", np.array([5]))[0]) == z ^ (z >> 31)


def test_nothing_merges_to_an_empty_summary() -> None:
    assert merged("numeric", []).n == merged("categorical", []).n == 0
