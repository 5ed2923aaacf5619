"""Panes as bytes: each summary packs itself, and is found again by its kind."""

from __future__ import annotations

import msgspec

from detectors.summaries import unpack
from monitor.pane import Pane


def pack_pane(pane: Pane) -> bytes:
    """MessagePack of (events, column -> (kind, bytes))."""
    return msgspec.msgpack.encode((pane.events, {name: (s.kind, s.pack()) for name, s in pane.columns.items()}))


def unpack_pane(data: bytes) -> Pane:
    """Inverse of `pack_pane`; ValueError where a summary's kind or version is not known."""
    events, columns = msgspec.msgpack.decode(data, type=tuple[int, dict[str, tuple[str, bytes]]])
    return Pane(events, {name: unpack(kind, body) for name, (kind, body) in columns.items()})
