"""Blocks of windows: slower cadences, and the patience that thin windows need.

A block of cadence c is c windows long and aligned to the epoch. It closes with its last window, once it holds enough events; one
that is too thin is carried on, for an hour of event time at most. Windows without events start no block, so quiet hours
and gaps cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.streams.cells import Layout

ENOUGH = 20  # events below which a score is too lumpy for a normal law
PATIENCE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Pending:
    """Open blocks: cells so far (cadences, width), events expected per panel cell (cadences, K, B), and each column's first
    window start (cadences, K), -1 where none is open."""

    counts: NDArray[np.int64]
    expected: NDArray[np.float64]
    first_ms: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Closed:
    """What one window closed: `mask` and `first_ms` (cadences, K), `counts` and `shares` as in `Pending` where the mask holds."""

    mask: NDArray[np.bool_]
    first_ms: NDArray[np.int64]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]


def nothing(layout: Layout, cadences: tuple[int, ...], width: int) -> Pending:
    """No block open; `width` is the number B of cells of a panel row."""
    J, K = len(cadences), len(layout.columns)
    return Pending(np.zeros((J, layout.width), np.int64), np.zeros((J, K, width)), np.full((J, K), -1, np.int64))


def add(
    layout: Layout,
    cadences: tuple[int, ...],
    pending: Pending,
    start_ms: int,
    window_ms: int,
    flat: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> tuple[Pending, Closed]:
    """Put one window's cells (width,), expected to be spread as `shares` (K, B), into the open blocks; close what is due and full."""
    now = layout.totals(flat)
    counts = pending.counts + flat
    expected = pending.expected + now[:, None] * shares
    events = layout.totals(counts)
    first = np.where((pending.first_ms < 0) & (events > 0), start_ms, pending.first_ms)
    end = start_ms + window_ms
    length = np.array(cadences, np.int64)[:, None] * window_ms
    due = (end // length > first // length) & ((events >= ENOUGH) | (end - first >= PATIENCE_MS))
    mask = due & (first >= 0) & (now > 0)  # a window without events closes nothing, as if it were not there
    gone = np.repeat(mask, np.diff(layout.bounds), axis=1)
    kept = Pending(np.where(gone, 0, counts), np.where(mask[:, :, None], 0.0, expected), np.where(mask, -1, first))
    share = np.where(mask[:, :, None], expected / np.maximum(events, 1)[:, :, None], shares)
    return kept, Closed(mask, first, counts, share)


def closings(now: NDArray[np.int64], start_ms: NDArray[np.int64], window_ms: int, cadence: int) -> NDArray[np.bool_]:
    """At which windows of a whole stretch `add` closes a block of a column with `now` (T,) events a window, nothing pending before.

    >>> closings(np.array([30, 0, 10, 15, 40]), 300_000 * np.arange(5), 300_000, 1).tolist()
    [True, False, False, True, True]
    """
    out = np.zeros(len(now), bool)
    length, n, first = cadence * window_ms, 0, -1
    at = np.flatnonzero(now)
    for t, events, start in zip(at.tolist(), now[at].tolist(), start_ms[at].tolist(), strict=True):
        first = start if first < 0 else first
        n, end = n + events, start + window_ms
        if end // length > first // length and (n >= ENOUGH or end - first >= PATIENCE_MS):
            out[t], n, first = True, 0, -1
    return out
