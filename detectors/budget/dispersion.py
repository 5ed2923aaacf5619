"""Rates that have moods: how far the rate of a rare event wanders, and what a count must then be held against.

Given its level m, a count c is Poisson with mean mu m, mu what limit and hour expect. The level wanders around 1 as an AR(1) of variance
tau2, and a window scatters on its own by w:

    m' = 1 + rho (m - 1),  v' = rho^2 v + tau2 (1 - rho^2) max(m', 1)^2   before the count is seen: moods move in proportion
    c ~ negative binomial of mean mu m' and size m'^2 / (v' + w m'^2)     gamma mixed, so that E and Var are right
    m = m' + K (c / mu - m'),  v = (1 - K) v',  K = v' / (v' + w m'^2 + m' / mu)

which for w = 0 is the posterior of a gamma prior. A rate that only hours move has tau2 = w = 0 and stays Poisson.
(P. J. Harrison and M. West, Bayesian Forecasting and Dynamic Models, 1989, for the gamma filter.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from detectors.budget.innovation import Wander

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
RHO = (0.7, 0.9, 0.96, 0.985, 0.996)
TAU2 = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.7, 2.0)
WHITE = (0.0, 0.05, 0.4, 3.0)
GAIN = 4.0  # nats that moods must win over a plain Poisson law
DOUBT = 2.0  # nats within which the largest moods are believed: a 95 % limit, as it is taken of the rate itself
LEAST_HITS = 20.0  # below, the reference cannot tell
WORST = 12.0  # nats that one window may cost: an outage is no mood
SURE = 1.65  # standard errors: one in twenty lies beyond
STEADY = 1e9  # size of a negative binomial law that is as good as Poisson
LOWEST = 0.05  # of the level
RATES_AT_ONCE = 32  # rates fitted side by side: keeps the work in the cache


def ahead(rho: Floats, tau2: Floats, level: Floats, spread: Floats, steps: Floats | float) -> tuple[Floats, Floats]:
    """(level, spread) after so many windows of which nothing was seen; levels as departures from 1."""
    decay = rho**steps
    level = decay * level
    return level, decay * decay * spread + tau2 * (1 - decay * decay) * np.maximum(1 + level, 1.0) ** 2


def follow(white: Floats, level: Floats, spread: Floats, hits: Floats, due: Floats, learn: Flags) -> tuple[Floats, Floats, Floats, Floats]:
    """One window: (mean as a factor on `due`, size of the law before it; level, spread after it), all of one shape.

    `level`, `spread` as `ahead` left them, `due` what limit and hour expect; where not `learn` nothing is learnt.

    >>> one = np.ones(1)
    >>> [float(x[0].round(3)) for x in follow(0 * one, 0 * one, 0.25 * one, 8 * one, 4 * one, one > 0)]
    [1.0, 4.0, 0.5, 0.125]
    """
    mean = np.maximum(1 + level, LOWEST)
    apart = spread + white * mean * mean
    size = np.minimum(mean * mean / np.maximum(apart, 1 / STEADY), STEADY)
    enough = np.maximum(due, 1e-12)
    noise = apart + mean / enough
    gain = np.where(learn, spread / noise, 0.0)
    # one window's outage does not become the level at once
    off = np.minimum(hits / enough - mean, 4 * np.sqrt(noise) + 2 / enough)
    return mean, size, mean + gain * off - 1, (1 - gain) * spread


def predicted(wander: Wander, rate: Flags, hits: Floats, events: Floats, limit: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """Limit and size (T, R) that each count of a stretch is held against, from those before it; `limit` (T, R) without moods.

    `rate` (S,) says which R of the streams are rare rates, `steps` (T,) windows since the row before.
    """
    limits, sizes = limit.copy(), np.full_like(limit, STEADY)
    tau2, white = wander.tau2[rate], wander.w[rate]
    moody = np.flatnonzero((tau2 > 0) | (white > 0))
    if not len(moody):
        return limits, sizes
    rho, tau2, white = wander.rho[rate][moody], tau2[moody], white[moody]
    level, spread = np.zeros(len(moody)), tau2.copy()
    hits, events = hits[:, moody], events[:, moody]
    due = events * limit[:, moody]
    for t in range(len(hits)):
        level, spread = ahead(rho, tau2, level, spread, steps[t])
        mean, sizes[t, moody], level, spread = follow(white, level, spread, hits[t], due[t], events[t] > 0)
        limits[t, moody] *= mean
    return limits, sizes


def learnt(wander: Wander, rate: Flags, hits: Floats, events: Floats, limit: Floats, steps: Floats) -> Wander:
    """`wander` with the moods of the rates, as the stretch shows them; parameters as in `predicted`."""
    rho, tau2, w = wander.rho.copy(), wander.tau2.copy(), wander.w.copy()
    rho[rate], tau2[rate], w[rate] = fit(hits, events * limit, events > 0, steps)
    return replace(wander, rho=rho, tau2=tau2, w=w)


def fit(hits: Floats, due: Floats, seen: Flags, steps: Floats) -> tuple[Floats, Floats, Floats]:
    """(rho, tau2, w) of each rate, shape (R,), by likelihood over a grid: the largest moods that are nearly as likely as the likeliest,
    tau2 = w = 0 where none wins.

    `hits`, `due`, `seen` (T, R); `steps` (T,) windows since the row before.
    """
    R = hits.shape[1]
    found = np.tile(np.array([0.9, 0.0, 0.0])[:, None], (1, R))
    mine = np.flatnonzero((hits * seen).sum(0) >= LEAST_HITS)
    grid = np.array([(0.9, 0.0, w) for w in WHITE] + [(r, t, w) for r in RHO for t in TAU2 for w in WHITE[:-1]]).T
    for at in range(0, len(mine), RATES_AT_ONCE):
        some = mine[at : at + RATES_AT_ONCE]
        loss = _loss(grid[:, :, None], hits[:, some], due[:, some], seen[:, some], steps)
        loss[0] -= GAIN
        best = loss.min(axis=0)
        plain = loss[0] <= best
        possible = loss <= best + DOUBT
        possible[0] = plain
        most = np.where(possible, (grid[1] + grid[2])[:, None] - 1e-3 * (loss - best), -np.inf)
        found[:, some] = grid[:, np.where(plain, 0, np.argmax(most, axis=0))]
    return found[0], found[1], found[2]


def _loss(grid: Floats, hits: Floats, due: Floats, seen: Flags, steps: Floats) -> Floats:
    """Minus log-likelihood (C, R) of R rates under C points (rho, tau2, w), `grid` (3, C, 1)."""
    rho, tau2, white = (np.repeat(part, hits.shape[1], axis=1) for part in grid)
    level, spread = np.zeros_like(rho), tau2.copy()
    total = np.zeros_like(rho)
    apiece = gammaln(hits + 1)
    for t in np.flatnonzero(seen.any(axis=1)):
        level, spread = ahead(rho, tau2, level, spread, steps[t])
        mean, size, level, spread = follow(white, level, spread, hits[t], due[t], seen[t])
        expected = mean * due[t]
        cost = size * np.log1p(expected / size)
        some = np.flatnonzero(hits[t])
        if len(some):
            c, k, m = hits[t, some], size[:, some], expected[:, some]
            cost[:, some] += apiece[t, some] - gammaln(c + k) + gammaln(k) - c * np.log(np.maximum(m, 1e-300) / (k + m))
        total += np.minimum(cost, WORST) * seen[t]
    return total


def doubt(wander: Wander, blocks: Ints) -> Floats:
    """The factor on a limit (S,) that covers what moods did to the mean of so many windows: 1.65 standard errors,
    sqrt(tau2 (1 + rho) / (1 - rho) + w) / sqrt(blocks)."""
    long = wander.tau2 * (1 + wander.rho) / (1 - wander.rho) + wander.w
    out: Floats = 1 + SURE * np.sqrt(long / np.maximum(blocks, 1))
    return out
