"""What a bet must pay for variance and for the reference's own error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.evidence import HORIZONS, LAMBDAS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


def by_horizon(z: Floats, seen: Flags, family: Ints) -> Floats:
    """v(h): mean square of sums over h blocks, per block; shape (S, horizons), at least 1 and never falling.

    Shrunk to the family's upper quartile with weight blocks / (blocks + 60), since few blocks tell little.
    """
    S = z.shape[1]
    out = np.ones((len(HORIZONS), S))
    blocks = np.ones((len(HORIZONS), S))
    for j in range(S):
        x = np.concatenate([[0.0], np.cumsum(z[seen[:, j], j])])
        for i, h in enumerate(HORIZONS):
            if 4 * h > len(x) - 1:
                out[i, j], blocks[i, j] = out[i - 1, j] if i else 1.0, blocks[i - 1, j] if i else 1.0
                continue
            hop = max(1, h // 4)
            sums = x[h::hop] - x[:-h:hop]
            out[i, j], blocks[i, j] = float((sums**2).mean()) / h, (len(x) - 1) / h
    weight = blocks / (blocks + 60)
    for f in np.unique(family):
        mine = family == f
        kin = np.quantile(out[:, mine], 0.75, axis=1, keepdims=True)
        out[:, mine] = np.maximum(out[:, mine], weight[:, mine] * out[:, mine] + (1 - weight[:, mine]) * kin)
    return np.maximum.accumulate(np.maximum(out, 1.0), axis=0).T


def cost(v: Floats) -> Floats:
    """lambda^2 v / 2 per stream and lambda, with v at the horizon 16 / lambda^2 over which that lambda gathers its evidence."""
    at = np.searchsorted(HORIZONS, np.clip(16 / LAMBDAS**2, 1, HORIZONS[-1]) * 0.999)
    return LAMBDAS**2 / 2 * v[:, np.minimum(at, len(HORIZONS) - 1)]


def dead_zone(v: Floats, used: Floats, blocks: Ints, factor: float) -> Floats:
    """Standard error of the expected value, in z: factor sqrt(p v / T), p the columns of the season that survived shrinking, at least 1."""
    out: Floats = factor * np.sqrt(np.maximum(used, 1.0) * v[:, -1] / np.maximum(blocks, 1))
    return out
