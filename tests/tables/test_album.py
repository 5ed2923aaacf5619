"""Which closed windows are added up beside a reference: those that were counted over its cells, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from detectors.cuts import CategoricalCuts
from monitor.album import Album
from monitor.changes import ReferenceRow, WindowRow
from monitor.incident import Incident
from monitor.plan import Feature, Model, Owner, Plan, Schema
from monitor.reference import Reference, pack_cells
from monitor.verdict import Verdict, verdict_id

WINDOW_MS = 300_000
MODEL = Model("m", "team", Schema((Feature("light", "categorical", ("light",)),)))
PLAN = Plan(models={"m": MODEL}, owners={"team": Owner("team")})
HALVES = pack_cells(np.array([0, 0, 0, 0, 50, 50]))


def reference(levels: tuple[str, str], effective_ms: int = 0, until_ms: int = 0) -> Reference:
    return Reference("m", "", {"light": CategoricalCuts(levels)}, effective_ms, 0, until_ms, frame={"light": HALVES})


NOW = reference(("red", "green"), effective_ms=3 * WINDOW_MS)
LONGER = reference(("red", "green"), effective_ms=3 * WINDOW_MS, until_ms=9)  # the same cells, learnt from more
ALIEN = reference(("blue", "grey"), effective_ms=3 * WINDOW_MS)  # as many cells, of other things
KNOWN = {r.name: r for r in (NOW, LONGER, ALIEN)}


class Rows:
    """A glance at these windows."""

    def __init__(self, rows: Sequence[WindowRow]) -> None:
        self._rows = rows

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        yield from (row for row in self._rows if from_ms <= row.verdict.start_ms < until_ms)

    def reference(self, name: str) -> ReferenceRow | None:
        found = KNOWN.get(name)
        return None if found is None else ReferenceRow(name, "m", found.pack())


def window(index: int, judged_by: str, form: str = "cells") -> WindowRow:
    start = index * WINDOW_MS
    verdict = Verdict(verdict_id("m", start), "m", start, start + WINDOW_MS, "ok", 10, 0.0, 4.4, reference=judged_by)
    return WindowRow(verdict, "cells" if form == "cells" else "summaries", {"light": pack_cells(np.array([0, 0, 0, 0, 4, 6]))})


CASES: list[tuple[WindowRow, int, str]] = [
    (window(5, NOW.name), 10, "it was judged by this reference"),
    (window(5, ""), 10, "it was not judged, and counted over the cells in force"),
    (window(5, LONGER.name), 10, "the reference before it had the same cells"),
    (window(5, ALIEN.name), 0, "as many cells, of other levels: never read as these"),
    (window(5, "gone"), 0, "over what it was counted nobody knows any more"),
    (window(2, NOW.name), 0, "before the cells were in force it was counted otherwise"),
    (window(5, NOW.name, "summaries"), 0, "it was not counted over cells at all"),
]


@pytest.mark.parametrize(("row", "events", "because"), CASES)
def test_only_windows_over_the_same_cells_are_added(row: WindowRow, events: int, because: str) -> None:
    last = window(6, NOW.name)  # it names the reference that all are held against
    incident = Incident("i", "m", "team", "page", "statistical", 6 * WINDOW_MS, 0, (), 5.0, 4.4, "")
    found = Album(PLAN, Rows([row, last])).since(incident, NOW, last.verdict)
    assert found.reference == NOW.name
    assert found.columns[0].events - 10 == events, because
    assert found.windows - 1 == events // 10, because


def test_an_incident_is_drawn_beside_the_reference_it_was_judged_by() -> None:
    rows = [window(index, LONGER.name) for index in range(4, 7)]
    incident = Incident("i", "m", "team", "page", "statistical", 6 * WINDOW_MS, 0, (), 5.0, 4.4, "", resolved_ms=7 * WINDOW_MS)
    found = Album(PLAN, Rows(rows)).since(incident, ALIEN, rows[-1].verdict)
    assert found.reference == LONGER.name, "another one is in force by now, with other levels"
    assert [bar.label for bar in found.columns[0].bars] == ["red", "green"]


def test_windows_that_are_no_longer_kept_are_said_to_be_gone() -> None:
    incident = Incident("i", "m", "team", "page", "statistical", 6 * WINDOW_MS, 0, (), 5.0, 4.4, "", resolved_ms=7 * WINDOW_MS)
    found = Album(PLAN, Rows([])).since(incident, NOW, window(6, "").verdict)
    assert (found.columns, found.why) == ((), "These windows are no longer kept.")
