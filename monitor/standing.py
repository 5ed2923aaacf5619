"""Where one model stands between two windows: how far it has learnt, its evidence, what is open. Packed into one row per model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import msgspec

FORMAT = 2
Stage: TypeAlias = Literal["gathering", "learning", "judging"]
AgainStep: TypeAlias = Literal["nightly", "refit", "rebase", "trend"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the promise shown to the owner rests on: months judged, pages sent, pages answered "false"."""

    judged_ms: int = 0
    pages: int = 0
    false_pages: int = 0
    boost: float = 0.0  # nats on top of ln A after false answers
    boost_ms: int = 0  # event time of that value; it halves its distance to nominal by the rules of monitor.judge


@dataclass(frozen=True, slots=True)
class Wanted:
    """Something to be learnt again once windows have been closed up to `ripe_ms`, from those that start at `from_ms` or later.

    `columns` are those whose level is learnt anew; from `from_ms` on they are left out of the evidence (`mutes`) until it is.
    """

    step: AgainStep
    ripe_ms: int
    from_ms: int = 0
    columns: tuple[str, ...] = ()
    mutes: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """From `from_ms` on these columns lie elsewhere: a new normal, or another version of the model."""

    from_ms: int
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that is no drift: in [from_ms, until_ms), and every `every_ms` again, these subjects (none: all) are not judged."""

    from_ms: int
    until_ms: int
    every_ms: int | None = None
    subjects: tuple[str, ...] = ()
    who: str = ""
    note: str = ""

    def covers(self, start_ms: int, window_ms: int = 1) -> bool:
        """Does a window of `window_ms` that starts then touch it? A minute of an event is in a window that began before it.

        >>> weekly = Expected(10, 14, every_ms=7)
        >>> [t for t in range(30) if weekly.covers(t)]
        [10, 11, 12, 13, 17, 18, 19, 20, 24, 25, 26, 27]
        >>> [t for t in range(0, 30, 5) if Expected(12, 13).covers(t, 5)]
        [10]
        """
        since = start_ms + window_ms - 1 - self.from_ms  # of the window's last moment
        return since >= 0 and (since if self.every_ms is None else since % self.every_ms) < self.until_ms - self.from_ms + window_ms - 1

    def occurrence(self, now_ms: int) -> tuple[int, int]:
        """The stretch [from, until) of it that is on, or comes next; the last one where it is over.

        >>> weekly = Expected(10, 14, every_ms=7)
        >>> weekly.occurrence(0), weekly.occurrence(18), weekly.occurrence(21)
        ((10, 14), (17, 21), (24, 28))
        """
        length_ms = self.until_ms - self.from_ms
        turns = 0 if self.every_ms is None else max(0, (now_ms - self.from_ms - length_ms) // self.every_ms + 1)
        from_ms = self.from_ms + turns * (self.every_ms or 0)
        return from_ms, from_ms + length_ms

    def over(self, now_ms: int) -> bool:
        """Will it never come again?"""
        return self.every_ms is None and now_ms >= self.until_ms


@dataclass(frozen=True, slots=True)
class Standing:
    """`next_ms` is the start of the next window to close (None: nothing seen yet).

    gathering: no cuts yet, panes hold samples; learning: cells are counted; judging: calibrated.
    `learn_until_ms`: event time at which a calibration that found too little is tried again (None: as the plan says).
    `wanted`: what is to be learnt again, and when; `calendar`: events that were announced; `shunned`: (incident, from, until) of pages
    that nobody called false: never learnt from. `version`: the model version that brings most events, `deployed_ms` since when.
    `false_ms`: event time of the first false page that the null model has not been refitted for long enough.
    """

    stage: Stage = "gathering"
    origin_ms: int | None = None
    next_ms: int | None = None
    learn_until_ms: int | None = None
    events: int = 0
    seen: frozenset[str] = frozenset()
    last_events_ms: int | None = None
    ticket_ms: int | None = None
    ledger: Ledger = Ledger()
    digest: str = ""
    reason: str = ""
    wanted: tuple[Wanted, ...] = ()
    calendar: tuple[Expected, ...] = ()
    shunned: tuple[tuple[str, int, int], ...] = ()
    levels: tuple[Level, ...] = ()
    version: str = ""
    deployed_ms: int | None = None
    false_ms: int | None = None
    pooled: bytes = field(default=b"", repr=False)  # monitor.distribution, while a season is learnt beside a frame without time
    chain: bytes = field(default=b"", repr=False)

    def expects(self, subject: str, start_ms: int, window_ms: int) -> bool:
        """Has an event been announced that touches this subject ("": the model as a whole) and a window that starts then?"""
        return any(event.covers(start_ms, window_ms) and (not event.subjects or subject in event.subjects) for event in self.calendar)

    def pack(self) -> bytes:
        """MessagePack with a format number: a state of another format is refused, not misread."""
        return msgspec.msgpack.encode((FORMAT, replace(self, seen=frozenset(sorted(self.seen)))))

    @classmethod
    def unpack(cls, data: bytes) -> Standing:
        """Inverse of `pack`; ValueError for any other format."""
        found, standing = msgspec.msgpack.decode(data, type=tuple[int, Standing])
        if found != FORMAT:
            msg = f"state of a model has format {found}, this release reads {FORMAT}"
            raise ValueError(msg)
        return standing


def forget_before(standings: Iterable[Standing], keep_ms: int) -> int | None:
    """Event time before which nothing need be kept; None where nothing has been seen.

    It is counted back from where each model is in event time, not from the wall clock: a topic of last year's events
    would else lose its windows on the first night. What is still learnt from is never forgotten.
    """
    limits = [
        s.next_ms - keep_ms if s.stage == "judging" or s.origin_ms is None else min(s.origin_ms, s.next_ms - keep_ms)
        for s in standings
        if s.next_ms is not None
    ]
    return min(limits, default=None)
