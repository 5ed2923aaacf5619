"""The chart's geometry: everything inside the frame, no peak lost, the threshold where it belongs."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.desk import Series
from monitor.incident import Incident
from monitor.pages.chart import LEFT, RIGHT, Chart, chart, sparkline
from monitor.pages.marks import LETTER
from monitor.phrases import zone_of
from monitor.verdict import Status, Verdict, verdict_id
from tests.web.fake_desk import DAY_MS, HOUR_MS, NOW_MS, WINDOW_MS

START_MS = NOW_MS - DAY_MS
NUMBER = re.compile(r"-?\d+\.\d+|-?\d+")


def verdict(index: int, evidence: float, threshold: float = 4.4, status: Status = "ok", reason: str = "", partial: bool = False) -> Verdict:
    start = START_MS + index * WINDOW_MS
    return Verdict(verdict_id("m", start), "m", start, start + WINDOW_MS, status, 100, evidence, threshold, reason=reason, partial=partial)


def drawn(
    verdicts: list[Verdict], incidents: list[Incident] | None = None, series: list[Series] | None = None, width: float = 1040.0
) -> Chart:
    return chart(verdicts, incidents or [], series or [], WINDOW_MS, zone_of("UTC"), START_MS, NOW_MS, width)


def points(path: str) -> list[tuple[float, float]]:
    numbers = [float(n) for n in NUMBER.findall(path)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


anything = st.builds(
    verdict,
    st.integers(-10, 300),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1, 400) | st.just(math.inf),
    st.sampled_from(["ok", "ticket", "page", "unknown"]),
    st.sampled_from(["", "learning", "calibrating"]),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(anything, max_size=40),
    st.lists(st.tuples(st.integers(START_MS, NOW_MS), st.floats()), max_size=20),
    st.sampled_from([400.0, 1040.0]),
)
def test_whatever_the_verdicts_say_the_drawing_stays_in_its_frame(
    found: list[Verdict], line: list[tuple[int, float]], width: float
) -> None:
    found.sort(key=lambda v: v.start_ms)
    c = drawn(found, series=[Series("quality", "share", tuple(sorted(line)))], width=width)
    for panel in c.panels:
        for x, y in points(panel.line) + points(panel.area):
            assert LEFT - 0.1 <= x <= width - RIGHT + 0.1
            assert panel.top - 0.1 <= y <= panel.top + panel.height + 0.1
        for tick in panel.ticks:
            assert panel.top - 0.1 <= tick.at <= panel.top + panel.height + 0.1
    for band in c.bands:
        assert band.width >= 0
        assert LEFT - 0.1 <= band.x <= band.x + band.width <= width - RIGHT + 0.2
    assert c.panels[-1].top + c.panels[-1].height < c.height


@given(st.integers(0, 287), st.floats(1.0, 4.0))
def test_a_single_peak_among_many_windows_survives_thinning(where: int, height: float) -> None:
    quiet = [verdict(i, 0.0) for i in range(288)]
    peak = [replace(v, evidence=height) if i == where else v for i, v in enumerate(quiet)]
    narrow = drawn(peak, width=180.0).panels[0]
    assert min(y for _, y in points(narrow.line)) < min(y for _, y in points(drawn(quiet, width=180.0).panels[0].line))


def test_evidence_above_the_threshold_is_drawn_above_its_line_and_below_is_below() -> None:
    panel = drawn([verdict(i, 3.0) for i in range(10)] + [verdict(10, 5.0), verdict(11, 900.0)]).panels[0]
    assert panel.limit is not None
    heights = [y for _, y in points(panel.line)]
    assert all(y > panel.limit for y in heights[:10])
    assert all(y < panel.limit for y in heights[10:])


def test_a_window_without_a_verdict_breaks_the_line() -> None:
    whole = drawn([verdict(i, 1.0) for i in range(9)]).panels[0].line
    broken = drawn([verdict(i, 1.0, status="unknown" if i == 4 else "ok") for i in range(9)]).panels[0].line
    assert whole.count("M") == 1
    assert broken.count("M") == 2


def test_learning_and_partial_windows_become_bands_as_long_as_they_are() -> None:
    found = [verdict(i, 0.0, status="unknown", reason="learning") for i in range(144)]
    found += [verdict(i, 0.0, partial=i in (200, 201)) for i in range(144, 288)]
    bands = {b.kind: b for b in drawn(found).bands}
    whole = 1040.0 - RIGHT - LEFT
    assert math.isclose(bands["learning"].width, whole / 2, abs_tol=0.2)
    assert math.isclose(bands["partial"].width, whole * 2 / 288, abs_tol=0.2)


def test_a_partial_band_says_what_its_windows_lack() -> None:
    found = [verdict(i, 0.0) for i in range(288)]
    for i, lacks in ((100, ("in/0: retention",)), (101, ("in/0: retention",)), (102, ("in/1: unreadable",)), (200, ("in/0: retention",))):
        found[i] = replace(found[i], partial=True, lacks=lacks)
    texts = [band.text for band in drawn(found).bands]
    lost, stuck = "events may be missing: in/0 (deleted before they were read)", "events may be missing: in/1 (it cannot be read)"
    assert texts == [lost, stuck, lost]


def test_what_partial_windows_lack_is_in_the_charts_own_text_and_of_many_partitions_the_first() -> None:
    found = [verdict(i, 0.0) for i in range(288)]
    assert drawn(found).missing == ""
    assert "missing" not in drawn(found).summary
    found[100] = replace(found[100], partial=True, lacks=tuple(f"in/{number}: retention" for number in range(20)))
    found[101] = replace(found[101], partial=True, lacks=("in/0: retention",))
    c = drawn(found)
    assert c.missing.startswith("events may be missing: in/0 (deleted before they were read), in/1 (")
    assert c.missing.endswith("in/4 (deleted before they were read) and 15 more"), "each once"
    assert c.summary.endswith(f"nobody was told. Grey, {c.missing}.")
    unjudged = [replace(v, status="unknown", reason="records lost") for v in found]
    assert drawn(unjudged).summary == f"Nothing has been judged in this time. Grey, {c.missing}."


def incident(opened_ms: int, onset_ms: int, resolved_ms: int | None = None, severity: str = "page") -> Incident:
    return Incident("i", "m", "team", severity, "statistical", opened_ms, onset_ms, (), 5.0, 4.4, "", resolved_ms=resolved_ms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "flags", "bands", "because"),
    [
        (incident(NOW_MS - HOUR_MS, NOW_MS - 2 * HOUR_MS), 1, 1, "open and inside"),
        (incident(START_MS - HOUR_MS, START_MS - 2 * HOUR_MS), 0, 1, "opened before, still open: shaded, no flag"),
        (incident(START_MS - HOUR_MS, START_MS - 2 * HOUR_MS, START_MS - 1), 0, 0, "over before"),
        (incident(NOW_MS + 1, NOW_MS - HOUR_MS), 0, 1, "opened after what is drawn"),
        (incident(NOW_MS - HOUR_MS, NOW_MS - 2 * HOUR_MS, severity="note"), 0, 0, "a note told nobody"),
    ],
)
def test_which_incidents_are_marked(found: Incident, flags: int, bands: int, because: str) -> None:
    c = drawn([verdict(i, 1.0) for i in range(288)], [found])
    assert (len(c.flags), len(c.bands)) == (flags, bands), because


@given(st.lists(st.integers(0, 287), max_size=12, unique=True), st.sampled_from([400.0, 1040.0]))
def test_texts_of_flags_never_cover_each_other_and_the_newest_has_its_text(opened: list[int], width: float) -> None:
    found = [replace(incident(START_MS + i * WINDOW_MS, START_MS), id=str(i)) for i in opened]
    flags = drawn([verdict(i, 1.0) for i in range(288)], found, width=width).flags
    assert len(flags) == len(opened), "a flag without a text is still a flag"
    boxes = sorted(
        (f.x, f.x + 9 + LETTER * len(f.text)) if f.side == "right" else (f.x - 9 - LETTER * len(f.text), f.x)
        for f in flags
        if f.side != "none"
    )
    assert all(a[1] <= b[0] for a, b in pairwise(boxes))
    if opened:
        assert next(f for f in flags if f.incident == str(max(opened))).side != "none"


def test_the_hours_on_the_axis_are_the_models_own() -> None:
    found = [verdict(i, 1.0) for i in range(288)]
    c = chart(found, [], [], WINDOW_MS, zone_of("Asia/Kolkata"), START_MS, NOW_MS, 1040.0)
    assert all(t.text.endswith(":00") or "Nov" in t.text for t in c.ticks), "whole local hours, although the zone is half an hour off"
    assert len({t.text for t in c.ticks}) == len(c.ticks)


def test_while_the_reference_is_too_short_for_pages_there_is_evidence_and_no_line() -> None:
    short = [verdict(index, evidence, threshold=math.inf) for index, evidence in enumerate((0.2, 2.8, 1.0))]
    found = drawn(short)
    heights = [y for _, y in points(found.panels[0].line)]
    assert heights[1] < heights[2] < heights[0], "the evidence is drawn, and not flat on the floor of an axis without end"
    assert (found.panels[0].limit, found.panels[0].limit_text) == (None, "")
    assert "there is no limit yet" in found.summary
    assert found.panels[0].ticks, "how high it is can be read"
    assert sparkline(short, 240, 40)[1] is None


def test_a_sparkline_needs_two_judged_windows() -> None:
    assert sparkline([], 240, 40) == ("", None)
    assert sparkline([verdict(0, 1.0)], 240, 40) == ("", None)
    path, limit = sparkline([verdict(0, 1.0), verdict(1, 2.0)], 240, 40)
    assert limit is not None
    assert len(points(path)) == 2
    assert 0 < limit < 40


def test_the_summary_says_what_the_picture_shows() -> None:
    c = drawn([verdict(i, 1.0) for i in range(12)], [incident(NOW_MS - HOUR_MS, NOW_MS - 2 * HOUR_MS)])
    assert "12 windows of 5 min" in c.summary
    assert "page 13:30" in c.summary
    assert drawn([]).summary == "Nothing has been judged in this time."
