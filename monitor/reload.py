"""A hangup (SIGHUP, `POST /-/reload`): the configuration is read again, and takes effect only where it has no mistake."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import FrameType

from monitor.errors import Misconfigured
from monitor.log import events
from monitor.metrics import Metrics
from monitor.plan import Plan

log = events("reload")


class Reload:
    """Asked for by a signal's handler, decided on the engine's thread. `read` gives the plan as it is now, or Misconfigured."""

    def __init__(self, read: Callable[[], Plan]) -> None:
        self.read = read
        self.accepted = False
        self._asked = threading.Event()

    def ask(self) -> None:
        """From any thread; Misconfigured at once where the configuration has mistakes, which are told as after a hangup, too."""
        try:
            self.read()
        finally:
            self._asked.set()

    def hangup(self, number: int, frame: FrameType | None) -> None:
        """A signal's handler: only remembers."""
        del number, frame
        self._asked.set()

    def due(self, metrics: Metrics) -> bool:
        """Is it time to begin again? A configuration with mistakes is told, every one of them, and the old one stays in force."""
        if not self._asked.is_set():
            return False
        self._asked.clear()
        try:
            self.read()
        except Misconfigured as error:
            for mistake in error.mistakes:
                log.error("not_reloaded", mistake=str(mistake))  # noqa: TRY400 - a mistake is no crash: its trace says nothing
            metrics.set("raincheck_config_last_reload_successful", 0)
            return False
        log.info("reloading")
        self.accepted = True
        return True
