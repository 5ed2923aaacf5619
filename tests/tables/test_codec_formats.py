"""Formats besides one JSON document a record: lines of JSON, bare pictures; and how a codec is found."""

from __future__ import annotations

import pytest

from monitor.batch import Blobs
from monitor.codecs import codec_for, formats
from monitor.errors import Misconfigured
from monitor.plan import Feature, Limits, Model, Owner, Plan, Schema, Stream
from tests.tables.test_codec import MS, decode, only, plan

LINES: list[tuple[bytes, list[int], list[str], str]] = [
    # record, rows kept, reasons, because
    (b'{"speed": 1}', [0], [], "one line is one record"),
    (b'{"speed": 1}\n', [0], [], "with or without its end"),
    (b'{"speed": 1}\n\n{"speed": 2}\r\n', [0, 1], [], "blank lines are none"),
    (b'{"speed": 1}\n{"speed"\n{"speed": NaN}\n', [0, 2], ["not_json"], "a broken line costs itself only"),
    (b'{"speed":\n1}\n', [0], [], "one document over two lines is one"),
    (b'{"speed": 1}\n[{"speed": 2}, {"speed": 3}]', [0, 1, 2], [], "a line may hold a list"),
]


@pytest.mark.parametrize(("record", "rows", "reasons", "because"), LINES)
def test_lines(record: bytes, rows: list[int], reasons: list[str], because: str) -> None:
    schema = Schema((Feature("speed", "numeric", ("speed",)),))
    stream = Stream("s", "t", "inputs", format="jsonl")
    of = Plan({"m": Model("m", "team", schema)}, {"team": Owner("team")}, streams={"s": stream})
    piece = decode(record, of=of)
    assert [seq - (100 << 20) for seq in only(piece).seq.tolist()] == rows, because
    assert [r.reason for r in piece.rejected] == reasons, because


def test_records_that_are_pictures() -> None:
    schema = Schema((Feature("frame", "image", ("frame",)),))
    stream = Stream("s", "t", "inputs", format="picture")
    of = Plan({"m": Model("m", "team", schema)}, {"team": Owner("team")}, streams={"s": stream}, limits=Limits(max_record_bytes=10))
    piece = decode(b"picture", None, b"x" * 11, b"", of=of)
    batch = only(piece)
    assert batch.columns["frame"] == Blobs([b"picture", b""])
    assert batch.seq.tolist() == [100 << 20, 103 << 20]
    assert batch.time_ms.tolist() == [MS, MS]
    assert [(r.offset, r.reason) for r in piece.rejected] == [(102, "oversize")]
    assert piece.counts == {"tombstone": 1}
    with pytest.raises(Misconfigured, match="other features"):
        codec_for(plan(stream=stream), stream)


def test_every_codec_is_found_by_its_word() -> None:
    assert {"json", "jsonl"} <= set(formats())
