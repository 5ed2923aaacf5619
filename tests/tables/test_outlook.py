"""What is known ahead of a model, in rows: standings that the rules of learning made, each with what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor import again
from monitor.again import HOUR_MS, NIGHT_MS, WEEK_MS
from monitor.outlook import lines, outlook
from monitor.plan import DAY_MS
from monitor.report import as_json, report_of, told, unplanned
from monitor.standing import Expected, Standing
from tests.tables.test_again import NOW, ONSET, WATCHED, after, model, planned

ROWS: list[tuple[str, Standing, list[tuple[str, str, str]], str]] = [
    ("nothing", WATCHED, [], "a model that is watched as ever has nothing ahead of it"),
    (
        "deployed",
        again.deployed(model(), WATCHED, "7", NOW),
        [
            ("version", "since 0", "7"),
            ("not judged", "0 to 6", "prediction: the level is learnt anew"),
            ("to learn", "6", "the level of prediction"),
            ("to learn", "24", "the level of prediction, from more windows than before; and 1 time more"),
        ],
        "what it says may have moved; after six hours it is judged by what was seen",
    ),
    (
        "deployed, to come",
        again.deployed(model(), WATCHED, "7", NOW + HOUR_MS),
        [
            ("version", "since 1", "7"),
            ("to learn", "7", "the level of prediction"),
            ("to learn", "25", "the level of prediction, from more windows than before; and 1 time more"),
        ],
        "until it serves, the old version is judged",
    ),
    (
        "false page",
        after("false"),
        [("to learn", "0", "how traffic wanders, since a page was false; and 7 times more")],
        "at once, and on seven nights",
    ),
    (
        "expected",
        after("expected", until_ms=NOW + 2 * HOUR_MS, every_ms=WEEK_MS),
        [("not judged", "-3 to 2", "x: an expected event (someone)"), ("calendar", "-3 to 2, every 7 days", "x (someone)")],
        "it is on, and comes again",
    ),
    (
        "a holiday to come",
        replace(WATCHED, calendar=(Expected(NOW + DAY_MS, NOW + 2 * DAY_MS, None, (), "ops", "moving house"),)),
        [("calendar", "24 to 48", "every subject: moving house (ops)")],
        "nobody is left out yet",
    ),
    (
        "weekly, between two",
        replace(WATCHED, calendar=(Expected(NOW - DAY_MS, NOW, WEEK_MS, ("x",), "ops"),)),
        [("calendar", "144 to 168, every 7 days", "x (ops)")],
        "the one that ended this moment is past",
    ),
    ("over", replace(WATCHED, calendar=(Expected(NOW - DAY_MS, NOW),)), [], "it will never come again"),
    (
        "learning",
        Standing(stage="learning", origin_ms=NOW - DAY_MS, next_ms=NOW),
        [("to learn", "648", "what is normal, for the first time: windows are judged from then on")],
        "28 days, of which one has been seen",
    ),
    ("nothing seen", Standing(), [], "when learning ends is told once it has begun"),
]


@pytest.mark.parametrize(("name", "standing", "rows", "because"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_known_ahead(name: str, standing: Standing, rows: list[tuple[str, str, str]], because: str) -> None:
    found = outlook(model(), standing)
    assert lines(found, lambda time_ms: str((time_ms - NOW) // HOUR_MS)) == rows, because


def test_who_is_held_is_who_the_evidence_leaves_out() -> None:
    standing = again.deployed(model(), after("normal", after("expected", on=None)), "7", NOW)
    held = {name for row in outlook(model(), standing).held for name in row.subjects}
    muted = again.muted(model(), standing, NOW)
    assert held == {c.subject for c in model().columns if c.name in muted} == {"x", "prediction"}


def test_the_night_and_the_monday_that_recur_are_told() -> None:
    _, standing = planned(WATCHED, 10)
    assert [(step.step, step.at_ms, step.more) for step in outlook(model(), standing).learnt] == [
        ("nightly", 701 * DAY_MS + NIGHT_MS, 0),
        ("trend", 704 * DAY_MS + 3 * HOUR_MS, 0),
    ]


def test_a_level_since_the_onset_is_held_from_there() -> None:
    (held,) = outlook(model(), after("normal")).held
    assert (held.subjects, held.from_ms, held.until_ms) == (("x",), ONSET, ONSET + 6 * HOUR_MS)


def test_the_report_tells_it_as_text_and_as_json() -> None:
    standing = again.deployed(model(), after("false", after("expected")), "7", NOW)
    found = report_of(model(), standing, None, ())
    text = told(found)
    for about, at, what in lines(outlook(model(), standing)):
        assert f"{about:<10} {at}: {what}" in text
    assert [held["subjects"] for held in as_json(found)["outlook"]["held"]] == [("prediction",), ("x",)]


def test_without_a_configuration_columns_stand_for_their_subjects() -> None:
    bare = unplanned("m", None)
    assert outlook(bare, after("normal")).held[0].subjects == ("x",)
