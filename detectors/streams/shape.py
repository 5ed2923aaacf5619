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
USUAL = 200  # one event in so many makes a cell beyond the cut ones an ordinary cell
MERGED = 30  # cells of the omnibus statistic; more cells only add noise
DIRECTIONS = 2  # along which the mix of a categorical column is followed
VALUES = len(NAMES) + 2  # what one numeric column measures: four scores, the rest, the highest spike


@dataclass(frozen=True, slots=True)
class Stream:
    """One number per closed block: `place` is its index in what `measure` returns, `weight` its part of the model's."""

    column: int
    statistic: str
    cadence: int
    law: Law
    place: int
    weight: float


@dataclass(frozen=True, slots=True)
class Panel:
    """The cells of all columns that carry mass, as one padded block: one row per column, live cells first.

    Quantile cells keep their order; levels go by falling share. `places` (K, B) in the flat vector, a pad pointing at the zero
    that `measure` appends; `shares` (K, B) of the reference; `merge` (K, B) the merged cell of each cell;
    `direction` (DIRECTIONS, K, B) along which the mix of a categorical column usually moves, zero where it does not.
    """

    places: Ints
    shares: Floats
    merge: Ints
    numeric: NDArray[np.bool_]
    direction: Floats


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of a column's events that fall in a set of cells: `places` strung together, `bounds` where each set begins.

    `spot` is the row-major place in the panel when the set is one level with a season of its own, else -1; `common` says that a
    window holds enough of them for a score.
    """

    columns: Ints
    places: Ints
    bounds: Ints
    share: Floats
    spot: Ints
    common: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Shape:
    layout: Layout
    panel: Panel
    rates: Rates
    streams: tuple[Stream, ...]

    @property
    def signed(self) -> NDArray[np.bool_]:
        """Which streams bet on both directions."""
        return np.array([s.law == "signed" for s in self.streams], bool)

    @property
    def rate(self) -> NDArray[np.bool_]:
        """Which streams are counts of rare events."""
        return np.array([s.law == "rate" for s in self.streams], bool)


def merge_map(shares: Floats, groups: int) -> Ints:
    """Neighbouring cells joined into about `groups` of equal share: the merged cell of each.

    >>> merge_map(np.full(6, 1 / 6), 3).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    group = np.minimum(((np.cumsum(shares) - shares / 2) * groups).astype(int), groups - 1)
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def usual_cells(layout: Layout, totals: Ints, i: int) -> Ints:
    """Flat places of the cells that column i's events usually fall in, in order.

    Cells may have been cut from less than the whole reference; where more than one event in 200 then lies below or above all
    of them, that is no exception but an end of its law.

    >>> from detectors.layout import columns_of
    >>> from detectors.streams.cells import layout
    >>> x = layout(columns_of("x", "numeric", "inputs"), {"x": 8})
    >>> usual_cells(x, np.array([5, 0, 0, 40, 500, 0, 500, 1]), 0).tolist()
    [3, 4, 6]
    """
    cells = layout.inside(i)
    if layout.columns[i].kind == "numeric":
        ends = np.array([cells[0] - 1, cells[-1] + 1])
        common = totals[ends] * USUAL > totals[ends].sum() + totals[cells].sum()
        cells = np.r_[ends[:1][common[:1]], cells, ends[1:][common[1:]]]
    out: Ints = cells[totals[cells] > 0]
    return out


def _panel(layout: Layout, totals: Ints, typical: Floats, directions: Floats | None) -> Panel:
    live = [usual_cells(layout, totals, i) for i in range(len(layout.columns))]
    width = max(1, *(len(cells) for cells in live))
    places = np.full((len(live), width), layout.width, np.int64)
    shares = np.zeros((len(live), width))
    merge = np.zeros((len(live), width), np.int64)
    for row, cells in enumerate(live):
        if layout.columns[row].kind == "categorical":
            cells = cells[np.argsort(-totals[cells], kind="stable")]  # noqa: PLW2901 - rare levels side by side, so that merging joins them
        seen = totals[cells].astype(float)
        if len(cells):
            k = len(cells)
            places[row, :k], shares[row, :k] = cells, seen / seen.sum()
            merge[row, :k] = merge_map(shares[row, :k], int(np.clip(typical[row] / 3, 8, MERGED)))
            merge[row, k:] = merge[row, k - 1]
    along = np.zeros((DIRECTIONS, *shares.shape)) if directions is None else directions
    return Panel(places, shares, merge, np.array([c.kind == "numeric" for c in layout.columns], bool), along)


