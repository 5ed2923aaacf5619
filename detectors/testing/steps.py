"""Stepping a chain through recorded windows, one by one, as a service would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from detectors.budget.chain import Chain, Reading, State
from detectors.budget.history import History

Counts = dict[str, NDArray[np.int64]]


def walk(
    chain: Chain, history: History, state: State | None = None, change: Callable[[int, Counts], None] | None = None
) -> Iterator[tuple[int, State, Reading]]:
    """(row, state, reading) window by window; `change` may alter a window's counts in place."""
    state = chain.zero() if state is None else state
    for row, start in enumerate(history.start_ms):
        counts = {name: table[row].copy() for name, table in history.counts.items()}
        if change is not None:
            change(row, counts)
        state, reading = chain.step(state, int(start), counts)
        yield row, state, reading
