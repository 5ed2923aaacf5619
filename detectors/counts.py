"""Counts of one column over frozen cells, as comparators see them.

Cell order, fixed for good: numeric `missing, not finite, invalid, below, q_0 .. q_(B-1), above`, categorical `missing,
invalid, unseen, other, level_0 ..`. Comparators speak about values, so they leave out the cells of what is no value; those
have rates and rules of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NO_VALUE = {"numeric": 3, "categorical": 2}  # leading cells that hold no values


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """`counts` (cells,) of non-negative integers; `means` (B,) the reference's mean in each of the cells q_0 .. q_(B-1), if numeric.

    Raises:
        ValueError: for a wrong shape or a negative count, naming what would be right.

    >>> Counts("categorical", np.array([1, 0, 0, 0, 7, 2])).values.tolist()
    [0, 0, 7, 2]
    """

    kind: Literal["numeric", "categorical"]
    counts: Ints
    means: Floats | None = None

    def __post_init__(self) -> None:
        least = NO_VALUE[self.kind] + (3 if self.kind == "numeric" else 2)
        if self.counts.ndim != 1 or len(self.counts) < least:
            raise ValueError(f"{self.kind} counts have one axis of at least {least} cells, not shape {self.counts.shape}")
        if (self.counts < 0).any():
            raise ValueError("counts are not negative")
        if self.means is not None and (self.kind != "numeric" or self.means.shape != (len(self.counts) - 5,)):
            raise ValueError(f"means are one per inner cell of numeric counts ({len(self.counts) - 5}), not shape {self.means.shape}")

    @property
    def values(self) -> Ints:
        """The cells that hold values, (cells,): below, q_0 .., above, or unseen, other, level_0 .."""
        return self.counts[NO_VALUE[self.kind] :]

    @property
    def n(self) -> int:
        """Events with a value."""
        return int(self.values.sum())


def check_pair(reference: Counts, window: Counts) -> str:
    """Why two counts have nothing to say about each other, or "" where they have.

    Raises:
        ValueError: if they are counts over different cells: that is an error in the program, not in the data.
    """
    if reference.kind != window.kind or len(reference.counts) != len(window.counts):
        raise ValueError(f"counts over different cells: {reference.kind} {len(reference.counts)} and {window.kind} {len(window.counts)}")
    if reference.n == 0:
        return "no values in the reference"
    return "no values in the window" if window.n == 0 else ""


def grouped(reference: Counts, window: Counts, groups: int) -> tuple[Ints, Ints]:
    """Both counts over fewer cells: (cells,) each, at most about `groups` for numbers, cells empty in both left out.

    Numbers: neighbouring cells are joined until each group holds about 1/groups of the reference; what lies below or
    above the reference's range stays by itself, for there a handful of events is decisive. Categories keep their
    cells, since no two levels are neighbours.

    >>> wide = Counts("numeric", np.array([0, 0, 0, 0, 25, 25, 25, 25, 0]))
    >>> grouped(wide, wide, 2)[0].tolist()
    [50, 50]
    """
    a, b = reference.values, window.values
    if reference.kind == "numeric" and len(a) - 2 > groups:
        inner = a[1:-1]
        middle = np.cumsum(inner) - inner / 2
        group = np.minimum((middle * groups / max(1, inner.sum())).astype(np.int64), groups - 1)
        index = np.concatenate(([0], group + 1, [groups + 1]))
        a, b = (np.bincount(index, weights=x, minlength=groups + 2).astype(np.int64) for x in (a, b))
    used = (a > 0) | (b > 0)
    return a[used], b[used]
