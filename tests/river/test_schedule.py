"""Coarse jobs: each is counted, and its failure told, whatever it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import config, wall
from monitor.changes import Changes, Mark
from monitor.office import Office
from monitor.schedule import FIRST_COPY_S, Schedule
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.backup import back_up
from monitor.stores.lives import copies, stamp
from monitor.stores.sqlite import SqliteStore, check

MODEL = {"owner": "team", "schema": {"features": {"x": {"kind": "numeric"}}}}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    plan = config.compile({"state": {"path": str(tmp_path / "state.db")}, "models": {"m": MODEL}, "owners": {"team": {}}})
    made = Office(plan, MemorySource(Bus(), {}), SqliteStore(plan.state.path), lambda metrics: MemoryNotifier(plan), ticks=False)
    made.start()
    yield made
    made.stop(1.0)


def counted(office: Office, what: str, task: str) -> bool:
    return f'raincheck_task_{what}_total{{task="{task}"}} 1.0' in office.metrics().decode()


def test_a_copy_beside_a_running_daemon_holds_what_was_saved(office: Office) -> None:
    schedule, state = Schedule(office), Path(office.plan.state.path)
    office.store.save(Changes(marks={"in/0": Mark(7, 9, 7)}))
    schedule.now("backup")
    assert counted(office, "runs", "backup")
    assert not counted(office, "failures", "backup")
    copy = copies(state)[0]
    assert check(copy) == []
    reader = SqliteStore(copy, reader=True)
    assert reader.load().marks == {"in/0": Mark(7, 9, 7)}
    reader.close()


@pytest.mark.parametrize(
    ("age_s", "soon", "because"),
    [
        (None, True, "there is none: an hour of answers would hang on one file"),
        (2 * 3600, True, "it was down for long"),
        (60, False, "a restart is no reason to copy again"),
    ],
)
def test_the_first_copy_waits_for_its_minute_only_where_there_is_a_young_one(
    office: Office, age_s: int | None, soon: bool, because: str
) -> None:
    if age_s is not None:
        stamp(back_up(Path(office.plan.state.path)), wall.now_ms() - age_s * 1000)
    schedule = Schedule(office)
    begun = wall.now_ms() / 1000
    schedule.start()
    due = schedule.due("backup")
    schedule.stop()
    assert ((due.minute, due.second, due.microsecond) != (43, 0, 0)) is soon, because
    if soon:
        assert begun + FIRST_COPY_S - 1 <= due.timestamp() <= wall.now_ms() / 1000 + FIRST_COPY_S, because


def test_forgetting_that_comes_too_late_holds_nobody_up_and_is_no_failure(office: Office) -> None:
    schedule = Schedule(office)
    office.stop(1.0)
    schedule.now("retention")
    assert counted(office, "runs", "retention")
    assert not counted(office, "failures", "retention")
    assert 'raincheck_task_last_success_timestamp_seconds{task="retention"}' not in office.metrics().decode(), "nothing was done"


def test_a_copy_that_cannot_be_made_is_counted_and_leaves_the_older_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule, newest = Schedule(office), copies(Path(office.plan.state.path))[0]
    newest.write_bytes(b"the copy of an hour ago")

    def full(path: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("monitor.stores.backup.durable", full)
    schedule.now("backup")
    assert counted(office, "failures", "backup")
    assert newest.read_bytes() == b"the copy of an hour ago"
