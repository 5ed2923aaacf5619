"""Tears: where records of a partition were lost before they were read, and which windows may lack some of them.

What was lost lies, in the order of the log, between what was read before and what is read after. So a window may lack some of it only if
it still counted events then (its end plus lateness lies after the newest event before the tear) and if such an event may have been among
them (its start lies at most lateness after the next event that moves the partition on). The latter holds as far as the lateness
does: a lost event that was further ahead of what follows leaves its window unmarked. Both follow from the log and recorded ticks,
whatever a poll brought, how many workers fold and where a process was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from monitor.plan import Model

Reader: TypeAlias = tuple[Model, int | None]  # with the start of its next window


@dataclass(frozen=True, slots=True)
class Tear:
    """`from_ms`: newest event time before it, None where there was none; `until_ms`: that of the first event after it that moves the
    partition on. As long as it is `open` that has not come: then until the moment the loss was noticed, since who is lost had been sent."""

    why: str
    from_ms: int | None
    until_ms: int
    open: bool = True

    def touches(self, model: Model, start_ms: int) -> bool:
        """May the model's window that starts then lack events?

        >>> from monitor.plan import Schema
        >>> hourly = Model("m", "team", Schema(), window_ms=3_600_000, lateness_ms=60_000)
        >>> tear = Tear("retention", 3_660_000, 7_140_000, open=False)
        >>> [tear.touches(hourly, start_ms) for start_ms in (0, 3_600_000, 7_200_000, 10_800_000)]
        [False, True, True, False]
        """
        still_counted = self.from_ms is None or start_ms + model.window_ms + model.lateness_ms > self.from_ms
        return still_counted and start_ms - model.lateness_ms <= self.until_ms


@dataclass(frozen=True, slots=True)
class Grain:
    """How fine tears need be told apart for the models that read a partition: two that are at most `apart_ms` from each other touch the
    same windows as one from the first to the last, and one that ends before `past_ms` touches none that is open or may be opened."""

    apart_ms: int = 0
    past_ms: int | None = None


def grain(readers: Sequence[Reader]) -> Grain:
    """As fine as these models need it; one that has not begun may begin with any window."""
    past = [next_ms - model.lateness_ms for model, next_ms in readers if next_ms is not None]
    apart = (model.window_ms + 2 * model.lateness_ms for model, _ in readers)
    return Grain(min(apart, default=0), min(past) if past and len(past) == len(readers) else None)


def added(tears: tuple[Tear, ...], new: Tear, grain: Grain) -> tuple[Tear, ...]:
    """With one more: those that are past are left out, and what touches the same windows is one.

    >>> one = added((), Tear("poison", 100, 900), Grain(apart_ms=50))
    >>> two = added(closed(one, 130), Tear("poison", 180, 950), Grain(apart_ms=50))
    >>> closed(two, 200)
    (Tear(why='poison', from_ms=100, until_ms=200, open=False),)
    >>> len(added(closed(two, 200), Tear("poison", 300, 950), Grain(apart_ms=50)))
    2
    >>> added(closed(two, 200), Tear("poison", 300, 950), Grain(apart_ms=50, past_ms=201))
    (Tear(why='poison', from_ms=300, until_ms=950, open=True),)
    """
    kept = [tear for tear in tears if tear.open or grain.past_ms is None or tear.until_ms >= grain.past_ms]
    for i, old in enumerate(kept):
        if old.why == new.why and (old.open or (new.from_ms is not None and new.from_ms - old.until_ms <= grain.apart_ms)):
            low = None if old.from_ms is None or new.from_ms is None else min(old.from_ms, new.from_ms)
            kept[i] = Tear(old.why, low, max(old.until_ms, new.until_ms))
            return tuple(kept)
    return (*kept, new)


def closed(tears: tuple[Tear, ...], first_ms: int) -> tuple[Tear, ...]:
    """The partition has moved on to this event time."""
    return tuple(replace(tear, until_ms=first_ms, open=False) if tear.open else tear for tear in tears)
