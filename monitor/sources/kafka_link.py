"""The connection to a cluster over the life of many clients: building them, throwing them away, and why the last one failed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from monitor import wall
from monitor.errors import Misconfigured
from monitor.plan import Kafka
from monitor.sources.kafka_causes import Causes
from monitor.sources.kafka_client import ClientFailed, KafkaClient, admin_client
from monitor.sources.kafka_preflight import client_arguments, context, reach, speaks_tls

SILENT_S = 90.0  # without contact for so long, a client is thrown away: until then it finds back by itself, without loss or repetition
BACKOFF_S = (0.1, 5.0)


class Link:
    """At most one client at a time, with back-off and jitter between failures. One thread uses it; `count` and `admin` are for any."""

    def __init__(self, plan: Kafka, streams: Mapping[str, str], most: int, connect_s: float) -> None:
        self.client: KafkaClient | None = None
        self.connected = False
        self.cause: str | None = None
        self.contact: float | None = None  # monotonic seconds of the last answer
        self.rebuilds: Counter[str] = Counter()
        self._plan = plan
        self._streams = dict(streams)
        self._most = most
        self._limit = {"bootstrap_timeout_ms": int(connect_s * 1000)}
        self._causes = Causes()
        self._counting = threading.Lock()
        self._errors: Counter[str] = Counter()
        self._built = wall.monotonic()
        self._failures = 0  # in a row
        self._retry_at = 0.0
        self._closing = threading.Event()

    def open(self) -> None:
        self._causes.open()

    def admin(self) -> Any:
        """A fresh admin client; raises whatever connecting raises."""
        tls = context(self._plan.security)
        cause = reach(self._plan.bootstrap, tls)
        if cause is not None:
            raise ConnectionError(cause)
        return admin_client({**client_arguments(self._plan, tls), **self._limit})

    def count(self, error: str) -> None:
        with self._counting:  # the watch over the topics counts too
            self._errors[error] += 1

    def errors(self) -> dict[str, int]:
        with self._counting:
            return dict(self._errors)

    def build(self, deadline: float) -> bool:
        """Build a client once its time has come, waiting until `deadline` (monotonic seconds) at most; False if there is none."""
        pause = min(self._retry_at, deadline) - wall.monotonic()
        if self._closing.wait(max(0.0, pause)) or wall.monotonic() < self._retry_at:
            return False
        try:
            tls = context(self._plan.security)
            cause = reach(self._plan.bootstrap, tls)
            if cause is None:
                arguments = {**client_arguments(self._plan, tls), **self._limit}
                self.client = KafkaClient(arguments, self._streams, self._plan.group or None, self._most)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            if not isinstance(error, (OSError, Misconfigured)):
                self.count(type(error).__name__)
            cause = self.explain(error)
        if cause is not None:
            self.lost(cause)
            self.back_off()
            return False
        self._built = wall.monotonic()
        return True

    def explain(self, error: Exception) -> str:
        """Why building a client failed: failing to connect and failing to log in are the same time-out, but the client's log knows."""
        if isinstance(error, (OSError, Misconfigured)):  # the port, or a file that was taken away or changed while we run
            return str(error)
        protocol = self._plan.security.protocol
        if not protocol.endswith("SSL") and speaks_tls(self._plan.bootstrap):
            return f"this port speaks TLS, and the protocol in use is {protocol}"
        return self._causes.explained(self._plan.security.protocol) or f"{type(error).__name__}: {error}"

    def back_off(self) -> None:
        """Put the next attempt off: twice as long after each failure in a row, with jitter, since brokers come back to many clients."""
        least, most = BACKOFF_S
        pause = min(most, least * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._failures += 1
        self._retry_at = wall.monotonic() + pause

    def drop(self, reason: str) -> None:
        """Throw the client away: after any exception from a poll it must not be polled again."""
        if self.client is not None:
            self.client.close()
            self.client = None
            self.rebuilds[reason] += 1

    def failed(self, failure: ClientFailed) -> None:
        """Drop a client that raised; the first new one in a row is built at once (0.2 s to its first record)."""
        self.count(failure.name)
        self.cause = self._causes.explained(self._plan.security.protocol) or str(failure)
        self.drop(failure.name)
        if self._failures:
            self.back_off()
        else:
            self._failures, self._retry_at = 1, 0.0

    def answered(self) -> None:
        """A probe was answered."""
        self.touched()
        self.connected, self.cause, self._failures = True, None, 0
        self._causes.clear()

    def touched(self) -> None:
        """Something answered."""
        self.contact = wall.monotonic()

    def lost(self, cause: str) -> None:
        self.connected, self.cause = False, cause

    def unanswered(self) -> None:
        """A probe was not answered: say what is known about why."""
        nothing = "the port is open, but no request is answered"
        self.lost(self._causes.explained(self._plan.security.protocol) or reach(self._plan.bootstrap, None, 0.5) or nothing)

    def wait_out(self) -> None:
        """While nothing answers: learn a better cause, and give a client up that has been silent for too long."""
        if wall.monotonic() - max(self._built, self.contact or 0.0) > SILENT_S:
            self.drop("silence")
        if not self.connected:
            self.cause = self._causes.best() or self.cause

    def shut(self) -> None:
        self._closing.set()
        if self.client is not None:
            self.client.close()
            self.client = None
        self.connected = False
        self._causes.shut()
