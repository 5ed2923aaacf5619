"""The left bank's currency: what a source hands to a codec, and what a codec hands to the fold.

Columns, never rows: folding batches of two thousand events ran a hundred times faster than one event at a time.
All times are UTC milliseconds since the epoch (`*_ms`), as integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Role: TypeAlias = Literal["inputs", "predictions", "outcomes", "metrics"]
Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.uint8]

# What is wrong with a value. A bad value is not a bad record: it falls in a cell of its own and is itself a signal.
OK, MISSING, NOT_FINITE, INVALID = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Records:
    """What one poll of one partition brought: raw bytes with their positions, in offset order, as columns.

    Only sources and codecs see it. `stream` is the plan's name of the stream, `partition` names the ordered log
    ("vision-inputs/3") and is unique over all streams; `stamps_ms` is the broker's time per record (-1: none);
    `values` holds None for a tombstone. `next_offset` is where the partition goes on (holes in offsets are normal).
    """

    stream: str
    partition: str
    offsets: list[int]
    stamps_ms: list[int]
    values: list[bytes | None]
    next_offset: int
    arrival_ms: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be decoded or identified. `reason` is one of a bounded set; the bytes only if opted in."""

    offset: int
    reason: str
    detail: str
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A numeric column. With `flags` None, NaN means missing and an infinity means not finite."""

    values: Floats
    flags: Flags | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """A categorical column as canonical text; None means missing unless `flags` says invalid."""

    values: list[str | None]
    flags: Flags | None = None


@dataclass(frozen=True, slots=True)
class Blobs:
    """A column of encoded pictures; None means missing unless `flags` says invalid."""

    values: list[bytes | None]
    flags: Flags | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """A column of embeddings or class probabilities, shape (events, width); a row of NaN means missing unless `flags` says otherwise."""

    values: Floats
    flags: Flags | None = None


Values: TypeAlias = Numbers | Texts | Blobs | Vectors


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one model, role, version and partition as columns, in offset order.

    `seq` is the event's place in its partition (codecs write offset * 2**20 + row, whether a message holds one row or many), so
    that (partition, seq) identifies an event whatever the batches. `columns` is keyed by the schema's names: features,
    "prediction", "probabilities", "label". `segments` holds the values of the schema's segments, if any.
    """

    model: str
    role: Role
    partition: str
    version: str
    seq: Ints
    time_ms: Ints
    columns: Mapping[str, Values]
    ids: list[str] | None = None
    segments: Mapping[str, Texts] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seq)


@dataclass(frozen=True, slots=True)
class Slice:
    """What one poll of one partition amounts to once decoded: offsets move per slice, whatever the models inside."""

    stream: str
    partition: str
    next_offset: int
    arrival_ms: int
    batches: tuple[Batch, ...]
    records: int
    size_bytes: int
    rejected: tuple[Rejected, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)  # tombstones, clamped stamps, unknown models ... by reason
