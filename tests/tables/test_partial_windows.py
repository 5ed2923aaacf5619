"""Which windows may lack what was lost: logs of one partition with the places where records are gone, each with its because."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from monitor import config
from monitor.batch import Batch, Numbers, Slice
from monitor.engine import Engine
from monitor.plan import DAY_MS
from monitor.tears import Grain, Tear, added, grain
from monitor.watermark import IDLE_MS

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
BEGIN_MS = 10 * DAY_MS
NOTICED_MS = BEGIN_MS + 9 * HOUR_MS
DAY = 24 * 60
LOST = None
PLAN = config.compile({
    "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at"}, "model": "m"}},
    "owners": {"team": {}},
    "models": {"m": {"owner": "team", "window": "1h", "lateness": "10m", "schema": {"features": {"x": {"kind": "numeric"}}}}},
})  # fmt: skip


def piece(minutes: Sequence[int], start: int, partition: str = "in/0") -> Slice:
    stop = start + len(minutes)
    times = np.array([BEGIN_MS + minute * MINUTE_MS for minute in minutes], dtype=np.int64)
    batch = Batch("m", "inputs", partition, "", np.arange(start, stop, dtype=np.int64), times, {"x": Numbers(np.zeros(len(minutes)))})
    return Slice("in", partition, stop, 0, (batch,), len(minutes), 0)


def told(engine: Engine, log: Sequence[int | None], most: int) -> None:
    """Lets the engine read the log, at most so many records a poll."""
    offset, waiting = 0, list[int]()
    for minute in [*log, LOST]:
        if waiting and (minute is LOST or len(waiting) == most):
            engine.absorb(piece(waiting, offset))
            offset, waiting = offset + len(waiting), []
        if minute is not LOST:
            waiting.append(minute)
        elif offset < len(log):
            offset += 1
            engine.torn("in/0", offset, "retention", NOTICED_MS)


def partial(engine: Engine) -> set[int]:
    """Hours whose verdicts are of partial windows."""
    return {(row.verdict.start_ms - BEGIN_MS) // HOUR_MS for row in engine.drain().windows if row.verdict.partial}


ROWS = [
    # minutes of event time in the order of the log, hours that are partial, because
    ([5, 75, LOST, 80, 300], {1}, "what was lost between two events of an hour can only have been of that hour"),
    ([5, 69, LOST, 80, 300], {0, 1}, "the hour before still took events that were ten minutes late"),
    ([5, 70, LOST, 80, 300], {1}, "exactly ten minutes late is too late: it would not have been counted"),
    ([5, 75, LOST, 109, 300], {1}, "who comes next may be ten minutes behind what was lost, which was of this hour all the same"),
    ([5, 75, LOST, 110, 300], {1, 2}, "and here the last of it may have been of the next"),
    ([5, 75, LOST, 400, 500], {1, 2, 3, 4, 5, 6}, "hours of nothing lie between: any of them may have had events"),
    ([5, 75, LOST, 72, 400, 500], {1, 2, 3, 4, 5, 6}, "an event from before what was read says nothing about when it went on"),
    ([5, 75, LOST, 75 + 5 * DAY, 80, 300], {1}, "nor does a stamp of the future that nothing confirms"),
    ([5, 75, LOST, 75 + 2 * DAY, 76 + 2 * DAY], set(range(1, 50)), "one that is confirmed does: two days may have been lost"),
    ([LOST, 65, 70, 300], {1}, "lost before anything was read: up to where reading begins"),
    ([20 * DAY, LOST, 65, 70, 300], {1}, "a first stamp that is taken back was never a place in time"),
    ([5, 75, LOST, 80, 300, LOST, 312, 500], {1, 4, 5}, "twice lost, and whole between"),
    ([5, 75, LOST, LOST, 80, 300], {1}, "twice in a row is once"),
    ([5, 75, 80, 300], set(), "nothing was lost"),
]  # fmt: skip


@pytest.mark.parametrize("most", [1, 100])
@pytest.mark.parametrize(("log", "hours", "because"), ROWS, ids=[row[2] for row in ROWS])
def test_which_windows_are_partial(log: list[int | None], hours: set[int], because: str, most: int) -> None:
    engine = Engine(PLAN)
    told(engine, log, most)
    engine.close_all()
    assert partial(engine) == hours, because


def test_of_a_silent_partition_what_was_lost_ends_when_that_was_noticed() -> None:
    """Nothing comes after it, so ticks let windows close: those that had begun when the loss was seen are partial, later ones are not."""
    engine = Engine(PLAN)
    engine.assign(["in/0", "in/1"])
    told(engine, [5, 75, LOST], 100)
    engine.absorb(piece([5, 75, 12 * 60], 0, "in/1"))
    engine.release({"in/0": BEGIN_MS + 12 * HOUR_MS})
    assert partial(engine) == set(range(1, 10)), "in the tenth hour (9) the loss was noticed"


def test_a_loss_pages_no_owner_of_a_model() -> None:
    engine = Engine(PLAN)
    told(engine, [5, 75, LOST, 80, 300], 100)
    assert engine.incidents == {}, "the pipeline's alert tells of lost offsets"
    engine.blocked("in/0", "CorruptRecord", NOTICED_MS)
    engine.close_all()
    assert [incident.rule for incident in engine.incidents.values()] == ["unreadable:in/0"], "a partition that cannot be read does"


def test_partitions_that_a_topic_made_anew_no_longer_has_are_missed_by_the_first_that_it_has() -> None:
    engine = Engine(PLAN)
    engine.assign(["in/0", "in/1"])
    engine.absorb(piece([5, 75, 200], 0))
    engine.absorb(piece([5, 75], 0, "in/1"))  # behind: hours 1 to 3 wait for it
    engine.restart(["in/0"], "recreated", NOTICED_MS)
    engine.absorb(piece([205, 400], 0))
    engine.close_all()
    assert partial(engine) == {1, 2, 3}


def test_however_often_something_is_lost_the_state_stays_small() -> None:
    """A log of which every other batch is gone, and nobody closes a window meanwhile: as many tears as windows can be told apart."""
    tears: tuple[Tear, ...] = ()
    fine = grain([(PLAN.models["m"], None)])
    assert fine == Grain(HOUR_MS + 20 * MINUTE_MS, None)
    for minute in range(0, 3000, 2):
        tears = added(tears, Tear("poison", minute * MINUTE_MS, NOTICED_MS), fine)
        tears = (*tears[:-1], Tear("poison", tears[-1].from_ms, (minute + 1) * MINUTE_MS, open=False))
    assert len(tears) == 1
    assert (tears[0].from_ms, tears[0].until_ms) == (0, 2999 * MINUTE_MS)
    later = grain([(PLAN.models["m"], 4000 * MINUTE_MS)])
    assert added(tears, Tear("poison", 4000 * MINUTE_MS, NOTICED_MS), later) == (Tear("poison", 4000 * MINUTE_MS, NOTICED_MS),)


@pytest.mark.parametrize("lost_first", [True, False], ids=["the loss is noticed before", "and after"])
def test_a_tick_that_crosses_no_window_is_recorded_where_a_tear_depends_on_it(lost_first: bool) -> None:
    """A silent partition followed the other by minutes; the next event lies before that, so it is not what moves the partition on."""

    def told_by(engine: Engine, released: list[dict[str, int]]) -> set[int]:
        engine.assign(["in/0", "in/1"])
        engine.absorb(piece([5, 75], 0))
        engine.absorb(piece([5, 75, 100], 0, "in/1"))
        for happens in ("torn", "tick") if lost_first else ("tick", "torn"):
            if happens == "torn":
                engine.torn("in/0", 3, "retention", NOTICED_MS)
            elif released:
                engine.release(released[0])
            else:
                ends = {name: (offset, offset) for name, offset in engine.positions().items()}
                engine.tick(0, ends)
                engine.tick(IDLE_MS, ends)
        engine.absorb(piece([90, 400, 500], 3))
        engine.absorb(piece([500], 3, "in/1"))
        changes = engine.drain()
        released += [row.body["released"] for row in changes.inputs if row.kind == "tick"]
        return {(row.verdict.start_ms - BEGIN_MS) // HOUR_MS for row in changes.windows if row.verdict.partial}

    recorded: list[dict[str, int]] = []
    live = told_by(Engine(PLAN), recorded)
    assert recorded == [{"in/0": BEGIN_MS + 100 * MINUTE_MS}]
    assert live == told_by(Engine(PLAN), recorded[:]) == {1, 2, 3, 4, 5, 6}
