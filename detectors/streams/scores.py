"""Window statistics from counts: smooth scores of shape, and the rest of chi-square.

Neyman's smooth test splits Pearson's chi-square of B cells into B - 1 independent directions. The first four, polynomials in
the cell's mid-rank, are location, scale, skew and tails: they keep their sign and can be added up over time. What is left
is the omnibus rest. (J. Neyman, "Smooth test" for goodness of fit, 1937; Wilson and Hilferty 1931 for the normal form.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("location", "scale", "skew", "tails")


def polynomials(shares: Floats, degree: int = 4) -> Floats:
    """Polynomials in the mid-rank, orthonormal under the given shares; shape (..., degree, B).

    Gram-Schmidt on powers of the mid-rank, so cells need not be equally likely. A direction that the cells cannot tell apart
    (fewer than degree + 1 cells with mass) is zero.

    `shares`, shape (..., B), sum to 1.

    >>> phi = polynomials(np.full(4, 0.25))
    >>> np.round(phi @ phi.T / 4, 6).diagonal()
    array([1., 1., 1., 0.])
    """
    rank = 2 * np.cumsum(shares, -1) - shares - 1
    out = np.zeros((*shares.shape[:-1], degree, shares.shape[-1]))
    power = np.ones_like(shares)
    for k in range(degree):
        power = power * rank
        new = power - (shares * power).sum(-1, keepdims=True)
        for j in range(k):
            new = new - (shares * new * out[..., j, :]).sum(-1, keepdims=True) * out[..., j, :]
        size = (shares * new * new).sum(-1, keepdims=True)
        out[..., k, :] = np.where(size > 1e-9, new / np.sqrt(np.maximum(size, 1e-9)), 0.0)
    return out


def smooth_scores(counts: Floats, shares: Floats, phi: Floats | None = None) -> Floats:
    """Scores y_k = sum_b c_b phi_k(b) / sqrt(n): mean 0, variance 1 and uncorrelated when events follow `shares`.

    `counts`, `shares` shape (..., B); returns (..., 4), zero where there are no events.

    >>> smooth_scores(np.array([0., 0., 10., 10.]), np.full(4, 0.25)).round(2)
    array([ 4.,  0., -2.,  0.])
    """
    phi = polynomials(shares) if phi is None else phi
    n = counts.sum(-1)
    total: Floats = np.einsum("...b,...kb->...k", counts, phi)
    out: Floats = total / np.sqrt(np.maximum(n, 1.0))[..., None]
    return out


def chi_square(counts: Floats, shares: Floats) -> Floats:
    """Pearson's sum over cells with mass, shape (...).

    >>> float(chi_square(np.array([6., 4.]), np.array([0.5, 0.5])))
    0.4
    """
    expected = counts.sum(-1, keepdims=True) * shares
    out: Floats = np.where(expected > 0, (counts - expected) ** 2 / np.where(expected > 0, expected, 1.0), 0.0).sum(-1)
    return out


def wilson_hilferty(x: Floats, df: Floats | float) -> Floats:
    """A chi-square value as a nearly normal one: ((x/df)^(1/3) - (1 - 2/(9 df))) / sqrt(2/(9 df)).

    >>> float(wilson_hilferty(np.array(30.0), 25.0).round(2))
    0.76
    """
    spread = 2.0 / (9.0 * np.asarray(df, float))
    return (np.cbrt(np.maximum(x, 0.05 * np.asarray(df, float)) / df) - (1.0 - spread)) / np.sqrt(spread)
