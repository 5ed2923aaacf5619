"""Bets and Shiryaev-Roberts sums: how strongly closed windows speak against "nothing changed".

An e-value is non-negative with mean at most 1 while nothing has changed. R <- (R + elapsed) e then grows no faster than time, so does
any fixed weighted mean M of such sums, and E[pages up to T] <= T / A for the rule "page when M >= A, then start again", whatever
the dependence between streams. (Shin, Ramdas, Rinaldo, E-detectors, 2022; the clock that lets cadences share a budget is ours.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LAMBDAS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
RATIOS = np.array([1.5, 2.0, 4.0, 16.0, 64.0])
HORIZONS = np.array([1, 4, 16, 64, 256])
LARGEST = 1e200
MOST_CREDIT_MS = 21_600_000


def _leak() -> Floats:
    """Each lambda hands a little to the next lower one: the filter swallows a step, and the sums follow its fading trace."""
    out = np.eye(len(LAMBDAS))
    for i, part in enumerate((0.0, 0.01, 0.05, 0.15, 0.30)):
        out[i, i] -= part
        out[i, max(i - 1, 0)] += part
    return out


LEAK = _leak()


def gaussian(z: Floats, dead: Floats, cost: Floats) -> Floats:
    """ln e = +-lambda z - lambda dead - cost, shape (..., streams, 2, lambdas): first a rise, then a fall.

    `dead` (streams,) is the shift too small to be told from the reference's own error; `cost` (streams, lambdas) is
    lambda^2 v / 2 with v the variance of z over the horizon at which that lambda works.
    """
    bet = LAMBDAS * np.stack([z, -z], axis=-1)[..., None]
    return bet - (LAMBDAS * dead[:, None] + cost)[:, None, :]


def dispersed(hits: Floats, due: Floats, size: Floats, bunching: Floats) -> Floats:
    """ln e of `hits` rare events where `due` are expected at most, shape (..., streams, ratios): a rise by each ratio r against none.

    The likelihood ratio of two negative binomial laws of one `size` k, c ln r - (c + k) ln(1 + due (r - 1) / (k + due)), divided by D.
    It is fair for every mean up to `due`, and Poisson's where k is large. `bunching` D > 1 tempers it where events come in bunches.

    >>> one = np.ones(1)
    >>> float(dispersed(3 * one, one, 1e9 * one, one)[0, 1].round(3))  # 3 ln 2 - 1
    1.079
    """
    more = np.log1p(due[..., None] * (RATIOS - 1) / (size + due)[..., None])
    out: Floats = (hits[..., None] * np.log(RATIOS) - (hits + size)[..., None] * more) / bunching[:, None]
    return out


def credit(elapsed: Floats, length: Floats, window_ms: int) -> Floats:
    """Windows of `elapsed` (streams,) that a sum is credited with: its own `length` (streams,) at least, a quarter of a day at most.

    The bound on pages holds for any credit that is no larger than the time that passed. Uncapped, a stretch without traffic bought every
    sum its length in one step: a weekend without events was a ticket on Monday, three years a page.

    >>> credit(np.array([1.0, 600.0, 90.0]), np.array([1.0, 1.0, 288.0]), 300_000).tolist()
    [1.0, 72.0, 90.0]
    """
    return np.minimum(elapsed, np.maximum(length, MOST_CREDIT_MS / window_ms))


def advance(sums: Floats, log_e: Floats, elapsed: Floats, leaks: Flags) -> Floats:
    """R <- (leak(R) + elapsed) e, capped. `sums`, `log_e` (streams, 2, bets); `elapsed` (streams,) windows since each one's last update."""
    moved = sums @ LEAK if leaks.all() else np.where(leaks[:, None, None], sums @ LEAK, sums)
    return np.minimum((moved + elapsed[:, None, None]) * np.exp(np.minimum(log_e, 230.0)), LARGEST)  # 1e200 times e^230 is still a number


def bet_weights(weights: Floats, signed: Flags) -> Floats:
    """Weights of all sums, shape (streams, 2, bets): both directions share a signed stream, one-sided streams bet on a rise only."""
    sides = np.where(signed[:, None], 0.5, np.array([1.0, 0.0]))
    return np.repeat((weights[:, None] * sides)[:, :, None] / len(LAMBDAS), len(LAMBDAS), axis=2)
