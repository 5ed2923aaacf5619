"""Windows that lack records, through a whole life: the same marks however it was read and wherever it was interrupted, and in a replay."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.sources.memory import MemorySource
from tests.river.test_reproduction import LEARNT, PER_HOUR, Life
from tests.river.world import HOUR_MS, START_MS, events

ABSENT, STUCK, LOST = "out/0: unreadable", "in/1: unreadable", "in/0: retention"


class Passing(Life):
    """One that passes over what cannot be opened."""

    def source(self, most: int | None = None) -> MemorySource:
        return MemorySource(self.bus, {"in": "in", "out": "out"}, most=most or self.most, on_corrupt="skip")


def inputs(run: Life, hours: range) -> None:
    """Events of these hours in the stream of inputs only."""
    values, _ = events(hours, PER_HOUR)
    for number in range(2):
        run.bus.extend("in", list(values[number::2]), number)


def renamed(run: Life, hours: range, outputs: bool = True) -> None:
    """Hours in which the inputs' column x0 has another name."""
    values, answers = events(hours, PER_HOUR)
    for number in range(2):
        run.bus.extend("in", [value.replace(b'"x0": ', b'"renamed": ') for value in values[number::2]], number)
    if outputs:
        run.bus.extend("out", list(answers))


def missing(run: Life) -> str:
    """The incident that this opens."""
    (found,) = [incident for incident in run.store.incidents() if incident.rule == "missing:x0"]
    return found.id


