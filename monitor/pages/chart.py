"""Geometry of the evidence over time: verdicts, incidents and other lines on one time axis, as coordinates for a template.

The vertical axis is log10 of M, told as what chance alone would do: evidence e is reached at most once in 10^e windows.
Long spans are thinned to the highest evidence per drawn column, so that no peak is lost between two pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from monitor.desk import Series
from monitor.incident import Incident
from monitor.pages import marks
from monitor.phrases import DAY_MS, HOUR_MS, odds, span
from monitor.verdict import Verdict

LEFT, RIGHT, TOP, GAP, FOOT = 72.0, 12.0, 24.0, 34.0, 24.0  # margins and the space between panels, in drawing units
LEVELS: Final = (
    (HOUR_MS, "1 h"), (6 * HOUR_MS, "6 h"), (DAY_MS, "1 day"), (7 * DAY_MS, "1 week"), (30 * DAY_MS, "30 days"),
    (365 * DAY_MS, "1 year"), (3650 * DAY_MS, "10 years"), (36500 * DAY_MS, "100 years"), (365000 * DAY_MS, "1000 years"),
)  # fmt: skip
LINELESS: Final = 4.0  # of an axis without a page line, since the reference is too short for one: once in 10,000 windows


@dataclass(frozen=True, slots=True)
class Panel:
    """One line with its own vertical axis; `line` and `area` are SVG paths, `limit` the threshold's height."""

    name: str
    top: float
    height: float
    line: str
    area: str
    ticks: tuple[marks.Tick, ...]
    limit: float | None = None
    limit_text: str = ""
    last: marks.Tick | None = None
    last_x: float = 0.0


@dataclass(frozen=True, slots=True)
class Chart:
    width: float
    height: float
    left: float
    right: float
    ticks: tuple[marks.Tick, ...]
    bands: tuple[marks.Band, ...]
    flags: tuple[marks.Flag, ...]
    panels: tuple[Panel, ...]
    summary: str
    missing: str = ""  # what its partial windows lack, in words


def chart(
    verdicts: Sequence[Verdict],
    incidents: Iterable[Incident],
    series: Iterable[Series],
    window_ms: int,
    zone: tzinfo,
    start_ms: int,
    end_ms: int,
    width: float,
    tall: float = 220.0,
) -> Chart:
    """Lays out one model's chart between two times; `width` and `tall` (of the evidence panel) in drawing units."""
    left, right = LEFT, width - RIGHT
    span_ms = max(1, end_ms - start_ms)

    def x_of(time_ms: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, (time_ms - start_ms) / span_ms))

    shown = [v for v in verdicts if start_ms < v.end_ms <= end_ms]
    evidence = _evidence_panel(shown, window_ms, x_of, left, right, tall)
    panels = [evidence]
    top = TOP + tall + GAP
    for line in series:
        panels.append(_series_panel(line, x_of, left, right, start_ms, end_ms, top))
        top += panels[-1].height + GAP
    opened = [i for i in incidents if i.severity != "note" and start_ms <= i.opened_ms <= end_ms]
    flags = marks.flags(opened, x_of, zone, end_ms, left, right)
    bands = (*marks.learning(shown, x_of), *marks.partial(shown, x_of), *marks.opened(incidents, start_ms, end_ms, x_of))
    ticks = marks.time_ticks(start_ms, end_ms, zone, x_of, int((right - left) / 88))
    missing = marks.missing(shown)
    summary = _summary(shown, flags, window_ms) + (f" Grey, {missing}." if missing else "")
    return Chart(width, top - GAP + FOOT, left, right, ticks, bands, flags, tuple(panels), summary, missing)


def sparkline(verdicts: Sequence[Verdict], width: float, tall: float) -> tuple[str, float | None]:
    """A small evidence line and the height of its threshold, for one row of the fleet; ("", None) where nothing has been judged."""
    judged = [v for v in verdicts if v.status != "unknown"]
    if len(judged) < 2:
        return "", None
    top = _ceiling(judged)
    start, last = verdicts[0].start_ms, verdicts[-1].end_ms
    points = [(width * (v.end_ms - start) / max(1, last - start), _height(v.evidence, top, 1.0, tall - 2.0)) for v in judged]
    return _path(_thin(points, int(width))), _limit(judged[-1], top, 1.0, tall - 2.0)


def _limit(last: Verdict, top: float, above: float, tall: float) -> float | None:
    """Where the page line is; None where there is none yet."""
    return round(_height(last.threshold, top, above, tall), 1) if math.isfinite(last.threshold) else None


def _ceiling(judged: Sequence[Verdict]) -> float:
    """Top of the axis: a little above the threshold. What drifts goes on growing without bound, and is drawn along the edge."""
    threshold = max([1.0, *([v.threshold for v in judged if math.isfinite(v.threshold)] or [LINELESS])])
    highest = max((v.evidence for v in judged if math.isfinite(v.evidence)), default=0.0)
    return min(1.4 * threshold, max(1.12 * threshold, 1.04 * highest))


def _height(value: float, top: float, above: float, tall: float) -> float:
    share = 0.0 if math.isnan(value) else min(1.0, max(0.0, value / top))
    return above + tall * (1.0 - share)


