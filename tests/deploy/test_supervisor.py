"""What the service manager is told, and when: a fake clock, a real socket."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.desk import Health
from monitor.systemd import Supervisor
from tests.deploy.hearing import Ears

WELL = Health({"engine": 0.1}, (), (), {})
HUNG = Health({"engine": 0.1, "notify": 130.0}, ("notify",), (), {})


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def ears(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ears]:
    made = Ears(tmp_path, abstract=request.param)
    yield made
    made.close()


def rounds(supervisor: Supervisor, clock: Clock, health: Health, seconds: float, every_s: float = 0.25, line: str = "judging") -> None:
    for _ in range(int(seconds / every_s)):
        clock.now += every_s
        supervisor.round(health, lambda: line)


def test_ready_reloading_and_stopping_are_told_in_the_protocols_words(ears: Ears) -> None:
    clock = Clock(12.5)
    supervisor = Supervisor({"NOTIFY_SOCKET": ears.address}, clock)
    supervisor.ready()
    supervisor.reloading()
    supervisor.stopping()
    assert ears.waiting() == ["READY=1", "RELOADING=1", "MONOTONIC_USEC=12500000", "STOPPING=1", "STATUS=saving and leaving"]


def test_a_reload_asks_for_patience_and_its_end_gives_it_back(ears: Ears) -> None:
    """The manager goes on watching through a reload, which may learn from a file for minutes."""
    supervisor = Supervisor({"NOTIFY_SOCKET": ears.address, "WATCHDOG_USEC": "10000000"}, Clock(0.0))
    supervisor.reloading()
    supervisor.ready()
    assert ears.waiting() == ["RELOADING=1", "MONOTONIC_USEC=0", "WATCHDOG_USEC=900000000", "READY=1", "WATCHDOG_USEC=10000000"]


def test_the_watchdog_is_fed_twice_in_its_patience_and_not_with_every_round(ears: Ears) -> None:
    clock = Clock()
    supervisor = Supervisor({"NOTIFY_SOCKET": ears.address, "WATCHDOG_USEC": "10000000"}, clock)
    rounds(supervisor, clock, WELL, 60.0)
    assert ears.waiting().count("WATCHDOG=1") == 12


def test_a_hung_stage_starves_the_watchdog_and_is_named(ears: Ears) -> None:
    clock = Clock()
    supervisor = Supervisor({"NOTIFY_SOCKET": ears.address, "WATCHDOG_USEC": "10000000"}, clock)
    rounds(supervisor, clock, HUNG, 60.0)
    told = ears.waiting()
    assert "WATCHDOG=1" not in told
    assert told == ["STATUS=hangs: notify"], "said once: it stays true"
    rounds(supervisor, clock, WELL, 10.0)
    assert {"WATCHDOG=1", "STATUS=judging"} <= set(ears.waiting()), "a stage that beats again is no reason for a restart"


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({}, "the manager does not look"),
        ({"WATCHDOG_USEC": "10000000", "WATCHDOG_PID": str(os.getpid() + 1)}, "another process is meant"),
        ({"WATCHDOG_USEC": ""}, "nothing was said"),
        ({"WATCHDOG_USEC": "-5"}, "no time"),
        ({"WATCHDOG_USEC": "soon"}, "no number"),
    ],
)
def test_nobody_is_fed_who_does_not_ask(ears: Ears, given: dict[str, str], because: str) -> None:
    clock = Clock()
    rounds(Supervisor({"NOTIFY_SOCKET": ears.address, **given}, clock), clock, WELL, 60.0)
    assert "WATCHDOG=1" not in ears.waiting(), because


def test_how_it_goes_is_said_when_it_changes_and_at_most_every_ten_seconds(ears: Ears) -> None:
    clock = Clock()
    supervisor = Supervisor({"NOTIFY_SOCKET": ears.address}, clock)
    for line in ("a", "a", "b", "b"):
        rounds(supervisor, clock, WELL, 15.0, line=line)
    assert ears.waiting() == ["STATUS=a", "STATUS=b"]
    for _ in range(40):
        rounds(supervisor, clock, WELL, 0.25, line=str(clock.now))
    assert len(ears.waiting()) <= 2


def test_without_a_manager_nothing_is_worked_out_and_a_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    def never() -> str:
        raise AssertionError("nobody listens")

    clock = Clock()
    Supervisor({}, clock).round(WELL, never)
    gone = Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "1000000"}, clock)
    gone.ready()
    rounds(gone, clock, WELL, 5.0)
    gone.stopping()