def lived(run: Life) -> dict[int, tuple[int, tuple[str, ...]]]:
    """A topic that is not there and comes, a batch that cannot be opened and is mended, records that retention takes; a restart in each.

    Per hour how many events its window had and what it lacks.
    """
    run.bus.delete("out")
    inputs(run, range(6))
    run.read()
    run.restart()
    inputs(run, range(6, 8))
    run.read()
    run.bus.create("out")
    run.rounds.turn(0)
    run.send(range(8, 14))
    run.read()
    bad = run.bus.topics["in"].logs[1].end
    run.send(range(14, 15))
    run.bus.corrupt("in", 1, bad)
    run.send(range(15, 18))
    run.read()
    run.restart()
    run.send(range(18, 22))
    run.read()
    run.bus.heal("in", 1, bad)
    run.restart()
    run.read()
    run.send(range(22, 25))
    run.read()
    run.restart()
    kept = run.bus.topics["in"].logs[0].end
    run.send(range(25, 29))
    run.bus.trim("in", 0, kept + PER_HOUR)  # hours 25 and 26 of one partition of two
    run.read()
    run.send(range(29, 32))
    run.read()
    return {(v.start_ms - START_MS) // HOUR_MS: (v.events, v.lacks) for v in run.store.verdicts()}


def test_each_window_says_what_it_lacks(tmp_path: Path) -> None:
    run = Life(tmp_path)
    found = lived(run)
    run.store.close()
    half, whole = PER_HOUR // 2, PER_HOUR
    wanted = {
        **dict.fromkeys(range(7), (whole, (ABSENT,))),
        **dict.fromkeys(range(7, 13), (whole, ())),  # hour 7 was still open when the topic came, and waited for it
        13: (whole, (STUCK,)),
        **dict.fromkeys(range(14, 21), (half, (STUCK,))),
        **dict.fromkeys(range(21, 24), (whole, ())),
        24: (whole, (LOST,)),
        **dict.fromkeys((25, 26), (half, (LOST,))),
        27: (whole, (LOST,)),
        **dict.fromkeys(range(28, 31), (whole, ())),
    }
    assert found == wanted


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(most=st.integers(20, 900), crashes=st.frozensets(st.integers(1, 40), max_size=8))
def test_however_it_was_read_and_interrupted(most: int, crashes: frozenset[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    calm, run = Life(tmp_path_factory.mktemp("calm")), Life(tmp_path_factory.mktemp("life"), most, crashes)
    assert lived(run) == lived(calm)
    calm.store.close()
    run.store.close()


def test_a_restart_says_nothing_new_about_what_was_known(tmp_path: Path) -> None:
    """Each start comes to the same batch, and to the same topic that is not there: windows are never waited for in between."""
    run = Life(tmp_path)
    run.bus.delete("out")
    inputs(run, range(3))
    bad = run.bus.topics["in"].logs[1].end - 1
    run.bus.corrupt("in", 1, bad)
    run.read()
    before = [row.kind for row in run.store.inputs()]
    for hour in range(3, 6):
        run.restart()
        assert [p for p, at in run.rounds.engine.watermark.positions.items() if at.unreadable] == ["in/1", "out/0"], (
            "before anything is read"
        )
        assert run.rounds.engine.positions().keys() == {"in/0", "in/1"}, "nobody goes on in a topic that has never been there"
        inputs(run, range(hour, hour + 1))
        run.read()
    assert sorted(before) == ["assigned", "blocked", "blocked"]
    assert [row.kind for row in run.store.inputs()] == before
    run.store.close()


def test_an_incident_of_a_window_that_lacks_records_reproduces_with_its_mark(tmp_path: Path) -> None:
    """What was lost is an input: its windows are partial in a replay, too, and those after it are not."""
    run = Passing(tmp_path)
    run.send(range(20))
    run.bus.corrupt("in", 0, run.bus.topics["in"].logs[0].end - 1)
    renamed(run, range(20, 24))
    run.read()
    assert [row.kind for row in run.store.inputs()] == ["assigned", "assigned", "torn"]
    lacks = {(v.start_ms - START_MS) // HOUR_MS: v.lacks for v in run.store.verdicts()}
    assert {hour for hour in lacks if lacks[hour]} == {19, 20}
    found = run.reproduce(missing(run))
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    assert found.found is not None
    assert (found.found.partial, found.found.lacks) == (True, ("in/0: poison",))
    run.store.close()


def test_a_log_that_was_cut_lost_what_nobody_had_read_too(tmp_path: Path) -> None:
    """Four hours of one partition of two were written and never read; what had been read and is no more cannot be computed again."""
    run = Life(tmp_path)
    run.send(range(10))
    run.read()
    run.send(range(10, 14))
    run.bus.cut("in", 0, run.rounds.engine.positions()["in/0"] - 10)
    run.read()
    run.send(range(14, 18))
    run.read()
    found = {(v.start_ms - START_MS) // HOUR_MS: (v.events, v.lacks) for v in run.store.verdicts()}
    half, whole, cut = PER_HOUR // 2, PER_HOUR, ("in/0: cut",)
    wanted = {9: (whole, cut), **dict.fromkeys(range(10, 14), (half, cut)), 14: (whole, cut), 15: (whole, ()), 16: (whole, ())}
    assert {hour: told for hour, told in found.items() if hour > 8} == wanted
    renamed(run, range(18, 22))
    run.read()
    again = run.reproduce(missing(run))
    assert (again.outcome, again.parts, again.why) == ("gone", "", "the log behind in/0 was made anew or cut since")
    run.store.close()


@pytest.mark.parametrize("at", [0, 1])
def test_what_is_lost_behind_a_batch_that_cannot_be_opened_is_counted_wherever_it_stands(tmp_path: Path, at: int) -> None:
    """Retention takes it, and what follows, while we are away; at the first offset of a log as at any other."""
    run = Life(tmp_path)
    run.send(range(3))
    run.bus.corrupt("in", 1, at)
    run.read()
    for _ in range(2):
        run.restart()
        run.read()
    assert [row.kind for row in run.store.inputs()].count("blocked") == 1, "a start comes to the same batch and says nothing new"
    run.bus.trim("in", 1, 60)
    run.restart()
    run.send(range(3, 8))
    run.read()
    assert run.store.load().counts == {("in", "gap_retention"): 60 - at}
    assert "in/1: retention" in {lacks for verdict in run.store.verdicts() for lacks in verdict.lacks}
    run.store.close()


def test_an_incident_while_a_topic_was_absent_reproduces_while_it_still_is(tmp_path: Path) -> None:
    """It was judged without that topic, so nothing of it is missing."""
    run = Life(tmp_path)
    run.bus.delete("out")
    inputs(run, range(20))
    renamed(run, range(20, 24), outputs=False)
    run.read()
    found = run.reproduce(missing(run))
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    run.store.close()


def test_an_incident_of_a_topic_that_is_there_no_more_is_gone(tmp_path: Path) -> None:
    run = Life(tmp_path)
    run.send(range(12))
    renamed(run, range(12, 16))
    run.read()
    run.bus.delete("out")
    found = run.reproduce(missing(run))
    assert (found.outcome, found.why) == ("gone", "topic out is absent")
    run.store.close()


def test_hours_of_which_nothing_could_be_read_are_unknown_and_reproduce_so(tmp_path: Path) -> None:
    """Two hours of all topics cannot be opened and are passed over; a page that follows is computed again with those windows."""
    run = Passing(tmp_path)
    run.send(range(LEARNT + 26))
    ends = {(topic, number): run.bus.topics[topic].logs[number].end for topic, number in (("in", 0), ("in", 1), ("out", 0))}
    run.send(range(LEARNT + 26, LEARNT + 28))
    for (topic, number), end in ends.items():
        for offset in range(end, run.bus.topics[topic].logs[number].end):
            run.bus.corrupt(topic, number, offset)
    run.send(range(LEARNT + 28, LEARNT + 40), shifted=3)
    run.read()
    for _ in range(2 * PER_HOUR):  # a poll passes over one of a partition and brings no record
        run.rounds.turn(0)
    run.read()
    found = {(v.start_ms - START_MS) // HOUR_MS - LEARNT: v for v in run.store.verdicts()}
    blind = {hour for hour, v in found.items() if v.reason == "records lost"}
    assert blind == {26, 27}
    assert {(found[hour].events, found[hour].status, found[hour].partial) for hour in blind} == {(0, "unknown", True)}
    assert found[25].status == "ok", "of the hour before something was read"
    page = run.open_page()
    again = run.reproduce(page.id)
    assert (again.outcome, again.parts, again.why) == ("same", "", "")
    assert again.begun_ms is not None
    assert again.begun_ms <= found[26].start_ms, "those windows were among the ones that were compared"
    run.store.close()


def test_an_incident_of_a_log_that_did_not_begin_at_its_first_offset_reproduces(tmp_path: Path) -> None:
    """Retention had taken its beginning before anything was read: nothing that was judged is missing."""
    run = Life(tmp_path)
    run.send(range(3))
    run.bus.trim("in", 0, 50)
    run.send(range(3, 10))
    renamed(run, range(10, 14))
    run.read()
    found = run.reproduce(missing(run))
    assert (found.outcome, found.parts, found.why) == ("same", "", "")
    run.store.close()