def _evidence_panel(shown: Sequence[Verdict], window_ms: int, x_of: marks.Scale, left: float, right: float, tall: float) -> Panel:
    judged = [v for v in shown if v.status != "unknown"]
    if not judged:
        return Panel("evidence", TOP, tall, "", "", ())
    top = _ceiling(judged)
    runs: list[list[tuple[float, float]]] = [[]]
    for verdict in shown:  # a window without a verdict breaks the line: nothing is known there
        if verdict.status != "unknown":
            runs[-1].append((x_of(verdict.end_ms), _height(verdict.evidence, top, TOP, tall)))
        elif runs[-1]:
            runs.append([])
    paths = [_thin(run, int(right - left)) for run in runs if run]
    floor = TOP + tall
    ticks: list[marks.Tick] = []
    for level_ms, name in LEVELS:
        value = math.log10(level_ms / window_ms) if level_ms > window_ms else -1.0
        at = _height(value, top, TOP, tall)
        if 0 < value < top and all(abs(at - t.at) > 17 for t in ticks):
            ticks.append(marks.Tick(round(at, 1), name))
    last = judged[-1]
    limit = _limit(last, top, TOP, tall)
    ticks = [t for t in ticks if limit is None or abs(t.at - limit) > 13]
    return Panel(
        name="evidence",
        top=TOP,
        height=tall,
        line=" ".join(_path(run) for run in paths),
        area=" ".join(f"{_path(run)} L{run[-1][0]:.1f} {floor:.1f} L{run[0][0]:.1f} {floor:.1f} Z" for run in paths),
        ticks=tuple(ticks),
        limit=limit,
        limit_text=span(10.0 ** min(last.threshold, 300.0) * window_ms) if limit is not None else "",
        last=marks.Tick(round(_height(last.evidence, top, TOP, tall), 1), ""),
        last_x=round(x_of(last.end_ms), 1),
    )


def _series_panel(
    line: Series, x_of: marks.Scale, left: float, right: float, start_ms: int, end_ms: int, top: float, tall: float = 84.0
) -> Panel:
    inside = [(t, v) for t, v in line.points if start_ms <= t <= end_ms and math.isfinite(v)]
    share = line.unit == "share"
    low, high = (0.0, 1.0) if share else (min((v for _, v in inside), default=0.0), max((v for _, v in inside), default=1.0))
    high = high if high > low else low + 1.0

    def y_of(value: float) -> float:
        return top + tall * (1.0 - min(1.0, max(0.0, (value - low) / (high - low))))

    def words(value: float) -> str:
        return f"{value:.0%}" if share else f"{value:.3g}"

    points = _smooth([(x_of(t), y_of(v)) for t, v in inside], int(right - left))
    last = marks.Tick(round(y_of(inside[-1][1]), 1), words(inside[-1][1])) if inside else None
    ticks = tuple(marks.Tick(round(y_of(v), 1), words(v)) for v in ((0.0, 0.5, 1.0) if share else (low, high)))
    return Panel(line.name, top, tall, _path(points), "", ticks, last=last, last_x=round(points[-1][0], 1) if points else 0.0)


def _thin(points: Sequence[tuple[float, float]], columns: int) -> list[tuple[float, float]]:
    """The highest point (smallest y) of each drawn column."""
    if len(points) <= columns:
        return list(points)
    best: dict[int, tuple[float, float]] = {}
    for point in points:
        kept = best.setdefault(int(point[0]), point)
        if point[1] < kept[1]:
            best[int(point[0])] = point
    return [best[column] for column in sorted(best)]


def _smooth(points: Sequence[tuple[float, float]], columns: int) -> list[tuple[float, float]]:
    """The mean of each drawn column: a quality has no side on which it matters more."""
    if len(points) <= columns:
        return list(points)
    heaps: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        heaps.setdefault(int(point[0]), []).append(point)
    return [(sum(x for x, _ in heap) / len(heap), sum(y for _, y in heap) / len(heap)) for _, heap in sorted(heaps.items())]


def _path(points: Sequence[tuple[float, float]]) -> str:
    """An SVG path through the points.

    >>> _path([(0, 1), (2.04, 3)])
    'M0.0 1.0 L2.0 3.0'
    """
    return " ".join(f"{'L' if i else 'M'}{x:.1f} {y:.1f}" for i, (x, y) in enumerate(points))


def _summary(shown: Sequence[Verdict], flags: Sequence[marks.Flag], window_ms: int) -> str:
    """The chart in one sentence, for those who do not see it."""
    judged = [v for v in shown if v.status != "unknown"]
    if not judged:
        return "Nothing has been judged in this time."
    peak = max(judged, key=lambda v: v.evidence)
    told = ", ".join(flag.text for flag in flags) or "nobody was told"
    reached = odds(peak.evidence, window_ms)
    limit = f"the limit is {odds(peak.threshold, window_ms)}" if math.isfinite(peak.threshold) else "there is no limit yet"
    return f"Evidence over {len(judged)} windows of {span(window_ms)}: at most what chance does {reached}, {limit}; {told}."
