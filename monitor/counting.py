"""One column of a batch, counted for every pane its events belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.hashing import event_keys
from detectors.summaries.categories import Categories
from detectors.summaries.histogram import Histogram
from detectors.summaries.sample import OPEN, Sample, marks
from detectors.summaries.tally import Tally
from detectors.summary import Summary
from monitor.batch import MISSING, Batch, Ints, Numbers, Texts
from monitor.pane import PaneKey

_BAD = object()  # stands in for a value that is no text
_Pick = tuple[Ints, NDArray[np.uint64]]


@dataclass(frozen=True)
class Groups:
    """Which pane each event belongs to: `of` int64 (events,), an index into `panes`, or -1 for none."""

    of: Ints
    panes: Sequence[PaneKey]

    @cached_property
    def whole(self) -> bool:
        """All events in one pane: nothing to tell apart."""
        return len(self.panes) == 1 and not self.of.any()

    @cached_property
    def sizes(self) -> list[int]:
        return [int(n) for n in self.table(np.zeros(len(self.of), dtype=np.int64), 1)[:, 0]]

    def table(self, codes: Ints, width: int) -> Ints:
        """How often each code (0 .. width-1) came in each pane, shape (panes, width)."""
        if self.whole:
            return np.bincount(codes, minlength=width).reshape(1, width)
        counts = np.bincount((self.of + 1) * width + codes, minlength=(len(self.panes) + 1) * width)
        return counts.reshape(-1, width)[1:]


class Counting:
    """The events of one batch, ready to count its columns; `groups` are everything by window, then each segment."""

    def __init__(self, batch: Batch, groups: Sequence[Groups]) -> None:
        self.batch = batch
        self.groups = groups

    @cached_property
    def picks(self) -> list[list[_Pick]]:
        """Which events a sample keeps, per grouping and pane, with their keys: found once, shared by all columns."""
        keys = event_keys(self.batch.partition, self.batch.seq)
        order = np.argsort(keys, kind="stable")
        out: list[list[_Pick]] = []
        for group in self.groups:
            sorted_of = group.of[order]
            places = [order[sorted_of == i][:OPEN] for i in range(len(group.panes))]
            out.append([(at, keys[at]) for at in places])
        return out

    def count(self, values: Numbers | Texts, cuts: Cuts | None) -> list[list[Summary]]:
        """A summary per grouping and pane: counts over the cells, or a sample or tally while there are none."""
        if isinstance(values, Texts):
            return self._names(values, cuts if isinstance(cuts, CategoricalCuts) else None)
        if isinstance(cuts, NumericCuts):
            codes = cuts.codes(values.values, values.flags)
            return [[Histogram(cuts.digest, row) for row in group.table(codes, cuts.size)] for group in self.groups]
        return self._samples(values)

    def _samples(self, values: Numbers) -> list[list[Summary]]:
        marked = marks(values.values, values.flags)
        bad = np.where(np.isnan(marked), 1, np.where(marked == np.inf, 2, np.where(marked == -np.inf, 3, 0)))
        out: list[list[Summary]] = []
        for group, picks in zip(self.groups, self.picks, strict=True):
            table = group.table(bad, 4).tolist()
            rows = zip(group.sizes, table, picks, strict=True)
            out.append(
                [Sample(OPEN, n, missing, infinite, invalid, keys, marked[at]) for n, (_, missing, infinite, invalid), (at, keys) in rows]
            )
        return out

    def _names(self, values: Texts, cuts: CategoricalCuts | None) -> list[list[Summary]]:
        texts: list[object] = list(values.values)
        if values.flags is not None:
            for i in np.flatnonzero(values.flags).tolist():
                texts[i] = None if values.flags[i] == MISSING else _BAD
        distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
        codes = np.fromiter(map(distinct.__getitem__, texts), np.int64, len(texts))
        out: list[list[Summary]] = []
        for group in self.groups:
            summaries: list[Summary] = []
            for row in group.table(codes, len(distinct)).tolist():
                counted = {text: n for text, n in zip(distinct, row, strict=True) if n}
                missing, invalid = counted.pop(None, 0), counted.pop(_BAD, 0)
                names = {text: n for text, n in counted.items() if isinstance(text, str)}
                if cuts is None:
                    summaries.append(Tally.of(names, 0, missing, invalid))
                else:
                    summaries.append(Categories.of(cuts, names, 0, missing, invalid))
            out.append(summaries)
        return out
