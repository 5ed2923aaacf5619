"""Whatever bytes come: nothing dies, every record is accounted for, and memory does not grow with what they invent."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.batch import Slice
from monitor.codecs import codec_for
from monitor.fold import Fold
from monitor.open_windows import MOST_OPEN, OpenWindows
from monitor.plan import Feature, Model, Owner, Plan, Schema
from monitor.segments import MOST as MOST_SEGMENTS
from monitor.segments import MOST_VERSIONS
from tests.faults.fuzzed import CUT, FROZEN, LONGEST, NOW_MS, PICTURES, PLANS, account_of, polled, seeds
from tests.faults.poison import picture, record, table, written
from tests.river.world import HOUR_MS

VALID = [
    written(),
    json.dumps([record(id="a"), record(id="b")]).encode(),
    *(v for bad in table() for v in bad.values if v and len(v) < 50_000),
]
PICTURED = [picture(form) for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")]
RAW: list[bytes | None] = [None, *VALID]


# a record as a faulty machine hands it on: bytes changed, cut out, doubled, or the half of another
@st.composite
def mutated(draw: st.DrawFn, origins: Any) -> bytes:
    value = bytearray(draw(origins))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(value) - 1)))
        to = draw(st.integers(at, min(len(value), at + 64)))
        match draw(st.sampled_from(["change", "cut", "double", "cross", "insert"])):
            case "change" if value:
                value[at] = draw(st.integers(0, 255))
            case "cut":
                del value[at:to]
            case "double":
                value[at:at] = value[at:to]
            case "cross":
                value[at:] = draw(origins)[at:]
            case _:
                value[at:at] = draw(st.sampled_from([b"[", b"{", b'"', b"\\ud800", b"1e999", b"-", b"NaN", b"\xff", b"\n", b"\0" * 8]))
    return bytes(value)


any_plan = st.sampled_from(PLANS)
json_values = st.lists(st.one_of(st.none(), mutated(st.sampled_from(VALID)), st.binary(max_size=30)), max_size=5)
pictures = st.lists(st.one_of(st.none(), mutated(st.sampled_from(PICTURED)), st.binary(max_size=30)), max_size=3)


@given(of=any_plan, raw=json_values)
@settings(max_examples=150)
def test_mutated_records(of: Plan, raw: list[bytes | None]) -> None:
    account_of(of, raw)


@given(raw=pictures)
@settings(max_examples=60)
def test_mutated_pictures(raw: list[bytes | None]) -> None:
    account_of(PICTURES, raw)


def test_the_fuzzers_seeds_hold() -> None:
    """All of them are the fuzzer's first round; some of them at every run keep it working."""
    for data in list(seeds())[::9]:
        account_of(PLANS[data[0] % len(PLANS)], list(data[1:].split(CUT)))


def inventive(n: int, poll: int) -> list[bytes | None]:
    """Records each of which invents a name, a version, a segment and a feature nobody knows; their hour is one."""
    return [
        written(
            id=f"{poll}-{i}", at=NOW_MS - HOUR_MS, weather=f"w{poll}-{i}" * 20, version=f"v{poll}-{i % 2}", camera=f"c{poll}-{i}",
            sensors={"speed": poll * n + i}, frame=None, **{f"new{poll}-{i}": 1},
        )
        for i in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize("frozen", [False, True], ids=["gathering", "counted"])
def test_memory_does_not_grow_with_distinct_values(frozen: bool) -> None:
    """After the bounds are reached, twice as many polls hold no more: what is kept is samples, tallies and the names that fit."""
    plan = PLANS[1]
    codec, fold, windows = codec_for(plan, plan.streams["s"]), Fold(plan, {"m": (FROZEN, 0)} if frozen else None), OpenWindows()
    if frozen:
        windows.set_cuts("m", FROZEN)
    held: list[tuple[int, int]] = []
    for poll in range(28):
        windows.add(fold.fold(codec.decode(polled(inventive(400, poll), first=400 * poll))), {})
        windows.drain()
        panes = windows.of("m").values()
        held.append((len(panes), sum(len(summary.pack()) for pane in panes for summary in pane.columns.values())))
    assert max(n for n, _ in held) <= (MOST_VERSIONS + 1) * (MOST_SEGMENTS + 2), "versions and segments that fit, and the shared ones"
    assert held[-1][1] <= 1.05 * held[19][1], (
        "a tally is full after 4,096 names, a sample after as many events: the last polls take nothing"
    )


def test_stamps_open_no_more_windows_than_fit() -> None:
    one = Schema((Feature("speed", "numeric", ("sensors", "speed")),))
    plan = Plan({"m": Model("m", "team", one)}, {"team": Owner("team")}, streams=PLANS[1].streams)
    codec, fold, windows = codec_for(plan, plan.streams["s"]), Fold(plan), OpenWindows()
    left_out = 0
    for poll in range(3):
        raw: list[bytes | None] = [written(at=i * 300_000 + 10**12, frame=None) for i in range(poll * 5000, poll * 5000 + 5000)]
        left_out += windows.add(fold.fold(codec.decode(polled(raw, first=5000 * poll))), {}).total()
    assert len({key.start_ms for _, key in windows.of("m")}) == MOST_OPEN
    assert left_out == 15_000 - MOST_OPEN, "and each one that does not fit is counted"


def test_a_record_costs_a_bounded_multiple_of_its_length() -> None:
    """Deepest, widest and most numerous: a record can make the decoder hold many times its length, but not without bound."""
    plan, worst, long = PLANS[1], 0.0, LONGEST // 8
    shapes = [
        b"[" + b"{}," * (long // 3 - 2) + b"{}]",
        b"[" + b"0," * (long // 2 - 2) + b"0]",
        b'{"vector": [' + b"0," * (long // 2 - 10) + b"0]}",
        b'{"more": [' + b"[]," * (long // 3 - 10) + b"[]]}",
        b'{"weather": "' + b"\\u00e9" * (long // 6 - 10) + b'"}',
        b"{" + b",".join(b'"%d":{}' % i for i in range(long // 12)) + b"}",
    ]
    codec = codec_for(plan, plan.streams["s"])
    for value in shapes:
        tracemalloc.start()
        piece: Slice = codec.decode(polled([value]))
        worst = max(worst, tracemalloc.get_traced_memory()[1] / len(value))
        tracemalloc.stop()
        assert piece.records == 1
    assert worst < 150, "Python's smallest object takes some fifty bytes, an entry in a dictionary a hundred"
