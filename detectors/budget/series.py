"""The reference as streams: every closed block of the past, measured by the same code that will judge the future."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.history import History
from detectors.streams import blocks
from detectors.streams.cells import Layout
from detectors.streams.measure import measure
from detectors.streams.shape import Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CHUNK = 256  # windows measured at a time


@dataclass(frozen=True, slots=True)
class Series:
    """Shape (T, streams) each: raw value, effect per event, events (0 where no block closed); `end_ms` (T,) window ends."""

    end_ms: Ints
    value: Floats
    effect: Floats
    events: Floats

    @property
    def seen(self) -> NDArray[np.bool_]:
        return self.events > 0


def rows(layout: Layout, history: History, chunk: int = CHUNK) -> list[Ints]:
    """The history as flat rows, a chunk of windows at a time."""
    out = []
    for at in range(0, len(history.start_ms), chunk):
        out.append(layout.flat({name: table[at : at + chunk] for name, table in history.counts.items()}))
    return out


def totals_and_typical(layout: Layout, history: History) -> tuple[Ints, Floats]:
    """Cells summed over the reference, and each column's median number of events in a closed block of one window."""
    totals = np.zeros(layout.width, np.int64)
    events = []
    for chunk in rows(layout, history):
        totals += chunk.sum(0)
        events.append(layout.totals(chunk))
    n = np.concatenate(events).astype(float) if events else np.zeros((0, len(layout.columns)))
    middle = [float(np.median(c[c > 0])) if (c > 0).any() else 0.0 for c in n.T]
    return totals, np.maximum(np.array(middle), 0.0)


def series(shape: Shape, cadences: tuple[int, ...], history: History) -> Series:
    """Walk the reference as the chain will walk the stream."""
    layout, window = shape.layout, history.window_ms
    T, S = len(history.start_ms), len(shape.streams)
    out = Series(history.start_ms + window, *(np.zeros((T, S)) for _ in range(3)))
    place = np.array([s.place for s in shape.streams], np.int64)
    column = np.array([s.column for s in shape.streams], np.int64)
    which = [np.flatnonzero(np.array([s.cadence == c for s in shape.streams])) for c in cadences]
    pending = blocks.nothing(layout, cadences)
    at = 0
    for chunk in rows(layout, history):
        held: list[list[tuple[int, Ints, NDArray[np.bool_]]]] = [[] for _ in cadences]
        for flat in chunk:
            pending, closed = blocks.add(layout, cadences, pending, int(history.start_ms[at]), window, flat)
            for j in np.flatnonzero(closed.mask.any(axis=1)):
                held[j].append((at, closed.counts[j], closed.mask[j]))
            at += 1
        for j, found in enumerate(held):
            if found and len(which[j]):
                index = np.array([t for t, _, _ in found])
                got = measure(shape, np.stack([c for _, c, _ in found]))
                mask = np.stack([m for _, _, m in found])[:, column[which[j]]]
                spot = np.ix_(index, which[j])
                out.value[spot] = got.value[:, place[which[j]]]
                out.effect[spot] = got.effect[:, place[which[j]]]
                out.events[spot] = got.events[:, place[which[j]]] * mask
    return out
