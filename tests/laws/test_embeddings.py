"""Statistics of vectors: a row's numbers follow from the row alone, and what cannot be measured is flagged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from detectors.embeddings import embedding_statistics, probability_statistics
from detectors.layout import EMBEDDING_STATISTICS, PROBABILITY_STATISTICS
from monitor.batch import Floats

matrices = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12), elements=st.floats())


@given(rows=matrices)
def test_any_matrix(rows: Floats) -> None:
    for statistics, names in ((embedding_statistics, EMBEDDING_STATISTICS), (probability_statistics, PROBABILITY_STATISTICS)):
        before = rows.copy()
        with np.errstate(over="ignore"):  # projections of the largest floats
            values, flags = statistics(rows)
            assert np.array_equal(rows, before, equal_nan=True), "nobody is mutated"
            assert values.shape == (len(rows), len(names))
            for i in range(len(rows)):
                alone, flag = statistics(rows[i : i + 1])
                assert np.array_equal(alone[0], values[i], equal_nan=True), "whoever stands beside it"
                assert flag[0] == flags[i]
            padded, _ = statistics(np.pad(rows, ((0, 0), (0, 3)), constant_values=np.nan))
            assert np.array_equal(padded, values, equal_nan=True), "however wide the batch"


def test_projections_see_a_shift_of_the_mean() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2000, 256)), rng.normal(size=(2000, 256))
    after += 1.0 * rng.choice([-1, 1], size=256)
    old, new = embedding_statistics(before)[0], embedding_statistics(after)[0]
    z = (new.mean(axis=0) - old.mean(axis=0)) / (old.std(axis=0) * np.sqrt(2 / 2000))
    # a projection moves by a standard normal multiple of the shift's length over sqrt(d): one sd of the feature, 32 of its mean
    assert np.abs(z[1:]).max() > 20
    assert np.abs(z[0]) > 20, "and so does the length"


def test_projections_are_fixed_and_uncorrelated() -> None:
    values, _ = embedding_statistics(np.eye(64))
    signs = values[:, 1:] * 8
    assert set(np.unique(signs).tolist()) == {-1.0, 1.0}
    correlation = np.corrcoef(signs.T) - np.eye(8)
    assert np.abs(correlation).max() < 0.5, "four standard errors of a correlation over 64 signs"


@pytest.mark.parametrize(
    ("row", "flag", "because"),
    [
        ([0.2, 0.8], 0, "probabilities"),
        ([0.333, 0.333, 0.333], 0, "rounded"),
        ([0.2, 0.2], 3, "they do not sum to one"),
        ([-0.1, 1.1], 3, "less than impossible"),
        ([np.nan, np.nan], 1, "missing"),
        ([np.nan, 1.0], 2, "a hole"),
        ([np.inf, 1.0], 2, "infinite"),
        ([0.0, 0.0], 3, "nothing is probable"),
    ],
)
def test_probabilities(row: list[float], flag: int, because: str) -> None:
    values, flags = probability_statistics(np.array([row]))
    assert flags.tolist() == [flag], because
    assert np.isfinite(values).all() == (flag == 0)
