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
Flags = NDArray[np.bool_]
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


def _closings(now: Ints, history: History, cadence: int) -> Flags:
    """Which windows close a block, per column (T, K); columns of one model mostly have the same events, so each pattern is walked once."""
    patterns, which = np.unique(now, axis=1, return_inverse=True)
    out: Flags = np.stack([blocks.closings(p, history.start_ms, history.window_ms, cadence) for p in patterns.T], axis=1)[:, which.ravel()]
    return out


class _Open:
    """The open blocks of one cadence: windows go in a chunk at a time, closed blocks come out."""

    def __init__(self, shape: Shape, closes: Flags) -> None:
        """`closes` (T, K): the windows at which each column's blocks close."""
        self.closes = closes
        self._shape = shape
        self._widths = np.diff(shape.layout.bounds)
        self._counts = np.zeros(shape.layout.width, np.int64)
        self._due = np.zeros(shape.panel.shares.shape)

    def add(self, part: slice, chunk: Ints, due: Floats) -> tuple[Ints, Ints, Floats]:
        """(rows, cells (rows, width), shares (rows, K, B)) of the windows of this chunk that close a block of any column."""
        closes = self.closes[part]
        at: Ints = np.flatnonzero(closes.any(axis=1))
        counts, usual = np.zeros((len(at), chunk.shape[1]), np.int64), np.zeros((len(at), *due.shape[1:]))
        begin = 0
        for i, row in enumerate(at):
            self._counts += chunk[begin : row + 1].sum(0)
            self._due += due[begin : row + 1].sum(0)
            begin = int(row) + 1
            gone = closes[row]
            if gone.all():
                counts[i], usual[i] = self._counts, self._due
                self._counts[:], self._due[:] = 0, 0.0
            else:
                cells = np.repeat(gone, self._widths)
                counts[i, cells], usual[i, gone] = self._counts[cells], self._due[gone]
                self._counts[cells], self._due[gone] = 0, 0.0
        self._counts += chunk[begin:].sum(0)
        self._due += due[begin:].sum(0)
        n = self._shape.layout.totals(counts)
        usual /= np.maximum(n, 1)[:, :, None]
        np.copyto(usual, self._shape.panel.shares, where=(n == 0)[:, :, None])
        return at + part.start, counts, usual


def series(shape: Shape, cadences: tuple[int, ...], history: History, x: Floats, fold: Ints, gammas: Sequence[Floats]) -> Series:
    """Walk the reference as the chain will walk the stream, each window held against the profile `gammas[fold]` learnt without it."""
    layout, window = shape.layout, history.window_ms
    T, S = len(history.start_ms), len(shape.streams)
    value, effect, events, elapsed = (np.zeros((T, S)) for _ in range(4))
    place = np.array([s.place for s in shape.streams], np.int64)
    column = np.array([s.column for s in shape.streams], np.int64)
    which = [np.flatnonzero(np.array([s.cadence == c for s in shape.streams])) for c in cadences]
    now = np.concatenate([layout.totals(chunk) for _, chunk in rows(layout, history)])
    open_blocks = [_Open(shape, _closings(now, history, c)) for c in cadences]
    for part, chunk in rows(layout, history):
        shares = np.empty((len(chunk), *shape.panel.shares.shape))
        for f in np.unique(fold[part]):
            mine = fold[part] == f
            shares[mine] = expected(shape.panel, gammas[f], x[part][mine])
        due = shares * now[part][:, :, None]
        for j, block in enumerate(open_blocks):
            at, counts, usual = block.add(part, chunk, due)
            if len(at) and len(which[j]):
                got = measure(shape, counts, usual)
                mask = block.closes[at][:, column[which[j]]]
                spot = np.ix_(at, which[j])
                value[spot], effect[spot] = got.value[:, place[which[j]]] * mask, got.effect[:, place[which[j]]] * mask
                events[spot] = got.events[:, place[which[j]]] * mask
    end = history.start_ms + window
    for s in range(S):
        closed_at = np.flatnonzero(events[:, s] > 0)
        passed = np.diff(end[closed_at], prepend=history.start_ms[0]) / window
        elapsed[closed_at, s] = credit(passed, np.array(float(shape.streams[s].cadence)), window)
    return Series(value, effect, events, elapsed)
