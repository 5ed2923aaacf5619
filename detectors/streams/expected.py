"""Which share of events each cell should hold at a given hour: a season on the probit scale.

    F_b(t) = Phi(x(t)' gamma_b) for each cut b between neighbouring cells, p_b = F_b - F_(b-1), at least 2 % of its overall share

On that scale effects add up as shifts of the feature do, and each cut having coefficients of its own, any other change of
shape over the day can be followed too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from detectors.streams.shape import Panel

Floats = NDArray[np.float64]
FLOOR = 0.02


def expected(panel: Panel, gamma: Floats, x: Floats) -> Floats:
    """Shares (..., K, B) at calendar columns `x` (..., P), from coefficients `gamma` (P, K, B - 1)."""
    cuts = np.tensordot(x, gamma, axes=(-1, 0))
    return from_cuts(panel, cuts)


def from_cuts(panel: Panel, cuts: Floats) -> Floats:
    """Shares (..., K, B) from cuts on the probit scale (..., K, B - 1); cuts that cross are put in order."""
    below = ndtr(np.maximum.accumulate(cuts, axis=-1))
    below = np.where(panel.shares[:, 1:] > 0, below, 1.0)
    edge = np.zeros((*below.shape[:-1], 1))
    shares = np.diff(below, axis=-1, prepend=edge, append=edge + 1.0)
    shares = np.maximum(shares, FLOOR * panel.shares)
    out: Floats = shares / np.maximum(shares.sum(-1, keepdims=True), 1e-300)
    return out


def cuts_of(shares: Floats) -> Floats:
    """The cuts (..., B - 1) that give these shares, within +-7.5.

    >>> cuts_of(np.array([0.5, 0.5, 0.0])).round(2)
    array([0. , 7.5])
    """
    below = np.cumsum(shares, axis=-1)[..., :-1]
    return np.clip(ndtri(np.clip(below, 1e-15, 1 - 1e-15)), -7.5, 7.5)
