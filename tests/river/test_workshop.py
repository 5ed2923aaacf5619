"""The process that learns: its death costs one work, and leaving does not wait for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

import pytest

from monitor.workshop import Workshop


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    made = Workshop()
    yield made
    made.shutdown()


def test_work_is_done_in_another_process(workshop: Workshop) -> None:
    assert workshop.submit(os.getpid).result(60) != os.getpid()


def test_the_next_work_after_a_dead_process_gets_a_new_one(workshop: Workshop) -> None:
    first = workshop.submit(os.getpid).result(60)
    with pytest.raises(BrokenProcessPool):
        workshop.submit(os._exit, 1).result(60)
    assert workshop.submit(os.getpid).result(60) not in (first, os.getpid())


def test_leaving_does_not_wait_for_a_work_that_never_ends(workshop: Workshop) -> None:
    before = set(multiprocessing.active_children())
    works = [workshop.submit(signal.pause), workshop.submit(signal.pause)]
    assert set(multiprocessing.active_children()) - before
    workshop.shutdown()
    assert set(multiprocessing.active_children()) == before
    for work in works:
        with pytest.raises((BrokenProcessPool, CancelledError)):
            work.result(60)
    workshop.shutdown()


def test_an_interrupt_of_the_terminal_does_not_reach_the_work(workshop: Workshop) -> None:
    assert workshop.submit(signal.getsignal, signal.SIGINT).result(60) == signal.SIG_IGN


def test_a_daemon_that_is_killed_while_the_process_is_starting_leaves_nobody() -> None:
    """The reading ends when the last process that holds the other end is gone."""
    program = (
        "import os, signal\nfrom monitor.workshop import Workshop\n"
        "if __name__ == '__main__':\n    Workshop().submit(os.getpid)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.Popen([sys.executable, "-P", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
