"""A model's columns as people can look at them: bars of the reference's shares beside the shares of some closed windows.

Shares are of all events of a column, those without a value too. Numbers: quantile cells are joined into at most eight bars that
held about equal parts of the reference, so that what is normal is level and a shift is a slope; what lies below or above
everything known has a bar of its own. Categories: the most frequent names of either side, the rest as one bar.

How far a column has moved is told as the share of events that lie elsewhere, less what chance does to so few events:

    moved = sqrt(max(0, d^2 - e^2)),  d = sum |p - q| / 2 over the bars,  e = sum sqrt(2 q (1 - q) / (pi n)) / 2
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.comparators.psi import PSI
from detectors.counts import NO_VALUE, Counts
from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.layout import Column
from monitor.advice import number_of
from monitor.reference import Reference, unpack_cells
from monitor.verdict import Subject

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BARS: Final = 8  # 64 cells of a quantile column make eight level bars
NAMES: Final = 8  # categories with a bar of their own
SEEN: Final = 0.0005  # share from which on an unusual cell is worth a bar
PARTS: Final = 100_000  # events that the reference's shares are told of where its counts are not kept


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: shares (0 to 1) of the reference and of the windows; `place` "value", "beyond" (out of the known range, never
    seen) or "none" (missing, not finite, invalid)."""

    label: str
    normal: float
    now: float
    place: Literal["value", "beyond", "none"]


@dataclass(frozen=True, slots=True)
class Portrait:
    """One column. `moved` is a share of events, `psi` bias-corrected, `shift` of the mean in the reference's sd (None: a category, or
    no values); `cuts` the ends of the bars of a numeric column, one more than its value bars."""

    column: str
    subject: str
    statistic: str
    group: str
    kind: Literal["numeric", "categorical"]
    events: int
    moved: float
    psi: float | None
    shift: float | None
    leads: bool  # among the subjects that carry the evidence
    bars: tuple[Bar, ...]
    cuts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """The columns of one model, leading ones first, over the `windows` closed windows in [from_ms, until_ms).

    `columns` is empty where there is nothing to compare, and `why` says so.
    """

    model: str
    reference: str
    from_ms: int
    until_ms: int
    windows: int
    columns: tuple[Portrait, ...] = ()
    why: str = ""
    cut_short: bool = False  # more windows belong to it than are added up


def normal(reference: Reference) -> dict[str, Floats]:
    """The reference's share of every cell, by column; empty where it has cells only and no counts yet."""
    if reference.calibration is None:
        counts = {name: unpack_cells(packed) for name, packed in reference.frame.items()}
        return {name: cells / cells.sum() for name, cells in counts.items() if cells.sum()}
    shape = reference.calibration.shape
    width = shape.layout.width
    flat = np.zeros(width + 1)  # the last place takes what only pads the panel
    flat[shape.panel.places] = shape.panel.shares
    flat = flat[:width]
    rare = np.zeros(width)
    ends = [*shape.rates.bounds[1:].tolist(), len(shape.rates.places)]
    for first, last, share in zip(shape.rates.bounds.tolist(), ends, shape.rates.share.tolist(), strict=True):
        cells = shape.rates.places[first:last]
        if not flat[cells].any():  # what the panel does not hold: no value, out of range, never seen
            rare[cells] = share / len(cells)
    found = {}
    for index, column in enumerate(shape.layout.columns):
        span = slice(int(shape.layout.bounds[index]), int(shape.layout.bounds[index + 1]))
        found[column.name] = flat[span] * max(0.0, 1.0 - rare[span].sum()) + rare[span]
    return found


def added(rows: Iterable[Mapping[str, bytes]], cuts: Mapping[str, Cuts]) -> dict[str, Ints]:
    """Counts per column over closed windows; what was counted over other cells is left out."""
    totals: dict[str, Ints] = {}
    for row in rows:
        for name, packed in row.items():
            cells = unpack_cells(packed)
            if name in cuts and len(cells) == cuts[name].size:
                totals[name] = totals[name] + cells if name in totals else cells
    return totals


def portraits(
    columns: Sequence[Column], reference: Reference, shares: Mapping[str, Floats], totals: Mapping[str, Ints], subjects: Sequence[Subject]
) -> tuple[Portrait, ...]:
    """Every column that both sides know: those that carry the evidence first, in its order, then the farthest moved."""
    found = [
        _portrait(column, reference.cuts[column.name], shares[column.name], totals[column.name], subjects)
        for column in columns
        if column.name in shares and totals.get(column.name, np.zeros(1)).sum() > 0
    ]
    places = {column.name: place_of(column, subjects) for column in columns}
    return tuple(sorted(found, key=lambda p: (places[p.column], -p.moved, p.column)))


def place_of(column: Column, subjects: Sequence[Subject]) -> int:
    """Where among the subjects a column stands; after all of them where none of them speaks of it.

    >>> speed = Column("speed", "speed", "", "numeric", "inputs", "inputs")
    >>> place_of(speed, [Subject("speed", "inputs", "scale", "up", 1.2, "ratio", 1.0, 0)]), place_of(speed, [])
    (0, 0)
    """
    spoken = (s.name == column.subject and (not column.statistic or s.statistic.startswith(f"{column.statistic} ")) for s in subjects)
    return next((index for index, speaks in enumerate(spoken) if speaks), len(subjects))


