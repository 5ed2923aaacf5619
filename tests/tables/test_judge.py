"""From evidence to what an owner hears: decisions as rows, each with its because."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from detectors.budget.chain import Lead
from monitor.incident import Answer, Incident
from monitor.judge import Judged, boost, judge, looked_back
from monitor.life import answered
from monitor.plan import DAY_MS
from monitor.standing import Ledger, Standing
from tests.tables.judging import HOUR, NOW, A, judged, lead, model, page, reading, window

FRAME = lead("frame", group="images", column="frame.noise")
BROKEN = page(id="r", kind="rule", rule="invalid:x")
NOTED = (BROKEN, page(severity="note"))
BESIDES = reading(6.0, lead(share=0.6), lead("e", 0.4, alone=5.0, group="embeddings"))
PICTURED = reading(6.0, lead(share=0.6), lead("frame", 0.4, alone=5.0, group="images"))
DECISIONS: list[tuple[str, Judged, str, list[str], str]] = [
    ("quiet", judged(reading(0.3, lead())), "ok", [], "below both thresholds"),
    ("ticket", judged(reading(3.0, lead())), "ticket", ["ticket opened"], "a day of evidence, not a budget of it"),
    ("page", judged(reading(4.1, lead())), "page", ["page opened"], "evidence has reached A"),
    ("tiny", judged(reading(4.1, lead(), effect_ok=False)), "ticket", ["ticket opened"], "sure, and too small to wake anybody"),
    ("observed", judged(reading(4.1, lead()), plan=model(mode="observe")), "page", ["note opened"], "noted: this team only looks on"),
    ("mode ticket", judged(reading(4.1, lead()), plan=model(mode="ticket")), "page", ["ticket opened"], "pages are tickets for this team"),
    ("group", judged(reading(4.1, FRAME), plan=model(page_on=["inputs"])), "ticket", ["ticket opened"], "pictures wake nobody here"),
    ("group on", judged(reading(4.1, FRAME), plan=model(page_on=["images"])), "page", ["page opened"], "pictures do here"),
    (
        "part",
        judged(reading(4.1, FRAME, lead(share=0.0001)), plan=model(page_on=["inputs"])),
        "ticket",
        ["ticket opened"],
        "the groups that may page carry too little of the evidence",
    ),
    (
        "embedding",
        judged(reading(4.1, lead("e", group="embeddings", column="e.norm")), plan=model(page_on=["inputs"])),
        "page",
        ["page opened"],
        "an embedding is an input",
    ),
    (
        "told by a rule",
        judged(reading(4.1, lead()), opened=(page(id="r", kind="rule", rule="invalid:x"),)),
        "page",
        ["page resolved", "note opened"],
        "the same column has paged as a schema break until now: one fault, one page",
    ),
    ("told, and another", judged(BESIDES, opened=(BROKEN,)), "page", ["page resolved", "page opened"], "one fault hides no other"),
    ("noted, and another", judged(BESIDES, opened=NOTED), "page", ["page resolved", "page opened"], "nobody was woken for the note"),
    (
        "noted, and its own",
        judged(reading(6.0, lead(alone=6.0)), opened=NOTED),
        "page",
        ["page resolved", "note resolved"],
        "the rule has told it, and that it is over: what it left in the sums must page nobody in the next window",
    ),
    (
        "noted, and pictures",
        judged(PICTURED, plan=model(page_on=["inputs"]), opened=NOTED),
        "page",
        ["page resolved", "note resolved"],
        "they wake nobody here, and the note goes with the page that it stood beside",
    ),
    (
        "observed, and another",
        judged(BESIDES, plan=model(mode="observe"), opened=(page(severity="note"),)),
        "page",
        ["note appended"],
        "this team only looks on",
    ),
    ("learning", judged(None, standing=Standing()), "unknown", [], "nothing is known yet, and that is said"),
    ("latched", judged(reading(6.0, lead()), opened=(page(),)), "page", [], "one page for one incident"),
    (
        "also",
        judged(reading(6.0, lead(share=0.5), lead("frame", 0.5, alone=5.0, group="images")), opened=(page(),)),
        "page",
        ["page appended"],
        "another subject reaches A by itself: told once",
    ),
    (
        "also, known",
        judged(reading(6.0, lead(alone=6.0)), opened=(page(),)),
        "page",
        [],
        "the subject was named before",
    ),
    (
        "reminded",
        judged(reading(6.0, lead(alone=6.0)), opened=(page(opened_ms=NOW - DAY_MS),)),
        "page",
        ["page reminded"],
        "nobody has answered for max_latch, and it is still true",
    ),
    (
        "reminded before",
        judged(reading(6.0, lead(alone=6.0)), opened=(page(opened_ms=NOW - 2 * DAY_MS, told_ms=NOW - HOUR),)),
        "page",
        [],
        "once per max_latch",
    ),
    (
        "not true any more",
        judged(reading(0.1, lead(), recovered=False), opened=(page(opened_ms=NOW - 2 * DAY_MS),)),
        "ok",
        [],
        "nobody is told again of what has faded, recovered or not",
    ),
    (
        "a slow trend is open",
        judged(reading(4.1, lead()), opened=(page(id="t", severity="ticket", rule="trend"),)),
        "page",
        ["page opened"],
        "the weekly look back latches nothing",
    ),
    (
        "a slow trend stays open",
        judged(reading(0.1, lead()), opened=(page(id="t", severity="ticket", rule="trend"),)),
        "ok",
        [],
        "only the next look back closes it, never a quiet window",
    ),
    (
        "an observed trend",
        judged(reading(4.1, lead()), plan=model(mode="observe"), opened=(page(id="t", severity="note", rule="trend"),)),
        "page",
        ["note opened"],
        "a note of a trend is no latch either",
    ),
    ("recovered", judged(reading(0.1, lead(), recovered=True), opened=(page(),)), "ok", ["page resolved"], "inside the effect gate again"),
    ("not yet", judged(reading(0.1, lead(), recovered=False), opened=(page(),)), "ok", [], "quiet evidence alone is no recovery"),
    (
        "escalated",
        judged(reading(4.1, lead()), opened=(replace(page(), id="t", severity="ticket"),)),
        "page",
        ["page opened"],
        "the ticket is closed without a word: the page says it all",
    ),
    (
        "ticket over",
        judged(reading(1.0, lead()), opened=(replace(page(), id="t", severity="ticket"),)),
        "ok",
        ["ticket resolved"],
        "evidence is a tenth of a ticket's",
    ),
    (
        "ticket today",
        judged(reading(3.0, lead()), standing=Standing(stage="judging", ticket_ms=NOW - DAY_MS // 2)),
        "ticket",
        [],
        "one ticket a day and model",
    ),
]


@pytest.mark.parametrize(("name", "got", "status", "told", "because"), DECISIONS, ids=[row[0] for row in DECISIONS])
def test_decisions(name: str, got: Judged, status: str, told: list[str], because: str) -> None:
    assert got.verdict.status == status, because
    heard = [f"{i.severity} {_event(i)}" for i in got.incidents if i.resolution != "escalated"]
    assert heard == told, because


def _event(incident: Incident) -> str:
    if incident.resolved_ms is not None:
        return "resolved"
    if incident.told_ms == NOW:
        return "reminded"
    return "appended" if len(incident.subjects) > 1 and incident.opened_ms < NOW else "opened"


def test_a_note_wakes_nobody() -> None:
    assert judged(reading(4.1, lead()), plan=model(mode="observe")).alerts == ()


def test_after_a_page_the_sums_start_again_and_the_level_is_held() -> None:
    got = judged(reading(4.1, lead()))
    assert got.reset
    assert [one.subject for one in got.freeze] == ["x"]
    assert got.standing.ledger.pages == 1


def test_the_effect_gate_does_not_reset_the_sums() -> None:
    got = judged(reading(4.1, lead(), effect_ok=False))
    assert not got.reset
    assert not got.freeze


def test_evidence_without_an_effect_names_nobody() -> None:
    empty = replace(lead("frame", 0.6, group="images"), size=0.0)
    assert [s.name for s in judged(reading(4.1, empty, lead(share=0.4))).incidents[0].subjects] == ["x"]


@pytest.mark.parametrize(
    ("leads", "told", "because"),
    [
        ((lead(share=1.0), lead("e", 1e-40)), ["x"], "it has not moved, and an answer must not silence it"),
        ((lead(share=0.6), lead("e", 0.4)), ["x", "e"], "both carry it"),
        ((lead(share=1.0), lead("e", 1e-40, alone=A)), ["x", "e"], "it would page alone: beside a flood, too"),
        (tuple(lead(f"x{i}", 0.002) for i in range(3)), ["x0", "x1", "x2"], "many together: each carries as little as the first"),
    ],
)
def test_an_incident_is_about_what_carries_it(leads: tuple[Lead, ...], told: list[str], because: str) -> None:
    assert [s.name for s in judged(reading(6.0, *leads)).incidents[0].subjects] == told, because


def test_subjects_of_one_column_are_one_line_with_the_strongest_first() -> None:
    leads = (lead("frame", 0.2, column="frame.noise", group="images"), lead("frame", 0.5, column="frame.blockiness", group="images"))
    (subject,) = judged(reading(4.1, *leads)).incidents[0].subjects
    assert subject.statistic == "blockiness location"
    assert math.isclose(subject.share, 0.7)


class TestAnswers:
    """What an owner's word does to the promise."""

    @staticmethod
    def after(kind: str) -> tuple[Incident, Standing]:
        standing = Standing(stage="judging", next_ms=NOW)
        (closed,), alerts, standing = answered(model(), standing, page(), Answer(kind, "someone", "", NOW))  # type: ignore[arg-type]
        assert [a.event for a in alerts] == ["resolved"]
        return closed, standing

    def test_false_doubles_the_threshold_and_it_decays(self) -> None:
        closed, standing = self.after("false")
        assert closed.resolution == "answered"
        assert standing.ledger.false_pages == 1
        assert math.isclose(boost(standing, model(), NOW), 0.7 / math.log(10))
        assert boost(standing, model(), NOW + model().budget.per_ms) < 1e-9, "after one budget period it is forgotten"
        assert boost(standing, model(), NOW + model().budget.per_ms // 2) < boost(standing, model(), NOW)

    def test_two_false_pages_quadruple_it(self) -> None:
        _, standing = self.after("false")
        _, _, twice = answered(model(), standing, page(), Answer("false", "someone", "", NOW))
        assert math.isclose(boost(twice, model(), NOW), 1.4 / math.log(10))

    @pytest.mark.parametrize("kind", ["fixed", "normal", "expected"])
    def test_the_other_answers_leave_it(self, kind: str) -> None:
        _, standing = self.after(kind)
        assert standing.ledger == Ledger()

    def test_the_boost_is_what_a_page_must_reach(self) -> None:
        _, standing = self.after("false")
        assert judged(reading(A + 0.1, lead()), standing=standing).verdict.status == "ticket"
        assert judged(reading(A + 0.4, lead()), standing=standing).verdict.status == "page"


WEEK = (NOW - 7 * DAY_MS, NOW)
TREND = page(id="t", severity="ticket", rule="trend")
LOOKS: list[tuple[str, str, tuple[Lead, ...], tuple[Incident, ...], list[str], str]] = [
    ("nothing", "page", (), (), [], "the week lies where the reference lies"),
    ("moved", "page", (lead(),), (), ["ticket opened"], "too slow for any window: told by day"),
    ("moved on", "page", (lead(),), (TREND,), [], "told last week"),
    ("back", "page", (), (TREND,), ["ticket resolved"], "the week is like the reference again"),
    ("observed", "observe", (lead(),), (), ["note opened"], "this team only looks on"),
    ("a page is open", "page", (lead(),), (page(),), ["ticket opened"], "a page is about windows, this about weeks"),
]


@pytest.mark.parametrize(("name", "mode", "leads", "opened", "told", "because"), LOOKS, ids=[row[0] for row in LOOKS])
def test_the_weekly_look_back(
    name: str, mode: str, leads: tuple[Lead, ...], opened: tuple[Incident, ...], told: list[str], because: str
) -> None:
    incidents, alerts = looked_back(model(mode=mode), leads, opened, WEEK)
    assert [f"{i.severity} {'resolved' if i.resolved_ms else 'opened'}" for i in incidents] == told, because
    assert len(alerts) == len([i for i in incidents if i.severity != "note"]), "what is told is told to somebody"
    assert all(i.rule == "trend" and i.severity != "page" for i in incidents), "tickets only"


LOST, STUCK = ("in/0", "retention"), ("in/1", "unreadable")


@pytest.mark.parametrize(
    ("events", "cells", "lacks", "evidence", "status", "reason", "because"),
    [
        (0, {}, (LOST,), 0.3, "unknown", "records lost", "nobody has seen that all was well"),
        (0, {"x": [0, 0]}, (LOST, STUCK), 0.3, "unknown", "records lost", "nor where part of it may still be read one day"),
        (0, {}, (STUCK,), 0.3, "unknown", "unreadable", "it is not lost yet, and not seen either"),
        (0, {}, (), 0.3, "ok", "", "nobody sent anything: silence is the matter of a rule"),
        (60, {}, (LOST,), 0.3, "ok", "", "judged by what is there"),
        (0, {"label": [0, 7]}, (LOST,), 0.3, "ok", "", "predictions are there"),
        (0, {}, (LOST,), 3.0, "ticket", "", "evidence of the windows before it has not gone"),
        (0, {}, (LOST,), 4.1, "page", "", "nor is a page held back"),
    ],
)
def test_a_window_of_which_nothing_was_read_is_no_health(
    events: int, cells: dict[str, list[int]], lacks: tuple[tuple[str, str], ...], evidence: float, status: str, reason: str, because: str
) -> None:
    standing = Standing(stage="judging", ledger=Ledger(judged_ms=5))
    closed = replace(window(events, **cells), lacks=lacks)
    found = judge(model(), standing, closed, reading(evidence, lead()), (), [], reference="ref")
    assert (found.verdict.status, found.verdict.reason, found.verdict.partial) == (status, reason, bool(lacks)), because
    assert found.standing.ledger.judged_ms == 5 + (0 if reason else HOUR), "what was not seen keeps no promise"
    assert math.isinf(found.verdict.evidence) == bool(reason), because


def test_an_open_page_outlasts_windows_of_which_nothing_was_read() -> None:
    closed = replace(window(0), lacks=(LOST,))
    found = judge(model(), Standing(stage="judging"), closed, reading(0.0, lead()), (page(),), [], reference="ref")
    assert (found.verdict.status, found.incidents, found.alerts) == ("unknown", (), ())
