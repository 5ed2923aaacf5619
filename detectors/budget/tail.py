"""Heavier tails than the normal law's, learnt from the reference: rare innovations are pulled in to the z they are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
EXCEED = np.array([0.02, 0.01, 0.005, 0.002, 0.001, 0.0005])
NORMAL = -ndtri(EXCEED)  # what a normal innovation exceeds that often
FEW = 4.0  # windows beyond a quantile that make it a knot
MOST = 0.1  # of the windows: with fewer than forty, tails are taken for normal


def knots(u: Floats, seen: NDArray[np.bool_], family: NDArray[np.int64]) -> Floats:
    """Quantiles of u at `EXCEED` above and below, shape (2, 6, S): own ones averaged with max(own, family's median), at least the normal's.

    A knot is only as good as the windows beyond it, so those that fewer than four windows exceed continue the last good one, or in short
    references the value that four do, with the exponential law of the mean excess over it.
    """
    S = u.shape[1]
    out = np.tile(NORMAL[:, None], (2, 1, S))
    for j in range(S):
        mine = np.sort(u[seen[:, j], j])
        good = len(mine) * EXCEED >= FEW
        last = float(EXCEED[good][-1]) if good.any() else FEW / max(len(mine), 1)
        if last > MOST:
            continue
        usual = float(-ndtri(last))
        for side, x in enumerate((mine, -mine[::-1])):
            out[side, good, j] = _quantiles(x, 1 - EXCEED[good])
            # what nobody has seen is not taken for normal: an exponential tail of the excess that was seen
            top = float(np.quantile(x, 1 - last))
            beyond = x[np.searchsorted(x, top) :]
            excess = max(float(np.mean(beyond - top)), top / usual**2)
            out[side, ~good, j] = top + excess * np.log(last / EXCEED[~good])
    for f in np.unique(family):
        kin = np.median(out[:, :, family == f], axis=2, keepdims=True)
        out[:, :, family == f] = 0.5 * out[:, :, family == f] + 0.5 * np.maximum(kin, out[:, :, family == f])
    return np.maximum.accumulate(np.maximum(out, NORMAL[:, None]), axis=1)


def _quantiles(ordered: Floats, at: Floats) -> Floats:
    """Quantiles of numbers that are in order already, linear between neighbours."""
    place = at * (len(ordered) - 1)
    below = place.astype(np.int64)
    above = np.minimum(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def straighten(u: Floats, table: Floats) -> Floats:
    """z for innovations `u` (..., S): piecewise linear from (1, 1) through the knots, never larger than u, in proportion beyond the last.

    >>> table = np.tile(2 * NORMAL[:, None], (2, 1, 1))
    >>> straighten(np.array([2 * NORMAL[3]]), table).round(2), float(NORMAL[3].round(2))
    (array([2.88]), 2.88)
    """
    out = u.copy()
    far = np.nonzero(np.abs(u) > 1.0)
    if not len(far[-1]):
        return out
    x = u[far]
    size, edge = np.abs(x), np.where(x > 0, table[0][:, far[-1]], table[1][:, far[-1]])
    z = 1.0 + (size - 1.0) * (NORMAL[0] - 1.0) / (edge[0] - 1.0)
    for k in range(len(EXCEED) - 1):
        beyond = size >= edge[k]
        part = (size[beyond] - edge[k, beyond]) / np.maximum(edge[k + 1, beyond] - edge[k, beyond], 1e-9)
        z[beyond] = NORMAL[k] + part * (NORMAL[k + 1] - NORMAL[k])
    last = size >= edge[-1]
    z[last] = NORMAL[-1] + (size[last] - edge[-1, last]) * np.minimum(1.0, NORMAL[-1] / edge[-1, last])
    out[far] = np.copysign(np.minimum(size, z), x)
    return out
