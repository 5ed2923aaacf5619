"""Season that is not there must not be learnt: coefficients shrunk by how far two halves of the reference agree on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def shrink(A: Floats, whole: Floats, first: Floats, second: Floats, groups: Ints, pool: bool = True) -> tuple[Floats, Floats]:
    """Empirical Bayes per group of columns: (coefficients, weight per group).

    In the basis orthonormal for the information `A` = L L', q = L' coefficient; a group's signal is |q|^2 less the noise
    |q_first - q_second|^2 / 4, and its coefficients are multiplied by signal / (signal + noise). The constant (group 0) stays.

    `A` (K, P, P) positive definite; `whole`, `first`, `second` (K, P, C) estimates from everything and from alternate days,
    scaled so that their errors are comparable; `groups` (P,). The noise is averaged half and half with its mean over K, when
    `pool`ed. Returns (K, P, C) and (K, groups).
    """
    upper = np.linalg.cholesky(A).transpose(0, 2, 1)
    q, apart = upper @ whole, upper @ (first - second)
    weights = np.ones((len(A), int(groups.max()) + 1))
    for g in range(1, weights.shape[1]):
        mine = groups == g
        total = (q[:, mine] ** 2).sum((1, 2))
        noise = (apart[:, mine] ** 2).sum((1, 2)) / 4
        if pool:
            noise = 0.5 * noise + 0.5 * noise.mean()
        signal = np.maximum(total - noise, 0.0)
        weights[:, g] = signal / (signal + noise + 1e-300)
    return np.linalg.solve(upper, q * weights[:, groups][:, :, None]), weights