def _portrait(column: Column, cuts: Cuts, shares: Floats, counts: Ints, subjects: Sequence[Subject]) -> Portrait:
    n = int(counts.sum())
    now = counts / n
    bars, ends = _numbers(cuts, shares, now) if isinstance(cuts, NumericCuts) else (_names(cuts, shares, now), ())
    means = cuts.means if isinstance(cuts, NumericCuts) else None
    left, right = Counts(column.kind, np.round(shares * PARTS).astype(np.int64), means), Counts(column.kind, counts, means)
    psi = PSI(corrected=True).compare(left, right).value if len(counts) > NO_VALUE[column.kind] + 2 else None
    shift = number_of(left, right) if column.kind == "numeric" else math.nan
    return Portrait(
        column.name, column.subject, column.statistic, column.group, column.kind, n, moved(bars, n), psi,
        shift if math.isfinite(shift) else None, place_of(column, subjects) < len(subjects), bars, ends,
    )  # fmt: skip


def moved(bars: Sequence[Bar], n: int) -> float:
    """The share of events that lie elsewhere than the reference's, less what chance does to `n` events.

    >>> moved([Bar("red", 0.5, 0.2, "value"), Bar("green", 0.5, 0.8, "value")], 1_000_000)
    0.299999...
    >>> moved([Bar("red", 0.5, 0.52, "value"), Bar("green", 0.5, 0.48, "value")], 100)
    0.0
    """
    q, p = np.array([bar.normal for bar in bars]), np.array([bar.now for bar in bars])
    distance = float(np.abs(p - q).sum() / 2)
    chance = float(np.sqrt(2 * q * (1 - q).clip(0) / (math.pi * max(1, n))).sum() / 2)
    return math.sqrt(max(0.0, distance * distance - chance * chance))


def _numbers(cuts: NumericCuts, q: Floats, p: Floats) -> tuple[tuple[Bar, ...], tuple[float, ...]]:
    if np.isnan(cuts.low):
        return (*_values([("any number", 3, len(q))], q, p, "beyond"), *_absent(("missing", "not finite", "invalid"), q, p)), ()
    inner = q[4:-1]
    count = len(inner)
    each = cuts.points and count <= BARS + 4
    group = np.arange(count) if each or not inner.sum() else _grouped(inner)
    starts = np.flatnonzero(np.diff(group, prepend=-1)).tolist()
    spans = list(zip(starts, [*starts[1:], count], strict=True))
    if cuts.points:
        texts = written(cuts.means.tolist())
        middle = [(_between(texts[a], texts[b - 1]), 4 + a, 4 + b) for a, b in spans]
        ends: tuple[float, ...] = ()
    else:
        edges = [cuts.low, *cuts.edges.tolist(), cuts.high]
        ends = (*(edges[a] for a, _ in spans), edges[count])
        texts = written(ends)
        middle = [(_between(texts[i], texts[i + 1]), 4 + a, 4 + b) for i, (a, b) in enumerate(spans)]
    below = _values([(f"below {cuts.low:.4g}" if not cuts.points else "no known value, low", 3, 4)], q, p, "beyond")
    above = _values([(f"above {cuts.high:.4g}" if not cuts.points else "no known value, high", len(q) - 1, len(q))], q, p, "beyond")
    absent = _absent(("missing", "not finite", "invalid"), q, p)
    return (*below, *_values(middle, q, p, "value"), *above, *absent), ends


def _grouped(inner: Floats) -> Ints:
    """Neighbouring cells joined into at most BARS of about equal share: the bar of each cell, from 0 on without gaps."""
    middle = np.cumsum(inner) - inner / 2
    group = np.minimum((middle * BARS / inner.sum()).astype(np.int64), BARS - 1)
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def written(values: Sequence[float]) -> list[str]:
    """Increasing numbers with as few digits as tell them well apart, three at least.

    >>> written([0.25, 0.99361, 0.99912, 0.99979]), written([31.5, 1200.0, 5_300_000.0])
    (['0.25', '0.9936', '0.9991', '0.9998'], ['31.5', '1200', '5.3e+06'])
    """
    near = min((b - a for a, b in pairwise(values) if b > a), default=math.inf) / 4
    digits = next((d for d in range(3, 7) if all(abs(float(f"{v:.{d}g}") - v) <= near for v in values)), 7)
    return [f"{v:.0f}" if 1e3 <= abs(v) < 1e6 and v == round(v) else f"{v:.{digits}g}" for v in values]


def _between(a: str, b: str) -> str:
    return a if a == b else f"{a} to {b}"


def _names(cuts: CategoricalCuts, q: Floats, p: Floats) -> tuple[Bar, ...]:
    size = np.maximum(q, p)[4:]
    own = sorted(np.argsort(-size, kind="stable")[:NAMES].tolist(), key=lambda i: (-q[4 + i], i))
    own = [i for i in own if size[i] > 0]
    left = np.setdiff1d(np.arange(len(size)), own) + 4
    rest = Bar("all others", float(q[3] + q[left].sum()), float(p[3] + p[left].sum()), "value")
    new = Bar("never seen before", float(q[2]), float(p[2]), "beyond")
    named = [Bar(cuts.levels[i], float(q[4 + i]), float(p[4 + i]), "value") for i in own]
    return (*named, *(bar for bar in (rest, new) if max(bar.normal, bar.now) >= SEEN), *_absent(("missing", "invalid"), q, p))


def _values(spans: Sequence[tuple[str, int, int]], q: Floats, p: Floats, place: Literal["value", "beyond"]) -> list[Bar]:
    bars = [Bar(label, float(q[a:b].sum()), float(p[a:b].sum()), place) for label, a, b in spans]
    return bars if place == "value" else [bar for bar in bars if max(bar.normal, bar.now) >= SEEN]


def _absent(names: Sequence[str], q: Floats, p: Floats) -> list[Bar]:
    return [Bar(name, float(q[i]), float(p[i]), "none") for i, name in enumerate(names) if max(q[i], p[i]) >= SEEN]
