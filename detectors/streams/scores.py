"""Window statistics from counts: smooth scores of shape, and the rest of chi-square.

Neyman's smooth test splits Pearson's chi-square of B cells into B - 1 independent directions. The first four, polynomials in
the cell's mid-rank, are location, scale, skew and tails: they keep their sign and can be added up over time. What is left
is the omnibus rest. (J. Neyman, "Smooth test" for goodness of fit, 1937; Wilson and Hilferty 1931 for the normal form.)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NAMES = ("location", "scale", "skew", "tails")


def _directions(shares: Floats, degree: int) -> Iterator[Floats]:
    """`polynomials` one after the other, (..., B) each.

    By the three-term recurrence of orthogonal polynomials (Stieltjes): x phi_k less its part along phi_k and phi_(k-1) is
    phi_(k+1) but for its length. The product of these lengths is the length of what is left of x^k.
    """
    rank = 2 * np.cumsum(shares, -1) - shares - 1
    phi, before = np.ones_like(shares), np.zeros_like(shares)
    length, left = np.zeros(shares.shape[:-1]), np.ones(shares.shape[:-1])
    for _ in range(degree):
        new = rank * phi
        along = np.einsum("...b,...b,...b->...", shares, new, phi)
        new -= along[..., None] * phi
        before *= length[..., None]
        new -= before
        square = np.einsum("...b,...b,...b->...", shares, new, new)
        left = left * square
        length = np.where(left > 1e-9, np.sqrt(square), 0.0)
        new *= np.where(left > 1e-9, 1 / np.where(left > 1e-9, length, 1.0), 0.0)[..., None]
        yield new
        phi, before = new, phi.copy()


def polynomials(shares: Floats, degree: int = 4) -> Floats:
    """Polynomials in the mid-rank, orthonormal under the given shares; shape (..., degree, B).

    Of the mid-rank, so cells need not be equally likely. A direction that the cells cannot tell apart (fewer than degree + 1
    cells with mass) is zero.

    `shares`, shape (..., B), sum to 1.

    >>> phi = polynomials(np.full(4, 0.25))
    >>> np.round(phi @ phi.T / 4, 6).diagonal()
    array([1., 1., 1., 0.])
    """
    return np.stack(list(_directions(shares, degree)), axis=-2)


def smooth_scores(counts: Floats, shares: Floats, degree: int = 4) -> Floats:
    """Scores y_k = sum_b c_b phi_k(b) / sqrt(n): mean 0, variance 1 and uncorrelated when events follow `shares`.

    `counts`, `shares` shape (..., B); returns (..., degree), zero where there are no events.

    >>> (smooth_scores(np.array([0., 0., 10., 10.]), np.full(4, 0.25)) + 1e-9).round(2)
    array([ 4.,  0., -2.,  0.])
    """
    total: Floats = np.stack([np.einsum("...b,...b->...", counts, phi) for phi in _directions(shares, degree)], axis=-1)
    out: Floats = total / np.sqrt(np.maximum(counts.sum(-1), 1.0))[..., None]
    return out


def chi_square(counts: Floats, shares: Floats) -> Floats:
    """Pearson's sum over cells with mass, shape (...).

    >>> float(chi_square(np.array([6., 4.]), np.array([0.5, 0.5])))
    0.4
    """
    due = counts.sum(-1, keepdims=True) * shares
    apart = counts - due
    apart *= apart
    out: Floats = np.divide(apart, due, out=np.zeros_like(due), where=due > 0).sum(-1)
    return out


def wilson_hilferty(x: Floats, df: Floats | float) -> Floats:
    """A chi-square value as a nearly normal one: ((x/df)^(1/3) - (1 - 2/(9 df))) / sqrt(2/(9 df)).

    >>> float(wilson_hilferty(np.array(30.0), 25.0).round(2))
    0.76
    """
    spread = 2.0 / (9.0 * np.asarray(df, float))
    return (np.cbrt(np.maximum(x, 0.05 * np.asarray(df, float)) / df) - (1.0 - spread)) / np.sqrt(spread)
