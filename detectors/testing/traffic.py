"""Traffic without events: counts of closed windows, drawn directly, so that months of it take seconds."""

from __future__ import annotations

import numpy as np

from detectors.budget.history import History
from detectors.layout import Column, columns_of

WINDOW_MS = 300_000


def stationary(
    features: int, windows: int, events: int, seed: int, cells: int = 64, start_ms: int = 0, window_ms: int = WINDOW_MS
) -> tuple[list[Column], History]:
    """Independent features of `cells` equally likely cells, Poisson numbers of `events` per window, nothing ever changing.

    >>> columns, history = stationary(features=2, windows=3, events=100, seed=1)
    >>> [c.name for c in columns], history.counts["f0"].shape
    (['f0', 'f1'], (3, 69))
    """
    rng = np.random.default_rng(seed)
    columns = [c for i in range(features) for c in columns_of(f"f{i}", "numeric", "inputs")]
    counts = {}
    n = rng.poisson(events, windows)
    for column in columns:
        table = np.zeros((windows, cells + 5), np.int64)
        table[:, 4:-1] = rng.multinomial(n, np.full(cells, 1 / cells))
        counts[column.name] = table
    return columns, History(start_ms + window_ms * np.arange(windows, dtype=np.int64), window_ms, counts)
