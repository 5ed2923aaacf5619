"""The plan's detectors over closed windows: which columns they see, what they say, and that none of them can do harm."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detectors.cuts import CategoricalCuts, Cuts, NumericCuts
from detectors.streams.cells import layout
from detectors.streams.shape import shape
from monitor.advice import Advisor, Effect, reference_counts
from monitor.changes import WindowRow
from monitor.config import compile
from monitor.metrics import Metrics
from monitor.plan import Plan
from monitor.reference import Reference, pack_cells
from monitor.telemetry import Telemetry
from monitor.verdict import Verdict

EVENTS = 1000
NORMAL = {"x": [5, 0, 0, 0, 250, 250, 250, 245, 0], "c": [0, 0, 0, 0, 700, 300]}
MOVED = {"x": [0, 0, 0, 0, 0, 0, 50, 50, 0], "c": [0, 0, 0, 0, 10, 90]}


def plan_of(detectors: Any, plugins: tuple[str, ...] = ()) -> Plan:
    model = {"owner": "team", "detectors": detectors, "schema": {"features": {"x": "numeric", "c": "categorical"}}}
    return compile({"owners": {"team": {}}, "models": {"m": model}, "plugins": list(plugins)})


def reference_of(plan: Plan, until_ms: int = 0) -> Reference:
    columns = plan.models["m"].columns
    laid = layout(columns, {name: len(cells) for name, cells in NORMAL.items()})
    made = shape(laid, laid.flat({name: np.array(cells) for name, cells in NORMAL.items()}), np.array([100.0, 100.0]), (1,))
    cuts: dict[str, Cuts] = {
        "x": NumericCuts(np.array([-1.0, 0.0, 1.0]), -2.0, 2.0, np.array([-1.5, -0.5, 0.5, 1.5])),
        "c": CategoricalCuts(("red", "green"), ()),
    }
    calibration: Any = SimpleNamespace(shape=made, pack=lambda: b"")
    return Reference("m", "digest", cuts, 0, 0, until_ms, calibration)


def window(cells: dict[str, list[int]], start_ms: int = 0) -> WindowRow:
    verdict = Verdict(f"m:{start_ms}", "m", start_ms, start_ms + 300_000, "ok", 100, 0.0, 3.0)
    return WindowRow(verdict, "cells", {name: pack_cells(np.array(counts)) for name, counts in cells.items()})


def said(effects: list[Effect]) -> dict[tuple[str, str], float | None]:
    return {(e.column, e.detector): None if e.score.value is None else round(e.score.value, 2) for e in effects}


def test_comparators_see_the_columns_they_were_asked_for() -> None:
    plan = plan_of([{"id": "psi", "advisory": 0.2}, {"id": "wasserstein"}, {"id": "hellinger", "on": ["c"]}])
    advisor, reference = Advisor(plan), reference_of(plan)
    still = advisor.see(window(NORMAL), reference, EVENTS)
    assert said(still) == {("x", "psi"): 0.0, ("c", "psi"): 0.0, ("x", "wasserstein"): 0.0, ("c", "hellinger"): 0.0}
    assert not any(effect.remarkable for effect in still)
    moved = advisor.see(window(MOVED), reference, EVENTS)
    assert {(e.column, e.detector) for e in moved if e.remarkable} == {("x", "psi"), ("c", "psi")}, "only psi has an advisory value"


def test_the_reference_has_the_shares_it_was_learnt_with() -> None:
    counts = reference_counts(reference_of(plan_of(["psi"])), EVENTS)
    assert counts["c"].counts.tolist() == NORMAL["c"]
    assert counts["x"].values.tolist() == [0, 251, 251, 251, 246, 0], "of the events that had a value"


def test_sequential_detectors_see_one_number_per_window() -> None:
    plan = plan_of([{"id": "cusum", "warmup": 10}])
    advisor, reference = Advisor(plan), reference_of(plan)
    rng = np.random.default_rng(3)
    alarms = []
    for i in range(40):
        world = {name: np.array((MOVED if i >= 30 else NORMAL)[name]) for name in NORMAL}
        cells = {name: rng.multinomial(100, counts / counts.sum()).tolist() for name, counts in world.items()}
        alarms += [(i, effect.column) for effect in advisor.see(window(cells, i * 300_000), reference, EVENTS) if effect.remarkable]
    assert {column for i, column in alarms if i >= 30} == {"x", "c"}
    assert not [i for i, _ in alarms if i < 30]


def test_saved_and_restored_goes_on() -> None:
    plan = plan_of([{"id": "cusum", "warmup": 5}])
    straight, first = Advisor(plan), Advisor(plan)
    reference = reference_of(plan)
    rows = [window({"x": [0, 0, 0, 0, 10 + i % 3, 10, 10, 10, 0], "c": [0, 0, 0, 0, 9, 1 + i % 2]}, i) for i in range(20)]
    for row in rows[:10]:
        straight.see(row, reference, EVENTS)
        first.see(row, reference, EVENTS)
    second = Advisor(plan, json.loads(json.dumps(first.snapshot())))
    for row in rows[10:]:
        assert second.see(row, reference, EVENTS) == straight.see(row, reference, EVENTS)


def test_state_of_other_parameters_or_another_reference_is_not_misread() -> None:
    plan, other = plan_of([{"id": "cusum", "warmup": 5}]), plan_of([{"id": "cusum", "warmup": 6}])
    advisor = Advisor(plan)
    for i in range(8):
        advisor.see(window(NORMAL, i), reference_of(plan), EVENTS)
    for again, reference in ((Advisor(other, advisor.snapshot()), reference_of(other)), (advisor, reference_of(plan, until_ms=1))):
        assert {e.score.reason for e in again.see(window(NORMAL, 9), reference, EVENTS)} == {"learning its level"}


def test_what_was_watched_under_an_older_reference_is_forgotten() -> None:
    plan = plan_of([{"id": "cusum", "warmup": 5}])
    advisor = Advisor(plan)
    for until_ms in range(5):
        advisor.see(window(NORMAL, until_ms), reference_of(plan, until_ms), EVENTS)
    assert len(advisor.snapshot()) == 2, "one per column, whatever the number of nightly calibrations"


BROKEN = """\
from dataclasses import dataclass
from detectors.registry import detector

