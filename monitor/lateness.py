"""How far a partition had got when an event came: the only thing that decides whether the event is late.

It follows from the partition's order alone, which the log fixes, and never from how records were batched, so any number
of workers, restarts and replays leave out the same events.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from monitor.batch import Batch, Ints
from monitor.plan import DAY_MS

NOTHING = -(2**62)  # no event yet: nothing is late
JUMP_MS = DAY_MS


def earlier_marks(batches: Sequence[Batch], mark: int) -> tuple[list[Ints], int]:
    """Per batch and event the newest event time among all events before it in the partition; and the mark after all of them.

    `mark` is the newest event time of earlier slices. Batches of one slice may be interleaved: `seq` orders them.
    """
    if not batches:
        return [], mark
    if len(batches) == 1:
        running = np.maximum.accumulate(np.concatenate(([mark], batches[0].time_ms)))
        return [running[:-1]], int(running[-1])
    seq, times = np.concatenate([b.seq for b in batches]), np.concatenate([b.time_ms for b in batches])
    order = np.argsort(seq, kind="stable")
    running = np.maximum.accumulate(np.concatenate(([mark], times[order])))
    earlier = np.empty(len(times), dtype=np.int64)
    earlier[order] = running[:-1]
    return np.split(earlier, np.cumsum([len(b) for b in batches])[:-1]), int(running[-1])


def guarded_marks(batches: Sequence[Batch], mark: int, suspect: int | None) -> tuple[list[Ints], int, int | None]:
    """`earlier_marks` where no broker's stamp bounds the event times: one stamp from the future must not make all others late.

    An event more than a day ahead of its partition does not move the mark; it is remembered, and believed once the next
    such event lies within a day of it. It is folded in its own window all the same.
    """
    if not batches:
        return [], mark, suspect
    newest = max(int(b.time_ms.max()) for b in batches)
    if mark == NOTHING or newest > mark + JUMP_MS:
        return _one_by_one(batches, mark, suspect)
    marks, mark = earlier_marks(batches, mark)
    return marks, mark, suspect


def _one_by_one(batches: Sequence[Batch], mark: int, suspect: int | None) -> tuple[list[Ints], int, int | None]:
    seq, times = np.concatenate([b.seq for b in batches]), np.concatenate([b.time_ms for b in batches])
    earlier = np.empty(len(times), dtype=np.int64)
    for i in np.argsort(seq, kind="stable").tolist():
        time, earlier[i] = int(times[i]), mark
        if mark == NOTHING or time <= mark + JUMP_MS:
            mark = max(mark, time)
        elif suspect is not None and abs(time - suspect) <= JUMP_MS:
            mark, suspect = max(time, suspect), None
        else:
            suspect = time
    return np.split(earlier, np.cumsum([len(b) for b in batches])[:-1]), mark, suspect
