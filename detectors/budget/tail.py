"""Heavier tails than the normal law's, learnt from the reference: rare innovations are pulled in to the z they are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
EXCEED = np.array([0.02, 0.01, 0.005, 0.002, 0.001, 0.0005])
NORMAL = -ndtri(EXCEED)  # what a normal innovation exceeds that often


def knots(u: Floats, seen: NDArray[np.bool_], family: NDArray[np.int64]) -> Floats:
    """Quantiles of u at `EXCEED` above and below, shape (2, 6, S): own ones averaged with max(own, family's median), at least the normal's.

    A knot is only as good as the windows beyond it, so those that fewer than four windows exceed continue the last good one
    with the exponential law of the mean excess over it.
    """
    S = u.shape[1]
    out = np.tile(NORMAL[:, None], (2, 1, S))
    for j in range(S):
        mine = u[seen[:, j], j]
        good = len(mine) * EXCEED >= 4
        if not good.any():
            continue
        for side, x in enumerate((mine, -mine)):
            out[side, good, j] = np.quantile(x, 1 - EXCEED[good])
            last = int(np.flatnonzero(good)[-1])
            # what nobody has seen is not taken for normal: an exponential tail of the excess that was seen
            top = out[side, last, j]
            excess = max(float(np.mean(x[x >= top] - top)), top / NORMAL[last] ** 2)
            out[side, ~good, j] = top + excess * np.log(EXCEED[last] / EXCEED[~good])
    for f in np.unique(family):
        kin = np.median(out[:, :, family == f], axis=2, keepdims=True)
        out[:, :, family == f] = 0.5 * out[:, :, family == f] + 0.5 * np.maximum(kin, out[:, :, family == f])
    return np.maximum.accumulate(np.maximum(out, NORMAL[:, None]), axis=1)


def straighten(u: Floats, table: Floats) -> Floats:
    """z for innovations `u` (..., S): piecewise linear from (1, 1) through the knots, never larger than u, in proportion beyond the last.

    >>> table = np.tile(2 * NORMAL[:, None], (2, 1, 1))
    >>> straighten(np.array([2 * NORMAL[3]]), table).round(2), float(NORMAL[3].round(2))
    (array([2.88]), 2.88)
    """
    size = np.abs(u)
    if not (size > 1.0).any():
        return u
    lead = (slice(None),) + (None,) * (u.ndim - 1)
    edge = np.where(u > 0, table[0][lead], table[1][lead])
    out = 1.0 + (size - 1.0) * (NORMAL[0] - 1.0) / (edge[0] - 1.0)
    for k in range(len(EXCEED) - 1):
        part = (size - edge[k]) / np.maximum(edge[k + 1] - edge[k], 1e-9)
        out = np.where(size >= edge[k], NORMAL[k] + part * (NORMAL[k + 1] - NORMAL[k]), out)
    beyond = NORMAL[-1] + (size - edge[-1]) * np.minimum(1.0, NORMAL[-1] / edge[-1])
    out = np.where(size >= edge[-1], beyond, out)
    return np.sign(u) * np.where(size > 1.0, np.minimum(size, out), size)
