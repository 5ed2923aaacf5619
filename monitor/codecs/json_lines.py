"""Records of several JSON lines, each a row by itself: what batch scoring jobs write. A broken line costs itself only."""

from __future__ import annotations

from functools import partial

from monitor.codecs.json_records import JsonCodec

FORMAT = "jsonl"

build = partial(JsonCodec, lines=True)
