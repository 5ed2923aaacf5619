"""Mergeable summaries of one column, one file each; found by walking this folder, so one file adds a summary."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.summaries.categories import Categories
from detectors.summaries.histogram import Histogram
from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally
from detectors.summary import Summary


@cache
def kinds() -> dict[str, type[Summary]]:
    """Every summary in this folder by its short id.

    >>> sorted(kinds())
    ['categories', 'histogram', 'sample', 'tally']
    """
    found: dict[str, type[Summary]] = {}
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == module.__name__ and _is_summary(value):
                found[value.kind] = value
    return found


def _is_summary(value: type[Any]) -> TypeGuard[type[Summary]]:
    """Whether a class has what a summary needs (a protocol with data cannot be asked by issubclass)."""
    return isinstance(getattr(value, "kind", None), str) and all(hasattr(value, name) for name in ("merge", "pack", "unpack"))


def unpack(kind: str, body: bytes) -> Summary:
    """A packed summary; ValueError where its kind is not known or the bytes are damaged."""
    if kind not in kinds():
        raise ValueError(f"packed summary of unknown kind {kind!r}; known are {', '.join(sorted(kinds()))}")
    return kinds()[kind].unpack(body)


def recut(summary: Summary, cuts: Cuts) -> Histogram | Categories:
    """The summary as counts over `cuts`: a sample becomes a histogram, a tally categories; counts over the same cells stay.

    A sample gives the counts of the events it kept, so its total is at most its k; ValueError for counts over other
    cells, TypeError for a summary and cuts of different kinds.

    >>> from detectors.cuts import learn_categorical
    >>> tally = Tally.fold(["red", "red", "green", "green", "green"])
    >>> recut(tally, learn_categorical(tally)).counts.tolist()
    [0, 0, 0, 0, 3, 2]
    """
    if isinstance(summary, Histogram | Categories):
        if summary.cuts != cuts.digest:
            raise ValueError(f"counts over cells {summary.cuts} cannot be recut to {cuts.digest}: only samples and tallies can")
        return summary
    if isinstance(summary, Sample) and isinstance(cuts, NumericCuts):
        return summary.recut(cuts)
    if isinstance(summary, Tally) and isinstance(cuts, CategoricalCuts):
        return summary.recut(cuts)
    raise TypeError(f"a {type(summary).__name__} has no cells in {type(cuts).__name__}")


def cells_of(summary: Summary) -> NDArray[np.int64]:
    """Counts per cell, int64 (cells,), in the fixed order of `detectors.cuts`; samples and tallies know only the first few."""
    if isinstance(summary, Histogram | Categories | Sample | Tally):
        return summary.cells()
    raise TypeError(f"a {type(summary).__name__} has no cells")


def merged(kind: Literal["numeric", "categorical"], summaries: Iterable[Any]) -> Any:
    """All of one column's summaries in one; a sample or tally of nothing where there are none.

    Samples of different k merge to the smallest of them: to learn cells from many windows, give the windows to
    `detectors.cuts.learn` one by one instead.
    """
    total: Any = None
    for summary in summaries:
        total = summary if total is None else total.merge(summary)
    if total is not None:
        return total
    return Sample.zero() if kind == "numeric" else Tally.zero()
