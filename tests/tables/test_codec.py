"""What JSON records may hold, one row each: kept, flagged or rejected, and why."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from monitor.batch import INVALID, MISSING, NOT_FINITE, OK, Batch, Blobs, Numbers, Records, Slice, Texts, Vectors
from monitor.codecs import codec_for
from monitor.codecs.assembly import COUNTS, REASONS
from monitor.codecs.shapes import MOST_OBJECTS, MOST_ROWS
from monitor.errors import Misconfigured
from monitor.plan import DeadLetter, Feature, Fields, Label, Limits, Model, Owner, Plan, Prediction, Schema, Stream

SCHEMA = Schema(
    (
        Feature("speed", "numeric", ("sensors", "speed")),
        Feature("weather", "categorical", ("weather",)),
        Feature("frame", "image", ("frame",)),
        Feature("vector", "embedding", ("vector",)),
    ),
    Prediction(label=("label",), probabilities=("scores",)),
    Label(label=("truth",)),
    segments=("camera", "weather"),
)
FIELDS = Fields(id=("id",), time=("ts",), model=("model", "name"), version=("model", "version"))
LINES_STREAM = Stream("s", "t", "inputs", format="jsonl", fields=FIELDS)
ISO, MS = "2026-03-01T12:00:00.250+01:00", 1_772_362_800_250
GOOD: dict[str, Any] = {
    "id": "r1", "ts": ISO, "model": {"name": "m", "version": 3}, "sensors": {"speed": 12.5}, "weather": "rain",
    "frame": base64.b64encode(b"picture").decode(), "vector": [1, 2.5], "camera": "north", "label": "red",
    "scores": {"red": 0.75, "green": 0.25}, "truth": "green",
}  # fmt: skip


def plan(*models: str, stream: Stream | None = None, payload: bool = False) -> Plan:
    names = models or ("m",)
    return Plan(
        {name: Model(name, "team", SCHEMA) for name in names}, {"team": Owner("team")},
        streams={"s": stream or Stream("s", "t", "inputs", fields=FIELDS)},
        limits=Limits(max_record_bytes=20_000), dead_letter=DeadLetter(payload=payload),
    )  # fmt: skip


def decode(*values: Any, of: Plan | None = None, stamp_ms: int = MS, arrival_ms: int = MS + 1) -> Slice:
    raw = [value if value is None or isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    plan_ = of or plan()
    records = Records("s", "s/0", list(range(100, 100 + len(raw))), [stamp_ms] * len(raw), raw, 100 + len(raw), arrival_ms)
    return codec_for(plan_, plan_.streams["s"]).decode(records)


def with_(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def only(piece: Slice) -> Batch:
    (batch,) = piece.batches
    return batch


def test_a_good_record() -> None:
    piece = decode(GOOD)
    batch = only(piece)
    assert (piece.records, piece.next_offset, piece.rejected, piece.counts) == (1, 101, (), {})
    assert (batch.model, batch.version, batch.ids, batch.time_ms.tolist(), batch.seq.tolist()) == ("m", "3", ["r1"], [MS], [100 << 20])
    speed, weather, frame, vector = (batch.columns[name] for name in ("speed", "weather", "frame", "vector"))
    assert isinstance(speed, Numbers)
    assert speed.values.tolist() == [12.5]
    assert weather == Texts(["rain"])
    assert frame == Blobs([b"picture"])
    assert isinstance(vector, Vectors)
    assert vector.values.tolist() == [[1.0, 2.5]]
    assert {name: texts.values for name, texts in batch.segments.items()} == {"camera": ["north"], "weather": ["rain"]}


REJECTED: list[tuple[Any, str, str]] = [
    # value, reason, because
    (b"", "not_json", "nothing is no JSON"),
    (b"{", "not_json", "cut off"),
    (b'{"id":1}{"id":2}', "not_json", "two records in one are none"),
    (b'{"id": 01}', "not_json", "a number that JSON does not know"),
    (b"\xff\xfe{}", "not_utf8", "another encoding"),
    (json.dumps(GOOD).encode("utf-16"), "not_utf8", "another encoding with a mark"),
    (b'{"id": "\xe9", "ts": "' + ISO.encode() + b'"}', "not_utf8", "Latin-1 inside a field that is read"),
    (b"[" * 9_000 + b"]" * 9_000, "too_deep", "nested deeper than any parser goes"),
    (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "too_deep", "the same in a field nobody reads"),
    (b'"text"', "not_an_object", "a text has no fields"),
    (b"3", "not_an_object", "a number has none either"),
    (b"null", "not_an_object", "null is not a tombstone: that is a record without a value"),
    (b'["a", "b"]', "not_an_object", "a list of texts is no list of rows"),
    (b"x" * 20_001, "oversize", "longer than limits.max_record_bytes, not even parsed"),
    (without("ts"), "no_time", "the mapped field is missing"),
    (with_(ts=None), "no_time", "null is missing"),
    (with_(ts="yesterday"), "time_unreadable", "words"),
    (with_(ts="2026-03-01T12:00:00"), "time_unreadable", "a time without an offset is no instant"),
    (with_(ts="2026-13-01T12:00:00Z"), "time_unreadable", "there is no 13th month"),
    (with_(ts=True), "time_unreadable", "true is no number of seconds"),
    (with_(ts=-5), "time_unreadable", "before 1970"),
    (with_(ts=1e300), "time_unreadable", "beyond the year 9999"),
    (with_(ts=10**30), "time_unreadable", "beyond any integer"),
    (with_(ts=[ISO]), "time_unreadable", "a list of times"),
    (json.dumps(with_(ts=0)).replace('"ts": 0', '"ts": NaN').encode(), "time_unreadable", "NaN, as Python writes it"),
    (without("model"), "no_model", "nobody's record"),
    (with_(model={"version": 1}), "no_model", "nobody's record"),
    (with_(model="m"), "no_model", "the name is not where it should be"),
]


@pytest.mark.parametrize(("value", "reason", "because"), REJECTED)
def test_rejected_alone_and_between_good_ones(value: Any, reason: str, because: str) -> None:
    assert reason in REASONS
    for piece, offset in ((decode(value), 100), (decode(GOOD, value, GOOD), 101)):
        assert [(r.offset, r.reason, r.value) for r in piece.rejected] == [(offset, reason, None)], because
        assert sum(map(len, piece.batches)) == piece.records - 1, "the others are kept"
        assert len(piece.rejected[0].detail) <= 200


def test_payloads_are_handed_on_only_if_opted_in() -> None:
    assert decode(b"{", of=plan(payload=True)).rejected[0].value == b"{"


COUNTED: list[tuple[Any, str, str]] = [
    (None, "tombstone", "compacted topics delete by a record without a value"),
    (with_(model={"name": "another"}), "unknown_model", "shared topics hold models that nobody watches here"),
    (b"[]", "no_rows", "an empty list of rows"),
    (b'{"model": {"name": "m"}, "ts": 1, "rows": []}', "", "a list nobody reads"),
]


@pytest.mark.parametrize(("value", "count", "because"), COUNTED)
def test_counted_not_rejected(value: Any, count: str, because: str) -> None:
    piece = decode(GOOD, value)
    assert piece.rejected == ()
    assert piece.counts == ({count: 1} if count else {}), because
    assert set(piece.counts) <= set(COUNTS)


VALUES: list[tuple[str, Any, Any, int, str]] = [
    # field, value as written, what is folded (None: anything), flag, because
    ("speed", "null", np.nan, OK, "null is missing"),
    ("speed", "7", 7.0, OK, "an integer is a number"),
    ("speed", "true", 1.0, OK, "data frames write flags as true and false"),
    ("speed", "-0.0", 0.0, OK, "minus nothing"),
    ("speed", "NaN", None, NOT_FINITE, "Python writes NaN"),
    ("speed", "-Infinity", None, NOT_FINITE, "Python writes -Infinity"),
    ("speed", "1e400", None, NOT_FINITE, "more than a float can hold"),
    ("speed", "9" * 400, None, NOT_FINITE, "an integer that no float can hold"),
    ("speed", '"12.5"', None, INVALID, "a text is no number, whatever it says"),
    ("speed", '"NaN"', None, INVALID, "nor this one"),
    ("speed", "[12.5]", None, INVALID, "a list of one"),
    ("speed", '{"value": 1}', None, INVALID, "an object"),
    ("weather", "null", None, OK, "null is missing"),
    ("weather", '"rain"', "rain", OK, "a name"),
    ("weather", '""', "", OK, "an empty name is a name"),
    ("weather", "true", "true", OK, "a flag as a category"),
    ("weather", "1", "1", OK, "a code as a category"),
    ("weather", "1.0", "1", OK, "the same code as a data frame with gaps writes it"),
    ("weather", "0.5", "0.5", OK, "a number as a category"),
    ("weather", "NaN", None, MISSING, "a data frame's missing name"),
    ("weather", "Infinity", None, INVALID, "no name"),
    ("weather", '["rain"]', None, INVALID, "a list of names"),
    ("weather", '"\\ud800"', "\\ud800", OK, "half a character becomes readable and stays what it is"),
    ("frame", "null", None, OK, "null is missing"),
    ("frame", '"cGljdHVyZQ=="', b"picture", OK, "base64"),
    ("frame", '"cGljdHVyZQ"', b"picture", OK, "base64 without padding"),
    ("frame", '"cGlj\\ndHVy\\nZQ==\\n"', b"picture", OK, "base64 with line breaks"),
    ("frame", '"_-8="', b"\xff\xef", OK, "the URL-safe alphabet"),
    ("frame", '"data:image/jpeg;base64,cGljdHVyZQ=="', b"picture", OK, "a data URL"),
    ("frame", '"no picture!"', None, INVALID, "no base64"),
    ("frame", "12", None, INVALID, "a number"),
    ("frame", '"é"', None, INVALID, "no base64 at all"),
    ("vector", "[1, 2]", [1.0, 2.0], OK, "numbers"),
    ("vector", "null", None, OK, "null is missing"),
    ("vector", "[1, null]", None, NOT_FINITE, "a hole"),
    ("vector", "[1, NaN]", None, NOT_FINITE, "not a number"),
    ("vector", '[1, "2"]', None, INVALID, "a text among numbers"),
    ("vector", "[[1, 2]]", None, INVALID, "a matrix"),
    ("vector", "[]", None, INVALID, "no numbers"),
    ("vector", "3", None, INVALID, "a number"),
    ("vector", "[" + "0," * 9000 + "0]", None, INVALID, "wider than any embedding"),
]


def flag_of(column: Any, at: int) -> int:
    """What the fold will make of a value: without flags an infinity speaks for itself."""
    if column.flags is not None:
        return int(column.flags[at])
    return NOT_FINITE if isinstance(column, Numbers) and np.isinf(column.values[at]) else OK


@pytest.mark.parametrize(("field", "written", "expected", "flag", "because"), VALUES)
def test_a_bad_value_is_not_a_bad_record(field: str, written: str, expected: Any, flag: int, because: str) -> None:
    base = with_(sensors={"speed": "HERE"}) if field == "speed" else with_(**{field: "HERE"})
    record = json.dumps(base).replace('"HERE"', written).encode()
    for piece, at in ((decode(record), 0), (decode(GOOD, record), 1)):
        assert piece.rejected == ()
        column = only(piece).columns[field]
        assert flag_of(column, at) == flag, because
        if flag != OK or expected is None:
            continue
        value: Any = column.values[at]
        if isinstance(expected, float):
            assert value == pytest.approx(expected, nan_ok=True), because
        else:
            assert (value.tolist() if isinstance(value, np.ndarray) else value) == expected, because


TIMES: list[tuple[Any, int, str]] = [
    ("2026-03-01T11:00:00.250Z", MS, "Zulu"),
    ("2026-03-01T11:00:00.250z", MS, "zulu"),
    (" 2026-03-01 11:00:00.25+00:00 ", MS, "a blank for the T, blanks around"),
    ("2026-03-01T16:30:00.250999+05:30", MS, "microseconds are cut off, never rounded up"),
    ("2026-03-01T11:59:59.999999999Z", MS + 3_599_749, "nanoseconds never reach into the next window"),
    (MS / 1000, MS, "seconds with a fraction"),
    (MS // 1000, MS - 250, "seconds"),
    (MS, MS, "milliseconds"),
    (MS * 1000 + 999, MS, "microseconds"),
    (MS * 10**6 + 999_999, MS, "nanoseconds"),
    (float(MS), MS, "milliseconds, as a language with one kind of number writes them"),
]


@pytest.mark.parametrize(("written", "expected", "because"), TIMES)
def test_event_times(written: Any, expected: int, because: str) -> None:
    stamp_ms = MS + 3_600_000
    assert only(decode(with_(ts=written), stamp_ms=stamp_ms)).time_ms.tolist() == [expected], because
    mixed = decode(with_(ts=written), with_(ts=MS), with_(ts=ISO), stamp_ms=stamp_ms)
    assert only(mixed).time_ms.tolist() == [expected, MS, MS], because


def test_a_stamp_from_the_future_is_clamped_to_the_brokers() -> None:
    stamp_ms = MS - 300_000
    assert only(decode(GOOD, stamp_ms=stamp_ms)).time_ms.tolist() == [MS], "five minutes are borne"
    piece = decode(GOOD, stamp_ms=stamp_ms - 1)
    assert only(piece).time_ms.tolist() == [stamp_ms - 1]
    assert piece.counts == {"clamped_stamp": 1}


def test_without_a_brokers_stamp_nothing_is_clamped() -> None:
    piece = decode(GOOD, stamp_ms=-1)
    assert only(piece).time_ms.tolist() == [MS]
    assert piece.counts == {}


@pytest.mark.parametrize(
    ("stream", "stamp_ms", "expected", "because"),
    [
        (Stream("s", "t", "inputs", fields=FIELDS, event_time="record"), 5, 5, "by the broker's stamp"),
        (Stream("s", "t", "inputs", fields=FIELDS, event_time="record"), -1, 9, "no stamp: by arrival"),
        (Stream("s", "t", "inputs", fields=FIELDS, event_time="arrival"), 5, 9, "by arrival"),
        (Stream("s", "t", "inputs", fields=Fields(model=("model", "name"))), 5, 5, "no time mapped: by the broker's stamp"),
    ],
)
def test_whose_time_counts(stream: Stream, stamp_ms: int, expected: int, because: str) -> None:
    piece = decode(without("ts"), of=plan(stream=stream), stamp_ms=stamp_ms, arrival_ms=9)
    assert only(piece).time_ms.tolist() == [expected], because
    assert piece.rejected == ()


def test_a_list_of_rows_explodes() -> None:
    rows = [with_(id=f"r{i}", sensors={"speed": i}) for i in range(3)]
    for piece, first in ((decode(rows), 0), (decode(GOOD, rows, b"{"), 1)):
        batch = only(piece)
        assert batch.seq[first:].tolist() == [((100 + first) << 20) + i for i in range(3)]
        assert batch.ids is not None
        assert batch.ids[first:] == ["r0", "r1", "r2"]
        assert piece.records == 1 + 2 * first


def test_rows_inside_a_record_share_what_stands_outside() -> None:
    record = {"id": "r", "ts": ISO, "model": {"name": "m"}, "sensors": [{"speed": 1}, {"speed": "fast"}], "weather": "rain"}
    batch = only(decode(record))
    speed = batch.columns["speed"]
    assert isinstance(speed, Numbers)
    assert speed.flags is not None
    assert (speed.values[0], speed.flags.tolist()) == (1.0, [OK, INVALID])
    assert batch.columns["weather"] == Texts(["rain", "rain"])
    assert batch.ids == ["r/0", "r/1"], "one id for the record: its rows are told apart"


@pytest.mark.parametrize(
    ("record", "because"),
    [
        (b"[" + b"{}," * MOST_ROWS + b"{}]", "one row more than fit"),
        (b"[" + b"3," * MOST_ROWS + b"3]", "or whatever they are"),
        (b"[" + b"{}," * MOST_OBJECTS + b"{}]", "so many objects that they are not even parsed"),
        (b'{"sensors": [' + b"{}," * MOST_ROWS + b"{}]}", "inside the record"),
        (b'{"sensors": [{"speed": 1}], "camera": "x", "model": [{}, {}]}', "lists of different lengths on the way to fields"),
    ],
)
def test_too_many_rows(record: bytes, because: str) -> None:
    of = replace(plan(), limits=Limits())
    assert [r.reason for r in decode(record, GOOD, of=of).rejected] == ["too_many_rows"], because
    assert [r.reason for r in decode(b"\n".join([record] * 2), of=replace(of, streams={"s": LINES_STREAM})).rejected] == ["too_many_rows"]


def test_a_bad_row_costs_itself_only() -> None:
    piece = decode([with_(id="a"), without("ts"), with_(id="b", model={"name": "another"}), with_(id="c")])
    assert only(piece).ids == ["a", "c"]
    assert [(r.offset, r.reason) for r in piece.rejected] == [(100, "no_time")]
    assert piece.counts == {"unknown_model": 1}


def test_several_models_and_versions_in_one_stream() -> None:
    values = [with_(id=str(i), model={"name": "mn"[i % 2], "version": ["1", 2, None][i % 3]}) for i in range(6)]
    for extra in ([], [b"{"], [[with_(id="6", model={"name": "n", "version": 2})]]):
        piece = decode(*values, *extra, of=plan("m", "n"))
        found = {(b.model, b.version): b.ids for b in piece.batches}
        more = ["6"] if extra and isinstance(extra[0], list) else []
        assert found == {
            ("m", "1"): ["0"], ("n", "2"): ["1", *more], ("m", ""): ["2"], ("n", "1"): ["3"], ("m", "2"): ["4"], ("n", ""): ["5"],
        }  # fmt: skip


def test_a_fixed_model_counts_whatever_records_say() -> None:
    stream = Stream("s", "t", "inputs", fields=FIELDS, model="n")
    piece = decode(GOOD, without("model"), of=plan("m", "n", stream=stream))
    assert [(batch.model, batch.version) for batch in piece.batches] == [("n", "3"), ("n", "")]


def test_predictions_and_outcomes() -> None:
    batch = only(decode(GOOD, of=plan(stream=Stream("s", "t", "predictions", fields=FIELDS))))
    assert batch.role == "predictions"
    assert batch.columns["prediction"] == Texts(["red"])
    scores = batch.columns["probabilities"]
    assert isinstance(scores, Vectors)
    assert scores.values.tolist() == [[0.25, 0.75]], "by name, so that the order in the record says nothing"
    truth = only(decode(GOOD, of=plan(stream=Stream("s", "t", "outcomes", fields=FIELDS))))
    assert (truth.role, truth.ids, truth.columns["label"]) == ("outcomes", ["r1"], Texts(["green"]))


def test_one_field_may_be_a_number_and_a_name() -> None:
    schema = Schema((Feature("lane", "numeric", ("lane",)), Feature("lane_name", "categorical", ("lane",))), segments=("lane",))
    stream = Stream("s", "t", "inputs", fields=Fields(time=("ts",)))
    of = Plan({"m": Model("m", "team", schema)}, {"team": Owner("team")}, streams={"s": stream})
    batch = only(decode({"ts": ISO, "lane": 2}, {"ts": ISO, "lane": "left"}, of=of))
    lane = batch.columns["lane"]
    assert isinstance(lane, Numbers)
    assert lane.flags is not None
    assert lane.flags.tolist() == [OK, INVALID]
    assert batch.columns["lane_name"] == Texts(["2", "left"]) == batch.segments["lane"]


def test_a_field_may_lie_inside_another() -> None:
    schema = Schema((Feature("a", "categorical", ("a",)), Feature("b", "numeric", ("a", "b"))))
    of = Plan({"m": Model("m", "team", schema)}, {"team": Owner("team")}, streams={"s": Stream("s", "t", "inputs")})
    batch = only(decode({"a": {"b": 2}}, {"a": "x"}, of=of))
    a, b = batch.columns["a"], batch.columns["b"]
    assert isinstance(a, Texts)
    assert isinstance(b, Numbers)
    assert a.values == [None, "x"]
    assert a.flags is not None
    assert a.flags.tolist() == [INVALID, OK]
    assert b.values.tolist() == pytest.approx([2.0, np.nan], nan_ok=True)


def test_ids_are_texts() -> None:
    assert only(decode(with_(id=18_446_744_073_709_551_615))).ids == ["18446744073709551615"], "not rounded"
    assert only(decode(without("id"), with_(id=True))).ids == ["", "true"]


def test_a_stream_that_does_not_say_whose_records_it_holds_is_misconfigured() -> None:
    stream = Stream("s", "t", "inputs", fields=Fields(time=("ts",)))
    with pytest.raises(Misconfigured, match=r"fields\.model"):
        codec_for(plan("m", "n", stream=stream), stream)
    unknown = Stream("s", "t", "inputs", format="morse")
    with pytest.raises(Misconfigured, match="json"):
        codec_for(plan(stream=unknown), unknown)
