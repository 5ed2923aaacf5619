"""What of a running state survives when the calibration under it changes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibrated import Calibration
from detectors.budget.state import State
from detectors.streams.shape import VALUES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
OF_STREAMS = ("sums", "trail", "first_ms", "moved", "weighed", "base", "level", "spread", "held")  # rows: streams, then pooled ones
RINGS = ("part", "met", "back", "ring_moved", "ring_weighed")  # last axis: streams
FOUND = ("sums", "trail", "first_ms", "moved", "weighed", "base")  # evidence and what it says
ALIKE = 0.9  # cosine from which two directions of the pooled group are one


def forget(calibration: Calibration, state: State, zero: State, columns: Collection[str]) -> State:
    """The state with everything of `columns` as in `zero`, open blocks included: those expect shares of the level before.

    The pooled group's evidence and level rest on all its members; they begin anew where one of these is among them, but what an
    incident holds there stays held. ValueError for a column that the calibration does not have.
    """
    mine = _streams(calibration, _columns(calibration, columns))
    pooled = np.full(calibration.pool.size, bool(mine[calibration.pool.members].any()))
    out: dict[str, Any] = {}
    for name in OF_STREAMS:
        kept = state.held[len(mine) :] if name in ("level", "spread", "held") else np.zeros(len(pooled), bool)
        out[name] = _cleared(getattr(state, name), getattr(zero, name), np.r_[mine, pooled & ~kept])
    for name in RINGS:
        out[name] = np.where(mine, getattr(zero, name), getattr(state, name))
    return emptied(calibration, replace(state, **out), zero, columns)


def emptied(calibration: Calibration, state: State, zero: State, columns: Collection[str]) -> State:
    """The state without what `columns` have in open blocks, their own and the pooled group's; levels and evidence stay.

    A block outlives the windows that it was begun with: twelve hours that are half broken would speak when they are over, long after
    somebody mended it. ValueError for a column that the calibration does not have.
    """
    gone = _columns(calibration, columns)
    members = _streams(calibration, gone)[calibration.pool.members]
    p, q = state.pending, zero.pending
    cells = np.repeat(gone, np.diff(calibration.shape.layout.bounds))
    pending = replace(
        p,
        counts=np.where(cells, q.counts, p.counts),
        expected=np.where(gone[:, None], q.expected, p.expected),
        first_ms=np.where(gone, q.first_ms, p.first_ms),
    )
    pool_sums, pool_counts = np.where(members, 0.0, state.pool_sums), np.where(members, 0.0, state.pool_counts)
    return replace(state, pending=pending, pool_sums=pool_sums, pool_counts=pool_counts)


def _columns(calibration: Calibration, names: Collection[str]) -> Flags:
    """Which of the calibration's columns are these."""
    columns = calibration.shape.layout.columns
    unknown = sorted(set(names) - {column.name for column in columns})
    if unknown:
        raise ValueError(f"evidence: no column {unknown[0]!r} in this calibration")
    return np.array([column.name in names for column in columns], bool)


def _streams(calibration: Calibration, columns: Flags) -> Flags:
    """Which streams are theirs."""
    mine: Flags = columns[np.array([s.column for s in calibration.shape.streams], np.int64)]
    return mine


def carried(warm: State, after: Calibration, state: State, before: Calibration) -> State:
    """`warm`, a state of the calibration `after`, with the evidence of `state`, one of `before`, in all streams that both have.

    A stream is the same when column, statistic, cadence and law are (of levels: the cell too; of mixes: when the direction is
    nearly); a pooled one when family and cadence are, or its direction is nearly. Where its weight grew, its sums are scaled down
    by as much, so that no M is larger than it was. What an incident holds stays held, at the level it was held at. The clock of
    each stream goes on where it was: time is credited once.
    """
    new, old = _pairs(after, before)
    out: dict[str, Any] = {}
    for name in FOUND:
        out[name] = getattr(warm, name).copy()
        out[name][new] = getattr(state, name)[old]
    for rival in state.rivals:  # what is told is the smallest of them
        out["sums"][new] = np.minimum(out["sums"][new], rival.state.sums[old])
    now, then = after.weights[new], before.weights[old]
    out["sums"][new] *= np.where(now > then, then / np.where(now > 0, now, 1.0), 1.0)
    for name in ("level", "spread", "held"):
        out[name] = getattr(warm, name).copy()
        held = state.held[old]
        out[name][new[held]] = getattr(state, name)[old[held]]
    S, T = len(after.shape.streams), len(before.shape.streams)
    single = new < S
    for name in RINGS:
        out[name] = getattr(warm, name).copy()
        out[name][..., new[single]] = getattr(state, name)[..., old[single]]
    last = warm.last_ms.copy()
    last[new] = np.maximum(last[new], state.last_ms[old])
    anchor = warm.anchor.copy()
    anchor[new[~single] - S] = state.anchor[old[~single] - T]
    return replace(warm, last_ms=last, anchor=anchor, **out)


