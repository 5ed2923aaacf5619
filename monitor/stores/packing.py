"""Panes and checkpoints as bytes: each summary packs itself, and is found again by its kind."""

from __future__ import annotations

import zlib

import msgspec

from detectors.summaries import unpack
from monitor.changes import Mark, Snapshot
from monitor.incident import Incident
from monitor.pane import Pane, PaneKey


def pack_pane(pane: Pane) -> bytes:
    """MessagePack of (events, column -> (kind, bytes))."""
    return msgspec.msgpack.encode((pane.events, {name: (s.kind, s.pack()) for name, s in pane.columns.items()}))


def unpack_pane(data: bytes) -> Pane:
    """Inverse of `pack_pane`; ValueError where a summary's kind or version is not known."""
    events, columns = msgspec.msgpack.decode(data, type=tuple[int, dict[str, tuple[str, bytes]]])
    return Pane(events, {name: unpack(kind, body) for name, (kind, body) in columns.items()})


_Body = tuple[dict[str, Mark], list[tuple[str, PaneKey, bytes]], dict[str, bytes], list[Incident], list[str]]


def pack_checkpoint(snapshot: Snapshot, unreadable: tuple[str, ...]) -> bytes:
    """What a checkpoint holds besides its columns, compressed: it is read rarely and kept for months."""
    panes = [(partition, key, pack_pane(pane)) for (partition, key), pane in snapshot.panes.items()]
    body = (snapshot.marks, panes, snapshot.evidence, list(snapshot.incidents.values()), list(unreadable))
    return zlib.compress(msgspec.msgpack.encode(body), 6)


def unpack_checkpoint(data: bytes, next_input: int) -> tuple[Snapshot, tuple[str, ...]]:
    """Inverse of `pack_checkpoint`; ValueError where the bytes are damaged."""
    try:
        marks, panes, evidence, incidents, unreadable = msgspec.msgpack.decode(zlib.decompress(data), type=_Body)
    except zlib.error as error:
        raise ValueError(f"a checkpoint cannot be unpacked: {error}") from error
    return Snapshot(
        marks=marks, panes={(partition, key): unpack_pane(pane) for partition, key, pane in panes}, evidence=evidence,
        incidents={i.id: i for i in incidents}, next_input=next_input,
    ), tuple(unreadable)  # fmt: skip
