"""The life of an incident, a test for each sentence of it: the whole engine over event time, with real statistics and no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor import learn
from monitor.again import HOUR_MS, WEEK_MS
from monitor.alert import Alert
from monitor.backtesting import Learnt, plan_of
from monitor.frames import plan_for_frames, slices
from monitor.incident import Answer, AnswerKind, Incident
from monitor.learning import Due, perform
from monitor.offline import Walk
from monitor.plan import DAY_MS, Plan
from monitor.standing import Expected, Level

BEGIN_MS = 2_900 * WEEK_MS - 3 * DAY_MS  # a Monday, midnight
LEARNT = 28 * 24  # hours
PER_HOUR = 200


@cache
def plan(days: int = 28) -> Plan:
    watched = {
        "owner": "team",
        "window": "1h",
        "schema": {"features": {"x": "numeric", "y": "numeric", "z": "numeric"}, "prediction": {"class": "label"}},
        "reference": {"learn": f"{days}d"},
    }
    return plan_for_frames(plan_of({"owners": {"team": {}}, "models": {"m": watched}}))


def frame(hours: Iterable[int], **moves: Any) -> pd.DataFrame:
    """Events of these hours: x, y, z standard normal plus `moves`, the prediction "yes" with probability `yes` (.3).

    A move is a number, or what an hour makes of one.
    """
    parts = []
    for hour in hours:
        rng = np.random.default_rng([11, hour])
        at = {name: move(hour) if callable(move) else move for name, move in moves.items()}
        columns: dict[str, Any] = {name: rng.normal(size=PER_HOUR) + at.get(name, 0.0) for name in "xyz"}
        columns["prediction"] = np.where(rng.random(PER_HOUR) < at.get("yes", 0.3), "yes", "no")
        columns["time"] = pd.to_datetime(BEGIN_MS + hour * HOUR_MS + np.arange(PER_HOUR) * (HOUR_MS // PER_HOUR), unit="ms", utc=True)
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


@cache
def reference() -> Learnt:
    return learn(plan(), frame(range(LEARNT)))


class Life:
    """One model over event time; `go` on for so many hours, under whatever moves."""

    def __init__(self) -> None:
        self.walk = Walk(plan())
        for ref, chain in reference().models.values():
            self.walk.engine.install(ref, chain)
        self.hour = LEARNT

    def go(self, hours: int, version: str = "", **moves: Any) -> None:
        pieces = slices(self.walk.plan, frame(range(self.hour, self.hour + hours), **moves), origin="events")
        self.walk.feed(replace(p, batches=tuple(replace(batch, version=version) for batch in p.batches)) for p in pieces)
        self.walk.engine.close_all()
        self.walk.settle()
        while self.walk.engine.due() or self.walk.engine.closed_since_drain():
            self.walk.engine.close_all()
            self.walk.settle()
        self.hour += hours

    @property
    def now_ms(self) -> int:
        return BEGIN_MS + self.hour * HOUR_MS

    def incidents(self, severity: str = "page") -> list[Incident]:
        return sorted((i for i in self.walk.store.incidents() if i.severity == severity), key=lambda i: i.opened_ms)

    def alerts(self) -> list[Alert]:
        return [delivery.alert for delivery in self.walk.store.pending()]

    def page(self) -> Incident:
        """The one page that is open."""
        (found,) = [i for i in self.incidents() if i.resolved_ms is None]
        return found

    def answer(self, kind: AnswerKind, incident: Incident | None = None, at_ms: int = 0, **more: Any) -> None:
        self.walk.engine.answer(incident or self.page(), Answer(kind, "someone", "", at_ms, **more))
        self.walk.settle()

    def statuses(self, hours: int) -> list[str]:
        return [v.status for v in self.walk.store.verdicts("m", hours)]


@pytest.fixture
def life() -> Life:
    run = Life()
    run.go(12)
    assert run.incidents() == []
    return run


def test_a_page_is_latched_and_its_shift_stays_open_for_as_long_as_it_lasts(life: Life) -> None:
    life.go(60, x=1.0)
    assert len(life.incidents()) == 1, "one page, however long"
    assert life.page().subjects[0].name == "x", "the filter does not take the shift for the new level"


def test_another_subject_that_is_sure_by_itself_is_appended_once(life: Life) -> None:
    life.go(6, x=1.0)
    life.go(10, x=1.0, y=1.0)
    assert [s.name for s in life.page().subjects] == ["x", "y"]
    assert [a.event for a in life.alerts()] == ["opened", "appended"]


def test_recovery_closes_it_and_the_return_pages_nobody(life: Life) -> None:
    life.go(30, x=1.0)
    life.go(40)
    (page,) = life.incidents()
    assert page.resolution == "recovered"
    assert page.resolved_ms is not None
    assert page.resolved_ms - (life.now_ms - 40 * HOUR_MS) <= 14 * HOUR_MS, "twelve windows, and two to be sure"


def test_a_page_that_nobody_answers_is_sent_again_once_a_day(life: Life) -> None:
    life.go(62, x=1.0)
    assert [a.event for a in life.alerts()] == ["opened", "reminded", "reminded"]
    assert len(life.incidents()) == 1, "it is the same incident still"


def test_false_doubles_a_and_the_null_model_is_refitted_with_its_windows(life: Life) -> None:
    life.go(8, x=0.6)
    threshold = life.walk.store.verdicts("m", 1)[0].threshold
    life.answer("false")
    life.go(1)
    assert life.walk.store.verdicts("m", 1)[0].threshold - threshold == pytest.approx(0.3, abs=0.02)
    steps = [row.body["step"] for row in life.walk.store.inputs() if row.kind == "learned" and row.body["step"] == "refit"]
    assert steps == ["refit"], "at once"
    life.go(8 * 24)
    steps = [row.body["step"] for row in life.walk.store.inputs() if row.kind == "learned" and row.body["step"] == "refit"]
    assert len(steps) == 8, "and on seven nights"
    assert life.walk.engine.standings["m"].ledger.false_pages == 1


def test_a_page_that_has_closed_may_still_be_answered(life: Life) -> None:
    life.go(20, x=1.0)
    life.go(30)
    (page,) = life.incidents()
    life.answer("false", page)
    assert life.walk.engine.standings["m"].ledger.false_pages == 1
    assert life.incidents()[0].resolution == "recovered", "how it ended stays on record"
    life.answer("fixed", life.incidents()[0])
    assert [a.kind for a in life.incidents()[0].answers] == ["false", "fixed"]


def test_real_and_fixed_pages_again_if_it_was_not(life: Life) -> None:
    life.go(10, x=1.0)
    life.answer("fixed")
    life.go(20, x=1.0)
    assert len(life.incidents()) == 2


@pytest.mark.parametrize(
    ("size", "hours", "because"),
    [
        (1.0, 4, "most of the window in which it was mended is broken still"),
        (2.0, 7, "a block of twelve hours, half of it broken, ends five hours after the answer"),
        (4.0, 18, "and what lies beyond all cells, weighed by the pooled streams as well"),
    ],
)
def test_what_was_mended_pages_nobody_again(size: float, hours: int, because: str, life: Life) -> None:
    life.go(hours, x=size)
    life.answer("fixed", at_ms=life.now_ms + HOUR_MS // 2)
    life.go(1, x=0.8 * size)
    life.go(36)
    assert len(life.incidents()) == 1, because
    assert not {"unknown", "page"} & {*life.statuses(37)}, "the first without x, and all of them judged"
    life.go(8, x=size)
    assert len(life.incidents()) == 2, "it is watched on"


def test_what_was_expected_does_not_speak_when_it_is_over(life: Life) -> None:
    """The twelve hours that it began in are half of it; they end after it."""
    life.go(7, x=2.0)
    life.answer("expected", until_ms=life.now_ms + 3 * HOUR_MS)
    life.go(3, x=2.0)
    life.go(36)
    assert len(life.incidents()) == 1


def test_beside_what_was_mended_all_else_is_judged(life: Life) -> None:
    life.go(6, x=1.0)
    life.answer("fixed", at_ms=life.now_ms + HOUR_MS + HOUR_MS // 2)
    life.go(2, x=1.0, y=3.0)
    assert [s.name for s in life.page().subjects] == ["y"]


def test_a_backlog_is_judged_however_late_the_answer_is(life: Life) -> None:
    life.go(8, x=2.0)
    answered_ms = life.now_ms
    life.answer("fixed", at_ms=answered_ms + 30 * DAY_MS)
    life.go(5, x=2.0)
    assert life.page().opened_ms > answered_ms + 3 * HOUR_MS, "two windows are open while records come on time, a third is on its way"
    assert life.walk.engine.standings["m"].calendar[0].until_ms < answered_ms + 3 * HOUR_MS


def test_the_new_normal_is_normal_and_what_leaves_it_is_not(life: Life) -> None:
    life.go(10, x=1.0)
    life.answer("normal")
    life.go(72, x=1.0)
    assert len(life.incidents()) == 1, "the new level pages nobody"
    life.go(20, x=1.8)
    assert [i.subjects[0].name for i in life.incidents()] == ["x", "x"], "it is watched at its new level"


def test_an_expected_event_pages_nobody_now_nor_when_it_comes_again(life: Life) -> None:
    life.go(10, x=1.0)
    life.answer("expected", until_ms=life.now_ms + 14 * HOUR_MS, every_ms=WEEK_MS)
    life.go(14, x=1.0)
    life.go(7 * 24 - 24)
    life.go(24, x=1.0)
    life.go(24)
    assert len(life.incidents()) == 1
    life.go(10, y=1.0)
    assert len(life.incidents()) == 2, "other subjects, and other days, are watched as ever"


def test_an_event_that_was_announced_is_not_judged(life: Life) -> None:
    life.walk.engine.expected("m", Expected(life.now_ms, life.now_ms + DAY_MS, who="ops", note="sale"), 0)
    life.go(24, x=2.0, y=-2.0, yes=0.9)
    assert set(life.statuses(24)) == {"unknown"}, "said, not guessed"
    life.go(24)
    assert life.incidents() == []
    assert set(life.statuses(24)) == {"ok"}


def test_a_deployment_moves_the_predictions_and_pages_nobody_but_is_watched_within_a_day(life: Life) -> None:
    life.walk.engine.deployed("m", "2", "ci", "", life.now_ms)
    life.go(24, yes=0.5)
    assert life.incidents() == []
    life.go(24, yes=0.75)
    (page,) = life.incidents()
    assert page.subjects[0].name == "prediction"


def test_inputs_are_watched_on_through_a_deployment(life: Life) -> None:
    life.walk.engine.deployed("m", "2", "ci", "", life.now_ms)
    life.go(4, yes=0.5, x=1.0)
    (page,) = life.incidents()
    assert [s.name for s in page.subjects] == ["x"]


def test_a_version_that_the_events_tell_is_a_deployment(life: Life) -> None:
    life.go(12, version="1")
    life.go(48, version="2", yes=0.5)
    assert life.incidents() == []
    assert life.walk.engine.standings["m"].version == "2"


def test_a_page_that_a_deployment_overtakes_does_not_stay_open_for_good(life: Life) -> None:
    life.go(12, version="1")
    life.go(6, version="1", yes=0.75)
    life.go(48, version="2", yes=0.75)
    (page,) = life.incidents()
    assert page.resolution == "level learnt anew", "nothing is left by which it could recover"
    assert [a.event for a in life.alerts() if a.incident.id == page.id] == ["opened", "resolved"]
    begun_ms = life.now_ms - 48 * HOUR_MS
    ((_, _, until_ms),) = life.walk.engine.standings["m"].shunned
    assert until_ms == begun_ms, "the windows since are the new level's reference"
    life.go(24, version="2", yes=0.3)
    assert len(life.incidents()) == 2, "and it latches no longer"


def test_weekly_deployments_do_not_make_it_deaf(life: Life) -> None:
    for week in range(3):
        life.go(48, version=str(week), yes=0.3 + 0.1 * week)
        life.go(5 * 24, version=str(week), yes=0.3 + 0.1 * week)
    assert life.incidents() == []
    life.go(24, version="2", yes=0.75)
    assert len(life.incidents()) == 1


def test_a_short_reference_grows_by_night() -> None:
    short = plan(8)
    walk = Walk(short)
    walk.feed(slices(short, frame(range(16 * 24)), origin="events"))
    walk.finish()
    steps = [row.body for row in walk.store.inputs() if row.kind == "learned" and row.body["step"] == "nightly"]
    assert 5 <= len(steps) <= 8
    assert not [body for body in steps if body["reason"]]
    calibration = walk.engine.references["m"].calibration
    assert calibration is not None
    assert calibration.days > 14, "and so entered the next stage"
    assert not [i for i in walk.store.incidents() if i.severity == "page"]


def test_windows_of_a_page_are_no_reference() -> None:
    short = plan(8)
    walk = Walk(short)
    walk.feed(slices(short, frame(range(12 * 24), x=lambda hour: 1.5 if 9 * 24 <= hour < 9 * 24 + 20 else 0.0), origin="events"))
    walk.finish()
    ((_, from_ms, until_ms),) = walk.engine.standings["m"].shunned
    assert from_ms <= BEGIN_MS + (9 * 24 + 2) * HOUR_MS
    assert until_ms >= BEGIN_MS + (9 * 24 + 20) * HOUR_MS
    late = [row for row in walk.store.inputs() if row.kind == "learned" and row.body["step"] == "nightly"]
    assert late, "it was learnt from again afterwards, without them"


def test_a_trend_too_slow_for_any_window_is_a_ticket_on_a_monday(life: Life) -> None:
    begun = life.hour
    life.go(35 * 24, x=lambda hour: 0.5 * (hour - begun) / (35 * 24))
    pages, tickets = life.incidents(), [i for i in life.incidents("ticket") if i.rule == "trend"]
    assert tickets or pages
    for ticket in tickets:
        assert ticket.subjects[0].name == "x"
        assert (ticket.opened_ms - BEGIN_MS) % WEEK_MS == 3 * HOUR_MS


def test_a_column_that_fell_silent_keeps_no_other_from_its_level(life: Life) -> None:
    from_ms = life.now_ms
    life.go(24, x=0.5)
    due = Due("rebase", "m", from_ms, life.now_ms, columns=("x", "y"), levels=(Level(from_ms, ("x", "y")),))
    rows = list(life.walk.store.windows("m", from_ms, life.now_ms))
    reference = life.walk.engine.references["m"]
    for silent, known in (({"y"}, {"x"}), ({"x", "y"}, set())):
        heard = [replace(row, columns={name: c for name, c in row.columns.items() if name not in silent}) for row in rows]
        learned = perform(life.walk.plan.models["m"], due, heard, reference)
        told = learned.reference.calibration.report["rebased"] if learned.reference and learned.reference.calibration else {}
        assert set(told) == known, learned.reason


def monday(life: Life, hours: int) -> None:
    """Goes on, as ever, to so many hours before the look back on a Monday."""
    life.go((LEARNT + WEEK_MS // HOUR_MS + 3 - hours - life.hour) % (WEEK_MS // HOUR_MS))


def trends(life: Life) -> list[Incident]:
    return [i for i in life.incidents("ticket") if i.rule == "trend"]


def test_a_new_normal_in_the_middle_of_a_week_is_no_trend(life: Life) -> None:
    monday(life, 96)
    life.go(8, x=1.0)
    life.answer("normal")
    life.go(96, x=1.0)
    assert trends(life) == [], "the days before the new level are none of it"
    life.go(24 * 7, x=1.0)
    assert trends(life) == []


def test_an_announced_event_is_no_trend(life: Life) -> None:
    monday(life, 144)
    life.walk.engine.expected("m", Expected(life.now_ms, life.now_ms + 3 * DAY_MS, who="ops", note="sale"), 0)
    life.go(72, x=1.0)
    life.go(84)
    assert trends(life) == [], "somebody said that it would be so"


def test_a_false_page_after_a_new_normal_does_not_make_the_new_level_deaf(life: Life) -> None:
    life.go(8, x=1.0)
    life.answer("normal")
    life.go(96, x=1.0)
    life.go(8, x=1.0, y=0.8)
    life.answer("false", next(i for i in life.incidents() if i.subjects[0].name == "y"))
    life.go(2, x=1.0)
    life.go(24, x=2.0)
    assert [i.subjects[0].name for i in life.incidents()] == ["x", "y", "x"], "the step to the new level is no wander"


def test_what_was_learnt_again_survives_a_restart(life: Life) -> None:
    """Standing, levels and calendar are part of the state: a life that is cut in two ends like one that is not."""
    again = Life()
    again.go(12)
    for run in (life, again):
        run.go(10, x=1.0)
        run.answer("normal")
        run.go(3, x=1.0)
    again.walk = Walk(plan(), again.walk.store)
    for run in (life, again):
        run.go(30, x=1.0, version="2", yes=0.4)
    tell = [[replace(v, subjects=()) for v in run.walk.store.verdicts("m", 50)] for run in (life, again)]
    assert tell[0] == tell[1]
