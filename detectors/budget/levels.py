"""Where a column's cells lie now: one constant per cut on top of the season that the reference taught.

    F_b(t) = Phi(x(t)' gamma_b + d_b),   d_b the root of  sum_t n_t (F_b(t) - observed share up to cut b) = 0

The root is unique, since the sum only grows in d_b; a few imagined events spread as in the reference keep it finite where a cell is empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from detectors.budget.profile import Hours
from detectors.streams.shape import MERGED, Panel, merge_map

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PRIOR = 5.0  # imagined events
REACH = 16.0  # further than any two laws on the probit scale are apart
HALVINGS = 34


def constants(panel: Panel, gamma: Floats, recent: Hours, rows: Ints) -> Floats:
    """d (rows, B - 1) of the columns `rows`, from hourly sums of what is normal now; zero at cuts that bound no live cell."""
    n, below = recent.n[:, rows], recent.below[:, rows]
    total = n.sum(0)[:, None]
    cuts = np.tensordot(recent.x, gamma[:, rows], axes=(1, 0))
    share = n[:, :, None] / np.maximum(total, 1.0)
    usual = (share * ndtr(cuts)).sum(0)
    wanted = ((n[:, :, None] * below).sum(0) + PRIOR * usual) / (total + PRIOR)
    low, high = np.full(wanted.shape, -REACH), np.full(wanted.shape, REACH)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        under = (share * ndtr(cuts + middle)).sum(0) < wanted
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    live = (panel.shares[rows, 1:] > 0) & (total > 0)
    return np.where(live, (low + high) / 2, 0.0)


def shares(panel: Panel, cells: Floats, rows: Ints) -> Floats:
    """Overall shares (rows, B) from summed cells (K, B); no live cell's becomes zero."""
    own, usual = cells[rows], panel.shares[rows]
    out: Floats = np.where(usual > 0, (own + PRIOR * usual) / (own.sum(-1, keepdims=True) + PRIOR), 0.0)
    return out


def merged(share: Floats, typical: float) -> Ints:
    """The merged cell of each cell of one row (B,) for the omnibus statistics, `typical` events a window.

    Groups of less than a third of their due are joined with the one before: a level that has nearly gone may lie between two large
    ones, and alone it would make chi-square jump with every single event.

    >>> merged(np.array([0.5, 0.0001, 0.4999, 0.0]), 300).tolist()
    [0, 0, 1, 1]
    """
    live = np.flatnonzero(share > 0)
    out = np.zeros(len(share), np.int64)
    if not len(live):
        return out
    count = int(np.clip(typical / 3, 8, MERGED))
    group = merge_map(share[live], count)
    mass = np.bincount(group, share[live])
    number, filled = np.zeros(len(mass), np.int64), float(mass[0])
    for g in range(1, len(mass)):
        full = min(filled, float(mass[g])) * 3 * count >= 1
        number[g] = number[g - 1] + full
        filled = float(mass[g]) if full else filled + float(mass[g])
    out[live] = number[group]
    out[live[-1] + 1 :] = out[live[-1]]
    return out
