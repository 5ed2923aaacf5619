"""Cells of a numeric column: reference quantiles, or the column's own values where it has few.

Cell order, fixed: missing, not finite, invalid, below, q_0 .. q_{B-1}, above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.packed import pack_parts, unpack_parts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CELLS = 64
POINTS = 62  # at most this many distinct values get a cell each
MISSING, NOT_FINITE, INVALID, BELOW = 0, 1, 2, 3
FIRST = 4  # q_0


class Weighed(Protocol):
    """What cuts are learnt from: a uniform sample of `n` events, NaN = missing, infinities = not finite or invalid."""

    @property
    def n(self) -> int: ...

    @property
    def values(self) -> Floats: ...


@dataclass(frozen=True, eq=False)
class NumericCuts:
    """B cells between `low` and `high`, the reference's extremes, and one cell for everything beyond each.

    Quantile cells: q_i holds (edges[i-1], edges[i]], the first from `low` on, the last up to `high`. A value that carries
    at least two cells' worth of events has a cell of its own. Point cells (`points`), for columns of at most 62 repeated
    values: q_i holds exactly means[i]. A value *between* known points has no cell of its own and must not hide in a
    neighbour's: it counts as below or above, whichever end is nearer by rank, where the reference had next to nothing
    and a handful of events is decisive. A column never present in the reference (`low` NaN) has one empty cell; every
    value counts as above.

    Parameters: edges float64 (B-1,), increasing; means float64 (B,), the reference's mean in each cell.

    >>> cuts = NumericCuts(edges=np.array([1.0, 2.0]), low=0.0, high=3.0, means=np.array([0.5, 1.5, 2.5]))
    >>> cuts.codes(np.array([np.nan, -1.0, 0.0, 1.0, 1.1, 3.0, 9.0])).tolist()
    [0, 3, 4, 4, 5, 6, 7]
    >>> two = NumericCuts(edges=np.array([0.0]), low=0.0, high=1.0, means=np.array([0.0, 1.0]), points=True)
    >>> two.codes(np.array([0.0, 0.5, 1.0])).tolist()  # 0.5 was never seen: above, not "nearly 1"
    [4, 6, 5]
    """

    kind: ClassVar[str] = "numeric cuts"

    edges: Floats
    low: float
    high: float
    means: Floats
    points: bool = False

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.means) + FIRST + 1

    @cached_property
    def digest(self) -> str:
        """Names these cells: counts over other cells are refused, never misread."""
        return blake2b(self.pack(), digest_size=8).hexdigest()

    @cached_property
    def _bounds(self) -> Floats:
        if np.isnan(self.low):
            return np.empty(0)
        if self.points:
            return np.column_stack((_just_below(self.means), self.means)).ravel()
        return np.concatenate((_just_below(np.array([self.low])), self.edges, [self.high]))

    @cached_property
    def _cell_of(self) -> Ints:
        """Cell of each interval between `_bounds`."""
        b = len(self.means)
        above = FIRST + b
        if np.isnan(self.low):
            return np.array([above])
        if not self.points:
            return np.arange(BELOW, above + 1)
        cell = np.empty(2 * b + 1, dtype=np.int64)
        cell[1::2] = np.arange(FIRST, above)
        gap = np.arange(b + 1)
        cell[0::2] = np.where(2 * gap < b, BELOW, above)
        cell[0], cell[-1] = BELOW, above
        return cell

    def codes(self, values: Floats, flags: NDArray[np.uint8] | None = None) -> Ints:
        """Cell of each value; `flags` (0 as the value says, 1 missing, 2 not finite, 3 invalid) overrules the value."""
        codes = self._cell_of[self._bounds.searchsorted(values)]
        finite = np.isfinite(values)
        if not finite.all():
            codes[~finite] = NOT_FINITE
            codes[np.isnan(values)] = MISSING
        if flags is not None:
            bad = flags > 0
            codes[bad] = flags[bad].astype(np.int64) - 1
        return codes

    def names(self) -> list[str]:
        """A word for each cell, in order."""
        if self.points:
            middle = [f"{mean:g}" for mean in self.means]
        else:
            ends = [self.low, *self.edges.tolist(), self.high]
            middle = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(ends)]
        return ["missing", "not finite", "invalid", f"below {self.low:.4g}", *middle, f"above {self.high:.4g}"]

    def pack(self) -> bytes:
        head = np.array([self.low, self.high, float(self.points)])
        return pack_parts(self.kind, 1, head, np.asarray(self.edges, dtype=np.float64), np.asarray(self.means, dtype=np.float64))

    @classmethod
    def unpack(cls, data: bytes) -> NumericCuts:
        head, edges, means = unpack_parts(cls.kind, 1, data)
        return cls(edges, float(head[0]), float(head[1]), means, bool(head[2]))


def learn_numeric(samples: Weighed | Sequence[Weighed]) -> NumericCuts:
    """Cells from one sample of the reference, or from one per window: each value weighs the events it stands for.

    Few repeated values become point cells, unless more than one event in a hundred has a value seen only once (by
    Good and Turing that is the share of values still to come). A value seen only once gets no point of its own, so the
    reference itself shows how often something never seen turns up. Everything else gets up to 64 cells of equal mass:
    KS, scores and chi-square keep their power there, while mass beyond the extremes is seen by its own two cells.
    """
    parts = samples if isinstance(samples, Sequence) else [samples]
    finite = [part.values[np.isfinite(part.values)] for part in parts]
    values = np.concatenate(finite) + 0.0 if finite else np.empty(0)  # no -0.0, which would show in the digest
    if not len(values):
        return NumericCuts(np.empty(0), np.nan, np.nan, np.array([np.nan]), points=True)
    weights = np.concatenate([np.full(len(v), part.n / len(part.values)) for v, part in zip(finite, parts, strict=True) if len(v)])
    distinct, first, repeats = np.unique(values, return_inverse=True, return_counts=True)
    known = distinct[repeats > 1]
    if 1 <= len(known) <= POINTS and (repeats == 1).sum() <= 0.01 * len(values):
        return NumericCuts(known[:-1], float(known[0]), float(known[-1]), known, points=True)
    mass = np.bincount(first, weights=weights).astype(np.float64)
    return _quantile_cells(distinct, mass)


def _quantile_cells(distinct: Floats, mass: Floats) -> NumericCuts:
    low, high = float(distinct[0]), float(distinct[-1])
    total = mass.sum()
    upto = np.cumsum(mass) / total
    edges = distinct[np.minimum(upto.searchsorted(np.arange(1, CELLS) / CELLS, side="left"), len(distinct) - 1)]
    # two cells' worth at one value frees two quantiles that would coincide: one closes its cell, one opens it
    heavy = distinct[mass >= 2 * total / CELLS]
    edges = np.unique(np.concatenate((edges, heavy, _just_below(heavy))))
    edges = edges[(edges >= low) & (edges < high)]
    cell = edges.searchsorted(distinct)
    held = np.bincount(cell, weights=mass, minlength=len(edges) + 1)
    edges = np.delete(edges, np.flatnonzero(held[:-1] == 0))  # no cell without reference mass
    cell = edges.searchsorted(distinct)
    held = np.bincount(cell, weights=mass, minlength=len(edges) + 1)
    # shares before values: sums of large floats overflow, their means do not
    means = np.bincount(cell, weights=mass / held[cell] * distinct, minlength=len(edges) + 1).astype(np.float64)
    return NumericCuts(edges, low, high, means)


def _just_below(values: Floats) -> Floats:
    """The next smaller float; below the smallest of all that is -inf, which is meant."""
    with np.errstate(over="ignore"):
        return np.nextafter(values, -np.inf)
