"""Closed windows of the past, as counts: what calibration learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Counts: TypeAlias = NDArray[np.signedinteger[Any]]  # of any width: sums over it are of 64 bits
IDLE_MS = 4 * 86_400_000  # a long weekend is a habit, a longer silence is none


@dataclass(frozen=True, slots=True)
class History:
    """Counts per column and window, oldest first.

    `start_ms`, shape (T,), are window starts, strictly increasing, gaps allowed; `counts[column]`, shape (T, cells), holds the
    column's cells in the fixed order of `detectors.streams.cells`. A row of zeros says that nothing was seen: quiet hours, empty windows.

    >>> History(np.array([0, 300_000]), 300_000, {"x": np.ones((2, 7), np.int64)}).days
    0.00694...
    """

    start_ms: NDArray[np.int64]
    window_ms: int
    counts: Mapping[str, Counts]
    _idle_ms: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = self.start_ms
        if self.window_ms <= 0:
            raise ValueError(f"history: window_ms must be positive, got {self.window_ms}")
        if starts.ndim != 1 or (len(starts) and bool((np.diff(starts) < self.window_ms).any())):
            raise ValueError("history: start_ms must be one row of increasing window starts that do not overlap")
        for name, table in self.counts.items():
            if table.ndim != 2 or len(table) != len(starts):
                raise ValueError(f"history: counts of {name!r} must have shape ({len(starts)}, cells), got {table.shape}")

        seen = np.zeros(len(starts), bool)
        for table in self.counts.values():
            seen |= table.any(axis=1)
        ends = starts + self.window_ms
        quiet = starts[seen][1:] - ends[seen][:-1]
        if seen.any():  # before the first event and after the last one, too
            quiet = np.r_[quiet, starts[seen][0] - starts[0], ends[-1] - ends[seen][-1]]
        object.__setattr__(self, "_idle_ms", int(quiet[quiet > IDLE_MS].sum()))

    @property
    def span_ms(self) -> int:
        """Event time from the first window's start to the last one's end, in milliseconds."""
        return int(self.start_ms[-1] - self.start_ms[0]) + self.window_ms if len(self.start_ms) else 0

    @property
    def days(self) -> float:
        """The same in days, without stretches of more than four days that brought no event: nothing was learnt there.

        >>> seen = np.r_[np.ones(3), np.zeros(20), np.ones(3)].astype(np.int64)[:, None]
        >>> History(np.arange(26) * 86_400_000, 86_400_000, {"x": seen}).days
        6.0
        """
        return (self.span_ms - self._idle_ms) / 86_400_000

    def since(self, from_ms: int) -> History:
        """The windows that start at `from_ms` or later."""
        first = int(np.searchsorted(self.start_ms, from_ms))
        return History(self.start_ms[first:], self.window_ms, {name: table[first:] for name, table in self.counts.items()})


def narrow(table: NDArray[np.int64]) -> Counts:
    """The same counts in the narrowest signed integers that hold them: a month of fifty columns is 200 MB of int64, and most counts
    are below 128. Signed, since unsigned ones among int64 would turn into floats.

    >>> narrow(np.array([[1, 127]])).dtype, narrow(np.array([[1, 128]])).dtype
    (dtype('int8'), dtype('int16'))
    """
    top = int(table.max(initial=0))
    return table.astype(next(kind for kind in (np.int8, np.int16, np.int32, np.int64) if top <= np.iinfo(kind).max))