def _rate_sets(layout: Layout, totals: Ints) -> list[tuple[int, str, Ints]]:
    """(column, statistic, flat cells) of every watched share; cells never seen in the reference count as out of range or unseen."""
    out: list[tuple[int, str, Ints]] = []
    for i, column in enumerate(layout.columns):
        first, last = int(layout.bounds[i]), int(layout.bounds[i + 1])
        inside = layout.inside(i)
        out.append((i, "missing", np.array([first])))
        if column.kind == "numeric":
            out.append((i, "invalid", np.array([first + 1, first + 2])))
            rest = np.setdiff1d(np.arange(first + 3, last), usual_cells(layout, totals, i))
            if len(rest):
                out.append((i, "out of range", rest))
        else:
            never = inside[totals[inside] == 0]
            out += [(i, "invalid", np.array([first + 1])), (i, "unseen", np.r_[first + 2, never])]
            top = inside[np.argsort(-totals[inside], kind="stable")][:LEVELS]
            if len(inside) - len(never) > 1:
                out += [(i, "level", np.array([cell])) for cell in top if totals[cell] > 0]
    return out


def shape(layout: Layout, totals: Ints, typical: Floats, cadences: tuple[int, ...], directions: Floats | None = None) -> Shape:
    """Freeze shares, merged cells and streams from the reference's totals.

    `totals` (width,) are the reference's cells summed over time; `typical` (columns,) the median number of events in a window
    that has any; `cadences` those that the reference is long enough to calibrate; `directions` as in
    `Panel`, once they are known. Weights sum to 1 over the streams.
    """
    panel = _panel(layout, totals, typical, directions)
    sets = _rate_sets(layout, totals)
    column = np.array([i for i, _, _ in sets], np.int64)
    seen = np.array([totals[cells].sum() for _, _, cells in sets], float)
    share = seen / np.maximum(layout.totals(totals)[column], 1)
    where = {int(place): at for at, place in enumerate(panel.places.ravel()) if place < layout.width}
    rates = Rates(
        column,
        np.concatenate([cells for _, _, cells in sets]),
        np.cumsum([0, *(len(cells) for _, _, cells in sets)])[:-1].astype(np.int64),
        share,
        np.array([where.get(int(cells[0]), -1) if name == "level" else -1 for _, name, cells in sets], np.int64),
        typical[column] * share * (1 - share) >= 10,
    )
    raw: list[tuple[int, str, Law, int]] = []
    for i in range(len(layout.columns)):
        merged = int(panel.merge[i].max()) + 1 if panel.shares[i].any() else 0
        if panel.numeric[i]:
            powers = (polynomials(panel.shares[i]) ** 2).sum(-1) > 0 if merged else np.zeros(len(NAMES), bool)
            raw += [(i, name, "signed", VALUES * i + k) for k, name in enumerate(NAMES) if powers[k]]
        if merged >= (8 if panel.numeric[i] else 3):
            raw.append((i, "shape" if panel.numeric[i] else "categories", "omnibus", VALUES * i + len(NAMES)))
        raw += [(i, "mix", "signed", VALUES * i + d) for d, along in enumerate(panel.direction[:, i]) if along.any()]
        if merged >= 8 and panel.numeric[i]:
            raw.append((i, "spike", "omnibus", VALUES * i + len(NAMES) + 1))
    base = VALUES * len(layout.columns)
    for r, (i, name, _) in enumerate(sets):
        # rare levels of a mix that wanders wander with it: a Poisson limit of each would page for what the mix's own streams follow
        if rates.common[r] or name != "level" or not panel.direction[:, i].any():
            raw.append((i, name, "signed" if rates.common[r] else "rate", base + r))
    return Shape(layout, panel, rates, tuple(_weighted(layout, raw, cadences)))


def _weighted(layout: Layout, raw: list[tuple[int, str, Law, int]], cadences: tuple[int, ...]) -> list[Stream]:
    present = sum(GROUPS[g] for g in {c.group for c in layout.columns})
    subjects = Counter(group for _, group in {(c.subject, c.group) for c in layout.columns})
    parts = Counter((c.subject, c.group) for c in layout.columns)
    twins = Counter((i, name) for i, name, _, _ in raw)
    mine: dict[int, list[Stream]] = {i: [] for i in range(len(layout.columns))}
    for i, name, law, place in raw:
        column = layout.columns[i]
        for (statistic, cadence), share in column_weights(column.kind, column.group).items():
            if statistic == name and cadence in cadences:
                mine[i].append(Stream(i, name, cadence, law, place, share / twins[i, name]))
    out: list[Stream] = []
    for i, column in enumerate(layout.columns):
        whole = sum(s.weight for s in mine[i])
        of_column = GROUPS[column.group] / present / subjects[column.group] / parts[column.subject, column.group]
        out += [Stream(s.column, s.statistic, s.cadence, s.law, s.place, s.weight / whole * of_column) for s in mine[i]]
    return out
