"""Cells of a categorical column: its most frequent names, one cell for the known rest, one for names never seen.

Cell order, fixed: missing, invalid, unseen, other, level_0 ..
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import ClassVar, Protocol

import numpy as np

from detectors.hashing import text_hash
from detectors.packed import pack_parts, unpack_parts

LEVELS = 62
MISSING, INVALID, UNSEEN, OTHER = 0, 1, 2, 3
FIRST = 4  # level_0
LONGEST = 120  # characters of a name that are kept


class Counted(Protocol):
    """What cuts are learnt from: counts per name, and how many events had names that were not kept."""

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def others(self) -> int: ...


def level_name(text: str) -> str:
    """A name of bounded length: what is cut off is replaced by a hash of the whole, so that long names stay distinct.

    >>> level_name("rain"), len(level_name("x" * 100_000))
    ('rain', 120)
    """
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 17]}…{text_hash(text):016x}"


@dataclass(frozen=True, eq=False)
class CategoricalCuts:
    """`levels` have a cell each; names in `rest` and `once` count as other; any other name is unseen.

    `once` holds the names that the reference had only once. There they count as unseen (`cell_within`): each was new when
    it came, so by Good and Turing's rule their share is the rate of new names to be expected from then on.

    Where the reference had more names than were kept (`complete` False), a name missing from it proves nothing: then
    unknown names count as other too, and the unseen cell stays empty.

    >>> cuts = CategoricalCuts(("red", "green"), ("amber",))
    >>> [cuts.cell(name) for name in ("red", "green", "amber", "blue")]
    [4, 5, 3, 2]
    """

    kind: ClassVar[str] = "categorical cuts"

    levels: tuple[str, ...]
    rest: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    complete: bool = True

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.levels) + FIRST

    @cached_property
    def digest(self) -> str:
        """Names these cells: counts over other cells are refused, never misread."""
        return blake2b(self.pack(), digest_size=8).hexdigest()

    @cached_property
    def _known(self) -> dict[str, int]:
        return dict.fromkeys((*self.rest, *self.once), OTHER) | {name: FIRST + i for i, name in enumerate(self.levels)}

    @cached_property
    def _once(self) -> frozenset[str]:
        return frozenset(self.once)

    def cell_within(self, name: str) -> int:
        """Cell of a name inside the reference itself."""
        return UNSEEN if self.complete and name in self._once else self.cell(name)

    def cell(self, name: str) -> int:
        """Cell of a name that comes after the reference."""
        return self._known.get(name, UNSEEN if self.complete else OTHER)

    def names(self) -> list[str]:
        """A word for each cell, in order."""
        return ["missing", "invalid", "unseen", "other", *self.levels]

    def pack(self) -> bytes:
        return pack_parts(self.kind, 1, np.array([int(self.complete)]), list(self.levels), list(self.rest), list(self.once))

    @classmethod
    def unpack(cls, data: bytes) -> CategoricalCuts:
        head, levels, rest, once = unpack_parts(cls.kind, 1, data)
        return cls(tuple(levels), tuple(rest), tuple(once), bool(head[0]))


def learn_categorical(tallies: Counted | Iterable[Counted]) -> CategoricalCuts:
    """Cells from one tally of the reference, or from one per window.

    A name is known when it came in at least two windows (with a single tally: at least twice); ties in frequency go by name.

    >>> from detectors.summaries.tally import Tally
    >>> learn_categorical(Tally.fold(["b", "a", "b", "a", "b", "once"])).levels
    ('b', 'a')
    """
    parts: Sequence[Counted] = list(tallies) if isinstance(tallies, Iterable) else [tallies]
    totals: Counter[str] = Counter()
    seen_in: Counter[str] = Counter()
    for part in parts:
        totals.update(part.counts)
        seen_in.update(part.counts.keys())
    enough = totals if len(parts) == 1 else seen_in
    known = sorted((name for name in totals if enough[name] > 1), key=lambda name: (-totals[name], name))
    once = sorted(name for name in totals if enough[name] == 1)
    complete = all(part.others == 0 for part in parts)
    return CategoricalCuts(tuple(known[:LEVELS]), tuple(sorted(known[LEVELS:])), tuple(once), complete)
