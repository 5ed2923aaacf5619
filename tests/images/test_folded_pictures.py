"""Pictures in the fold: measured once, each statistic a column, what cannot be measured invalid and told why."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from detectors.cuts import NumericCuts
from detectors.images.measure import measure
from detectors.layout import IMAGE_STATISTICS
from detectors.summaries import cells_of
from detectors.summaries.sample import Sample
from monitor.batch import Batch, Blobs, Slice
from monitor.fold import Fold
from monitor.pane import Folded
from monitor.plan import Feature, Model, Owner, Plan, Schema

PLAN = Plan({"m": Model("m", "team", Schema((Feature("frame", "image", ("frame",)),)))}, {"team": Owner("team")})


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(out, "JPEG", quality=80)
    return out.getvalue()


def fold(worker: Fold, *values: bytes | None) -> Folded:
    n = len(values)
    batch = Batch("m", "inputs", "s/0", "", np.arange(n, dtype=np.int64), np.full(n, 1000), {"frame": Blobs(list(values))})
    return worker.fold(Slice("s", "s/0", n, 0, (batch,), n, 0))


def test_the_columns_are_the_measurements() -> None:
    pictures = [jpeg(1), jpeg(2)]
    (pane,) = fold(Fold(PLAN), *pictures).panes.values()
    assert set(pane.columns) == {column.name for column in PLAN.models["m"].columns}
    for i, statistic in enumerate(IMAGE_STATISTICS):
        summary = pane.columns[f"frame.{statistic}"]
        assert isinstance(summary, Sample)
        assert sorted(summary.values.tolist()) == sorted(measure(picture).numbers[i] for picture in pictures)


def test_what_is_no_picture_is_invalid_and_told() -> None:
    folded = fold(Fold(PLAN), jpeg(1), b"no picture", jpeg(1)[:90], None)
    (pane,) = folded.panes.values()
    for name, summary in pane.columns.items():
        missing, *rest = cells_of(summary).tolist()
        invalid = rest[0] if name == "frame.format" or summary.kind == "tally" else rest[1]
        assert (missing, invalid) == (1, 2), name
    assert sum(folded.counts.values()) == 2
    assert all(model == "m" and reason.startswith("picture: ") for model, reason in folded.counts)


def test_with_cells_pictures_are_counted() -> None:
    low, high = sorted(measure(jpeg(seed)).numbers[0] for seed in (1, 2))
    cuts = NumericCuts(np.empty(0), low, high, np.array([(low + high) / 2]))
    (pane,) = fold(Fold(PLAN, {"m": ({"frame.brightness": cuts}, 0)}), jpeg(1), jpeg(2)).panes.values()
    assert cells_of(pane.columns["frame.brightness"]).tolist() == [0, 0, 0, 0, 2, 0]
