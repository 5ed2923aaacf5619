"""What needs no statistics: columns that are gone or broken, silence, and what an announced event lets pass."""

from __future__ import annotations

import pytest

from monitor.judge import judge
from monitor.rules import breaches, with_values
from monitor.standing import Expected, Standing
from tests.tables.judging import HOUR, NOW, model, window

# columns of the model: cells [missing, not finite, invalid, below, q.., above]
RULES = [
    ({"x": [60, 0, 0, 0, 0, 0]}, frozenset({"x"}), ["missing:x"], "all of a column that had values is missing"),
    ({"x": [60, 0, 0, 0, 0, 0]}, frozenset(), [], "it never had values: perhaps it is sent for other models only"),
    ({"x": [59, 0, 0, 0, 1, 0]}, frozenset({"x"}), [], "one value is left: that is for statistics"),
    ({"x": [10, 0, 0, 0, 0, 0]}, frozenset({"x"}), [], "ten events are an anecdote"),
    ({"x": [0, 0, 13, 0, 47, 0]}, frozenset({"x"}), ["invalid:x"], "more than a fifth cannot be read"),
    ({"x": [0, 13, 0, 0, 47, 0]}, frozenset({"x"}), ["invalid:x"], "not finite is as bad"),
    ({"x": [0, 6, 6, 0, 48, 0]}, frozenset({"x"}), [], "a fifth is tolerated"),
    (
        {"frame.quality": [60, 0, 0, 0, 0, 0], "frame.brightness": [0, 0, 0, 0, 60, 0]},
        frozenset({"frame.quality", "frame.brightness"}),
        [],
        "PNG has no JPEG quality, and is a picture all the same",
    ),
    (
        {"frame.quality": [0, 0, 60, 0, 0, 0], "frame.brightness": [0, 0, 60, 0, 0, 0]},
        frozenset(),
        ["invalid:frame"],
        "no picture can be decoded",
    ),
    ({"prediction": [0, 30, 0, 0, 30]}, frozenset(), ["invalid:prediction"], "categories have their invalid cell elsewhere"),
]


@pytest.mark.parametrize(("cells", "seen", "broken", "because"), RULES)
def test_rules(cells: dict[str, list[int]], seen: frozenset[str], broken: list[str], because: str) -> None:
    found = [f"{b.rule}:{b.subject}" for b in breaches(model(), window(60, **cells), seen, None)]
    assert found == broken, because


@pytest.mark.parametrize(
    ("last", "broken", "because"),
    [
        (NOW - 3 * HOUR, ["silent"], "three hours without an event"),
        (NOW - HOUR, [], "only this hour so far"),
        (None, [], "there never was an event"),
    ],
)
def test_silence(last: int | None, broken: list[str], because: str) -> None:
    plan = model(rules={"silent_for": "2h"})
    assert [b.rule for b in breaches(plan, window(events=0), frozenset(), last)] == broken, because


def test_rules_page_while_learning_and_close_when_it_is_over() -> None:
    plan = model()
    broken = breaches(plan, window(x=[60, 0, 0, 0, 0, 0]), frozenset({"x"}), None)
    got = judge(plan, Standing(), window(), None, [], broken, reference="")
    (incident,) = got.incidents
    assert (incident.kind, incident.severity, incident.subjects[0].name) == ("rule", "page", "x")
    assert judge(plan, Standing(), window(), None, [incident], broken, reference="").incidents == (), "told once"
    over = judge(plan, Standing(), window(), None, [incident], [], reference="")
    assert over.incidents[0].resolution == "recovered"
    empty = judge(plan, Standing(), window(events=0), None, [incident], [], reference="")
    assert empty.incidents == (), "an empty window proves nothing"


@pytest.mark.parametrize(
    ("subjects", "opened", "because"),
    [
        (("x",), [], "somebody said that it would be so"),
        ((), [], "every subject was named"),
        (("frame",), ["missing:x"], "another subject was named"),
    ],
)
def test_an_announced_event_opens_no_rule_incident_and_closes_none(subjects: tuple[str, ...], opened: list[str], because: str) -> None:
    plan = model()
    broken = breaches(plan, window(x=[60, 0, 0, 0, 0, 0]), frozenset({"x"}), None)
    expecting = Standing(calendar=(Expected(NOW - HOUR, NOW, subjects=subjects),))
    assert [i.rule for i in judge(plan, expecting, window(), None, [], broken, reference="").incidents] == opened, because
    before = judge(plan, Standing(), window(), None, [], broken, reference="").incidents
    assert not judge(plan, expecting, window(), None, before, broken, reference="").incidents, "what is still true has not recovered"


def test_columns_with_values() -> None:
    found = with_values(model(), window(x=[5, 1, 1, 0, 0, 1], prediction=[3, 1, 0, 0, 0]))
    assert found == {"x"}, "missing, not finite and invalid are no values; beyond the extremes is"
