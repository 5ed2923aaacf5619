"""Every panel's query, executed on a real Prometheus that scrapes a real raincheck on a real broker while the demo's story is told."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from dashboards.expression import names_in
from monitor.demo.play import MODEL
from monitor.demo.story import STORY
from monitor.metrics import CATALOGUE
from tests.dashboards.panels import BOARDS, TARGETS, Asked, filled
from tests.dashboards.story import Told

# the story takes a minute of one core, and cores are shared
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

RAIN = STORY.episodes[0]
RAIN_MS = STORY.start_ms + RAIN.start * STORY.window_ms


def shown(told: Told, asked: Asked) -> list[dict[str, Any]]:
    """What Grafana would get for the target: over the whole story, or at this moment."""
    return told.prometheus.query(asked.expr()) if asked.target["instant"] else told.over_time(asked.expr())


def values(found: list[dict[str, Any]]) -> list[float]:
    """Every number in it that can be drawn."""
    numbers = [float(point[1]) for series in found for point in series.get("values", [series.get("value")])]
    return [number for number in numbers if math.isfinite(number)]


@pytest.mark.parametrize("asked", TARGETS, ids=lambda asked: asked.name)
def test_no_panel_is_empty(told: Told, asked: Asked) -> None:
    assert values(shown(told, asked)) != []


SOME = (1.0, math.inf)  # bars extrapolate to the ends of their range, and what comes in two saves is two bars
ONE, NONE = (1.0, 1.0), (0.0, 0.0)

# board, panel, ref -> between which two its greatest value in the story lies; what the story did to it
STORIES: list[tuple[str, str, str, tuple[float, float], str]] = [
    ("fleet", "Daemons up", "A", ONE, "one is scraped"),
    ("fleet", "Ready", "A", ONE, "it has started and hears its broker"),
    ("fleet", "Models with an open page", "A", ONE, "the story ends in the rain"),
    ("fleet", "Models overdue", "A", ONE, "the story plays in April and the clock is later"),
    ("fleet", "Pages and tickets opened", "A", SOME, "the rain pages, and a counter that is born as 1 has risen"),
    ("fleet", "Records read", "A", (0.1, math.inf), "records came"),
    ("fleet", "Records refused", "A", SOME, "some were no JSON, before a counter for them was there"),
    ("fleet", "Dead letters", "A", SOME, "they are kept"),
    ("fleet", "Dead letters", "B", NONE, "none is lost: zero, and not nothing"),
    ("fleet", "Late events", "A", SOME, "those of an hour came once more, a day late"),
    ("fleet", "Offsets never read", "A", NONE, "retention took nothing"),
    ("fleet", "Partitions", "A", ONE, "a partition per topic"),
    ("fleet", "Windows", "A", SOME, "windows were judged"),
    ("fleet", "Components", "A", ONE, "all is well"),
    ("fleet", "Restores", "A", ONE, "it began with an empty state"),
    ("fleet", "Direct notifications", "A", SOME, "the owner has a receiver"),
    ("fleet", "Configuration", "A", ONE, "the configuration was good"),
    ("model", "Open pages", "A", ONE, "the story ends in the rain"),
    ("model", "Learnt", "A", ONE, "two weeks are over"),
    ("model", "Events in it", "A", (STORY.pictures, STORY.pictures), "so many pictures an hour"),
    ("model", "Incidents", "A", ONE, "a page by evidence"),
    ("model", "What open incidents are about", "A", (0.1, 1.0), "the page says what it is about"),
    ("model", "Pages, tickets, false pages", "A", ONE, "one page"),
    ("model", "Pages, tickets, false pages", "C", NONE, "nobody has called it false"),
    ("model", "Missing values", "A", NONE, "every record is whole"),
    ("model", "Predictions whose inputs were seen", "A", ONE, "every request is answered"),
]


@pytest.mark.parametrize(("board", "title", "ref", "between", "because"), STORIES, ids=[f"{row[1]} {row[2]}" for row in STORIES])
def test_a_panel_shows_what_happened(told: Told, board: str, title: str, ref: str, between: tuple[float, float], because: str) -> None:
    greatest = max(values(told.over_time(of(f"raincheck-{board}", title, ref).expr())))
    assert between[0] <= greatest <= between[1], because


def of(board: str, title: str, ref: str) -> Asked:
    return next(a for a in TARGETS if (a.board, a.panel["title"], a.target["refId"]) == (board, title, ref))


def test_the_evidence_crosses_the_page_line(told: Told) -> None:
    title = "Evidence against the page line"
    evidence, line = (values(shown(told, of("raincheck-model", title, ref))) for ref in "AB")
    assert min(evidence) < min(line) <= max(line) < max(evidence)


def test_what_carries_the_evidence_is_named(told: Told) -> None:
    found = shown(told, of("raincheck-model", "What carries the evidence", "A"))
    carried = {series["metric"]["subject"]: max(values([series])) for series in found if "subject" in series["metric"]}
    assert max(carried, key=lambda name: carried[name]) == "frame", "it rains on the camera"


def test_the_table_has_one_line_per_model(told: Told) -> None:
    columns = [shown(told, a) for a in TARGETS if a.panel["type"] == "table"]
    assert len(columns) >= 10
    assert {tuple(row["metric"]["model"] for row in column) for column in columns} == {(MODEL,)}
    assert columns[0][0]["metric"] == {"model": MODEL, "mode": "page", "team": "vision-team"}


def test_the_incident_is_marked_where_it_began(told: Told) -> None:
    for board in BOARDS.values():
        (mark,) = (mark for mark in board["annotations"]["list"] if mark["name"] == "Incidents")
        (found,) = told.prometheus.query(filled(mark["expr"]))
        at_ms = float(found["value"][1])
        assert RAIN_MS <= at_ms < RAIN_MS + (RAIN.end - RAIN.start) * STORY.window_ms
        assert set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"])) <= set(found["metric"])


def test_every_mark_is_found(told: Told) -> None:
    for board, what in BOARDS.items():
        for mark in what["annotations"]["list"]:
            assert values(told.over_time(filled(mark["expr"]))) != [], f"{board}: {mark['name']}"


@pytest.mark.parametrize(
    ("variable", "chosen"), [("job", ["raincheck"]), ("instance", ["127.0.0.1:PORT"]), ("model", [MODEL])], ids=["job", "instance", "model"]
)
def test_a_variable_offers_what_there_is(told: Told, variable: str, chosen: list[str]) -> None:
    port = told.daemon.address.rpartition(":")[2]
    asks = {v["query"]["query"] for board in BOARDS.values() for v in board["templating"]["list"] if v["name"] == variable}
    for ask in asks:
        parts = re.fullmatch(r"label_values\((.*), (\w+)\)", ask)
        assert parts is not None
        assert told.values_of(parts[2], filled(parts[1])) == [one.replace("PORT", port) for one in chosen]


def test_what_is_drawn_is_exported_and_not_only_filled_up_with_zeros(told: Told) -> None:
    """A zero that stands for a metric nobody sets would hide that: these are what the story has no cause to set."""
    names = {name for asked in TARGETS for name in names_in(asked.target["expr"]) if name in CATALOGUE}
    unset = {name for name in names if not told.prometheus.query(f'{{__name__=~"{name}(_bucket)?"}}')}
    assert unset <= {
        "raincheck_records_adjusted_total", "raincheck_events_skipped_total", "raincheck_dead_letter_failures_total",
        "raincheck_kafka_errors_total", "raincheck_kafka_reconnects_total", "raincheck_kafka_skipped_offsets_total",
        "raincheck_detector_errors_total", "raincheck_notification_failures_total", "raincheck_exported_series_dropped_total",
        "raincheck_task_runs_total", "raincheck_task_failures_total", "raincheck_task_misfires_total", "raincheck_false_pages_total",
    }  # fmt: skip
