"""Rates that have moods: followed where the reference shows them, Poisson where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from detectors.budget import dispersion
from detectors.budget.calibration import Options, calibrate
from detectors.budget.chain import Chain
from detectors.budget.evidence import dispersed
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.walk import pages_of
from detectors.layout import columns_of
from detectors.testing.steps import walk

DAY = 288
WINDOW_MS = 300_000


def moods(rng: np.random.Generator, windows: int, rates: int, sd: float, rho: float = 0.97) -> np.ndarray:
    """Factors on a rate, one on average: the exponential of an AR(1)."""
    noise = rng.normal(size=(windows, rates)) * sd * np.sqrt(1 - rho**2)
    noise[0] /= np.sqrt(1 - rho**2)
    return np.exp(lfilter([1.0], [1.0, -rho], noise, axis=0) - sd**2 / 2)


def counted(seed: int, sd: float, windows: int = 28 * DAY, rates: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Hits and what was due of rates that expect .3 to 6 in a window, by day more than by night."""
    rng = np.random.default_rng(seed)
    wave = 1 + 0.7 * np.sin(2 * np.pi * np.arange(windows) / DAY)
    due = wave[:, None] * np.geomspace(0.3, 6, rates)
    return rng.poisson(due * moods(rng, windows, rates, sd)).astype(float), due


def test_poisson_rates_are_left_alone() -> None:
    """A gain of four nats for at most four parameters: one rate in twenty at most is given a mood it does not have."""
    hits, due = counted(1, 0.0)
    _, tau2, white = dispersion.fit(hits, due, hits >= 0, np.ones(len(hits)))
    assert ((tau2 > 0) | (white > 0)).sum() <= 1


def test_moods_are_found() -> None:
    hits, due = counted(2, 0.4)
    _, tau2, white = dispersion.fit(hits, due, hits >= 0, np.ones(len(hits)))
    assert (tau2 > 0).all()
    assert np.median(tau2 + white) == pytest.approx(np.expm1(0.4**2), rel=0.5), "the grid is coarse"


def test_e_values_of_moody_rates_have_mean_one() -> None:
    """Followed by the filter; held against a plain Poisson law they have means far above it."""
    hits, due = counted(3, 0.4)
    steps, seen = np.ones(len(hits)), hits >= 0
    rates = hits.shape[1]
    every = np.ones(rates, bool)
    plain = Wander(np.full(rates, 0.9), np.zeros(rates), np.ones(rates), np.zeros(rates), np.ones(rates))
    moody = dispersion.learnt(plain, every, hits, seen.astype(float), due, steps)
    live, due = counted(4, 0.4)

    def means(wander: Wander) -> np.ndarray:
        limit, size = dispersion.predicted(wander, every, live, seen.astype(float), due, steps)
        e: np.ndarray = np.exp(dispersed(live, limit, size, np.ones(rates)))[..., :3].mean(0)
        return e

    found = means(moody)
    assert np.median(found, axis=0) == pytest.approx(1.0, abs=0.15)
    assert (found[:, :2] < 1.4).all(), "moods are taken at their largest, and yet the gamma law is not theirs"
    assert means(plain)[-1, 1] > 2.0, "the more is due, the more a mood is taken for"


def test_an_outage_does_not_become_the_level() -> None:
    one = np.ones(1)
    _, _, level, _ = dispersion.follow(0 * one, 0 * one, 0.1 * one, 500 * one, one, one > 0)
    assert 0 < level[0] < 1.0


def test_nothing_seen_teaches_nothing() -> None:
    one = np.ones(1)
    level, spread = dispersion.ahead(0.9 * one, 0.2 * one, 0.5 * one, 0.1 * one, 1000.0)
    assert (level[0], spread[0]) == pytest.approx((0.0, 0.2), abs=1e-9), "back to what is usual"
    _, _, after, still = dispersion.follow(0 * one, level, spread, 9 * one, one, one < 0)
    assert (after[0], still[0]) == pytest.approx((level[0], spread[0]))


def month(seed: int, days: int, start: int, more: float = 0.0) -> History:
    """One column of 300 events, two in a hundred missing on average, in moods; the last day `more` of them."""
    rng = np.random.default_rng(seed)
    windows = days * DAY
    n = rng.poisson(300, windows)
    share = 0.02 * moods(rng, windows, 1, 0.4)[:, 0] + more * (np.arange(windows) >= windows - DAY)
    gone = rng.binomial(n, np.minimum(share, 1))
    table = np.zeros((windows, 69), np.int64)
    table[:, 0], table[:, 4:68] = gone, rng.multinomial(n - gone, np.full(64, 1 / 64))
    return History(WINDOW_MS * (start * DAY + np.arange(windows)), WINDOW_MS, {"x": table})


def test_a_column_with_moods() -> None:
    """A quiet month at a tenth of its budget, where ten pages are allowed; a rise is still found; stepping says the same as walking."""
    calibration = calibrate(columns_of("x", "numeric", "inputs"), month(1, 28, 0), Options(WINDOW_MS))
    quiet, tenth = pages_of(calibration, month(2, 30, 28), (calibration.threshold, 864.0))
    assert not quiet
    assert len(tenth) <= 20
    risen = month(3, 3, 28, more=0.05)
    (found,) = pages_of(calibration, risen)
    assert found[0] < 2 * DAY + 12
    chain = Chain(calibration)
    *_, (_, _, last) = walk(chain, History(risen.start_ms[: found[0] + 1], WINDOW_MS, {"x": risen.counts["x"][: found[0] + 1]}))
    assert last.log10_m >= last.log10_a
    assert last.leads[0].statistic == "missing"


def test_what_moods_do_to_a_mean() -> None:
    """Simulated: the mean of so many windows stays below the limit in nineteen of twenty."""
    rho, tau2, windows = 0.9, 0.04, 2000
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(windows, 400)) * np.sqrt(tau2 * (1 - rho**2))
    noise[0] /= np.sqrt(1 - rho**2)
    mean = 1 + lfilter([1.0], [1.0, -rho], noise, axis=0).mean(0)
    one = np.ones(1)
    limit = dispersion.doubt(Wander(rho * one, tau2 * one, one, 0 * one, one), np.array([windows]))
    assert 0.02 < (mean > limit[0]).mean() < 0.08
