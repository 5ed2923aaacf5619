"""The direction in which the mix of a categorical column usually moves: the first principal component of its hourly residuals.

A mix that wanders or swings along one direction would speak in chi-square every time, squared and without a sign. As a signed stream
of its own it can be followed like any location, and chi-square keeps what is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.profile import Hours
from detectors.streams.expected import expected
from detectors.streams.shape import Panel

Floats = NDArray[np.float64]
LEAST_HOURS = 48


def directions(panel: Panel, gamma: Floats, hours: Hours) -> Floats:
    """Per column and cell (K, B): loadings v_b / sqrt(p_b) where the hours vary along v beyond what sampling explains, else zero."""
    out = np.zeros_like(panel.shares)
    if len(hours.day) < LEAST_HOURS:
        return out
    due = expected(panel, gamma, hours.x)
    zero = np.zeros((*hours.below.shape[:2], 1))
    share = np.diff(hours.below, axis=-1, prepend=zero, append=zero + 1.0)
    for k in np.flatnonzero(~panel.numeric):
        cells = np.flatnonzero(panel.shares[k] > 0)
        rows = hours.n[:, k] > 0
        if len(cells) < 3 or rows.sum() < LEAST_HOURS:
            continue
        p = due[rows][:, k, cells]
        r = np.clip((share[rows][:, k, cells] - p) * np.sqrt(hours.n[rows, k, None] / p), -8, 8)
        values, vectors = np.linalg.eigh(r.T @ r / len(r))
        if values[-1] > 1.3 * (1 + np.sqrt(len(cells) / len(r))) ** 2:
            along = vectors[:, -1] * (1.0 if vectors[0, -1] >= 0 else -1.0)
            out[k, cells] = along / np.sqrt(panel.shares[k, cells])
    return out
