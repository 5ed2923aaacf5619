"""Counts of a categorical column over frozen cells, and a few of the names never seen before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.cuts.categorical import INVALID, MISSING, OTHER, UNSEEN, CategoricalCuts, level_name
from detectors.hashing import text_hash
from detectors.packed import pack_parts, unpack_parts

NAMED = 16


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """`counts` int64 (cells,) in the order of `detectors.cuts.categorical`, over the cells that `cuts` names.

    `unseen` names up to 16 of the new names with their exact counts: those with the smallest hash, so that merging is
    exact in any order (see Tally). The unseen cell counts them all.

    >>> cuts = CategoricalCuts(("red", "green"), ("amber",))
    >>> new = Categories.fold(cuts, ["red", "blue", None, "amber"])
    >>> new.counts.tolist(), dict(new.unseen)
    ([1, 0, 1, 1, 1, 0], {'blue': 1})
    """

    kind: ClassVar[str] = "categories"

    cuts: str
    counts: NDArray[np.int64]
    unseen: Mapping[str, int]

    @classmethod
    def zero(cls, cuts: CategoricalCuts) -> Categories:
        return cls(cuts.digest, np.zeros(cuts.size, dtype=np.int64), {})

    @classmethod
    def fold(cls, cuts: CategoricalCuts, texts: Iterable[str | None], invalid: int = 0) -> Categories:
        """Counts of texts, None = missing; `invalid` values besides them."""
        counted: Counter[str | None] = Counter(texts)
        missing = counted.pop(None, 0)
        return cls.of(cuts, {name: n for name, n in counted.items() if name is not None}, 0, missing, invalid)

    @classmethod
    def of(
        cls,
        cuts: CategoricalCuts,
        counted: Mapping[str, int],
        others: int = 0,
        missing: int = 0,
        invalid: int = 0,
        cell: Callable[[str], int] | None = None,
    ) -> Categories:
        """From counts per name; `others` events have names that nobody kept; `cell` replaces the cuts' own rule."""
        cell = cell or cuts.cell
        counts = [0] * cuts.size
        counts[MISSING], counts[INVALID], counts[OTHER] = missing, invalid, others
        unseen: Counter[str] = Counter()
        for text, n in counted.items():
            name = level_name(text)
            place = cell(name)
            counts[place] += n
            if place == UNSEEN:
                unseen[name] += n
        return cls(cuts.digest, np.array(counts, dtype=np.int64), _named(unseen))

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def cells(self) -> NDArray[np.int64]:
        return self.counts

    def merge(self, other: Categories) -> Categories:
        """Sum of the counts; ValueError where the cells differ."""
        if self.cuts != other.cuts:
            raise ValueError(f"categories over different cells do not add up: {self.cuts} and {other.cuts}")
        unseen: Mapping[str, int] = self.unseen or other.unseen
        if self.unseen and other.unseen:
            both = Counter(self.unseen)
            both.update(other.unseen)
            unseen = _named(both)
        return Categories(self.cuts, self.counts + other.counts, unseen)

    def pack(self) -> bytes:
        return pack_parts(self.kind, 1, [self.cuts], self.counts, list(self.unseen), np.array(list(self.unseen.values()), dtype=np.int64))

    @classmethod
    def unpack(cls, data: bytes) -> Categories:
        (cuts,), counts, names, seen = unpack_parts(cls.kind, 1, data)
        return cls(cuts, counts.astype(np.int64), dict(zip(names, seen.tolist(), strict=True)))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Categories)
            and self.cuts == other.cuts
            and np.array_equal(self.counts, other.counts)
            and self.unseen == other.unseen
        )

    __hash__ = None  # type: ignore[assignment]  # holds an array


def _named(unseen: Mapping[str, int]) -> dict[str, int]:
    kept = unseen if len(unseen) <= NAMED else sorted(unseen, key=lambda name: (text_hash(name), name))[:NAMED]
    return {name: unseen[name] for name in sorted(kept)}
