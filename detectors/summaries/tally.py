"""Counts of a categorical column per name, before its cells are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.cuts.categorical import CategoricalCuts, level_name
from detectors.hashing import text_hash
from detectors.packed import pack_parts, unpack_parts
from detectors.summaries.categories import Categories

MOST = 4096


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts per name for the `MOST` names with the smallest hash; `others` counts the events of all other names.

    A name once left out can never come back (the hashes that keep it out only grow in number), so every name that is
    kept has been counted from its first event on: merging is exact, in any order.

    >>> Tally.fold(["red", "red", None]).merge(Tally.fold(["green"])).counts
    {'green': 1, 'red': 2}
    """

    kind: ClassVar[str] = "tally"

    counts: Mapping[str, int]
    others: int = 0
    missing: int = 0
    invalid: int = 0

    @classmethod
    def zero(cls) -> Tally:
        return cls({})

    @classmethod
    def fold(cls, texts: Iterable[str | None], invalid: int = 0) -> Tally:
        """Counts of texts, None = missing; `invalid` values besides them."""
        counted: Counter[str | None] = Counter(texts)
        missing = counted.pop(None, 0)
        return cls.of({name: n for name, n in counted.items() if name is not None}, 0, missing, invalid)

    @classmethod
    def of(cls, counts: Mapping[str, int], others: int = 0, missing: int = 0, invalid: int = 0) -> Tally:
        """A tally with no more names than are kept, sorted by name so that equal tallies have equal bytes."""
        bounded: Counter[str] = Counter()
        for name, n in counts.items():
            bounded[level_name(name)] += n
        if len(bounded) > MOST:
            kept = sorted(bounded, key=lambda name: (text_hash(name), name))[:MOST]
            others += bounded.total() - sum(bounded[name] for name in kept)
        else:
            kept = list(bounded)
        return cls({name: bounded[name] for name in sorted(kept)}, others, missing, invalid)

    @property
    def n(self) -> int:
        return sum(self.counts.values()) + self.others + self.missing + self.invalid

    def cells(self) -> NDArray[np.int64]:
        """Only what has cells before any cuts: [missing, invalid, unseen = 0, other = everything else]."""
        return np.array([self.missing, self.invalid, 0, self.n - self.missing - self.invalid], dtype=np.int64)

    def recut(self, cuts: CategoricalCuts) -> Categories:
        """The same events over cells learnt from them (or their like); names that were not kept count as other."""
        return Categories.of(cuts, self.counts, self.others, self.missing, self.invalid, cell=cuts.cell_within)

    def merge(self, other: Tally) -> Tally:
        both = Counter(self.counts)
        both.update(other.counts)
        return Tally.of(both, self.others + other.others, self.missing + other.missing, self.invalid + other.invalid)

    def pack(self) -> bytes:
        head = np.array([self.others, self.missing, self.invalid])
        return pack_parts(self.kind, 1, head, list(self.counts), np.array(list(self.counts.values()), dtype=np.int64))

    @classmethod
    def unpack(cls, data: bytes) -> Tally:
        head, names, counts = unpack_parts(cls.kind, 1, data)
        return cls(dict(zip(names, counts.tolist(), strict=True)), *head.tolist())
