"""Segments and versions stay bounded, and what shares a pane does not depend on batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.batch import Batch, Numbers, Records, Slice, Texts
from monitor.codecs.assembly import Assembly, Gathered
from monitor.codecs.leaves import Leaf
from monitor.fold import Fold
from monitor.open_windows import OpenWindows
from monitor.pane import Pane, PaneKey
from monitor.plan import Feature, Fields, Model, Owner, Plan, Schema, Stream
from monitor.segments import MOST, MOST_VERSIONS

PLAN = Plan(
    {"m": Model("m", "team", Schema((Feature("x", "numeric", ("x",)),), segments=("camera",)))}, {"team": Owner("team")},
    streams={"s": Stream("s", "t", "inputs", fields=Fields(version=("v",)))},
)  # fmt: skip


def opened(cameras: Sequence[str | None], versions: Sequence[str], ends: Sequence[int], *, saved: bool) -> dict[tuple[str, PaneKey], Pane]:
    """All open panes after these events in polls that end at these places, as a store would hold them."""
    fold, windows = Fold(PLAN), OpenWindows()
    held: dict[tuple[str, PaneKey], Pane | None] = {}
    places = sorted({min(end, len(cameras)) for end in ends} | {len(cameras)})
    for start, end in zip([0, *places[:-1]], places, strict=True):
        own = []
        for version in dict.fromkeys(versions[start:end]):
            at = [i for i in range(start, end) if versions[i] == version]
            column = Numbers(np.array(at, dtype=np.float64))
            own.append(
                Batch(
                    "m", "inputs", "s/0", version, np.array(at, dtype=np.int64), np.full(len(at), 1000), {"x": column},
                    segments={"camera": Texts([cameras[i] for i in at])},
                )
            )  # fmt: skip
        windows.add(fold.fold(Slice("s", "s/0", end, 0, tuple(own), end - start, 0)), {})
        if saved:
            held |= windows.drain()
    held |= windows.drain()
    return {full: pane for full, pane in held.items() if pane is not None}


@settings(max_examples=30)
@given(
    many=st.sampled_from([3, 40, 200]), versions=st.sampled_from([1, 20, 60]), seed=st.integers(0, 9),
    one=st.lists(st.integers(0, 300), max_size=5), other=st.lists(st.integers(0, 300), max_size=5), saved=st.booleans(),
)  # fmt: skip
def test_the_same_panes_whatever_the_batches(many: int, versions: int, seed: int, one: list[int], other: list[int], saved: bool) -> None:
    rng = np.random.default_rng(seed)
    cameras = [None if v == 0 else f"camera {v}" for v in rng.integers(0, many, 300).tolist()]
    names = [f"v{v}" for v in rng.integers(0, versions, 300).tolist()]
    panes = opened(cameras, names, one, saved=False)
    assert opened(cameras, names, other, saved=saved) == panes
    assert sum(pane.events for (_, key), pane in panes.items() if not key.segment) == 300
    assert sum(pane.events for (_, key), pane in panes.items() if key.segment) == 300 - cameras.count(None)
    assert len({key.segment for _, key in panes}) <= MOST + 2
    assert len({key.version for _, key in panes}) <= MOST_VERSIONS + 1


@pytest.mark.parametrize(("versions", "batches"), [(5, 5), (500, MOST_VERSIONS + 1)])
def test_a_poll_has_no_more_batches_than_fit(versions: int, batches: int) -> None:
    n = 1000
    records = Records("s", "s/0", list(range(n)), [1] * n, [b""] * n, n, 1)
    assembly = Assembly(PLAN, PLAN.streams["s"], records)
    assembly.add(Gathered("m", [Leaf("version", "version", ("v",), "text")], np.arange(n), None, [[i % versions for i in range(n)]]))
    piece = assembly.slice(0)
    assert len(piece.batches) == batches
    assert sum(map(len, piece.batches)) == n
