"""Counts of a numeric column over frozen cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.cuts.numeric import NumericCuts
from detectors.packed import pack_parts, unpack_parts


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """`counts` int64 (cells,) in the order of `detectors.cuts.numeric`, over the cells that `cuts` names.

    >>> from detectors.cuts import NumericCuts
    >>> cuts = NumericCuts(np.array([1.0]), 0.0, 2.0, np.array([0.5, 1.5]))
    >>> Histogram.fold(cuts, np.array([0.2, 1.2, 1.4, 7.0])).counts.tolist()
    [0, 0, 0, 0, 1, 2, 1]
    """

    kind: ClassVar[str] = "histogram"

    cuts: str
    counts: NDArray[np.int64]

    @classmethod
    def zero(cls, cuts: NumericCuts) -> Histogram:
        return cls(cuts.digest, np.zeros(cuts.size, dtype=np.int64))

    @classmethod
    def fold(cls, cuts: NumericCuts, values: NDArray[np.float64], flags: NDArray[np.uint8] | None = None) -> Histogram:
        """Counts of `values` (events,); see NumericCuts.codes for `flags`."""
        return cls(cuts.digest, np.bincount(cuts.codes(values, flags), minlength=cuts.size))

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def cells(self) -> NDArray[np.int64]:
        return self.counts

    def merge(self, other: Histogram) -> Histogram:
        """Sum of the counts; ValueError where the cells differ."""
        if self.cuts != other.cuts:
            raise ValueError(f"histograms over different cells do not add up: {self.cuts} and {other.cuts}")
        return Histogram(self.cuts, self.counts + other.counts)

    def pack(self) -> bytes:
        return pack_parts(self.kind, 1, [self.cuts], self.counts)

    @classmethod
    def unpack(cls, data: bytes) -> Histogram:
        (cuts,), counts = unpack_parts(cls.kind, 1, data)
        return cls(cuts, counts.astype(np.int64))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.cuts == other.cuts and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # holds an array
