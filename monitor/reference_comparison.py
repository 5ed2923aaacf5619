"""Two references side by side: how far each column of the second lies from the first, in the sizes that people know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.comparators.jensen_shannon import JensenShannon
from detectors.comparators.psi import PSI
from detectors.counts import Counts
from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from monitor.reference_file import ReferenceFile

FIRST, BELOW, OTHER, UNSEEN = 4, 3, 3, 2
SPREAD, TAIL = 32, 256  # values that stand for a cell, and for the outermost ones, when its events are counted over other cells
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moved:
    """One column. `psi` bias-corrected, `jensen_shannon` a distance from 0 to 1, `shift` of the mean in the first one's sd (None:
    a category, or a constant), `missing` in percentage points; `new` and `vanished` categories. `only` says which reference has it."""

    column: str
    psi: float = 0.0
    jensen_shannon: float = 0.0
    shift: float | None = None
    missing: float = 0.0
    new: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    only: str = ""


def compare(a: ReferenceFile, b: ReferenceFile) -> list[Moved]:
    """Every column of either, the farthest moved first."""
    found = []
    for name in sorted({*a.reference.cuts, *b.reference.cuts}):
        one, other = a.reference.cuts.get(name), b.reference.cuts.get(name)
        if one is None or other is None or type(one) is not type(other):
            found.append(Moved(name, only="the first" if other is None else "the second" if one is None else "both, as different kinds"))
        else:
            found.append(_moved(name, one, a.counts[name], other, b.counts[name]))
    return sorted(found, key=lambda m: (not m.only, -m.psi, m.column))


def _moved(name: str, one: Cuts, a: Ints, other: Cuts, b: Ints) -> Moved:
    kind: Any = "categorical" if isinstance(one, CategoricalCuts) else "numeric"
    left, right = Counts(kind, a), Counts(kind, recounted(other, b, one))
    psi, distance = PSI(corrected=True).compare(left, right), JensenShannon().compare(left, right)
    missing = 100 * (float(b[0]) / max(1, int(b.sum())) - float(a[0]) / max(1, int(a.sum())))
    sizes = (float(psi.value) if psi.value is not None else 0.0, float(distance.value) if distance.value is not None else 0.0)
    if isinstance(one, CategoricalCuts) and isinstance(other, CategoricalCuts):
        before, after = {*one.levels, *one.rest, *one.once}, {*other.levels, *other.rest, *other.once}
        new = tuple(level for level in other.levels if level not in before) if one.complete else ()
        vanished = tuple(level for level in one.levels if level not in after) if other.complete else ()
        return Moved(name, *sizes, None, missing, new, vanished)
    assert isinstance(one, NumericCuts)
    assert isinstance(other, NumericCuts)
    return Moved(name, *sizes, _shift(one, a, other, b), missing)


def _shift(one: NumericCuts, a: Ints, other: NumericCuts, b: Ints) -> float | None:
    x, n = np.concatenate(([one.low], one.means, [one.high])), a[BELOW:]
    y, m = np.concatenate(([other.low], other.means, [other.high])), b[BELOW:]
    if not n.sum() or not m.sum() or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    p = n / n.sum()
    centre = float(p @ x)
    sd = float(np.sqrt(p @ (x - centre) ** 2))
    return (float(m @ y) / int(m.sum()) - centre) / sd if sd > 0 else None


def recounted(cuts: Cuts, counts: Ints, into: Cuts) -> Ints:
    """Counts over one reference's cells as counts over another's, of the same kind: (cells of `into`,).

    A category keeps its name. A number's cell is spread over the range it covers (an edge that all its events share stays
    one value, the outermost cells fall off exponentially about their means), so what is compared is exact to a fraction of a cell.

    >>> recounted(CategoricalCuts(("red", "blue")), np.array([1, 0, 0, 0, 6, 3]), CategoricalCuts(("blue",), rest=("red",))).tolist()
    [1, 0, 0, 6, 3]
    """
    out = np.zeros(len(into.names()), np.int64)
    if isinstance(cuts, CategoricalCuts) and isinstance(into, CategoricalCuts):
        out[:2] = counts[:2]
        for name, n in zip(cuts.levels, counts[FIRST:].tolist(), strict=True):
            out[into.cell(name)] += n
        met = [into.cell(name) for name in cuts.once][: int(counts[UNSEEN])]  # each of them came once
        np.add.at(out, met, 1)
        out[UNSEEN] += counts[UNSEEN] - len(met)
        out[OTHER] += counts[OTHER]
        return out
    if not isinstance(cuts, NumericCuts) or not isinstance(into, NumericCuts):
        raise TypeError("counts of numbers and of categories have no cells in common")
    out[:3] = counts[:3]
    if np.isnan(cuts.low):
        return out
    for values, n in zip(_values(cuts), counts[BELOW:].tolist(), strict=True):
        codes = into.codes(values)
        ends = (np.arange(1, len(values) + 1) * n) // len(values)  # whole events, evenly
        np.add.at(out, codes, np.diff(ends, prepend=0))
    return out


def _values(cuts: NumericCuts) -> list[NDArray[np.float64]]:
    """Values that stand for the events of each cell from below to above."""
    beyond = [np.array([np.nextafter(cuts.low, -np.inf)]), np.array([np.nextafter(cuts.high, np.inf)])]
    if cuts.points:
        return [beyond[0], *(np.array([mean]) for mean in cuts.means), beyond[1]]
    ends = np.concatenate(([cuts.low], cuts.edges, [cuts.high]))
    middle = []
    for i, mean in enumerate(cuts.means):
        low, high = float(ends[i]), float(ends[i + 1])
        one_value = not low < high or high - mean <= 1e-6 * (high - low)
        if one_value:
            middle.append(np.array([mean]))
        elif i in (0, len(cuts.means) - 1):  # the tails thin out: evenly spread, they would reach too far
            fall = -np.log1p(-(np.arange(TAIL) + 0.5) / TAIL)
            tail = high - (high - mean) * fall if i == 0 else low + (mean - low) * fall
            middle.append(np.clip(tail, low, high))
        else:
            middle.append(low + (high - low) * (np.arange(SPREAD) + 0.5) / SPREAD)
    return [beyond[0], *middle, beyond[1]]


def told(first: str, second: str, moved: list[Moved]) -> str:
    """The comparison as text."""
    width = max((len(m.column) for m in moved), default=0)
    lines = [f"{second} against {first}", f"  {'':<{width}}  {'psi':>7}  {'js':>6}  {'shift':>8}  {'missing':>8}"]
    for m in moved:
        if m.only:
            lines.append(f"  {m.column:<{width}}  only in {m.only}" if "both" not in m.only else f"  {m.column:<{width}}  in {m.only}")
            continue
        shift = "" if m.shift is None else f"{m.shift:+.2f} sd"
        levels = "".join(f"  {word}: {', '.join(names[:5])}" for word, names in (("new", m.new), ("vanished", m.vanished)) if names)
        lines.append(f"  {m.column:<{width}}  {m.psi:>7.4f}  {m.jensen_shannon:>6.3f}  {shift:>8}  {m.missing:>+6.1f}pp{levels}")
    return "\n".join(lines)


def as_json(moved: list[Moved]) -> list[Mapping[str, Any]]:
    from dataclasses import asdict

    return [asdict(m) for m in moved]
