"""What somebody reads who was just woken: one sentence a subject, each with its because."""

from __future__ import annotations

from typing import Literal

import pytest

from monitor.phrases import phrase
from monitor.verdict import Subject

Direction = Literal["up", "down", "changed"]
ROWS: list[tuple[str, str, Direction, float, str, str, str]] = [
    ("inputs", "location", "up", 1.6, "sd", "`x` is up by 1.6 sd", "the level needs no word of its own"),
    ("inputs", "scale", "down", 0.5, "ratio", "the spread of `x` is down by a factor of 0.50", "plain words for a statistic's name"),
    (
        "inputs",
        "all together",
        "up",
        0.3,
        "sd",
        "`x` is up by 0.3 sd, one of several that moved together",
        "what has moved comes first; that no column says so alone comes after",
    ),
    (
        "images",
        "blockiness all together",
        "up",
        1.6,
        "sd",
        "blockiness in pictures of `x` is up by 1.6 sd, one of several that moved together",
        "whoever is woken reads what, where and by how much in this order",
    ),
    (
        "images",
        "noise all together",
        "changed",
        0.0,
        "sd",
        "noise in pictures of `x` has changed, one of several that moved together",
        "without a size, too",
    ),
    ("inputs", "missing", "up", 52.1, "points", "`x` is missing, 52 percentage points more often", "what is counted happens more often"),
]


@pytest.mark.parametrize(("group", "statistic", "direction", "size", "unit", "said", "because"), ROWS, ids=[row[1] for row in ROWS])
def test_a_subject_in_one_sentence(
    group: str, statistic: str, direction: Direction, size: float, unit: str, said: str, because: str
) -> None:
    assert phrase(Subject("x", group, statistic, direction, size, unit, 1.0, 0)) == said, because
