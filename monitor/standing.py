"""Where one model stands between two windows: how far it has learnt, its evidence, what is open. Packed into one row per model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import msgspec

FORMAT = 1
Stage: TypeAlias = Literal["gathering", "learning", "judging"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the promise shown to the owner rests on: months judged, pages sent, pages answered "false"."""

    judged_ms: int = 0
    pages: int = 0
    false_pages: int = 0
    boost: float = 0.0  # nats on top of ln A after false answers
    boost_ms: int = 0  # event time of that value; it halves its distance to nominal by the rules of monitor.judge


@dataclass(frozen=True, slots=True)
class Standing:
    """`next_ms` is the start of the next window to close (None: nothing seen yet).

    gathering: no cuts yet, panes hold samples; learning: cells are counted; judging: calibrated.
    `learn_until_ms`: event time at which a calibration that found too little is tried again (None: as the plan says).
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
    chain: bytes = field(default=b"", repr=False)

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
