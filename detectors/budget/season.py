"""What the hour of the week still expects of a stream once its cells have their season: shrunk harmonic regression, out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.shrinkage import shrink

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Days:
    """Normal equations per day: `A` (D, S, P, P) and `B` (D, S, P)."""

    A: Floats
    B: Floats


def days(x: Floats, y: Floats, weight: Floats, day: Ints) -> Days:
    """Sums of w x x' and w x y per day, for calendar columns `x` (T, P) and streams `y`, `weight` (T, S)."""
    P, S = x.shape[1], y.shape[1]
    numbers = np.unique(day)
    A, B = np.zeros((len(numbers), S, P, P)), np.zeros((len(numbers), S, P))
    for at, number in enumerate(numbers):
        mine = day == number
        own = x[mine]
        products = (own[:, :, None] * own[:, None, :]).reshape(len(own), P * P)
        A[at] = (weight[mine].T @ products).reshape(S, P, P)
        B[at] = (weight[mine] * y[mine]).T @ own
    return Days(A, B)


def solve(sums: Days, keep: NDArray[np.bool_], groups: Ints) -> tuple[Floats, Floats]:
    """Shrunk coefficients (P, S) from the days in `keep`, and how many columns survive, per stream (S,)."""
    P = sums.A.shape[-1]
    which = np.flatnonzero(keep)

    def estimate(some: Ints) -> tuple[Floats, Floats]:
        A, B = sums.A[some].sum(0), sums.B[some].sum(0)
        ridge = np.maximum(np.einsum("spp->s", A) / P, 1e-9)[:, None, None] * np.eye(P)
        ridge[:, 0, 0] *= 1e-4
        return A + 1e-4 * ridge, np.linalg.solve(A + 1e-3 * ridge, B[:, :, None])

    A, whole = estimate(which)
    if P == 1:
        return whole[:, :, 0].T, np.ones(len(whole))
    (_, first), (_, second) = estimate(which[::2]), estimate(which[1::2])
    small, weights = shrink(A, whole, first, second, groups, pool=False)
    return small[:, :, 0].T, weights[:, groups].sum(1)
