"""Sums of many streams at once are the very sums that the chain moves one window at a time."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget.evidence import advance, bet_weights, dispersed, gaussian
from detectors.budget.replay import highest, pages
from detectors.budget.sums import Tape


def tape(rng: np.random.Generator, windows: int = 400) -> Tape:
    """Two-sided and one-sided scores at a fast and a slow cadence, thin windows in between, and rare rates with a burst."""
    kinds = 8
    seen = np.ones((windows, kinds), bool)
    seen[:, 2:4] = (np.arange(windows) % 12 == 11)[:, None]
    seen[rng.random((windows, kinds)) < 0.1] = False
    z = rng.normal(size=(windows, kinds))
    z[250:260, 0] += 4
    rate = np.arange(kinds) >= 6
    z[:, rate] = rng.poisson(0.2, (windows, 2))
    z[300, 7] = 40
    elapsed = np.where(seen, rng.integers(1, 13, seen.shape), 0).astype(float)
    cost = 0.5 * np.array([0.25, 0.5, 1, 2, 4]) ** 2 * np.ones((kinds, 1))
    due = 0.4 * seen[:, rate]
    return Tape(z, elapsed, rate, rng.uniform(0, 0.1, kinds), cost, due, rng.choice([3.0, 1e9], due.shape))


def slowly(tape: Tape, kappa: np.ndarray, clip: float, weights: np.ndarray, level: float) -> tuple[list[int], np.ndarray]:
    """Pages of a model and the highest sum of each stream while nothing is reset, by `evidence` alone."""
    sums, alone = np.zeros((8, 2, 5)), np.zeros((8, 2, 5))
    own = weights / weights.sum((1, 2), keepdims=True)
    rows, top = [], np.zeros(8)
    for t in range(len(tape.z)):
        log_e = gaussian(np.clip(tape.z[t] / kappa, -clip, clip), tape.dead, tape.cost)
        rare = dispersed(tape.z[t, 6:], tape.due[t], tape.size[t], kappa[6:])
        log_e[tape.rate, 0], log_e[tape.rate, 1] = rare, -np.inf
        on = (tape.elapsed[t] > 0)[:, None, None]
        sums, alone = (np.where(on, advance(x, log_e, tape.elapsed[t], ~tape.rate), x) for x in (sums, alone))
        top = np.maximum(top, (alone * own).sum((1, 2)))
        if (weights * sums).sum() >= level:
            rows.append(t)
            sums = np.zeros_like(sums)
    return rows, top


@pytest.mark.parametrize("seed", range(4))
def test_the_same_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = tape(rng)
    weights = bet_weights(np.full(8, 1 / 8), np.array([True, True, True, False, False, False, False, False]))
    kappa = rng.uniform(1, 1.5, 8)
    levels = (1e6, 30.0, 100.0)
    rows = pages(some, kappa, 5.0, weights, levels)
    for level, got in zip(levels, rows, strict=True):
        want, top = slowly(some, kappa, 5.0, weights, level)
        assert got == want, level
        np.testing.assert_allclose(highest(some, np.arange(8), kappa, 5.0, weights), top, rtol=1e-10)
    assert len(rows[1]) > len(rows[2]) > 0, "runs that a page parted go on apart"
    twice = highest(some, np.array([0, 0, 7]), np.array([1.0, 3.0, 1.0]), 8.0, weights)
    assert twice[0] > twice[1], "one stream with two inflations is two sums"
