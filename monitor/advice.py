"""What the plan's detectors say about closed windows: effect sizes that people know, shown beside the evidence.

They judge nothing: a detector that fails costs its own figure only, and is told as failed. A comparator sees a column's
counts beside the reference's. A sequential detector sees one number per window and column: for a numeric column how far the
window's mean lies from the reference's, in the reference's standard deviations (both from cells and the cells' means); for a
categorical one the share of the level that was most frequent in the reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.contract import Watch
from detectors.counts import Counts
from detectors.cuts import NumericCuts
from detectors.registry import Registered, discover
from detectors.score import Score, unknown
from monitor.changes import WindowRow
from monitor.plan import DetectorUse, Model, Plan
from monitor.reference import Reference, unpack_cells


@dataclass(frozen=True, slots=True)
class Effect:
    """One detector's figure for one column; `remarkable` where it reaches the advisory value that the owner set, or alarms by itself."""

    model: str
    column: str
    subject: str
    detector: str
    score: Score
    remarkable: bool
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A detector as a model asked for it, and the columns it looks at."""

    use: DetectorUse
    registered: Registered
    made: Any
    state: str
    columns: tuple[tuple[str, str], ...]  # (column, subject)


def reference_counts(reference: Reference, events: int) -> dict[str, Counts]:
    """The reference's shares as counts of `events` events, by column; empty while the reference is not calibrated."""
    if reference.calibration is None:
        return {}
    shape = reference.calibration.shape
    flat = np.zeros(shape.layout.width + 1)  # the last place takes what only pads the panel
    flat[shape.panel.places] = shape.panel.shares
    found = {}
    for index, column in enumerate(shape.layout.columns):
        first, last = int(shape.layout.bounds[index]), int(shape.layout.bounds[index + 1])
        cuts = reference.cuts[column.name]
        means = cuts.means if isinstance(cuts, NumericCuts) else None
        found[column.name] = Counts(column.kind, np.round(flat[first:last] * events).astype(np.int64), means)
    return found


def number_of(reference: Counts, window: Counts) -> float:
    """The one number of a window that sequential detectors are fed; NaN where it has none.

    >>> reference = Counts("numeric", np.array([0, 0, 0, 0, 50, 50, 0]), np.array([-1.0, 1.0]))
    >>> number_of(reference, Counts("numeric", np.array([0, 0, 0, 0, 0, 10, 0])))
    1.0
    """
    if not reference.n or not window.n:
        return float("nan")
    q, p = reference.values / reference.n, window.values / window.n
    if reference.kind == "categorical":
        return float(p[q.argmax()])
    if reference.means is None:
        return float("nan")
    x = np.concatenate((reference.means[:1], reference.means, reference.means[-1:]))
    mean = q @ x
    deviation = float(np.sqrt(q @ (x - mean) ** 2))
    return float(p @ x - mean) / deviation if deviation > 0 else float("nan")


class Advisor:
    """Runs the detectors of a plan over closed windows, in the order in which they close.

    Args:
        plan: its models' `detectors`, and its plug-ins.
        snapshot: what `snapshot` returned earlier, so that sequential detectors go on; what fits no detector is left out.
    """

    def __init__(self, plan: Plan, snapshot: Mapping[str, Any] | None = None) -> None:
        known = discover(plan.plugins) if any(model.detectors for model in plan.models.values()) else {}
        self._asked = {name: tuple(_ask(model, use, known[use.id]) for use in model.detectors) for name, model in plan.models.items()}
        self._watches: dict[tuple[str, str, str, str], Watch] = {}
        self._counts: dict[str, tuple[tuple[str, int], dict[str, Counts]]] = {}
        self._saved = {tuple(json.loads(key)): state for key, state in (snapshot or {}).items()}

    def see(self, row: WindowRow, reference: Reference | None, events: int) -> list[Effect]:
        """The figures of one closed window.

        Args:
            row: the window, as cells; one from before the cells were frozen has no figures.
            reference: the one in force.
            events: how many events it was learnt from.
        """
        model = row.verdict.model
        asked = self._asked.get(model, ())
        if not asked or reference is None or row.form != "cells":
            return []
        counts = self._reference(model, reference, events)
        found = []
        for one in asked:
            for column, subject in one.columns:
                normal, packed = counts.get(column), row.columns.get(column)
                if normal is None or packed is None:
                    continue
                found.append(self._figure(one, model, column, subject, reference.name, normal, unpack_cells(packed)))
        return found

    def snapshot(self) -> dict[str, Any]:
        """The state of all sequential detectors as JSON can say it."""
        return {json.dumps(key): dict(watch.snapshot()) for key, watch in self._watches.items()}

    def _reference(self, model: str, reference: Reference, events: int) -> dict[str, Counts]:
        key = (reference.name, events)
        if model not in self._counts or self._counts[model][0] != key:
            for stale in [watched for watched in self._watches if watched[0] == model and watched[3] != reference.name]:
                del self._watches[stale]  # another reference measures in other units
            self._counts[model] = (key, reference_counts(reference, events))
        return self._counts[model][1]

    def _figure(self, one: _Asked, model: str, column: str, subject: str, name: str, normal: Counts, cells: Any) -> Effect:
        failed = False
        try:
            window = Counts(normal.kind, cells, normal.means)
            if one.registered.family == "comparator":
                score = one.made.compare(normal, window)
            else:
                score = self._watch(one, (model, column, one.state, name)).step(number_of(normal, window))
        except Exception as error:  # noqa: BLE001 - a detector may be anybody's file: it must not cost the window
            score, failed = unknown(f"failed: {type(error).__name__}"), True
        limit = one.use.advisory
        remarkable = score.detected or (limit is not None and score.value is not None and score.value >= limit)
        return Effect(model, column, subject, one.use.id, score, remarkable, failed)

    def _watch(self, one: _Asked, key: tuple[str, str, str, str]) -> Watch:
        if key not in self._watches:
            try:
                self._watches[key] = one.made.start(self._saved.pop(key, None))
            except ValueError:
                self._watches[key] = one.made.start()
        return self._watches[key]


def _ask(model: Model, use: DetectorUse, registered: Registered) -> _Asked:
    parameters = dict(use.parameters)
    served = [c for c in model.columns if c.kind in registered.kinds and (not use.on or {c.name, c.subject} & set(use.on))]
    columns = tuple((c.name, c.subject) for c in served)
    return _Asked(use, registered, registered.make(parameters), registered.digest(parameters), columns)
