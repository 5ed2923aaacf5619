"""The directions in which the mix of a categorical column usually moves: principal components of its residuals by hour and by six hours.

A mix that wanders or swings along a direction would speak in chi-square every time, squared and without a sign. As a signed stream
of its own it can be followed like any location, and chi-square keeps what is left. Two are looked for, since the liveliest within a day
(jobs, glitches) need not be the one that wanders over a week; in merged cells, where rare levels do not drown it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.profile import Hours
from detectors.streams.expected import expected
from detectors.streams.shape import DIRECTIONS, Panel

Floats = NDArray[np.float64]
LEAST_BLOCKS = 48
BLOCKS = (1, 6)  # hours: a slow wander stands out of more events, a fast one of fewer
BEYOND = 1.3  # times the largest eigenvalue that sampling alone makes


def directions(panel: Panel, gamma: Floats, hours: Hours) -> Floats:
    """Per direction, column and cell (2, K, B): v_b / sqrt(p_b) where blocks vary along v beyond what sampling explains, else zero.

    Of the two block lengths the one with the larger eigenvalue decides, in units of the edge (1 + sqrt(cells / blocks))^2 of Marchenko
    and Pastur; the second direction is sought in what the first leaves. One degree of freedom is left to chi-square.
    """
    out = np.zeros((DIRECTIONS, *panel.shares.shape))
    if len(hours.day) < LEAST_BLOCKS:
        return out
    due = expected(panel, gamma, hours.x)
    zero = np.zeros((*hours.below.shape[:2], 1))
    share = np.diff(hours.below, axis=-1, prepend=zero, append=zero + 1.0)
    for k in np.flatnonzero(~panel.numeric):
        cells = np.flatnonzero(panel.shares[k] > 0)
        rows = hours.n[:, k] > 0
        if len(cells) < 3:
            continue
        merge = np.eye(int(panel.merge[k].max()) + 1)[panel.merge[k, cells]]
        n = hours.n[rows, k, None]
        apart = [_apart(n * share[rows][:, k, cells] @ merge, n * due[rows][:, k, cells] @ merge, hop) for hop in BLOCKS]
        usual = panel.shares[k, cells] @ merge
        for d, along in enumerate(_liveliest([r for r in apart if len(r) >= LEAST_BLOCKS], min(DIRECTIONS, len(usual) - 2))):
            out[d, k, cells] = merge @ (along / np.sqrt(usual))
    return out


def _apart(found: Floats, due: Floats, hop: int) -> Floats:
    """Residuals of blocks of `hop` hours in sd, one row each."""
    at = np.arange(0, len(found) - hop + 1, hop)
    if not len(at):
        return found[:0]
    found, due = (np.add.reduceat(x[: at[-1] + hop], at, axis=0) for x in (found, due))
    out: Floats = np.clip((found - due) / np.sqrt(np.maximum(due, 1e-9)), -8, 8)
    return out


def _liveliest(apart: list[Floats], most: int) -> list[Floats]:
    """Up to `most` unit vectors along which residuals vary beyond sampling, each orthogonal to those before."""
    out: list[Floats] = []
    while apart and len(out) < most:
        tops = [np.linalg.eigh(r.T @ r / len(r)) for r in apart]
        excess = [values[-1] / (BEYOND * (1 + np.sqrt(r.shape[1] / len(r))) ** 2) for r, (values, _) in zip(apart, tops, strict=True)]
        best = int(np.argmax(excess))
        if excess[best] <= 1:
            break
        top: Floats = tops[best][1][:, -1]
        out.append(top * np.sign(top[np.argmax(np.abs(top))]))
        apart = [r - np.outer(r @ top, top) for r in apart]
    return out