@detector("broken", kinds=("numeric",))
@dataclass(frozen=True)
class Broken:
    def compare(self, reference, window):
        raise ZeroDivisionError("by nought")
"""


def test_a_detector_that_throws_costs_its_own_figure_only(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(BROKEN)
    plan = plan_of(["broken", "psi"], (str(path),))
    effects = Advisor(plan).see(window(MOVED), reference_of(plan), EVENTS)
    assert [(e.detector, e.failed, e.score.reason) for e in effects] == [
        ("broken", True, "failed: ZeroDivisionError"),
        ("psi", False, ""),
        ("psi", False, ""),
    ]


def test_figures_are_exported_and_vanish_when_there_is_nothing_to_say() -> None:
    plan = plan_of(["psi"])
    metrics = Metrics()
    telemetry = Telemetry(plan, metrics)
    engine: Any = SimpleNamespace(references={"m": reference_of(plan)}, standings={"m": SimpleNamespace(events=EVENTS)})
    labels = {"model": "m", "subject": "c", "statistic": "psi", "segment": ""}
    telemetry.advised(window(MOVED), engine)
    assert (metrics.value("raincheck_effect", **labels) or 0) > 1
    telemetry.advised(window({"x": NORMAL["x"], "c": [100, 0, 0, 0, 0, 0]}), engine)
    assert metrics.value("raincheck_effect", **labels) is None, "an old figure must not pass for a new one"


def test_failures_are_counted_by_detector(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(BROKEN)
    plan = plan_of(["broken"], (str(path),))
    metrics = Metrics()
    engine: Any = SimpleNamespace(references={"m": reference_of(plan)}, standings={"m": SimpleNamespace(events=EVENTS)})
    Telemetry(plan, metrics).advised(window(MOVED), engine)
    assert metrics.value("raincheck_detector_errors_total", model="m", detector="broken") == 1


@pytest.mark.parametrize(
    ("row", "calibrated", "because"),
    [
        (WindowRow(window(NORMAL).verdict, "summaries", {}), True, "the cells were not frozen yet"),
        (window(NORMAL), False, "nothing to compare with yet"),
        (window({}), True, "no events at all"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_to_say(row: WindowRow, calibrated: bool, because: str) -> None:
    plan = plan_of(["psi", "cusum"])
    reference = reference_of(plan)
    bare = Reference("m", "digest", reference.cuts, 0, 0, 0, None)
    assert Advisor(plan).see(row, reference if calibrated else bare, EVENTS) == [], because
