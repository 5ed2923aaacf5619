"""Where the cells of a model's columns lie in one flat vector, and which of them mean what.

Order within a column, fixed for good: numeric `missing, not finite, invalid, below, q_0 .. q_(B-1), above`;
categorical `missing, invalid, unseen, other, level_0 ..`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.layout import Column

HEAD = {"numeric": 4, "categorical": 4}  # cells before the first quantile or level


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns side by side: column i owns cells `bounds[i] .. bounds[i + 1]` of a flat vector."""

    columns: tuple[Column, ...]
    bounds: NDArray[np.int64]

    @property
    def width(self) -> int:
        """Cells in all."""
        return int(self.bounds[-1])

    def inside(self, i: int) -> NDArray[np.int64]:
        """Flat places of column i's quantile cells, or of its `other` and level cells."""
        first, last = int(self.bounds[i]), int(self.bounds[i + 1])
        return np.arange(first + 4, last - 1) if self.columns[i].kind == "numeric" else np.arange(first + 3, last)

    def flat(self, counts: Mapping[str, NDArray[np.signedinteger[Any]]]) -> NDArray[np.int64]:
        """One vector (or one row per window) from counts per column; a column not mentioned was not seen.

        Raises ValueError naming the column when its number of cells is not the one of the reference.
        """
        parts: list[NDArray[np.signedinteger[Any]]] = []
        lead = next((np.shape(v)[:-1] for v in counts.values()), ())
        for i, column in enumerate(self.columns):
            wanted = int(self.bounds[i + 1] - self.bounds[i])
            part = counts.get(column.name)
            if part is None:
                part = np.zeros((*lead, wanted), np.int64)
            elif part.shape[-1] != wanted:
                raise ValueError(f"column {column.name!r}: {part.shape[-1]} cells, the reference has {wanted}")
            parts.append(part)
        return np.concatenate(parts, axis=-1, dtype=np.int64) if parts else np.zeros((*lead, 0), np.int64)

    def totals(self, flat: NDArray[np.int64]) -> NDArray[np.int64]:
        """Events per column, whatever cell they fell in."""
        return np.add.reduceat(flat, self.bounds[:-1], axis=-1) if self.columns else np.zeros((*flat.shape[:-1], 0), np.int64)


def layout(columns: Sequence[Column], widths: Mapping[str, int]) -> Layout:
    """Lay columns side by side.

    >>> from detectors.layout import columns_of
    >>> layout(columns_of("x", "numeric", "inputs"), {"x": 9}).inside(0)
    array([4, 5, 6, 7])
    """
    for column in columns:
        least = 6 if column.kind == "numeric" else 4
        if widths[column.name] < least:
            raise ValueError(f"column {column.name!r}: {widths[column.name]} cells, a {column.kind} column has at least {least}")
    return Layout(tuple(columns), np.cumsum([0, *(widths[c.name] for c in columns)], dtype=np.int64))
