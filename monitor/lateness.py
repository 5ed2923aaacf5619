"""How far a partition had got when an event came: the only thing that decides whether the event is late.

It follows from the partition's order alone, which the log fixes, and never from how records were batched, so any number
of workers, restarts and replays leave out the same events.

One stamp that is wrong must not make all others late. So an event more than a day ahead of its partition does not move the
mark; it is a suspect, forgotten at the next event that is none, believed when the event after it is as far ahead. A first
event is a suspect, too: one that lies a day or more before it takes its place. Every event is folded in its own window all
the same. A broker's stamp is no reason to trust more: a topic that was filled afterwards bears the stamps of that day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.batch import Batch, Ints
from monitor.plan import DAY_MS

NOTHING = -(2**62)  # no event yet: nothing is late
JUMP_MS = DAY_MS


@dataclass(frozen=True, slots=True)
class Walked:
    """One slice's way through event time: per batch and event how far the partition had got before it (`earlier`); `mark` and `suspect`
    after all of them; `first` is the first event, if one did, that moved the partition on, or stood where it was, and left no suspect."""

    earlier: list[Ints]
    mark: int
    suspect: int | None
    first: int | None = None


def walked(batches: Sequence[Batch], mark: int, suspect: int | None = None) -> Walked:
    """How a slice moves its partition.

    `mark` and `suspect` (event times, ms) are those after earlier slices: the newest believed event time, and the event that
    would have moved it too far, or that is all the mark stands on (then they are equal). Batches of one slice may be
    interleaved: `seq` orders them.
    """
    if not batches:
        return Walked([], mark, suspect)
    if len(batches) == 1:
        order, times = None, batches[0].time_ms
    else:
        order = np.argsort(np.concatenate([b.seq for b in batches]), kind="stable")
        times = np.concatenate([b.time_ms for b in batches])[order]
    running = np.maximum.accumulate(np.concatenate(([mark], times)))
    earlier, newest = running[:-1], int(running[-1])
    young = suspect is not None and suspect == mark
    if mark == NOTHING or (young and times[0] < mark - JUMP_MS) or (times > earlier + JUMP_MS).any():
        earlier, newest, suspect, first = _one_by_one(times, mark, suspect)
    else:
        suspect, at = None, int((times >= earlier).argmax())
        first = int(times[at]) if times[at] >= earlier[at] else None
    if order is None:
        return Walked([earlier], newest, suspect, first)
    placed = np.empty(len(times), dtype=np.int64)
    placed[order] = earlier
    return Walked(np.split(placed, np.cumsum([len(b) for b in batches])[:-1]), newest, suspect, first)


def _one_by_one(times: Ints, mark: int, suspect: int | None) -> tuple[Ints, int, int | None, int | None]:
    earlier, first = np.empty(len(times), dtype=np.int64), None
    for i, time in enumerate(times.tolist()):
        earlier[i] = mark
        if mark == NOTHING:
            mark = suspect = time
        elif suspect == mark and time < mark - JUMP_MS:
            mark = suspect = earlier[i] = time
        elif time <= mark + JUMP_MS:
            mark, suspect = max(mark, time), None
        elif suspect is None or suspect == mark or time < suspect - JUMP_MS:
            suspect = time
        else:  # a partition that brings less than an event a day is believed one event later
            low, high = min(suspect, time), max(suspect, time)
            mark, suspect = (high, None) if high <= low + JUMP_MS else (low, high)
        if first is None and suspect is None and time >= earlier[i]:
            first = mark
    return earlier, mark, suspect, first
