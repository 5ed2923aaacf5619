"""Where learning is done beside a running daemon: one process of its own, built again when it died, ended when we leave."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workshop(Executor):
    """An executor of one process. Spawned, not forked: we have threads; only one, since a calibration takes a core for up to a minute.

    A work whose process died fails with BrokenProcessPool; the next one gets a new process. `shutdown` gives up whatever runs.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[BaseProcess] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The future of `fn(*args, **kwargs)` in the other process; all of it must be picklable."""
        try:
            return self._submitted(fn, *args, **kwargs)
        except BrokenProcessPool:
            self.shutdown()
            return self._submitted(fn, *args, **kwargs)

    def _submitted(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_in, initargs=(os.getpid(),)
            )
        before = set(multiprocessing.active_children())
        future = self._pool.submit(fn, *args, **kwargs)
        self._workers |= set(multiprocessing.active_children()) - before  # a pool starts its process with its first work
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = True) -> None:
        """Ends the process at once: a pool by itself would wait for the work that runs, however long it takes."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        for worker in self._workers:
            with contextlib.suppress(ValueError):  # already closed by the pool
                worker.terminate()
        self._workers.clear()
        pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _settle_in(daemon: int) -> None:
    # a daemon that is killed cannot end us, and we hold both ends of our pipes: Linux is asked to (PR_SET_PDEATHSIG is 1)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != daemon:  # it died while we were starting, too early to be told of: we would wait for ever
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: whether to stop is for the daemon to say
