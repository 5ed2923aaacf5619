"""A thread that notices when a call does not come back."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor import wall
from monitor.errors import EXIT_CRASH


def leave(reason: str) -> None:
    """Write every thread's stack to standard error and end the process: a hung client holds a core at 100 % and cannot be freed."""
    sys.stderr.write(f"{reason}; all stacks follow, then this process ends\n")
    faulthandler.dump_traceback(all_threads=True)
    sys.stderr.flush()
    os._exit(EXIT_CRASH)


class Watchdog:
    """Calls `bite` with a sentence, once, if a guarded call has not returned after `patience_s` seconds. `bite` runs on its thread."""

    def __init__(self, patience_s: float = 30.0, bite: Callable[[str], None] = leave) -> None:
        self._patience_s = patience_s
        self._bite = bite
        self._changed = threading.Condition()
        self._call: tuple[str, float] | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="source-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def guard(self, call: str) -> Iterator[None]:
        """Watch over the block; `call` names it in the sentence."""
        # plain assignments, no lock: this runs at every poll, and the thread looks only now and then
        self._call = (call, wall.monotonic())
        try:
            yield
        finally:
            self._call = None

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                self._changed.wait_for(lambda: self._closed, self._patience_s / 10)
                call = self._call
                if call is not None and wall.monotonic() - call[1] > self._patience_s:
                    self._closed = True
                    self._bite(f"{call[0]} has not returned for {self._patience_s:g} s")

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(1)
