"""Panes, tears and checkpoints as bytes: each summary packs itself, and is found again by its kind."""

from __future__ import annotations

import zlib
from dataclasses import replace

import msgspec

from detectors.summaries import unpack
from monitor.changes import Mark, Snapshot
from monitor.incident import Incident
from monitor.pane import Pane, PaneKey
from monitor.tears import Tear


def pack_pane(pane: Pane) -> bytes:
    """MessagePack of (events, column -> (kind, bytes))."""
    return msgspec.msgpack.encode((pane.events, {name: (s.kind, s.pack()) for name, s in pane.columns.items()}))


def unpack_pane(data: bytes) -> Pane:
    """Inverse of `pack_pane`; ValueError where a summary's kind or version is not known."""
    events, columns = msgspec.msgpack.decode(data, type=tuple[int, dict[str, tuple[str, bytes]]])
    return Pane(events, {name: unpack(kind, body) for name, (kind, body) in columns.items()})


def pack_tears(tears: tuple[Tear, ...]) -> bytes:
    return msgspec.msgpack.encode(tears)


def unpack_tears(data: bytes) -> tuple[Tear, ...]:
    return msgspec.msgpack.decode(data, type=tuple[Tear, ...])


_Panes = list[tuple[str, PaneKey, bytes]]
_Body = tuple[dict[str, Mark], _Panes, dict[str, bytes], list[Incident]]
_BEFORE = tuple[dict[str, Mark], _Panes, dict[str, bytes], list[Incident], list[str]]  # up to format 3: who was unreadable stood apart


def pack_checkpoint(snapshot: Snapshot) -> bytes:
    """What a checkpoint holds besides its columns, compressed: it is read rarely and kept for months."""
    panes = [(partition, key, pack_pane(pane)) for (partition, key), pane in snapshot.panes.items()]
    return _compressed((snapshot.marks, panes, snapshot.evidence, list(snapshot.incidents.values())))


def unpack_checkpoint(data: bytes, next_input: int) -> Snapshot:
    """Inverse of `pack_checkpoint`; ValueError where the bytes are damaged."""
    marks, panes, evidence, incidents = msgspec.msgpack.decode(_decompressed(data), type=_Body)
    return Snapshot(
        marks=marks, panes={(partition, key): unpack_pane(pane) for partition, key, pane in panes}, evidence=evidence,
        incidents={i.id: i for i in incidents}, next_input=next_input,
    )  # fmt: skip


def repacked(data: bytes) -> bytes:
    """A checkpoint that a format before 4 kept, as this one keeps it."""
    marks, panes, evidence, incidents, unreadable = msgspec.msgpack.decode(_decompressed(data), type=_BEFORE)
    return _compressed(({name: replace(mark, unreadable=name in unreadable) for name, mark in marks.items()}, panes, evidence, incidents))


def _compressed(body: _Body) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(body), 6)


def _decompressed(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError(f"a checkpoint cannot be unpacked: {error}") from error
