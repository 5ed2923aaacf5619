"""What a model's columns look like in the reference, and which streams they therefore have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detectors.streams.cells import Layout
from detectors.streams.scores import NAMES, polynomials
from detectors.streams.weights import GROUPS, LEVELS, column_weights

Law = Literal["signed", "omnibus", "rate"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MERGED = 30  # cells of the omnibus statistic; more cells only add noise


@dataclass(frozen=True, slots=True)
class Stream:
    """One number per closed block: `place` is its index in what `measure` returns, `share` its part of its column's weight."""

    column: int
    statistic: str
    cadence: int
    law: Law
    place: int
    weight: float


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns of one kind as one padded block: flat places (K, B), shares of the reference (K, B), merging map (K, B, G).

    A pad points at the zero that `measure` appends to the flat vector, and has no share.
    """

    columns: Ints
    places: Ints
    shares: Floats
    merge: Floats


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of a column's events that fall in a set of cells: `places` strung together, `bounds` where each set begins."""

    columns: Ints
    places: Ints
    bounds: Ints
    share: Floats
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    layout: Layout
    numeric: Panel
    categorical: Panel
    rates: Rates
    streams: tuple[Stream, ...]


def merge_map(shares: Floats, groups: int) -> Floats:
    """Neighbouring cells joined into about `groups` of equal share: a 0/1 matrix (B, MERGED)."""
    group = np.minimum(((np.cumsum(shares) - shares / 2) * groups).astype(int), groups - 1)
    group = np.unique(group[shares > 0], return_inverse=True)[1]
    out = np.zeros((len(shares), MERGED))
    out[np.flatnonzero(shares > 0), group] = 1.0
    return out


def _panel(layout: Layout, totals: Ints, kind: str, typical: Floats) -> Panel:
    members = [i for i, c in enumerate(layout.columns) if c.kind == kind]
    width = max((len(layout.inside(i)) for i in members), default=0)
    places = np.full((len(members), width), layout.width, np.int64)
    shares = np.zeros((len(members), width))
    merge = np.zeros((len(members), width, MERGED))
    for row, i in enumerate(members):
        inside = layout.inside(i)
        seen = totals[inside].astype(float)
        places[row, : len(inside)] = inside
        if seen.sum() > 0:
            share = seen / seen.sum()
            shares[row, : len(inside)] = share
            if kind == "categorical":  # rare levels go together, so order by share before joining neighbours
                order = np.argsort(-share, kind="stable")
                merge[row, order] = merge_map(share[order], _groups(typical[i], len(inside)))
            else:
                merge[row, : len(inside)] = merge_map(share, _groups(typical[i], len(inside)))
    return Panel(np.array(members, np.int64), places, shares, merge)


def _groups(events: float, cells: int) -> int:
    return int(np.clip(events / 3, 8, min(MERGED, max(cells, 8))))


def _rate_sets(layout: Layout, totals: Ints) -> list[tuple[int, str, Ints]]:
    """(column, statistic, flat cells) of every watched share; cells never seen in the reference count as out of range or unseen."""
    out: list[tuple[int, str, Ints]] = []
    for i, column in enumerate(layout.columns):
        first, last = int(layout.bounds[i]), int(layout.bounds[i + 1])
        inside = layout.inside(i)
        never = inside[totals[inside] == 0]
        if column.kind == "numeric":
            out += [(i, "missing", np.array([first])), (i, "invalid", np.array([first + 1, first + 2]))]
            out.append((i, "out of range", np.r_[first + 3, last - 1, never]))
        else:
            out += [(i, "missing", np.array([first])), (i, "invalid", np.array([first + 1]))]
            out.append((i, "unseen", np.r_[first + 2, never]))
            top = inside[np.argsort(-totals[inside], kind="stable")][:LEVELS]
            if len(inside) - len(never) > 1:
                out += [(i, "level", np.array([cell])) for cell in top if totals[cell] > 0]
    return out


def shape(layout: Layout, totals: Ints, typical: Floats, cadences: tuple[int, ...]) -> Shape:
    """Freeze shares, merged cells and streams from the reference's totals.

    `totals` (width,) are the reference's cells summed over time; `typical` (columns,) the median number of events in a block of
    one window; `cadences` those that the reference is long enough to calibrate. Weights sum to 1 over the streams.
    """
    numeric = _panel(layout, totals, "numeric", typical)
    categorical = _panel(layout, totals, "categorical", typical)
    sets = _rate_sets(layout, totals)
    n = layout.totals(totals)[[i for i, _, _ in sets]] if sets else np.zeros(0)
    seen = np.array([totals[cells].sum() for _, _, cells in sets], float)
    rates = Rates(
        np.array([i for i, _, _ in sets], np.int64),
        np.concatenate([cells for _, _, cells in sets]) if sets else np.zeros(0, np.int64),
        np.cumsum([0, *(len(cells) for _, _, cells in sets)])[:-1].astype(np.int64),
        seen / np.maximum(n, 1),
        tuple(name for _, name, _ in sets),
    )
    raw: list[tuple[int, str, Law, int]] = []
    for row, i in enumerate(numeric.columns):
        powers = (polynomials(numeric.shares[row]) ** 2).sum(-1) > 0
        raw += [(int(i), name, "signed", 5 * row + k) for k, name in enumerate(NAMES) if powers[k]]
        if (numeric.merge[row].sum(0) > 0).sum() >= 8:
            raw.append((int(i), "shape", "omnibus", 5 * row + 4))
    base = 5 * len(numeric.columns)
    for row, i in enumerate(categorical.columns):
        if (categorical.merge[row].sum(0) > 0).sum() >= 3:
            raw.append((int(i), "categories", "omnibus", base + row))
    base += len(categorical.columns)
    for r, (i, name, _) in enumerate(sets):
        common = typical[i] * rates.share[r] * (1 - rates.share[r]) >= 10
        raw.append((i, name, "signed" if common else "rate", base + r))
    return Shape(layout, numeric, categorical, rates, tuple(_weighted(layout, raw, cadences)))


def _weighted(layout: Layout, raw: list[tuple[int, str, Law, int]], cadences: tuple[int, ...]) -> list[Stream]:
    groups = Counter(c.group for c in layout.columns)
    present = sum(GROUPS[g] for g in groups)
    subjects = Counter(c.group for c in {(c.subject, c.group): c for c in layout.columns}.values())
    parts = Counter((c.subject, c.group) for c in layout.columns)
    twins = Counter((i, name) for i, name, _, _ in raw)
    out: list[Stream] = []
    for i, column in enumerate(layout.columns):
        mine: list[Stream] = []
        for j, name, law, place in raw:
            if j == i:
                for (statistic, cadence), share in column_weights(column.kind, column.group).items():
                    if statistic == name and cadence in cadences:
                        mine.append(Stream(i, name, cadence, law, place, share / twins[i, name]))
        whole = sum(s.weight for s in mine)
        of_column = GROUPS[column.group] / present / subjects[column.group] / parts[column.subject, column.group]
        out += [Stream(s.column, s.statistic, s.cadence, s.law, s.place, s.weight / whole * of_column) for s in mine]
    return out
