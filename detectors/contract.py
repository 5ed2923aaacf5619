"""What a detector owes: a frozen dataclass of its parameters, with one method that returns an answer.

A file in `detectors/comparators` or `detectors/sequential` that holds such a class under `@detector(...)` is a detector;
nothing else is edited. `tests/laws/test_detectors.py` puts every one through the same laws: the same input has the same
answer, nothing is mutated, no change means a small score, a constant or empty column has a reason instead of a NaN,
parameters refuse nonsense when they are built, state is bounded and survives being saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

from detectors.counts import Counts
from detectors.score import Score

# a running detector's state: what JSON can say, without module paths, so that it outlives the program that wrote it
Snapshot: TypeAlias = Mapping[str, float | int | list[float]]


@runtime_checkable
class Comparator(Protocol):
    """Compares a closed window with the reference, both as counts over the reference's cells."""

    def compare(self, reference: Counts, window: Counts) -> Score: ...


class Watch(Protocol):
    """A sequential detector at work on one column."""

    def step(self, value: float) -> Score:
        """Takes the number of the window just closed; one that is not finite changes nothing and has no score."""
        ...

    def snapshot(self) -> Snapshot: ...


@runtime_checkable
class Sequential(Protocol):
    """Watches one number per closed window. The parameters are here, the running state is in what `start` returns."""

    def start(self, snapshot: Snapshot | None = None) -> Watch:
        """A new watch, or one that goes on where the snapshot was taken.

        Raises:
            ValueError: for a snapshot that is none of this detector's.
        """
        ...
