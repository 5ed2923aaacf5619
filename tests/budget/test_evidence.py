"""E-values must have mean at most one, and sums must grow no faster than time: everything else rests on that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from detectors.budget.evidence import LAMBDAS, LEAK, RATIOS, advance, dispersed, gaussian

GRID = np.linspace(-14, 14, 4001)


@settings(max_examples=50, deadline=None)
@given(st.floats(-1, 1), st.floats(0.2, 1), st.floats(0, 1), st.floats(0, 1))
def test_gaussian_bets_are_fair(part: float, sd: float, dead: float, slack: float) -> None:
    """For every mean inside the dead zone and every variance up to v, clipped or not."""
    z = np.clip(part * dead + sd * GRID, -8, 8)
    weight = stats.norm.pdf(GRID) * (GRID[1] - GRID[0])
    cost = LAMBDAS[None] ** 2 / 2 * (sd**2 + slack)
    e = np.exp(gaussian(z[:, None], np.array([dead]), cost))
    assert ((e[:, 0] * weight[:, None, None]).sum(0) <= 1 + 1e-6).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 2000), st.floats(1e-4, 0.3), st.floats(0, 1), st.floats(1, 6))
def test_bets_on_rare_events_are_fair(n: int, limit: float, part: float, bunching: float) -> None:
    """For every rate up to the limit, and tempered bets all the more."""
    hits = np.arange(n + 1, dtype=float)
    chance = stats.binom.logpmf(hits, n, part * limit)
    log_e = dispersed(hits[:, None], np.full((n + 1, 1), n * limit), np.full((n + 1, 1), 1e9), np.array([bunching]))
    assert (logsumexp(log_e[:, 0] + chance[:, None], axis=0) <= 1e-6).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 30), st.floats(0.05, 1), st.floats(0.1, 100))
def test_bets_on_moody_events_are_fair(due: float, part: float, size: float) -> None:
    """Negative binomial counts of that size, for every mean up to the one that is due."""
    hits = np.arange(20_000, dtype=float)
    chance = stats.nbinom.logpmf(hits, size, size / (size + part * due))
    one = np.ones((len(hits), 1))
    log_e = dispersed(hits[:, None], due * one, size * one, np.ones(1))
    assert (logsumexp(log_e[:, 0] + chance[:, None], axis=0) <= 1e-6).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 300), min_size=1, max_size=20))
def test_sums_of_no_evidence_are_time(elapsed: list[float]) -> None:
    """With e = 1 every sum is the time since the start, whether sums leak to their neighbours or not, whatever the cadence."""
    sums = np.zeros((2, 2, len(LAMBDAS)))
    for step in elapsed:
        sums = advance(sums, np.zeros_like(sums), np.full(2, step), np.array([True, False]))
    np.testing.assert_allclose(sums.sum(-1), sum(elapsed) * len(LAMBDAS))


def test_the_leak_loses_nothing() -> None:
    np.testing.assert_allclose(LEAK.sum(1), 1.0)
    assert LEAK[0, 0] == 1.0, "the smallest lambda keeps all: small lasting shifts live there"


def test_sums_cannot_overflow() -> None:
    sums = np.zeros((1, 2, len(LAMBDAS)))
    for _ in range(50):
        sums = advance(sums, np.full_like(sums, 1e6), np.ones(1), np.array([True]))
    assert np.isfinite(sums).all()


@pytest.mark.parametrize(("hits", "n", "because"), [(20, 300, "two hundred times the limit"), (4, 20, "four in a thin window")])
def test_rare_things_speak_at_once(hits: float, n: float, because: str) -> None:
    e = np.exp(dispersed(np.array([hits]), np.array([n * 1e-4]), np.array([1e9]), np.ones(1)))
    assert e[0].mean() > 1e6, because
    assert len(RATIOS) == len(LAMBDAS), "bets of both kinds share one table"
