"""The bad records of all tests here: what each holds, what becomes of it and why. The fuzzer starts from them, too."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from PIL import Image

from tests.river.world import HOUR_MS, START_MS

BETWEEN_MS = START_MS + 5 * HOUR_MS // 2  # in the third window
Outcome = Literal["rejected", "adjusted", "late", "folded", "skipped"]


@dataclass(frozen=True, slots=True)
class Bad:
    """`values`: the records, in neighbouring places; `outcome` and `reason` say where each of them is counted.

    "rejected": counted by reason and dead-lettered; "adjusted": counted, since nothing is wrong with it for others;
    "late": decoded, its window long past; "skipped": folded, but its `column` holds a value that cannot be used,
    which falls into the cell named by `reason` (missing, not_finite, invalid).
    """

    name: str
    values: tuple[bytes | None, ...]
    outcome: Outcome
    reason: str
    because: str
    column: str = ""


def record(**changes: Any) -> dict[str, Any]:
    """A good one; `changes` replace its parts."""
    return {
        "id": "bad",
        "at": BETWEEN_MS,
        "model": "m",
        "sensors": {"speed": 0.5},
        "weather": "dry",
        "frame": base64.b64encode(picture()).decode(),
    } | changes


def written(**changes: Any) -> bytes:
    return json.dumps(record(**changes)).encode()


def _without(name: str) -> bytes:
    return json.dumps({key: value for key, value in record().items() if key != name}).encode()


@cache
def picture(form: str = "JPEG", side: int = 16) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(out, form)
    return out.getvalue()


@cache
def enormous(side: int = 20_000) -> bytes:
    """A sound PNG of that many pixels a side, in some ten kilobytes: decoding it would take gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), b"\0" * (1 + side // 8)
    packed = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def framed(data: bytes, prefix: str = "") -> bytes:
    """A good record with this for its picture."""
    return written(frame=prefix + base64.b64encode(data).decode())


def table() -> list[Bad]:
    """Every kind of bad record, each by itself."""
    half = len(written()) // 2
    return [
        Bad("not JSON", (b"speed=5",), "rejected", "not_json", "another format"),
        Bad("empty", (b"",), "rejected", "not_json", "nothing is no JSON"),
        Bad("not UTF-8", (b"\xff\xfe\x00",), "rejected", "not_utf8", "another encoding"),
        Bad("Latin-1", (b'{"id": "\xe9", "at": 1}',), "rejected", "not_utf8", "one byte is enough"),
        Bad("null", (None,), "adjusted", "tombstone", "compacted topics delete by records without a value"),
        Bad("null written out", (b"null",), "rejected", "not_an_object", "four letters are a value"),
        Bad("20 MB", (written(padding="x" * 20_000_000),), "rejected", "oversize", "larger than limits.max_record_bytes: not even parsed"),
        Bad("nested 10,000 deep", (b"[" * 10_000 + b"]" * 10_000,), "rejected", "too_deep", "no parser goes there"),
        Bad(
            "nested 10,000 deep where nobody reads",
            (written()[:-1] + b', "more": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",),
            "rejected",
            "too_deep",
            "the decoder must not fall over fields that nobody asked for",
        ),
        Bad(
            "two halves of JSON",
            (written()[:half], written()[half:]),
            "rejected",
            "not_json",
            "neighbours never pair up into a record that nobody wrote",
        ),
        Bad("lacks the time", (_without("at"),), "rejected", "no_time", "an event without a time has no window"),
        Bad("lacks the model", (_without("model"),), "rejected", "no_model", "nobody's record"),
        Bad("an unreadable time", (written(at="yesterday"),), "rejected", "time_unreadable", "words are no time"),
        Bad("an unknown model", (written(model="another"),), "adjusted", "unknown_model", "shared topics hold models of others"),
        Bad("a stamp in 1970", (written(at=0),), "late", "late", "its window was left behind half a century ago"),
        Bad("lacks a feature", (_without("sensors"),), "skipped", "missing", "a value that is missing is a signal", "speed"),
        Bad("text in a number", (written(sensors={"speed": "fast"}),), "skipped", "invalid", "a bad value is no bad record", "speed"),
        Bad("NaN", (written(sensors={"speed": float("nan")}),), "skipped", "not_finite", "as Python writes it", "speed"),
        Bad("Infinity", (written(sensors={"speed": float("inf")}),), "skipped", "not_finite", "as Python writes it", "speed"),
        Bad("a list for a name", (written(weather=["dry"]),), "skipped", "invalid", "no name", "weather"),
        Bad("a truncated JPEG", (framed(picture()[:200]),), "skipped", "invalid", "half a picture", "frame"),
        Bad("no picture", (framed(b"GIF"),), "skipped", "invalid", "three letters", "frame"),
        Bad("no base64", (written(frame="!"),), "skipped", "invalid", "cannot be unwrapped", "frame"),
        Bad("a picture of 20,000 x 20,000", (framed(enormous()),), "skipped", "invalid", "refused unread", "frame"),
        Bad(
            "a PNG named JPEG",
            (framed(picture("PNG"), "data:image/jpeg;base64,"),),
            "folded",
            "",
            "the bytes say what they are, the name does not count",
            "frame",
        ),
        Bad("a stamp in 2099", (written(at="2099-01-01T00:00:00Z"),), "adjusted", "clamped_stamp", "it closes nothing"),
    ]  # fmt: skip


def good(hours: Iterable[int], per_hour: int = 30) -> list[bytes]:
    """Good records in time order, the same for the same hours."""
    out = []
    for hour in hours:
        for i in range(per_hour):
            n = (hour * 7919 + i * 104_729) % 1000
            at = START_MS + hour * HOUR_MS + i * (HOUR_MS // per_hour)
            changes = {"id": f"{hour}-{i}", "at": at, "sensors": {"speed": n / 1000}, "weather": ("dry", "dry", "rain")[n % 3]}
            out.append(written(**changes))
    return out
