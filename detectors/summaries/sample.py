"""A uniform sample of a numeric column, before its cells are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.cuts.numeric import NumericCuts
from detectors.packed import pack_parts, unpack_parts
from detectors.summaries.histogram import Histogram

OPEN = 4096  # events kept while a pane is open
RECORD = 256  # events kept in the record


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The `k` events with the smallest keys (`detectors.hashing.event_keys`) of the `n` that came.

    Which events are kept follows from their identities alone: merging is exact, whatever the batches and their order,
    and all columns of one model keep the same events. `values` hold them in the order of their keys: NaN = missing,
    +inf = not finite, -inf = invalid, so that a sample shows bad values in their true share; `missing`, `not_finite`
    and `invalid` are exact totals over all n events. Samples of different k merge to the smaller one.

    >>> keys, values = np.array([3, 1, 2], dtype=np.uint64), np.array([30.0, 10.0, np.nan])
    >>> Sample.fold(keys, values).reduce(2).values.tolist()
    [10.0, nan]
    """

    kind: ClassVar[str] = "sample"

    k: int
    n: int
    missing: int
    not_finite: int
    invalid: int
    keys: NDArray[np.uint64]
    values: NDArray[np.float64]

    @classmethod
    def zero(cls, k: int = OPEN) -> Sample:
        return cls(k, 0, 0, 0, 0, np.empty(0, dtype=np.uint64), np.empty(0))

    @classmethod
    def fold(cls, keys: NDArray[np.uint64], values: NDArray[np.float64], flags: NDArray[np.uint8] | None = None, k: int = OPEN) -> Sample:
        """Keys uint64 (events,) and values float64 (events,); `flags` as in NumericCuts.codes."""
        marked = marks(values, flags)
        totals = (
            int(np.count_nonzero(np.isnan(marked))),
            int(np.count_nonzero(marked == np.inf)),
            int(np.count_nonzero(marked == -np.inf)),
        )
        return cls(k, len(keys), *totals, *_smallest(keys, marked, k))

    def reduce(self, k: int = RECORD) -> Sample:
        """The same sample with at most `k` events: what folding with that k would have kept."""
        return Sample(min(k, self.k), self.n, self.missing, self.not_finite, self.invalid, self.keys[:k], self.values[:k])

    def cells(self) -> NDArray[np.int64]:
        """Only what has cells before any cuts: [missing, not finite, invalid, below = 0, everything else, above = 0]."""
        rest = self.n - self.missing - self.not_finite - self.invalid
        return np.array([self.missing, self.not_finite, self.invalid, 0, rest, 0], dtype=np.int64)

    def recut(self, cuts: NumericCuts) -> Histogram:
        """Counts of the events kept (not scaled up to n: their noise is that of the sample, and must look like it)."""
        flags = np.where(self.values == np.inf, 2, np.where(self.values == -np.inf, 3, 0)).astype(np.uint8)
        return Histogram.fold(cuts, self.values, flags)

    def merge(self, other: Sample) -> Sample:
        k = min(self.k, other.k)
        totals = (self.n + other.n, self.missing + other.missing, self.not_finite + other.not_finite, self.invalid + other.invalid)
        mine, theirs = (self, other) if len(self.keys) >= len(other.keys) else (other, self)
        keys, values = theirs.keys, theirs.values
        if len(mine.keys) >= k and len(keys):  # most of what comes late has no chance
            below = int(keys.searchsorted(mine.keys[k - 1], side="right"))
            keys, values = keys[:below], values[:below]
        if not len(keys):
            return Sample(k, *totals, mine.keys[:k], mine.values[:k])
        return Sample(k, *totals, *_smallest(np.concatenate((mine.keys, keys)), np.concatenate((mine.values, values)), k))

    def pack(self) -> bytes:
        head = np.array([self.k, self.n, self.missing, self.not_finite, self.invalid])
        return pack_parts(self.kind, 1, head, self.keys, self.values)

    @classmethod
    def unpack(cls, data: bytes) -> Sample:
        head, keys, values = unpack_parts(cls.kind, 1, data)
        k, n, missing, not_finite, invalid = head.tolist()
        return cls(k, n, missing, not_finite, invalid, keys, values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sample) and self.pack() == other.pack()

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def marks(values: NDArray[np.float64], flags: NDArray[np.uint8] | None) -> NDArray[np.float64]:
    """Values with the bad ones marked: NaN = missing, +inf = not finite, -inf = invalid."""
    marked = np.where(values == -np.inf, np.inf, values)
    if flags is not None and flags.any():
        marked = np.select([flags == 1, flags == 2, flags == 3], [np.nan, np.inf, -np.inf], marked)
    return np.asarray(marked, dtype=np.float64)


def _smallest(keys: NDArray[np.uint64], values: NDArray[np.float64], k: int) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """The k smallest keys in order; equal keys (2 in 2**64) in the order of their values, so that no order of arrival shows."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    if len(ordered) > 1 and (ordered[1:] == ordered[:-1]).any():
        order = np.lexsort((values, keys))
        ordered = keys[order]
    return ordered[:k], values[order[:k]]
