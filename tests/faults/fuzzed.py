"""What must hold for a poll of any bytes: shared by the laws (hypothesis) and the fuzzer (atheris)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.summaries.categories import NAMED, Categories
from detectors.summaries.histogram import Histogram
from detectors.summaries.sample import OPEN, Sample
from detectors.summaries.tally import MOST, Tally
from monitor.batch import Records, Slice
from monitor.codecs import codec_for
from monitor.codecs.assembly import COUNTS, REASONS
from monitor.fold import Fold
from monitor.pane import Folded
from monitor.plan import Feature, Fields, Label, Limits, Model, Owner, Plan, Prediction, Schema, Stream
from monitor.segments import MOST as MOST_SEGMENTS
from monitor.segments import MOST_VERSIONS
from tests.faults.poison import picture, table, written

CUT = b"\n--\n"
NOW_MS = 1_772_362_800_000
SCHEMA = Schema(
    (
        Feature("speed", "numeric", ("sensors", "speed")),
        Feature("weather", "categorical", ("weather",)),
        Feature("frame", "image", ("frame",)),
        Feature("vector", "embedding", ("vector",)),
    ),
    Prediction(label=("label",), probabilities=("scores",)),
    Label(number=("truth",)),
    segments=("camera",),
)
FIELDS = Fields(id=("id",), time=("at",), model=("model",), version=("version",))
LONGEST = 2_000_000  # a record's length below which every one is read


def _plan(role: Any, format_: str) -> Plan:
    return Plan(
        {"m": Model("m", "team", SCHEMA)},
        {"team": Owner("team")},
        streams={"s": Stream("s", "t", role, format=format_, fields=FIELDS)},
        limits=Limits(max_record_bytes=LONGEST),
    )


PICTURES = Plan(
    {"m": Model("m", "team", Schema((Feature("frame", "image", ()),)))},
    {"team": Owner("team")},
    streams={"s": Stream("s", "t", "inputs", format="picture")},
)
PLANS: Sequence[Plan] = (PICTURES, *(_plan(*kind) for kind in product(("inputs", "predictions", "outcomes", "metrics"), ("json", "jsonl"))))

_NUMBERS = NumericCuts(np.array([0.0]), -1.0, 1.0, np.array([-0.5, 0.5]))
FROZEN: Mapping[str, Cuts] = {
    column.name: _NUMBERS if column.kind == "numeric" else CategoricalCuts(("dry", "rain")) for column in Model("m", "team", SCHEMA).columns
}


def polled(raw: Sequence[bytes | None], first: int = 0) -> Records:
    return Records("s", "s/0", list(range(first, first + len(raw))), [NOW_MS] * len(raw), list(raw), first + len(raw), NOW_MS)


def account_of(plan: Plan, raw: Sequence[bytes | None]) -> None:
    """One poll through codec and fold, before and after the cells are frozen: the ledger balances, and what is kept stays small."""
    stream = plan.streams["s"]
    piece = codec_for(plan, stream).decode(polled(raw))
    decoded(piece, raw)
    for fold in (Fold(plan), Fold(plan, {"m": (FROZEN, 0)})):
        folded = fold.fold(piece)
        balanced(stream.role, piece, folded)
        small(folded)


def decoded(piece: Slice, raw: Sequence[bytes | None]) -> None:
    """Every record is kept, refused or counted, for reasons of the list."""
    assert piece.records == len(raw)
    assert {r.reason for r in piece.rejected} <= set(REASONS)
    assert set(piece.counts) <= set(COUNTS)
    kept = {int(seq) >> 20 for batch in piece.batches for seq in batch.seq}
    lost = set(range(len(raw))) - kept - {r.offset for r in piece.rejected}
    assert len(lost) <= sum(piece.counts.values())
    for batch in piece.batches:
        assert len(batch) > 0
        assert (np.diff(batch.seq) > 0).all(), "in the order of the log"
        assert (batch.time_ms >= 0).all()
        assert (batch.time_ms <= NOW_MS + 300_000).all(), "what lies further ahead is clamped"


def balanced(role: str, piece: Slice, folded: Folded) -> None:
    """Every event is in a pane, late, or counted; every column of a pane has an entry for each of its events."""
    events = sum(map(len, piece.batches))
    if role == "outcomes":
        assert len(folded.outcomes) + sum(folded.counts.values()) == events
    elif role == "metrics":
        assert sum(folded.counts.values()) == events
    else:
        assert sum(pane.events for key, pane in folded.panes.items() if not key.segment) + sum(folded.late.values()) == events
    for pane in folded.panes.values():
        for summary in pane.columns.values():
            assert isinstance(summary, Sample | Tally | Histogram | Categories)
            assert summary.n == pane.events
            assert type(summary).unpack(summary.pack()) == summary


def small(folded: Folded) -> None:
    """No value, name, version or segment that a record invents makes a pane grow without bound."""
    by_window: dict[int, int] = {}
    for key, pane in folded.panes.items():
        by_window[key.start_ms] = by_window.get(key.start_ms, 0) + 1
        for summary in pane.columns.values():
            if isinstance(summary, Sample):
                assert len(summary.keys) <= OPEN
            elif isinstance(summary, Tally):
                assert len(summary.counts) <= MOST
            elif isinstance(summary, Categories):
                assert len(summary.unseen) <= NAMED
    # a poll brings a batch per version, each with its segments; the windows bound them again as panes add up
    assert all(n <= (MOST_VERSIONS + 1) * (MOST_SEGMENTS + 2) for n in by_window.values())


def seeds() -> Iterator[bytes]:
    """Inputs of the fuzzer to begin with: every bad record alone and between two good ones, for every plan."""
    good = written()
    values = [[value for value in bad.values if value is not None] for bad in table()]
    for i in range(len(PLANS)):
        for raw in values:
            if raw and max(map(len, raw)) < 50_000:
                yield bytes([i]) + CUT.join(raw)
                yield bytes([i]) + CUT.join([good, *raw, good])
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        yield b"\0" + picture(form)
