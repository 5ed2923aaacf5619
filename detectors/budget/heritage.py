"""What of a running state survives when the calibration under it changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibrated import Calibration
from detectors.budget.state import State

Flags = NDArray[np.bool_]
OF_STREAMS = ("sums", "trail", "first_ms", "moved", "weighed", "base", "level", "spread", "held")  # rows: streams, then pooled ones
RINGS = ("side", "ring_moved", "ring_weighed")  # last axis: streams


def forget(calibration: Calibration, state: State, zero: State, columns: Collection[str]) -> State:
    """The state with everything of `columns` as in `zero`, open blocks included: those expect shares of the level before.

    The pooled group's evidence and level rest on all its members; they begin anew where one of these is among them, but what an
    incident holds there stays held. ValueError for a column that the calibration does not have.
    """
    c, layout = calibration, calibration.shape.layout
    unknown = sorted(set(columns) - {column.name for column in layout.columns})
    if unknown:
        raise ValueError(f"evidence: no column {unknown[0]!r} in this calibration")
    gone = np.array([column.name in columns for column in layout.columns], bool)
    mine: Flags = gone[np.array([s.column for s in c.shape.streams], np.int64)]
    members = mine[c.pool.members]
    pooled = np.full(c.pool.size, bool(members.any()))
    out: dict[str, Any] = {}
    for name in OF_STREAMS:
        kept = state.held[len(mine) :] if name in ("level", "spread", "held") else np.zeros(len(pooled), bool)
        out[name] = _cleared(getattr(state, name), getattr(zero, name), np.r_[mine, pooled & ~kept])
    for name in RINGS:
        out[name] = np.where(mine, getattr(zero, name), getattr(state, name))
    p, q = state.pending, zero.pending
    cells = np.repeat(gone, np.diff(layout.bounds))
    pending = replace(
        p,
        counts=np.where(cells, q.counts, p.counts),
        expected=np.where(gone[:, None], q.expected, p.expected),
        first_ms=np.where(gone, q.first_ms, p.first_ms),
    )
    return replace(
        state, pending=pending, pool_sums=np.where(members, 0.0, state.pool_sums),
        pool_counts=np.where(members, 0.0, state.pool_counts), **out,
    )  # fmt: skip


def _cleared(now: NDArray[Any], then: NDArray[Any], rows: Flags) -> NDArray[Any]:
    out = now.copy()
    out[rows] = then[rows]
    return out
