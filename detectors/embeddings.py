"""What is watched of a vector: its length and a few fixed projections; of class probabilities: confidence and entropy.

Rows may differ in width: they are padded with NaN at the end. A row of NaN alone is missing (flag 1), a row with an
infinity or a NaN inside is not finite (2), one that cannot be what it should be is invalid (3).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.hashing import event_keys
from detectors.layout import EMBEDDING_STATISTICS, PROBABILITY_STATISTICS

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.uint8]

PROJECTIONS = len(EMBEDDING_STATISTICS) - 1
TOLERANCE = 0.02  # how far class probabilities may sum from 1: rounding to two digits over a few classes


def embedding_statistics(rows: Floats, flags: Flags | None = None) -> tuple[Floats, Flags]:
    """Logarithm of the norm and 8 random projections of each row, and a flag per row.

    A projection is s . x / sqrt(d) with s a vector of signs fixed by the width d alone, the same on every machine: a
    shift of the mean in any direction moves a few of them (Achlioptas, Database-friendly random projections, 2003).

    Parameters: rows float64 (events, width); flags uint8 (events,), 0 where the row speaks for itself.

    >>> values, flags = embedding_statistics(np.array([[3.0, 4.0], [np.nan, np.nan], [np.inf, 0.0]]))
    >>> values.shape, round(float(np.exp(values[0, 0])), 9), flags.tolist()
    ((3, 9), 5.0, [0, 1, 2])
    """
    widths, found = _shape(rows, flags)
    out = np.full((len(rows), 1 + PROJECTIONS), np.nan)
    for width in np.unique(widths[found == 0]).tolist():
        at = np.flatnonzero((widths == width) & (found == 0))
        x = rows[at, :width]
        largest = np.abs(x).max(axis=1)
        scale = np.where(largest > 0, largest, 1.0)  # the square of a large float has no place among floats
        norm = np.sqrt(np.square(x / scale[:, None]).sum(axis=1)) * scale
        out[at, 0] = np.log(np.maximum(norm, 1e-12))
        # summed column by column, not by BLAS, so that a row's result does not depend on the rows beside it
        signs = _signs(width)
        for j in range(PROJECTIONS):
            out[at, 1 + j] = (x * signs[j] / np.sqrt(width)).sum(axis=1)
    return out, found


def probability_statistics(rows: Floats, flags: Flags | None = None) -> tuple[Floats, Flags]:
    """Largest class probability and Shannon entropy in nats of each row, and a flag per row.

    Rows with a negative entry, or whose sum is not 1 within 2 %, are invalid; the others are normalised.

    >>> values, flags = probability_statistics(np.array([[0.5, 0.5], [1.0, 0.0], [0.9, 0.9]]))
    >>> values[:2].round(4).tolist(), flags.tolist()
    ([[0.5, 0.6931], [1.0, 0.0]], [0, 0, 3])
    """
    _, found = _shape(rows, flags)
    out = np.full((len(rows), len(PROBABILITY_STATISTICS)), np.nan)
    if rows.shape[1] == 0:
        return out, found
    p = np.where(np.isnan(rows), 0.0, rows)
    with np.errstate(all="ignore"):  # rows that are not finite are flagged above
        total = p.sum(axis=1)
        found[(found == 0) & ((p < 0).any(axis=1) | ~(np.abs(total - 1) <= TOLERANCE))] = 3
    good = found == 0
    p = p[good] / total[good, None]
    out[good, 0] = p.max(axis=1, initial=0.0)
    out[good, 1] = (p * -np.log(np.where(p > 0, p, 1.0))).sum(axis=1) + 0.0
    return out, found


def _shape(rows: Floats, flags: Flags | None) -> tuple[NDArray[np.int64], Flags]:
    """Width of each row without its padding, and its flag."""
    there = ~np.isnan(rows)
    if rows.shape[1] == 0:
        widths = np.zeros(len(rows), dtype=np.int64)
    else:
        widths = np.where(there.any(axis=1), rows.shape[1] - there[:, ::-1].argmax(axis=1), 0)
    found = np.zeros(len(rows), dtype=np.uint8) if flags is None else flags.copy()
    free = found == 0
    found[free & (np.isfinite(rows).sum(axis=1) < widths)] = 2
    found[free & (widths == 0)] = 1
    return widths, found


@lru_cache(maxsize=32)
def _signs(width: int) -> Floats:
    """Signs (projections, width) from the hash of their place."""
    keys = event_keys(f"projections of {width}", np.arange(PROJECTIONS * width, dtype=np.int64))
    return np.where(keys >> np.uint64(63), 1.0, -1.0).reshape(PROJECTIONS, width)
