"""What may not be believed while a level rests on few windows: dead zones that cover the estimate's own error.

The mean of T autocorrelated values errs with variance S(0) / T, S(0) their spectrum at zero. The filter that whitens them passes a
lasting error of the level on with gain g, and the spectrum with g^2: in z the error has variance v / T, whatever the wander,
with v the variance of long sums of z per block. A dead zone of two and a half such errors leaves one estimate in eighty to the
bets' own price.

One-sided statistics see the error in every direction at once: chi-square against shares that T blocks taught is
(1 + 1/T) times as large on average, and 2/T larger than it was on those blocks themselves; a wander that happened to be elsewhere
while the level was taken counts once more.

The energies of the pooled group square the error of every member, over a block of c windows c / T times their usual size. Where that is
more than a twelfth, the members are left out of them; otherwise the dead zone holds its 99 % quantile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from detectors.budget.calibrated import Calibration
from detectors.budget.evidence import LAMBDAS
from detectors.budget.law import NEVER
from detectors.streams.scores import wilson_hilferty

Floats = NDArray[np.float64]
ERRORS = 2.5
SURE = 0.99
LONG = 12.0  # lengths of a block over which a level must have been seen, to be part of that block's energy


def variances(cost: Floats) -> Floats:
    """v of each stream at the longest horizon that is bet on, from the `cost` (S, lambdas) of its bets.

    >>> variances(np.array([[1e9, 1e9, 0.6, 2.0, 8.0]])).tolist()
    [1.2]
    """
    v = np.where(cost < NEVER / 2, 2 * cost / LAMBDAS**2, 0.0)
    offered = np.argmax(v > 0, axis=1)
    out: Floats = v[np.arange(len(v)), offered]
    return out


def together(weight: Floats, end: Floats, rho: Floats) -> Floats:
    """sum_ij w_i w_j rho^|i-j| per stream (S,): what a wander of variance one does to a weighted sum.

    `weight` (T, S), `end` (T,) of the windows, counted in windows; `rho` (S,) per window.

    >>> together(np.ones((2, 1)), np.array([1.0, 2.0]), np.array([0.5])).tolist()
    [3.0]
    """
    running, total = np.zeros(weight.shape[1]), np.zeros(weight.shape[1])
    for row, gap in zip(weight, np.diff(end, prepend=end[0]), strict=True):
        running *= rho**gap
        total += row * (2 * running + row)
        running += row
    return total


def spreads(calibration: Calibration) -> Floats:
    """What divides a lasting shift of a one-sided or pooled stream before it is z, at most: its sd, inflation included."""
    w = calibration.wander
    out: Floats = np.sqrt(w.tau2 + w.a + w.w) * w.scale * calibration.learnt.kappa
    return out


def undecided(calibration: Calibration, blocks: Floats, touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which members (J, M) of the pooled group know their level too badly for the energies of each cadence."""
    pool = calibration.pool
    out: NDArray[np.bool_] = touched[pool.members] & (pool.cadences[:, None] > blocks[pool.members] / LONG)
    return out


def dead_zones(calibration: Calibration, blocks: Floats, touched: NDArray[np.bool_]) -> Floats:
    """Dead zones of all streams and the pooled ones, never narrower than before.

    `blocks` (S,) that each stream's level was taken from; `touched` (S,) whose level it was.
    """
    c, streams = calibration, calibration.shape.streams
    S, J = len(streams), len(c.cadences)
    size = spreads(c)
    v = variances(c.learnt.cost)
    error = np.where(touched, v[:S] / np.maximum(blocks, 1e-9), 0.0)
    error = np.where(c.shape.rate, 0.0, error)  # their limits hold the error already
    bias = np.array([_bias(c, i, blocks[i]) if touched[i] else 0.0 for i in range(S)]) / size[:S]
    dead = c.learnt.dead.copy()
    dead[:S] = np.where(touched, np.maximum(dead[:S], ERRORS * np.sqrt(error) + bias), dead[:S])
    pool, F = c.pool, len(c.pool.root)
    square = (error + bias**2)[pool.members]
    along = np.sqrt((pool.basis**2 * (square / pool.kappa**2)[:, None]).sum(0)) / np.maximum(pool.root, 1e-12)
    dead[S : S + F] = np.maximum(dead[S : S + F], ERRORS * along / size[S : S + F])
    for j in range(J if pool.families else 0):
        # the sum over a block of a lasting error, squared, in units of the sum's own variance
        part = int(pool.cadences[j]) * square / (pool.kappa * pool.spread[j]) ** 2
        count = np.bincount(pool.family, (part > 1e-9).astype(float), pool.families)
        more = np.bincount(pool.family, part, pool.families) * chdtri(np.maximum(count, 1), 1 - SURE) / np.maximum(count, 1)
        of = slice(S + F + j * pool.families, S + F + (j + 1) * pool.families)
        d = pool.degrees[j]
        shift = wilson_hilferty(d + more / pool.scale[j], d) - wilson_hilferty(d, d)
        dead[of] = np.maximum(dead[of], np.where(more > 0, shift / size[of], 0.0))
    return dead


def _bias(calibration: Calibration, i: int, blocks: float) -> float:
    """How much higher a one-sided stream lies for the error of its own shares."""
    c, stream = calibration, calibration.shape.streams[i]
    if stream.law != "omnibus":
        return 0.0
    usual = max(float(c.learnt.season[0, i]), 0.0)
    if stream.statistic == "spike":
        return usual * (float(np.sqrt(1 + 2 / blocks)) - 1)
    df = max(float(c.shape.panel.merge[stream.column].max()) - 4, 1.0)
    one = np.array([df])
    return float((wilson_hilferty(one * (1 + 2 / blocks), one) - wilson_hilferty(one, one))[0]) + usual
