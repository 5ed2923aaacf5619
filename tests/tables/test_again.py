"""What is learnt again, and when: decisions as rows, each with its because."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import again, config
from monitor.again import HOUR_MS, MONDAY_MS, NIGHT_MS, WEEK_MS
from monitor.incident import Answer, AnswerKind, Incident
from monitor.life import answered, expecting
from monitor.plan import DAY_MS, Model
from monitor.reference import Reference
from monitor.standing import Expected, Standing, Wanted
from monitor.verdict import Subject

NOW = 700 * DAY_MS + 5 * HOUR_MS  # a Thursday, five in the morning
ONSET, OPENED = NOW - 3 * HOUR_MS, NOW - HOUR_MS
WINDOW = 5 * 60_000
POOLED = (Subject("x", "inputs", "location, all together", "up", 1.0, "sd", 1.0, ONSET),)


def model(**more: Any) -> Model:
    schema = {"features": {"x": {"kind": "numeric"}, "frame": {"kind": "image"}}, "prediction": {"class": "label"}}
    watched = {"owner": "team", "window": "5m", "schema": schema} | more
    return config.compile({"owners": {"team": {}}, "models": {"m": watched}}).models["m"]


def reference(days: float) -> Reference:
    """All that planning looks at: where it begins and how much it holds."""
    return cast(Reference, SimpleNamespace(from_ms=NOW - int(days * DAY_MS), until_ms=NOW, calibration=SimpleNamespace(days=days)))


def rebased(*columns: str, at: int = NOW) -> Reference:
    told = {name: {"from_ms": at} for name in columns}
    return cast(Reference, SimpleNamespace(calibration=SimpleNamespace(days=40, report={"rebased": told})))


def refitted(*, calm: bool) -> Reference:
    return cast(Reference, SimpleNamespace(calibration=SimpleNamespace(days=40, report={"refit": {"calm": calm}})))


def incident(**more: Any) -> Incident:
    subject = Subject("x", "inputs", "location", "up", 1.0, "sd", 1.0, ONSET)
    return replace(Incident("i", "m", "team", "page", "statistical", OPENED, ONSET, (subject,), 5.0, 4.0, "it moved"), **more)


def after(kind: AnswerKind, standing: Standing | None = None, *, on: Incident | None = None, at_ms: int = NOW + 5, **more: Any) -> Standing:
    start = standing or Standing(stage="judging", next_ms=NOW)
    return answered(model(), start, on or incident(), Answer(kind, "someone", "", at_ms, **more))[2]


def planned(standing: Standing, days: float = 40, *opened: Incident, at: int = NOW, **more: Any) -> tuple[str, Standing]:
    due, then = again.due(model(**more), standing, reference(days), opened, at)
    return due.step if due is not None else "", then


WATCHED = Standing(stage="judging", next_ms=NOW)
PLANS: list[tuple[str, str, str, str]] = [
    ("full reference", planned(WATCHED)[0], "", "28 days are final: nothing is learnt tonight"),
    ("short reference, by day", planned(WATCHED, 10)[0], "", "nights are for that"),
    ("short reference, at night", planned(planned(WATCHED, 10)[1], 10, at=NOW + DAY_MS)[0], "nightly", "it grows by a day"),
    (
        "a page is open",
        planned(planned(WATCHED, 10)[1], 10, incident(), at=NOW + DAY_MS)[0],
        "",
        "its windows may be anything but normal",
    ),
    (
        "a ticket is open",
        planned(planned(WATCHED, 10)[1], 10, incident(severity="ticket"), at=NOW + DAY_MS)[0],
        "nightly",
        "a ticket may stay open for weeks",
    ),
    ("switched off", planned(planned(WATCHED, 10, reference={"recalibrate": False})[1], at=NOW + DAY_MS)[0], "", "the plan says so"),
    ("a week later", planned(planned(WATCHED)[1], at=NOW + WEEK_MS)[0], "trend", "a Monday has passed"),
    ("false", planned(after("false"))[0], "refit", "the null model was wrong: mended at once"),
    (
        "false, the next night",
        planned(replace(after("false"), wanted=after("false").wanted[1:]), at=NOW + DAY_MS)[0],
        "refit",
        "and nightly",
    ),
    ("fixed", planned(after("fixed"))[0], "", "what is normal stays as it was"),
    ("normal, at once", planned(after("normal"))[0], "", "three hours since the onset are too little to tell a level from"),
    ("normal, later", planned(after("normal"), at=ONSET + 6 * HOUR_MS)[0], "rebase", "six hours are enough"),
    (
        "deployed",
        planned(again.deployed(model(), WATCHED, "2", NOW), at=NOW + 6 * HOUR_MS)[0],
        "rebase",
        "the first windows have been seen",
    ),
]


@pytest.mark.parametrize(("name", "got", "step", "because"), PLANS, ids=[row[0] for row in PLANS])
def test_what_is_due(name: str, got: str, step: str, because: str) -> None:
    assert got == step, because


GROWTH: list[tuple[float, int, str]] = [
    (3, 1, "a day is more than a tenth"),
    (10, 1, "a day is a tenth"),
    (13.2, 1, "at 14 days it may do more"),
    (20, 2, "a tenth, and not every night: a calibration takes a core for half a minute"),
    (27, 1, "at 28 days it is final"),
]


@pytest.mark.parametrize(("days", "nights", "because"), GROWTH)
def test_a_short_reference_is_calibrated_again_once_that_pays(days: float, nights: int, because: str) -> None:
    (night,) = [want.ripe_ms for want in planned(WATCHED, days)[1].wanted if want.step == "nightly"]
    assert night == 700 * DAY_MS + nights * DAY_MS + NIGHT_MS, because


def test_nights_and_mondays_are_those_of_the_calendar() -> None:
    _, standing = planned(WATCHED, 10)
    times = {want.step: want.ripe_ms for want in standing.wanted}
    assert times == {"nightly": 701 * DAY_MS + NIGHT_MS, "trend": 704 * DAY_MS + 3 * HOUR_MS}
    assert (times["trend"] - MONDAY_MS) % WEEK_MS == 0


MUTED: list[tuple[str, Standing, int, set[str], str]] = [
    ("deployed", again.deployed(model(), WATCHED, "2", NOW), NOW, {"prediction"}, "what it says may move, what it is given does not"),
    ("before", again.deployed(model(), WATCHED, "2", NOW), NOW - 1, set(), "these windows are still the old version's"),
    ("normal", after("normal"), NOW, {"x"}, "its level is learnt anew"),
    ("normal, learning", after("normal", Standing(stage="learning", next_ms=NOW)), NOW, set(), "what is being learnt is the new level"),
    ("false", after("false"), NOW, set(), "nothing moved: it is watched on"),
    ("expected", after("expected"), NOW, {"x"}, "for another day nobody is woken for it"),
    ("expected, over", after("expected"), NOW + 25 * HOUR_MS, set(), "an event without a date lasts for max_latch"),
    ("expected until", after("expected", until_ms=NOW + HOUR_MS), NOW + HOUR_MS, set(), "its end was told"),
    (
        "expected again",
        after("expected", until_ms=NOW + HOUR_MS, every_ms=WEEK_MS),
        NOW + WEEK_MS,
        {"x"},
        "it comes every week",
    ),
    ("fixed", after("fixed"), NOW, {"x"}, "this window was open when it was mended"),
    ("fixed, the next window", after("fixed"), NOW + WINDOW, set(), "it began after the answer"),
    ("fixed, answered in the next", after("fixed", at_ms=NOW + WINDOW), NOW + WINDOW, {"x"}, "at its very beginning counts as begun"),
    ("fixed, days behind", after("fixed", at_ms=NOW + DAY_MS), NOW + 2 * WINDOW, {"x"}, "a minute late is on time, and one is on its way"),
    (
        "fixed, days behind, and on",
        after("fixed", at_ms=NOW + DAY_MS),
        NOW + 3 * WINDOW,
        set(),
        "a backlog is judged, or it would be silent",
    ),
    ("fixed, of another time", after("fixed", at_ms=NOW - 1), NOW, set(), "a record from after the answer"),
    ("fixed, all together", after("fixed", on=incident(subjects=POOLED)), NOW, {"x", "frame", "prediction"}, "nobody carries it alone"),
    ("fixed, a rule", after("fixed", on=incident(kind="rule")), NOW, {"x"}, "part of a window may break a rule, too"),
    (
        "fixed, silence",
        after("fixed", on=incident(kind="rule", subjects=())),
        NOW,
        set(),
        "it is about no subject, and nothing is muted for it",
    ),
    ("fixed, long closed", after("fixed", on=incident(resolved_ms=OPENED)), NOW, set(), "nothing of it is open"),
    ("announced", replace(WATCHED, calendar=(Expected(NOW, NOW + 9, subjects=("frame",)),)), NOW, {"frame"}, "only its subjects"),
    (
        "within a window",
        replace(WATCHED, calendar=(Expected(NOW + 60_000, NOW + 120_000, subjects=("x",)),)),
        NOW,
        {"x"},
        "its minute is in this window's counts",
    ),
]


@pytest.mark.parametrize(("name", "standing", "at_ms", "subjects", "because"), MUTED, ids=[row[0] for row in MUTED])
def test_who_is_not_judged(name: str, standing: Standing, at_ms: int, subjects: set[str], because: str) -> None:
    names = again.muted(model(), standing, at_ms)
    assert {c.subject for c in model().columns if c.name in names} == subjects, because
    assert names == {c.name for c in model().columns if c.subject in subjects}, "all columns of a subject or none"


@pytest.mark.parametrize("whole", ["", "in/1"], ids=["silence", "an unreadable partition"])
def test_what_was_mended_is_about_columns_and_hides_no_fault_of_the_whole(whole: str) -> None:
    standing = after("fixed", on=incident(subjects=POOLED))
    assert standing.expects("frame", NOW, WINDOW), "a column of the pooled page"
    assert not standing.expects(whole, NOW, WINDOW)


NOTE = incident(id="n", severity="note")
BESIDE: list[tuple[str, Incident, Incident, str, bool, str]] = [
    ("its own", incident(kind="rule"), NOTE, "page", True, "the rule holds its evidence back no more"),
    ("of a model that opens tickets", incident(kind="rule", severity="ticket"), NOTE, "ticket", True, "a ticket would open instead"),
    ("of another column", incident(kind="rule", subjects=()), NOTE, "page", False, "nobody has answered for it"),
    ("a page", incident(kind="rule"), incident(id="n"), "page", False, "it has woken somebody by itself, and wants its own answer"),
    ("a note on trial", incident(kind="rule", severity="note"), NOTE, "observe", False, "it stands for a page"),
    ("closed before", incident(kind="rule", resolved_ms=OPENED), NOTE, "page", False, "it ended with the rule's recovery"),
    ("of statistics", incident(), NOTE, "page", False, "one is open at a time"),
]


@pytest.mark.parametrize(("name", "page", "beside", "mode", "over", "because"), BESIDE, ids=[row[0] for row in BESIDE])
def test_an_answer_to_a_rule_is_one_to_the_note_beside_it(
    name: str, page: Incident, beside: Incident, mode: str, over: bool, because: str
) -> None:
    told = Answer("fixed", "someone", "", NOW)
    closed, alerts, standing = answered(model(mode=mode), WATCHED, page, told, [page, beside])
    assert [i.id for i in closed] == [page.id, beside.id][: 1 + over], because
    assert all(i.answers == (told,) and i.resolved_ms is not None for i in closed)
    assert len(alerts) <= 1, "nobody hears of a note"
    assert ("n" in {row[0] for row in standing.shunned}) is over, "nor is it learnt from"


@given(
    st.integers(0, 60), st.integers(1, 20), st.none() | st.integers(1, 40), st.integers(1, 12), st.integers(0, 200)
)  # fmt: skip
def test_an_event_covers_the_windows_that_share_a_moment_with_it(
    from_ms: int, length: int, every: int | None, window: int, start: int
) -> None:
    event = Expected(from_ms, from_ms + length, every if every is None else max(every, length))
    assert event.covers(start, window) == any(event.covers(t) for t in range(start, start + window))
    begin, end = event.occurrence(start)
    assert event.covers(start) == (begin <= start < end)
    assert event.covers(begin)
    assert event.covers(end - 1)
    assert event.over(start) or end > start, "what is on, or comes next"


SHUNNED: list[tuple[str, Standing, int, str]] = [
    ("false", after("false"), 0, "nothing was wrong: it joins the reference"),
    ("normal", after("normal"), 0, "it is the new reference"),
    ("fixed", after("fixed"), 1, "broken windows are no reference"),
    ("expected", after("expected"), 1, "nor are those of an exception"),
    ("fixed, then false", after("false", after("fixed"), on=incident(resolved_ms=NOW)), 0, "the last answer counts"),
    ("nobody answered", again.shunning(WATCHED, incident(resolved_ms=NOW)), 1, "until somebody says that nothing was wrong"),
    ("a ticket", again.shunning(WATCHED, incident(resolved_ms=NOW, severity="ticket")), 0, "tickets are weak evidence, and many"),
    ("a note", again.shunning(WATCHED, incident(resolved_ms=NOW, severity="note")), 1, "whoever only looks on has drifts, too"),
    (
        "a ticket for a page",
        again.shunning(WATCHED, incident(resolved_ms=NOW, severity="ticket", rule="latched")),
        1,
        "the mode says whom to wake, not what is normal",
    ),
    ("still open", again.shunning(WATCHED, incident()), 0, "its end is not known; no night learns meanwhile"),
]


@pytest.mark.parametrize(("name", "standing", "count", "because"), SHUNNED, ids=[row[0] for row in SHUNNED])
def test_what_is_never_learnt_from(name: str, standing: Standing, count: int, because: str) -> None:
    assert len(standing.shunned) == count, because


def test_a_level_is_firmed_up_and_judged_from_the_first_time_on() -> None:
    standing = again.deployed(model(), WATCHED, "2", NOW)
    rows = [w for w in standing.wanted if w.step == "rebase"]
    assert [(w.ripe_ms - NOW) / HOUR_MS for w in rows] == [6, 24, 168]
    assert [w.mutes for w in rows] == [True, False, False]
    once = again.attended(model(), replace(standing, next_ms=NOW + 6 * HOUR_MS), "rebase", rebased("prediction"))
    assert not again.muted(model(), once, NOW + 7 * HOUR_MS)
    assert len([w for w in once.wanted if w.step == "rebase"]) == 2


def test_a_level_that_found_too_little_is_asked_for_again() -> None:
    later = replace(again.deployed(model(), WATCHED, "2", NOW), next_ms=NOW + 6 * HOUR_MS)
    standing = again.attended(model(), later, "rebase", None)
    assert again.muted(model(), standing, NOW + 7 * HOUR_MS), "not judged by a level nobody knows"
    assert min(w.ripe_ms for w in standing.wanted if w.mutes) == NOW + 12 * HOUR_MS


def test_a_column_that_fell_silent_keeps_no_other_waiting() -> None:
    later = replace(again.levelled(model(), WATCHED, ["x", "prediction"], NOW), next_ms=NOW + 6 * HOUR_MS)
    standing = again.attended(model(), later, "rebase", rebased("x"))
    assert again.muted(model(), standing, NOW + 7 * HOUR_MS) == {"prediction"}
    before = rebased("x", "prediction", at=NOW - WEEK_MS)
    assert again.muted(model(), again.attended(model(), later, "rebase", before), NOW + 7 * HOUR_MS) == {"x", "prediction"}, (
        "an earlier level is not this one"
    )


OPEN: list[tuple[str, Standing, str, bool, str]] = [
    ("nightly", replace(WATCHED, wanted=(Wanted("nightly", NOW),)), "", False, "its windows may be anything but normal"),
    ("firming up", replace(WATCHED, wanted=(Wanted("rebase", NOW, ONSET, ("x",)),)), "", False, "the page may be of these columns"),
    ("a level", replace(WATCHED, wanted=(Wanted("rebase", NOW, ONSET, ("x",), mutes=True),)), "rebase", False, "x is not judged until"),
    ("refit", replace(WATCHED, wanted=(Wanted("refit", NOW),)), "refit", True, "what is open is no scatter, or it would explain itself"),
    ("trend", replace(WATCHED, wanted=(Wanted("trend", NOW),)), "trend", False, "it judges, and teaches nothing"),
]


@pytest.mark.parametrize(("name", "standing", "step", "without", "because"), OPEN, ids=[row[0] for row in OPEN])
def test_what_is_learnt_while_a_page_is_open(name: str, standing: Standing, step: str, without: bool, because: str) -> None:
    due, then = again.due(model(), standing, reference(10), [incident()], NOW)
    assert (due.step if due is not None else "") == step, because
    if due is None:
        assert {w.ripe_ms for w in then.wanted if w.step != "trend"} == {again.after(NOW, NIGHT_MS, DAY_MS)}, "put off, not forgotten"
    else:
        assert ((ONSET, NOW) in due.left_out) is without, because


def test_an_event_is_remembered_for_as_long_as_is_learnt_from() -> None:
    over = Expected(NOW - 2 * DAY_MS, NOW - DAY_MS, who="ops")
    standing = expecting(replace(WATCHED, calendar=(over,)), Expected(NOW, NOW + HOUR_MS, who="ops"))
    assert over in standing.calendar, "nights, refits and Mondays do without it for another month"
    late = expecting(replace(standing, next_ms=NOW + 30 * DAY_MS), Expected(NOW + 31 * DAY_MS, NOW + 32 * DAY_MS, who="ops"))
    assert over not in late.calendar


def test_weekly_deployments_overtake_each_other() -> None:
    standing = WATCHED
    for week in range(20):
        standing = again.deployed(model(), replace(standing, next_ms=NOW + week * WEEK_MS), str(week), NOW + week * WEEK_MS)
    assert len([w for w in standing.wanted if w.step == "rebase"]) == 3
    assert len(standing.levels) == 1


VERSIONS: list[tuple[str, Standing, str, bool, str]] = [
    ("the first", WATCHED, "1", False, "it is the one that was learnt from"),
    ("the same", replace(WATCHED, version="1"), "1", False, "nothing happened"),
    ("another", replace(WATCHED, version="1"), "2", True, "a deployment nobody announced"),
    ("none told", replace(WATCHED, version="1"), "", False, "a window without events has no version"),
    (
        "half and half",
        replace(WATCHED, version="2", deployed_ms=NOW - HOUR_MS),
        "1",
        False,
        "two versions that take turns must not silence the prediction side for good",
    ),
]


@pytest.mark.parametrize(("name", "standing", "version", "deployed", "because"), VERSIONS, ids=[row[0] for row in VERSIONS])
def test_a_version_that_serves_for_the_first_time_is_a_deployment(
    name: str, standing: Standing, version: str, deployed: bool, because: str
) -> None:
    then = again.succeeded(model(), standing, version, NOW)
    assert any(w.step == "rebase" for w in then.wanted) is deployed, because


def test_what_the_engine_waits_for_names_its_windows() -> None:
    standing = replace(after("false", after("fixed")), levels=())
    due, _ = again.due(model(), standing, reference(40), (), NOW)
    assert due is not None
    assert (due.step, due.from_ms, due.until_ms, due.false_ms) == ("refit", NOW - 4 * WEEK_MS, NOW, OPENED)
    due, _ = again.due(model(), again.levelled(model(), WATCHED, ["x"], ONSET), reference(40), (), ONSET + 6 * HOUR_MS)
    assert due is not None
    assert (due.step, due.from_ms, due.columns) == ("rebase", ONSET, ("x",))


def test_a_second_false_page_prolongs_the_refitting() -> None:
    once = after("false")
    twice = after("false", replace(once, next_ms=NOW + 3 * DAY_MS), on=incident(id="j", opened_ms=NOW + 3 * DAY_MS))
    nights = [w.ripe_ms for w in twice.wanted if w.step == "refit"]
    assert len(nights) == 8
    assert max(nights) > NOW + 9 * DAY_MS
    assert twice.false_ms == OPENED, "the stretch that a fit is tried on begins with the first of them"


def test_the_last_night_forgets_when_it_began() -> None:
    standing = replace(after("false"), wanted=(Wanted("refit", NOW),))
    assert again.attended(model(), standing, "refit", refitted(calm=True)).false_ms is None


CALM: list[tuple[bool, float, str]] = [
    (True, 0.7, "the new null model explains what had paged: A need not stand four times above its nominal value"),
    (False, 1.4, "it does not: A stays, and decays over the budget's time"),
]


@pytest.mark.parametrize(("calm", "boost", "because"), CALM)
def test_a_fits_calm_lets_a_fall_back(calm: bool, boost: float, because: str) -> None:
    twice = after("false", after("false"), on=incident(id="j"))
    assert twice.ledger.boost == pytest.approx(1.4)
    assert again.attended(model(), twice, "refit", refitted(calm=calm)).ledger.boost == pytest.approx(boost), because


def test_levels_are_kept_while_they_are_firmed_up_or_learnt_from() -> None:
    """Ten owners say "normal" of ten columns: none of their levels may be forgotten while a step still needs it."""
    standing = WATCHED
    for hour in range(10):
        standing = again.levelled(model(), standing, [f"c{hour}"], NOW + hour * HOUR_MS)
    assert len(standing.levels) == 10
    due, _ = again.due(model(), standing, reference(40), (), NOW + 6 * HOUR_MS)
    assert due is not None
    assert due.columns == ("c0",)
    month = replace(standing, next_ms=NOW + 5 * WEEK_MS, wanted=(Wanted("rebase", NOW, NOW, ("c0",)),))
    assert again.attended(model(), month, "rebase", reference(40)).levels == (), "older than all that is learnt from"
