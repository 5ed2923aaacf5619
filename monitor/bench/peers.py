"""What others would have said: classical window tests at thresholds that no owner can have.

Each statistic's threshold is the largest value that it takes in the very month it is judged on, over all features: an oracle's, one
alarm a month. So a peer that is slower here is slower at any threshold that keeps the peace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from detectors.budget.history import History
from detectors.layout import Column
from detectors.streams.scores import chi_square, wilson_hilferty
from monitor.bench.sequences import inside

Floats = NDArray[np.float64]


def kolmogorov_smirnov(share: Floats, usual: Floats, n: Floats) -> Floats:
    return np.asarray(np.abs(np.cumsum(share - usual, axis=-1)).max(-1) * np.sqrt(n))


def psi(share: Floats, usual: Floats, n: Floats) -> Floats:
    p, q = np.maximum(share, 1e-4), np.maximum(usual, 1e-4)
    return np.asarray(((p - q) * np.log(p / q)).sum(-1)) + 0 * n


def jensen_shannon(share: Floats, usual: Floats, n: Floats) -> Floats:
    middle = (share + usual) / 2

    def half(x: Floats) -> Floats:
        safe = np.where(x > 0, x, 1.0)
        return np.asarray(np.where(x > 0, x * np.log(safe / np.maximum(middle, 1e-300)), 0.0).sum(-1))

    return np.sqrt(np.maximum(half(share) + half(usual), 0.0) / 2) + 0 * n


def chi_squared(share: Floats, usual: Floats, n: Floats) -> Floats:
    freedom = float(max(int((usual > 0).sum()) - 1, 1))
    return wilson_hilferty(chi_square(share * n[..., None], usual), freedom)


PEERS: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "ks": kolmogorov_smirnov, "psi": psi, "js": jensen_shannon, "chi2": chi_squared,
}  # fmt: skip


def usual_shares(columns: list[Column], reference: History) -> dict[str, Floats]:
    """Shares of each column's inside cells over the whole reference."""
    totals = {c.name: reference.counts[c.name].sum(0)[inside(c)].astype(float) for c in columns}
    return {name: t / max(t.sum(), 1.0) for name, t in totals.items()}


def largest(columns: list[Column], history: History, usual: Mapping[str, Floats]) -> dict[str, Floats]:
    """Each peer's largest value over the features, window by window (T,)."""
    out = {name: np.full(len(history.start_ms), -np.inf) for name in PEERS}
    for column in columns:
        cells = history.counts[column.name][:, inside(column)].astype(float)
        n = cells.sum(1)
        share = cells / np.maximum(n, 1)[:, None]
        for name, statistic in PEERS.items():
            value = np.where(n > 0, statistic(share, usual[column.name], n), -np.inf)
            np.maximum(out[name], value, out=out[name])
    return out
