"""Left of the bar: slices become panes. Everything here adds up, whatever the batches and however many workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from detectors.cuts import Cuts
from monitor.batch import Batch, Ints, Slice, Texts
from monitor.columns import Source, expand, sources, subset
from monitor.counting import Counting, Groups
from monitor.lateness import NOTHING, walked
from monitor.pane import Folded, Pane, PaneKey
from monitor.plan import Model, Plan
from monitor.segments import segment_codes

_NO_CUTS: Mapping[str, Cuts] = {}


class Fold:
    """Folds the slices of the partitions it owns; its only state is how far each partition has got in event time.

    An event is late iff the end of its window plus the model's lateness is at most the newest believed event time (monitor.lateness)
    of all earlier events of its partition, or the mark up to which a silent partition was released: then it is counted, not folded.
    Windows that start before a model's cells took effect are folded as samples and tallies, later ones as counts.
    """

    def __init__(self, plan: Plan, cuts: Mapping[str, tuple[Mapping[str, Cuts], int]] | None = None) -> None:
        """`cuts`: per model its cells by column name and the window start from which they hold."""
        self._plan = plan
        self._sources: dict[tuple[str, str], tuple[Source, ...]] = {}
        self._cuts: dict[str, list[tuple[int, Mapping[str, Cuts]]]] = {}
        self._marks: dict[str, int] = {}
        self._suspects: dict[str, int | None] = {}
        for model, (columns, effective_ms) in (cuts or {}).items():
            self.set_cuts(model, columns, effective_ms)

    def resume(self, partition: str, mark_ms: int, suspect_ms: int | None) -> None:
        """Goes on where another fold of this partition stopped: both as its last `Folded` told them, or a release after it."""
        self._marks[partition], self._suspects[partition] = mark_ms, suspect_ms

    def set_cuts(self, model: str, cuts: Mapping[str, Cuts], effective_ms: int) -> None:
        """Windows of `model` that start at `effective_ms` or later are counted in these cells; earlier ones stay as they are."""
        kept = [(since, old) for since, old in self._cuts.get(model, []) if since < effective_ms]
        self._cuts[model] = [*kept[-1:], (effective_ms, cuts)]

    def release(self, partition: str, mark_ms: int) -> None:
        """Lets a silent partition pass `mark_ms`: what it brings later for windows closed by then is late."""
        self._marks[partition] = max(self._marks.get(partition, NOTHING), mark_ms)

    def forget(self, partition: str) -> None:
        """The partition is no more: one of its name that comes later begins like any other."""
        self._marks.pop(partition, None)
        self._suspects.pop(partition, None)

    def fold(self, piece: Slice) -> Folded:
        """Panes of one slice; slices of one partition come in offset order."""
        batches = [batch for batch in piece.batches if len(batch)]
        way = walked(batches, self._marks.get(piece.partition, NOTHING), self._suspects.get(piece.partition))
        mark, self._suspects[piece.partition] = way.mark, way.suspect
        if mark != NOTHING:
            self._marks[piece.partition] = mark
        panes: dict[PaneKey, Pane] = {}
        late: Counter[tuple[str, int]] = Counter()
        counts: Counter[tuple[str, str]] = Counter()
        outcomes: list[tuple[str, str, int, str]] = []
        for batch, marks in zip(batches, way.earlier, strict=True):
            model = self._plan.models.get(batch.model)
            if model is None:
                counts["", "other_shard"] += len(batch)
            elif batch.role == "outcomes":
                outcomes += _outcomes(batch, counts)
            elif batch.role == "metrics":
                counts[batch.model, "metrics_not_watched"] += len(batch)
            else:
                self._fold_batch(model, _timely(model, batch, marks, late), panes, counts)
        return Folded(
            piece.partition, piece.next_offset, None if mark == NOTHING else mark, panes, dict(late), dict(counts), tuple(outcomes),
            way.suspect, way.first,
        )  # fmt: skip

    def _fold_batch(self, model: Model, batch: Batch, panes: dict[PaneKey, Pane], counts: Counter[tuple[str, str]]) -> None:
        """Folds events that are in time; those of windows under different cells part here."""
        if not len(batch):
            return
        starts = batch.time_ms - batch.time_ms % model.window_ms
        regimes = self._cuts.get(model.name, [])
        regime = np.array([since for since, _ in regimes], dtype=np.int64).searchsorted(starts, side="right")
        for r in np.unique(regime).tolist():
            at = np.flatnonzero(regime == r)
            part = batch if len(at) == len(batch) else subset(batch, at)
            self._fold_part(model, part, starts[at], regimes[r - 1][1] if r else _NO_CUTS, panes, counts)

    def _fold_part(
        self,
        model: Model,
        batch: Batch,
        starts: Ints,
        cuts: Mapping[str, Cuts],
        panes: dict[PaneKey, Pane],
        counts: Counter[tuple[str, str]],
    ) -> None:
        groups = _groups(model, batch, starts)
        for group in groups:
            for key, n in zip(group.panes, group.sizes, strict=True):
                panes.setdefault(key, Pane()).events += n
        counting = Counting(batch, groups)
        unreadable: Counter[str] = Counter()
        for source in self._sources_of(model, batch):
            for column, values in expand(batch, source, unreadable):
                for group, summaries in zip(groups, counting.count(values, cuts.get(column.name)), strict=True):
                    for key, summary in zip(group.panes, summaries, strict=True):
                        there = panes[key].columns
                        there[column.name] = there[column.name].merge(summary) if column.name in there else summary
        for reason, n in unreadable.items():
            counts[model.name, f"picture: {reason}"] += n

    def _sources_of(self, model: Model, batch: Batch) -> tuple[Source, ...]:
        key = (model.name, batch.role)
        if key not in self._sources:
            self._sources[key] = sources(model, batch.role)
        return self._sources[key]


def _timely(model: Model, batch: Batch, earlier: Ints, late: Counter[tuple[str, int]]) -> Batch:
    """The batch without its late events, which are counted by window."""
    ends = batch.time_ms - batch.time_ms % model.window_ms + model.window_ms
    too_late = ends + model.lateness_ms <= earlier
    if not too_late.any():
        return batch
    for end, n in zip(*np.unique(ends[too_late], return_counts=True), strict=True):
        late[model.name, int(end) - model.window_ms] += int(n)
    return subset(batch, np.flatnonzero(~too_late))


def _groups(model: Model, batch: Batch, starts: Ints) -> list[Groups]:
    """Everything by window; then, for each segment, by window and value."""
    if (starts == starts[0]).all():
        windows, of = [int(starts[0])], np.zeros(len(batch), dtype=np.int64)
    else:
        distinct, of = np.unique(starts, return_inverse=True)
        windows = distinct.tolist()
    groups = [Groups(of, [PaneKey(model.name, batch.version, "", batch.role, start) for start in windows])]
    for name, texts in batch.segments.items():
        codes, labels = segment_codes(name, texts.values)
        place = np.where(codes < 0, -1, of * len(labels) + codes)
        seen, found = np.unique(place, return_inverse=True)
        some = [p for p in seen.tolist() if p >= 0]
        keys = [PaneKey(model.name, batch.version, labels[p % len(labels)], batch.role, windows[p // len(labels)]) for p in some]
        groups.append(Groups(found.astype(np.int64) - (len(seen) - len(some)), keys))
    return [group for group in groups if group.panes]


def _outcomes(batch: Batch, counts: Counter[tuple[str, str]]) -> list[tuple[str, str, int, str]]:
    """Late truths, kept for pairing with their predictions; one without an id or a value cannot be paired."""
    labels = batch.columns.get("label")
    values = labels.values if isinstance(labels, Texts) else [None] * len(batch)
    ids = batch.ids if batch.ids is not None else [""] * len(batch)
    out = [
        (batch.model, id_, time_ms, value)
        for id_, time_ms, value in zip(ids, batch.time_ms.tolist(), values, strict=True)
        if id_ and value is not None
    ]
    if len(out) < len(batch):
        counts[batch.model, "outcome_without_id_or_value"] += len(batch) - len(out)
    return out
