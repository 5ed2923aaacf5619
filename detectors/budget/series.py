"""The reference as streams: every closed block of the past, measured by the same code that will judge the future."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detectors.budget.evidence import credit
from detectors.budget.history import History
from detectors.budget.profile import Hours
from detectors.streams import blocks
from detectors.streams.cells import Layout
from detectors.streams.expected import expected
from detectors.streams.measure import cells_of, measure
from detectors.streams.shape import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHUNK = 32  # windows measured at a time: what stays in the cache
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Series:
    """Shape (T, S) each: raw value, effect per event, events (0 where no block closed), windows credited since the block before."""

    value: Floats
    effect: Floats
    events: Floats
    elapsed: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        return self.events > 0


def rows(layout: Layout, history: History, chunk: int = CHUNK) -> Iterator[tuple[slice, Ints]]:
    """The history as flat rows, a chunk of windows at a time."""
    for at in range(0, len(history.start_ms), chunk):
        part = slice(at, at + chunk)
        yield part, layout.flat({name: table[part] for name, table in history.counts.items()})


def totals_and_typical(layout: Layout, history: History) -> tuple[Ints, Floats]:
    """Cells summed over the reference, and each column's median number of events in a window that has any."""
    totals = np.zeros(layout.width, np.int64)
    events = []
    for _, chunk in rows(layout, history):
        totals += chunk.sum(0)
        events.append(layout.totals(chunk))
    n = np.concatenate(events).astype(float)
    return totals, np.array([float(np.median(c[c > 0])) if (c > 0).any() else 0.0 for c in n.T])


def hours(shape: Shape, history: History, x: Floats, day: Ints) -> Hours:
    """Hourly sums (or windows, where they are longer) for the fit of the profile; `x` (T, P) calendar columns, `day` (T,)."""
    hour = history.start_ms // max(HOUR_MS, history.window_ms)
    starts = np.flatnonzero(np.diff(hour, prepend=hour[0] - 1))
    cells = np.concatenate(
        [np.add.reduceat(cells_of(shape.panel, chunk), _starts(starts, part), axis=0) for part, chunk in _whole(shape, history, starts)]
    )
    n = cells.sum(-1)
    total = np.concatenate([shape.layout.totals(chunk).sum(1) for _, chunk in rows(shape.layout, history)]).astype(float) + 1e-9
    mean_x = np.add.reduceat(x * total[:, None], starts, axis=0) / np.add.reduceat(total, starts)[:, None]
    below = np.cumsum(cells, axis=-1)[..., :-1] / np.maximum(n, 1.0)[..., None]
    return Hours(mean_x, n, below, day[starts])


def _whole(shape: Shape, history: History, starts: Ints) -> Iterator[tuple[slice, Ints]]:
    """Chunks that begin and end between hours."""
    edges = [*starts[:: CHUNK // 4], len(history.start_ms)]
    for a, b in pairwise(edges):
        part = slice(int(a), int(b))
        yield part, shape.layout.flat({name: table[part] for name, table in history.counts.items()})


def _starts(starts: Ints, part: slice) -> Ints:
    inside: Ints = starts[(starts >= part.start) & (starts < part.stop)] - part.start
    return inside


def series(shape: Shape, cadences: tuple[int, ...], history: History, x: Floats, fold: Ints, gammas: Sequence[Floats]) -> Series:
    """Walk the reference as the chain will walk the stream, each window held against the profile `gammas[fold]` learnt without it."""
    layout, window = shape.layout, history.window_ms
    T, S = len(history.start_ms), len(shape.streams)
    value, effect, events, elapsed = (np.zeros((T, S)) for _ in range(4))
    place = np.array([s.place for s in shape.streams], np.int64)
    column = np.array([s.column for s in shape.streams], np.int64)
    which = [np.flatnonzero(np.array([s.cadence == c for s in shape.streams])) for c in cadences]
    pending = blocks.nothing(layout, cadences, shape.panel.places.shape[1])
    for part, chunk in rows(layout, history):
        shares = np.empty((len(chunk), *shape.panel.shares.shape))
        for f in np.unique(fold[part]):
            mine = fold[part] == f
            shares[mine] = expected(shape.panel, gammas[f], x[part][mine])
        found: list[list[tuple[int, blocks.Closed]]] = [[] for _ in cadences]
        for i, flat in enumerate(chunk):
            pending, closed = blocks.add(layout, cadences, pending, int(history.start_ms[part.start + i]), window, flat, shares[i])
            for due in np.flatnonzero(closed.mask.any(axis=1)):
                found[int(due)].append((part.start + i, closed))
        for j, some in enumerate(found):
            if some and len(which[j]):
                got = measure(shape, np.stack([c.counts[j] for _, c in some]), np.stack([c.shares[j] for _, c in some]))
                mask = np.stack([c.mask[j] for _, c in some])[:, column[which[j]]]
                spot = np.ix_(np.array([t for t, _ in some]), which[j])
                value[spot], effect[spot] = got.value[:, place[which[j]]], got.effect[:, place[which[j]]]
                events[spot] = got.events[:, place[which[j]]] * mask
    end = history.start_ms + window
    for s in range(S):
        closed_at = np.flatnonzero(events[:, s] > 0)
        passed = np.diff(end[closed_at], prepend=history.start_ms[0]) / window
        elapsed[closed_at, s] = credit(passed, np.array(float(shape.streams[s].cadence)), window)
    return Series(value, effect, events, elapsed)
