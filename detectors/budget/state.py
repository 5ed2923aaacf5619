"""Everything that moves while a model is watched, as plain arrays; small, versioned, named by the calibration it belongs to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget.clock import Clock, unpacked
from detectors.budget.packing import pack, unpack
from detectors.streams.blocks import Pending

Floats = NDArray[np.float64]
Light = NDArray[np.float32]  # onset and effect: seven digits are plenty
Ints = NDArray[np.int64]
VERSION = 5
RING = 12  # windows over which recovery is judged


@dataclass(frozen=True, slots=True)
class State:
    """Per stream (S,), or per bet (S, 2, bets).

    `sums` R; `trail` max(0, trail + ln e), whose last zero dates the onset; `first_ms` the start of the first block since;
    `moved`, `weighed` effect times events and events since; `base` the filter's level before that block.
    `level`, `spread` of the filter; `last_ms` end of the stream's last block; `end_ms` end of the last window.
    `held` streams have their level frozen; `ring_moved`, `ring_weighed` (RING, S) their last windows; `part` (S,) each leader's share of an
    open incident, `met` (2, S) effect times events and events while it lasted, `back` (3, S) the same and windows since it may be over.
    The S streams are followed by the pooled ones. `pool_sums`, `pool_counts` (J, M) and `pool_first` (J,) are their open blocks,
    `anchor` the pooled streams' level before the evidence of the last page.
    `clock` is the one that the season follows where no time zone is named, `misfit` half the squares of the last window's scores,
    `rivals` the same watched under other clocks.
    """

    name: str
    pending: Pending
    sums: Floats
    trail: Light
    first_ms: Ints
    moved: Light
    weighed: Light
    base: Light
    level: Floats
    spread: Floats
    last_ms: Ints
    end_ms: int
    held: NDArray[np.bool_]
    part: Floats
    met: Floats
    back: Floats
    ring_moved: Floats
    ring_weighed: Floats
    pool_sums: Floats
    pool_counts: Floats
    pool_first: Ints
    anchor: Floats
    clock: Clock
    misfit: float = 0.0
    rivals: tuple[Rival, ...] = ()

    def pack(self) -> bytes:
        """Versioned bytes without pickle."""
        arrays: dict[str, NDArray[Any]] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("name", "pending", "end_ms", "clock", "misfit", "rivals")
        }
        arrays |= {f"pending.{f.name}": getattr(self.pending, f.name) for f in fields(Pending)}
        arrays |= {f"rival.{i}": np.frombuffer(r.state.pack(), np.uint8) for i, r in enumerate(self.rivals)}
        header = {
            "kind": "state", "version": VERSION, "name": self.name, "end_ms": self.end_ms, "clock": asdict(self.clock),
            "misfit": self.misfit, "rivals": [[r.since_ms, r.ahead, r.square] for r in self.rivals],
        }  # fmt: skip
        return pack(header, arrays)

    @staticmethod
    def unpack(data: bytes, name: str) -> State:
        """Raises ValueError when the bytes are damaged or belong to another calibration than `name`: old state is refused, not misread."""
        head, a = unpack(data)
        if (head.get("kind"), head.get("version")) != ("state", VERSION):
            raise ValueError(f"evidence: expected state of version {VERSION}, got {head.get('kind')} {head.get('version')}")
        if head["name"] != name:
            raise ValueError(f"evidence: state belongs to calibration {head['name']}, not to {name}")
        pending = Pending(**{f.name: a.pop(f"pending.{f.name}") for f in fields(Pending)})
        rivals = tuple(Rival(State.unpack(a.pop(f"rival.{i}").tobytes(), name), *numbers) for i, numbers in enumerate(head["rivals"]))
        return State(
            name=name, pending=pending, end_ms=int(head["end_ms"]), clock=unpacked(head["clock"]), misfit=head["misfit"], rivals=rivals, **a
        )


@dataclass(frozen=True, slots=True)
class Rival:
    """The model watched under another clock since `since_ms`; by how much that clock explains the windows better, `ahead`, and the
    `square` sum of its parts."""

    state: State
    since_ms: int
    ahead: float = 0.0
    square: float = 0.0
