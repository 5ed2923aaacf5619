"""The season of a column's cells, fitted on hourly sums: Newton's method per cut, then shrunk.

Per cut b: F_b(t) = Phi(x(t)' gamma_b). Score S = sum_h n x (F_obs - F) f with f = phi / (F (1 - F)), information
G = sum_h n x x' f^2 F (1 - F). All cuts and columns are solved side by side; a fixed preconditioner does not converge where
windows are large, so G is recomputed at every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from detectors.budget.shrinkage import shrink

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
BATCH = 8  # columns solved together: keeps the work in the cache


@dataclass(frozen=True, slots=True)
class Hours:
    """Sums over an hour or a window, whichever is longer: calendar columns `x` (H, P), events `n` (H, K), observed shares up to each
    cut `below` (H, K, B - 1), and the `day` (H,)."""

    x: Floats
    n: Floats
    below: Floats
    day: Ints


def fit(hours: Hours, groups: Ints, keep: Flags, start: Floats | None = None) -> tuple[Floats, Floats]:
    """Coefficients (P, K, B - 1) and the number of columns that survive shrinking, per column (K,), from the hours in `keep`.

    `start` are coefficients to begin from.
    """
    x, day = hours.x[keep], hours.day[keep]
    P, (K, C) = x.shape[1], hours.below.shape[1:]
    gamma = np.zeros((P, K, C))
    used = np.ones(K)
    for at in range(0, K, BATCH):
        rows = slice(at, min(at + BATCH, K))
        n, below = hours.n[keep][:, rows], hours.below[keep][:, rows]
        guess = None if start is None else start[:, rows]
        gamma[:, rows], used[rows] = _fit(x, n, below, day, groups, guess)
    return gamma, used


def _density(eta: Floats) -> tuple[Floats, Floats, Floats]:
    """F, phi / (F (1 - F)) and the information phi^2 / (F (1 - F)) at cuts on the probit scale."""
    F = ndtr(eta)
    spread = np.maximum(F * (1 - F), 1e-6)
    phi = np.exp(-eta * eta / 2) / np.sqrt(2 * np.pi)
    return F, phi / spread, phi * phi / spread


def _fit(x: Floats, n: Floats, below: Floats, day: Ints, groups: Ints, start: Floats | None) -> tuple[Floats, Floats]:
    (H, P), (K, C) = x.shape, below.shape[1:]
    total = np.maximum(n.sum(0), 1.0)
    share = np.clip((n[:, :, None] * below).sum(0) / total[:, None], 0.5 / total[:, None], 1 - 0.5 / total[:, None])
    if P == 1:
        return ndtri(share)[None], np.ones(K)
    gamma = np.zeros((P, K, C))
    gamma[0] = ndtri(share)
    gamma = gamma if start is None else start.copy()
    products = (x[:, :, None] * x[:, None, :]).reshape(H, P * P)
    for _ in range(7 if start is None else 3):
        F, f, info = _density(np.clip(np.tensordot(x, gamma, axes=(1, 0)), -5, 5))
        G = ((info * n[:, :, None]).reshape(H, -1).T @ products).reshape(-1, P, P)
        G += 1e-4 * np.einsum("bii->b", G)[:, None, None] / P * np.eye(P) + 1e-9 * np.eye(P)
        S = (((below - F) * f * n[:, :, None]).reshape(H, -1).T @ x)[:, :, None]
        step = np.linalg.solve(G, S)[:, :, 0].T
        reach = np.abs(x @ step).max(0)
        gamma = gamma + (step * np.minimum(1.0, 1.0 / np.maximum(reach, 1e-9))).reshape(P, K, C)
    return _shrunk(x, n, below, day, groups, gamma)


def _shrunk(x: Floats, n: Floats, below: Floats, day: Ints, groups: Ints, gamma: Floats) -> tuple[Floats, Floats]:
    F, f, info = _density(np.clip(np.tensordot(x, gamma, axes=(1, 0)), -5, 5))
    per_cut = (info * n[:, :, None]).sum(0) / np.maximum(n.sum(0), 1.0)[:, None]  # mean information of the cut, (K, C)
    per_cut = np.maximum(per_cut, 1e-6)
    score = (below - F) * f * n[:, :, None]
    odd = np.searchsorted(np.unique(day), day) % 2 == 1
    P = x.shape[1]
    A = np.einsum("hp,hk,hq->kpq", x, n, x, optimize=True)
    ridge = 1e-4 * np.einsum("kpp->k", A)[:, None, None] / P * np.eye(P) + 1e-9 * np.eye(P)
    root = np.sqrt(per_cut)[:, None, :]
    g = gamma.transpose(1, 0, 2)
    halves = []
    for half in (odd, ~odd):
        A_half = np.einsum("hp,hk,hq->kpq", x[half], n[half], x[half], optimize=True)
        S = np.einsum("hp,hkc->kpc", x[half], score[half], optimize=True) / per_cut[:, None, :]
        halves.append(np.linalg.solve(A_half + ridge, A_half @ g + S))
    small, weights = shrink(A + 1e-3 * ridge, g * root, halves[0] * root, halves[1] * root, groups)
    return (small / root).transpose(1, 0, 2), weights[:, groups].sum(1)
