"""Carries alerts from the outbox to their receivers, on a thread of its own, until each has been delivered at least once."""

from __future__ import annotations

import heapq
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable

from monitor import wall
from monitor.alert import Alert
from monitor.log import events
from monitor.sinks.notifier import Delivered, Notifying

log = events("notify")
FIRST_S, LONGEST_S = 2.0, 300.0  # back-off after a failed delivery: doubled each time, with jitter


class Courier:
    """`done(alert id, error)` is called after each attempt ("" = delivered); it must not block.

    Alerts of one incident keep their order: while one has not been delivered, later ones wait behind it, and other incidents go on.
    """

    def __init__(self, notifier: Notifying, done: Callable[[str, str], object], beat: Callable[[], None] = lambda: None) -> None:
        self._notifier, self._done, self._beat = notifier, done, beat
        self._waiting: list[tuple[float, int, int, Alert]] = []  # due, order, attempts, alert: the first of each incident
        self._behind: dict[str, deque[Alert]] = {}  # by incident that has one in delivery: what waits behind it
        self._order = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self, alerts: Iterable[Alert]) -> None:
        """Alerts that have just been saved in the outbox, or were found there at start."""
        with self._changed:
            for alert in alerts:
                if alert.incident.id in self._behind:
                    self._behind[alert.incident.id].append(alert)
                else:
                    self._behind[alert.incident.id] = deque()
                    self._push(wall.monotonic(), 0, alert)
            self._changed.notify()

    def stop(self, timeout_s: float) -> None:
        """Delivers what is due within the time; the rest stays in the outbox."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def waiting(self) -> int:
        """How many alerts have not been delivered, the one under way among them."""
        with self._changed:
            return sum(1 + len(behind) for behind in self._behind.values())

    def _push(self, due: float, attempts: int, alert: Alert) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (due, self._order, attempts, alert))

    def _follow(self, incident: str) -> None:
        with self._changed:
            behind = self._behind[incident]
            if behind:
                self._push(wall.monotonic(), 0, behind.popleft())
            else:
                del self._behind[incident]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._beat()
                now = wall.monotonic()
                if not self._waiting or self._waiting[0][0] > now:
                    if self._stopping:
                        return
                    pause = min(1.0, self._waiting[0][0] - now) if self._waiting else 1.0
                    self._changed.wait(pause)
                    continue
                _, _, attempts, alert = heapq.heappop(self._waiting)
            outcome = self._notifier.send(alert)
            if isinstance(outcome, Delivered):
                self._done(alert.id, "")
                self._follow(alert.incident.id)
                continue
            self._done(alert.id, outcome.reason)
            pause = min(LONGEST_S, FIRST_S * 2**attempts) * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
            with self._changed:
                self._push(wall.monotonic() + pause, attempts + 1, alert)
