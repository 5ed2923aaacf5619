"""From any bytes to panes: nothing dies, nobody is lost, and what becomes of a record follows from its own bytes alone."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from monitor.batch import Records, Slice
from monitor.codecs import codec_for
from monitor.codecs.assembly import COUNTS, REASONS
from monitor.fold import Fold
from monitor.pane import Folded
from monitor.plan import Fields, Model, Owner, Plan, Stream
from tests.faults.fuzzed import NOW_MS, SCHEMA

FIELDS = Fields(id=("id",), time=("ts",), model=("model",), version=("version",))


def plan(role: Any, format_: str, models: int, *, mapped: bool) -> Plan:
    fields = FIELDS if mapped or models > 1 else Fields()
    return Plan(
        {name: Model(name, "team", SCHEMA) for name in "mn"[:models]}, {"team": Owner("team")},
        streams={"s": Stream("s", "t", role, format=format_, fields=fields)},
    )  # fmt: skip


plans = st.builds(
    plan, st.sampled_from(["inputs", "predictions", "outcomes", "metrics"]), st.sampled_from(["json", "jsonl"]), st.sampled_from([1, 2]),
    mapped=st.booleans(),
)  # fmt: skip

CUTS: dict[str, Cuts] = {
    column.name: NumericCuts(np.array([0.0]), -1.0, 1.0, np.array([-0.5, 0.5])) if column.kind == "numeric" else CategoricalCuts(("a",))
    for column in Model("m", "team", SCHEMA).columns
}


def picture(mode: str, size: tuple[int, int], form: str) -> str:
    out = io.BytesIO()
    Image.new(mode, size, 7).save(out, form)
    return base64.b64encode(out.getvalue()).decode()


PICTURES = [picture("RGB", (16, 16), "JPEG"), picture("L", (3, 1), "PNG"), picture("RGB", (16, 16), "JPEG")[:60]]

anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(), st.text(st.characters(exclude_categories=()), max_size=8),
        st.sampled_from(["2026-03-01T11:00:00Z", NOW_MS, NOW_MS // 1000, "m", "n", "a", *PICTURES]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["speed", "a", "b"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
keys = st.sampled_from(["id", "ts", "model", "version", "sensors", "weather", "frame", "vector", "label", "scores", "truth", "camera", "x"])
GOOD = {"id": "1", "ts": NOW_MS, "model": "m", "version": "1", "sensors": {"speed": 0.5}, "weather": "a", "vector": [1, 2], "camera": "c"}
rows = st.dictionaries(keys, anything, max_size=4).map(lambda changes: {**GOOD, **changes})
documents = st.one_of(rows, st.lists(rows, max_size=3), anything)
written = documents.map(lambda document: json.dumps(document).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    value = bytearray(draw(written))
    for _ in range(draw(st.integers(1, 3))):
        if value:
            value[draw(st.integers(0, len(value) - 1))] = draw(st.integers(0, 255))
    return bytes(value)


values = st.one_of(
    st.none(), st.just(json.dumps(GOOD).encode()), written, damaged(), st.binary(max_size=20), st.lists(written, max_size=3).map(b"\n".join)
)


def polled(raw: list[bytes | None], first: int = 0, stamp_ms: int = NOW_MS) -> Records:
    return Records("s", "s/0", list(range(first, first + len(raw))), [stamp_ms] * len(raw), raw, first + len(raw), NOW_MS)


def told(piece: Slice) -> int:
    return len(piece.rejected) + sum(piece.counts.values())


@given(of=plans, raw=st.lists(values, max_size=6), stamp_ms=st.sampled_from([-1, NOW_MS]), counted=st.booleans())
@example(of=plan("inputs", "json", 1, mapped=True), raw=[b'{"ts": 1, "model": "m", "speed": "\\ud800"}'], stamp_ms=-1, counted=True)
def test_any_bytes(of: Plan, raw: list[bytes | None], stamp_ms: int, counted: bool) -> None:
    stream = of.streams["s"]
    piece = codec_for(of, stream).decode(polled(raw, stamp_ms=stamp_ms))
    assert piece.records == len(raw)
    assert {r.reason for r in piece.rejected} <= set(REASONS)
    assert set(piece.counts) <= set(COUNTS)
    kept = {int(seq) >> 20 for batch in piece.batches for seq in batch.seq}
    lost = set(range(len(raw))) - kept - {r.offset for r in piece.rejected}
    assert len(lost) <= sum(piece.counts.values()), "every record is kept, rejected or counted"
    folded = Fold(of, {"m": (CUTS, 0)} if counted else None).fold(piece)
    events = sum(map(len, piece.batches))
    in_panes = sum(pane.events for key, pane in folded.panes.items() if not key.segment)
    if stream.role == "outcomes":
        assert len(folded.outcomes) + sum(folded.counts.values()) == events
    elif stream.role == "metrics":
        assert sum(folded.counts.values()) == events
    else:
        assert in_panes + sum(folded.late.values()) == events
        assert all(summary.n == pane.events for pane in folded.panes.values() for summary in pane.columns.values())  # type: ignore[attr-defined]
    assert all(type(summary).unpack(summary.pack()) == summary for pane in folded.panes.values() for summary in pane.columns.values())


def summed(pieces: list[Folded]) -> dict[Any, Any]:
    panes: dict[Any, Any] = {}
    for piece in pieces:
        for key, pane in piece.panes.items():
            for name, summary in pane.columns.items():
                panes[key, name] = panes[key, name].merge(summary) if (key, name) in panes else summary
    return panes


@given(of=plans, raw=st.lists(values, max_size=6))
def test_a_record_is_read_the_same_whoever_stands_beside_it(of: Plan, raw: list[bytes | None]) -> None:
    codec = codec_for(of, of.streams["s"])
    together, alone = codec.decode(polled(raw)), [codec.decode(polled([value], first=i)) for i, value in enumerate(raw)]
    assert [(r.offset, r.reason) for r in together.rejected] == [(r.offset, r.reason) for piece in alone for r in piece.rejected]
    assert told(together) == sum(map(told, alone))
    worker, other = Fold(of, {"m": (CUTS, 0)}), Fold(of, {"m": (CUTS, 0)})
    whole, parts = worker.fold(together), [other.fold(piece) for piece in alone]
    assert summed([whole]) == summed(parts)
    if parts:
        assert (whole.mark_ms, whole.suspect_ms) == (parts[-1].mark_ms, parts[-1].suspect_ms)
    assert sorted(whole.outcomes) == sorted(outcome for part in parts for outcome in part.outcomes)


@pytest.mark.parametrize("records", [0, 1, 3])
def test_a_poll_without_records_moves_the_position(records: int) -> None:
    of = plan("inputs", "json", 1, mapped=True)
    piece = codec_for(of, of.streams["s"]).decode(Records("s", "s/0", [], [], [], 9 + records, NOW_MS))
    assert (piece.next_offset, piece.records, piece.batches) == (9 + records, 0, ())
