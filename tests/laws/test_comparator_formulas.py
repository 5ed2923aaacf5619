"""Comparators against independent reckonings of the same formula, and against the laws that their docstrings state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import distance

from detectors.counts import Counts
from detectors.registry import discover

cells = st.lists(st.integers(1, 500), min_size=4, max_size=20)


def made(id: str, **parameters: Any) -> Any:
    return discover()[id].make(parameters)


def categorical(values: Any) -> Counts:
    return Counts("categorical", np.concatenate(([0, 0], np.asarray(values, dtype=np.int64))))


def numeric(values: Any, means: NDArray[np.float64]) -> Counts:
    return Counts("numeric", np.concatenate(([0, 0, 0, 0], np.asarray(values, dtype=np.int64), [0])), means)


@given(data=st.data(), a=cells)
@settings(max_examples=50)
def test_the_same_as_an_independent_reckoning(data: st.DataObject, a: list[int]) -> None:
    b = data.draw(st.lists(st.integers(1, 500), min_size=len(a), max_size=len(a)))
    p, q = np.array(b) / sum(b), np.array(a) / sum(a)
    window, reference = categorical(b), categorical(a)
    assert made("jensen_shannon").compare(reference, window).value == pytest.approx(distance.jensenshannon(p, q, base=2), abs=1e-7)
    assert made("hellinger").compare(reference, window).value == pytest.approx(np.sqrt(1 - min(1.0, np.sqrt(p * q).sum())), abs=1e-7)
    statistic, p_value, *_ = stats.chi2_contingency([a, b], correction=False)
    score = made("chi_square", least=0.0).compare(reference, window)
    assert score.evidence["chi_square"] == pytest.approx(statistic, rel=1e-9, abs=1e-9)
    assert score.p_value == pytest.approx(p_value, rel=1e-6, abs=1e-12)


@given(data=st.data(), a=cells)
@settings(max_examples=50)
def test_the_same_as_an_independent_reckoning_of_numbers(data: st.DataObject, a: list[int]) -> None:
    b = data.draw(st.lists(st.integers(1, 500), min_size=len(a), max_size=len(a)))
    steps = data.draw(st.lists(st.floats(0.01, 10), min_size=len(a), max_size=len(a)))
    x = np.cumsum(steps)
    assume(np.ptp(x) > 0.1)
    reference, window = numeric(a, x), numeric(b, x)
    q = np.array(a) / sum(a)
    deviation = np.sqrt(q @ (x - q @ x) ** 2)
    expected = stats.wasserstein_distance(x, x, b, a) / deviation
    assert made("wasserstein").compare(reference, window).value == pytest.approx(expected, rel=1e-6, abs=1e-9)
    apart = stats.ks_2samp(np.repeat(x, b), np.repeat(x, a), method="asymp")
    assert made("kolmogorov_smirnov").compare(reference, window).value == pytest.approx(apart.statistic, abs=1e-9)


REPEATS = 2000


@pytest.mark.parametrize(("n", "m"), [(500, 20_000), (2_000, 2_000)])
def test_without_drift_the_means_are_those_the_docstrings_state(n: int, m: int) -> None:
    """Within five standard errors of (B - 1) (1/n + 1/m), its eighth for JS and Hellinger; a twentieth of it for higher orders."""
    rng = np.random.default_rng(5)
    share = np.full(10, 0.1)
    seen: dict[str, list[float]] = {"psi": [], "jensen_shannon": [], "hellinger": []}
    keys = {"psi": "psi", "jensen_shannon": "divergence", "hellinger": "squared"}
    comparators = {id: made(id) for id in seen}
    for _ in range(REPEATS // 4):
        a, b = categorical(rng.multinomial(m, share)), categorical(rng.multinomial(n, share))
        for id, comparator in comparators.items():
            seen[id].append(comparator.compare(a, b).evidence[keys[id]])
    for id, values in seen.items():
        expected = 9 * (1 / n + 1 / m) / (1 if id == "psi" else 8)
        error = np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 5 * error + expected / 20, id


def test_without_drift_p_values_are_honest() -> None:
    """Chi-square's p-value is below .05 in 5 % of windows, Kolmogorov-Smirnov's from counts in no more (binomial, five standard errors)."""
    rng = np.random.default_rng(6)
    share = np.full(20, 0.05)
    x = np.arange(20.0)
    chi, ks = made("chi_square"), made("kolmogorov_smirnov")
    low = np.zeros(2)
    for _ in range(REPEATS):
        a, b = rng.multinomial(20_000, share), rng.multinomial(500, share)
        low += (chi.compare(categorical(a), categorical(b)).p_value < 0.05, ks.compare(numeric(a, x), numeric(b, x)).p_value < 0.05)
    error = 5 * np.sqrt(0.05 * 0.95 / REPEATS)
    assert abs(low[0] / REPEATS - 0.05) < error
    assert low[1] / REPEATS < 0.05 + error


@pytest.mark.parametrize("id", ["psi", "jensen_shannon", "hellinger", "chi_square"])
def test_what_lies_beyond_the_reference_is_not_hidden_in_its_outermost_group(id: str) -> None:
    """Two in a hundred above a range that a million events never left: joined with the last tenth, nobody would see them."""
    cells = np.full(60, 20_000)
    reference = Counts("numeric", np.concatenate(([0, 0, 0, 0], cells, [0])))
    inside = Counts("numeric", np.concatenate(([0, 0, 0, 0], cells // 200, [0])))
    beyond = Counts("numeric", np.concatenate(([0, 0, 0, 0], cells // 200, [120])))
    comparator = made(id)
    assert comparator.compare(reference, beyond).value > 0.05 + comparator.compare(reference, inside).value


def test_a_shift_of_normal_values_is_its_size_in_standard_deviations() -> None:
    edges = stats.norm.ppf(np.arange(1, 64) / 64)
    bounds = np.concatenate(([-np.inf], edges, [np.inf]))
    means = -np.diff(stats.norm.pdf(bounds)) * 64
    reference = numeric(np.full(64, 10_000), means)
    for shift in (0.1, 0.3, 0.6):
        window = numeric(np.round(640_000 * np.diff(stats.norm.cdf(bounds - shift))), means)
        assert made("wasserstein").compare(reference, window).value == pytest.approx(shift, rel=0.1), "the outermost cells are coarse"


def test_the_corrected_index_does_not_depend_on_the_number_of_events() -> None:
    """The plain index of an unchanged column is ten times as large in windows of a tenth: the reason for the correction."""
    rng = np.random.default_rng(8)
    share = np.full(10, 0.1)
    plain, corrected = {}, {}
    for n in (200, 2000):
        windows = [categorical(rng.multinomial(n, share)) for _ in range(300)]
        reference = categorical(share * 1_000_000)
        plain[n] = np.mean([made("psi").compare(reference, window).value for window in windows])
        corrected[n] = np.mean([made("psi", corrected=True).compare(reference, window).value for window in windows])
    assert plain[200] / plain[2000] == pytest.approx(10, rel=0.25)
    assert corrected[200] < plain[200] / 2
