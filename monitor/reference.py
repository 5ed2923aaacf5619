"""What normal looks like for one model: frozen cells, and what was calibrated from its windows. Immutable, named by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibration import Calibration
from detectors.cuts import Cuts
from detectors.cuts import unpack as unpack_cuts

FORMAT = 2
_PACKED = tuple[int, str, str, dict[str, bytes], int, int, int, bytes | None, bytes | None, dict[str, bytes], tuple[str, ...]]


@dataclass(frozen=True)
class Reference:
    """`cuts` per column; windows that start at `effective_ms` or later are folded by them.

    `calibration` is None while the model still learns; then only the cells are frozen. `from_ms`, `until_ms`: the windows
    it was learnt from. `digest` is the plan's: a plan whose numbers changed does not read an old reference. `before` is the calibration
    before the levels of the columns `levelled` were learnt anew: what firms them up with more windows begins there.
    """

    model: str
    digest: str
    cuts: Mapping[str, Cuts]
    effective_ms: int
    from_ms: int
    until_ms: int
    calibration: Calibration | None = None
    frame: Mapping[str, bytes] = field(default_factory=dict)
    before: Calibration | None = None
    levelled: tuple[str, ...] = ()

    @cached_property
    def name(self) -> str:
        """The content hash that verdicts carry."""
        return hashlib.sha256(self.pack()).hexdigest()[:16]

    def pack(self) -> bytes:
        return msgspec.msgpack.encode((
            FORMAT, self.model, self.digest, {name: self.cuts[name].pack() for name in sorted(self.cuts)},
            self.effective_ms, self.from_ms, self.until_ms, *(c.pack() if c is not None else None for c in (self.calibration, self.before)),
            {name: self.frame[name] for name in sorted(self.frame)}, self.levelled,
        ))  # fmt: skip

    @classmethod
    def unpack(cls, data: bytes) -> Reference:
        """Inverse of `pack`; ValueError for another format."""
        parts = msgspec.msgpack.decode(data, type=_PACKED)
        if parts[0] != FORMAT:
            msg = f"reference has format {parts[0]}, this release reads {FORMAT}"
            raise ValueError(msg)
        _, model, digest, cuts, effective_ms, from_ms, until_ms, *calibrations, frame, columns = parts
        calibration, before = (Calibration.unpack(body) if isinstance(body, bytes) else None for body in calibrations)
        return cls(
            model, digest, {name: unpack_cuts(body) for name, body in cuts.items()}, effective_ms, from_ms, until_ms,
            calibration, frame, before, columns,
        )  # fmt: skip


def pack_cells(cells: NDArray[np.int64]) -> bytes:
    """Counts in the narrowest unsigned integers that hold them, led by the width in bytes.

    >>> unpack_cells(pack_cells(np.array([1, 300, 0])))
    array([  1, 300,   0])
    """
    top = int(cells.max(initial=0))
    width = 1 if top < 1 << 8 else 2 if top < 1 << 16 else 4 if top < 1 << 32 else 8
    return bytes((width,)) + cells.astype(f"<u{width}").tobytes()


def unpack_cells(data: bytes) -> NDArray[np.int64]:
    """Inverse of `pack_cells`."""
    return np.frombuffer(data, f"<u{data[0]}", offset=1).astype(np.int64)