def _pairs(after: Calibration, before: Calibration) -> tuple[Ints, Ints]:
    """Numbers of the streams that both calibrations have, in the one and in the other."""
    known = {key: i for i, key in enumerate(_names(before))}
    pairs = [(i, known[key]) for i, key in enumerate(_names(after)) if key in known]
    S, T = len(after.shape.streams), len(before.shape.streams)
    pairs += [(S + int(f), T + int(g)) for f, g in np.argwhere(_likeness(after, before) > ALIKE)]
    now, then = _mixes(after), _mixes(before)
    pairs += [(i, j) for i, a in now.items() for j, b in then.items() if sum(v * b.get(k, 0.0) for k, v in a.items()) > ALIKE]
    found = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _names(calibration: Calibration) -> list[tuple[object, ...]]:
    """What each stream is called whatever its number, pooled energies included; no two directions share a name, of a mix none has one."""
    c, layout, rates = calibration, calibration.shape.layout, calibration.shape.rates
    first = VALUES * len(layout.columns)
    out: list[tuple[object, ...]] = []
    for s in c.shape.streams:
        start, width = layout.bounds[s.column], layout.bounds[s.column + 1] - layout.bounds[s.column]
        cell = (int(rates.places[rates.bounds[s.place - first]] - start), int(width)) if s.statistic == "level" else ()
        out.append((layout.columns[s.column].name, s.statistic, s.cadence, s.law, object() if s.statistic == "mix" else cell))
    F = len(c.pool.root)
    out += [("", "direction", p, F, id(c)) for p in range(F)]
    family = {int(f): c.shape.streams[m].statistic for m, f in zip(c.pool.members, c.pool.family, strict=True)}
    return out + [("", family[c.pool.of_family(p)], int(c.pool.cadence[p]), "energy", ()) for p in range(F, c.pool.size)]


def _mixes(calibration: Calibration) -> dict[int, dict[tuple[str, int], float]]:
    """The streams of mixes: their directions as unit vectors over column and cell."""
    shape, panel = calibration.shape, calibration.shape.panel
    out: dict[int, dict[tuple[str, int], float]] = {}
    for i, s in enumerate(shape.streams):
        if s.statistic == "mix":
            live = panel.shares[s.column] > 0
            cells = panel.places[s.column, live] - shape.layout.bounds[s.column]
            along = panel.direction[s.place % VALUES, s.column, live] * np.sqrt(panel.shares[s.column, live])
            name = shape.layout.columns[s.column].name
            out[i] = {(name, int(b)): float(v) for b, v in zip(cells, along / np.linalg.norm(along), strict=True)}
    return out


def _likeness(after: Calibration, before: Calibration) -> Floats:
    """Cosine of each direction of the one pooled group with each of the other's, over the members that both have."""
    now, then = _members(after), _members(before)
    both = sorted(now.keys() & then.keys())
    out: Floats = after.pool.basis[[now[m] for m in both]].T @ before.pool.basis[[then[m] for m in both]]
    return out


def _members(calibration: Calibration) -> dict[tuple[str, str], int]:
    c = calibration
    streams = [c.shape.streams[m] for m in c.pool.members]
    return {(c.shape.layout.columns[s.column].name, s.statistic): i for i, s in enumerate(streams)}


def _cleared(now: NDArray[Any], then: NDArray[Any], rows: Flags) -> NDArray[Any]:
    out = now.copy()
    out[rows] = then[rows]
    return out
