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
    np.copyto(below, 1.0, where=panel.shares[:, 1:] <= 0)
    shares = steps(below, 1.0)
    np.maximum(shares, FLOOR * panel.shares, out=shares)
    shares /= np.maximum(shares.sum(-1, keepdims=True), 1e-300)
    return shares


def steps(below: Floats, last: float) -> Floats:
    """From values at the cuts (..., B - 1) to what each of the B cells adds, from 0 before the first to `last` after the last.

    >>> steps(np.array([0.25, 0.75]), 1.0)
    array([0.25, 0.5 , 0.25])
    """
    out = np.empty((*below.shape[:-1], below.shape[-1] + 1))
    out[..., :-1] = below
    out[..., -1] = last
    out[..., 1:] -= below
    return out


def cuts_of(shares: Floats) -> Floats:
    """The cuts (..., B - 1) that give these shares, within +-7.5.

    >>> cuts_of(np.array([0.5, 0.5, 0.0])).round(2)
    array([0. , 7.5])
    """
    below = np.cumsum(shares, axis=-1)[..., :-1]
    return np.clip(ndtri(np.clip(below, 1e-15, 1 - 1e-15)), -7.5, 7.5)
