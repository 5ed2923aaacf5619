"""Columns as people see them: whatever the counts are, the bars are all of them, once, and what has not moved is said to be as usual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts, learn_numeric
from detectors.layout import Column
from detectors.summaries.sample import Sample
from monitor.pages.hanging import DRAWN, LEFT, NOTHING, RIGHT, wall
from monitor.portraits import BARS, NAMES, SEEN, Gallery, Portrait, added, normal, portraits, written
from monitor.reference import Reference, pack_cells
from monitor.verdict import Subject

X = Column("x", "x", "", "numeric", "inputs", "inputs")
C = Column("c", "c", "", "categorical", "inputs", "inputs")


def numeric(seed: int, kind: str) -> NumericCuts:
    draw = np.random.default_rng(seed)
    values = {
        "smooth": draw.lognormal(3, 1, 3000), "points": draw.integers(0, 5, 3000).astype(float),
        "many points": draw.integers(0, 40, 3000).astype(float), "heavy": np.where(draw.random(3000) < 0.5, 0.0, draw.normal(size=3000)),
        "constant": np.full(3000, 7.0), "never": np.full(3000, np.nan),
    }[kind]  # fmt: skip
    return learn_numeric(Sample.fold(np.arange(3000, dtype=np.uint64), values, k=3000))


@st.composite
def columns(draw: st.DrawFn) -> tuple[Column, Cuts, NDArray[np.int64], NDArray[np.int64]]:
    """A column with counts of the reference and of some windows."""
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["smooth", "points", "many points", "heavy", "constant", "never"]))
        cuts: Cuts = numeric(draw(st.integers(0, 3)), kind)
        column = X
    else:
        cuts, column = CategoricalCuts(tuple(f"level {i}" for i in range(draw(st.integers(0, 20))))), C
    cells = st.lists(st.integers(0, 500), min_size=cuts.size, max_size=cuts.size).filter(any)
    return column, cuts, np.array(draw(cells), np.int64), np.array(draw(cells), np.int64)


def reference(column: Column, cuts: Cuts, counts: NDArray[np.int64]) -> Reference:
    return Reference("m", "", {column.name: cuts}, 0, 0, 0, frame={column.name: pack_cells(counts)})


@given(columns())
def test_bars_are_all_events_of_both_sides_and_few(drawn: tuple[Column, Cuts, NDArray[np.int64], NDArray[np.int64]]) -> None:
    column, cuts, before, after = drawn
    known = reference(column, cuts, before)
    (seen,) = portraits([column], known, normal(known), {column.name: after}, ())
    for side in ([b.normal for b in seen.bars], [b.now for b in seen.bars]):
        assert sum(side) == pytest.approx(1.0, abs=6 * SEEN), "what has no bar is too rare to be seen"
    assert len(seen.bars) <= max(BARS + 4, NAMES) + 5
    assert 0.0 <= seen.moved <= 1.0
    assert seen.events == after.sum()
    if seen.cuts:
        assert len(seen.cuts) == sum(b.place == "value" for b in seen.bars) + 1
        assert list(seen.cuts) == sorted(seen.cuts)


@given(columns())
def test_what_did_not_move_is_as_usual_and_a_drawing_stays_in_its_frame(
    drawn: tuple[Column, Cuts, NDArray[np.int64], NDArray[np.int64]],
) -> None:
    column, cuts, before, after = drawn
    known = reference(column, cuts, before)
    same, other = (portraits([column], known, normal(known), {column.name: counts}, ())[0] for counts in (before, after))
    assert same.moved == pytest.approx(0.0, abs=1e-6)
    hung = wall(Gallery("m", known.name, 0, 3_600_000, 1, (same, other)), 3_600_000)
    assert hung.pictures[0].said == "as usual, within chance"
    for picture in hung.pictures:
        for pair in picture.pairs:
            assert pair.x >= LEFT
            assert pair.x + pair.width <= RIGHT + 0.2
            assert pair.normal_height >= 0
            assert pair.now_height >= 0
        assert all(0 <= width <= 100 for level in picture.levels for width in (level.normal, level.now))


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=2, max_size=12, unique=True).map(sorted))
def test_written_numbers_keep_their_order(values: list[float]) -> None:
    read = [float(text) for text in written(values)]
    assert read == sorted(read)


def test_counts_over_other_cells_are_left_out() -> None:
    cuts = CategoricalCuts(("red", "green"))
    fits, alien = pack_cells(np.array([0, 0, 0, 0, 3, 4])), pack_cells(np.array([0, 0, 0, 0, 3]))
    totals = added([{"c": fits}, {"c": alien}, {"c": fits, "gone": fits}], {"c": cuts})
    assert {name: cells.tolist() for name, cells in totals.items()} == {"c": [0, 0, 0, 0, 6, 8]}


def test_those_that_carry_the_evidence_come_first_in_its_order() -> None:
    cuts = CategoricalCuts(("red", "green"))
    columns = [Column(name, name, "", "categorical", "inputs", "inputs") for name in "abcd"]
    even, odd = np.array([0, 0, 0, 0, 50, 50]), np.array([0, 0, 0, 0, 90, 10])
    known = Reference("m", "", dict.fromkeys("abcd", cuts), 0, 0, 0, frame={name: pack_cells(even) for name in "abcd"})
    subjects = [Subject(name, "inputs", "categories", "changed", 0.1, "psi", 0.5, 0) for name in ("d", "b")]
    seen = portraits(columns, known, normal(known), {"a": even, "b": even, "c": odd, "d": odd}, subjects)
    assert [p.column for p in seen] == ["d", "b", "c", "a"], "then the farthest moved"
    assert [p.leads for p in seen] == [True, True, False, False]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=20))
def test_every_column_is_drawn_or_in_the_table_and_the_most_telling_are_drawn(found: list[tuple[float, bool]]) -> None:
    seen = tuple(
        Portrait(f"c{i}", f"c{i}", "", "inputs", "categorical", 100, moved, 0.1, None, leads, ())
        for i, (moved, leads) in enumerate(sorted(found, key=lambda pair: (not pair[1], -pair[0])))
    )
    hung = wall(Gallery("m", "r", 0, 300_000, 1, seen), 300_000)
    assert [p.name for p in hung.pictures] + [line.name for line in hung.others] == [p.column for p in seen]
    assert len(hung.pictures) <= DRAWN
    telling = [p.column for p in seen if p.leads or p.moved >= NOTHING]
    assert [p.name for p in hung.pictures][: len(telling)] == telling[:DRAWN]
