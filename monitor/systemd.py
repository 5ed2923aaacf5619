"""What a service manager is told: ready, alive, how it goes, stopping (datagrams to NOTIFY_SOCKET; no library needed).

The watchdog is fed only while every stage beats: a process that hangs is worth a restart, one whose broker is away is not.
The protocol: sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence

from monitor import wall
from monitor.desk import Health, ModelView
from monitor.log import events
from monitor.phrases import counted
from monitor.sources.source import SourceStatus

log = events("systemd")
RELOAD_S = 900.0  # a reload may learn from a reference that is a file; as the unit's TimeoutStartSec
STATUS_S = 10.0  # a line for people: often enough to follow a start, too rare to be noticed in a profile


class Supervisor:
    """One service manager, or none: without NOTIFY_SOCKET in `environment` every call is silent.

    `clock` gives monotonic seconds. WATCHDOG_USEC is the manager's patience; the watchdog is fed twice in it. WATCHDOG_PID names
    the process that is meant, and a child that inherits the variables is not.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, clock: Callable[[], float] = wall.monotonic) -> None:
        given = os.environ if environment is None else environment
        self._address = given.get("NOTIFY_SOCKET", "")
        self._clock = clock
        self._patience_s = patience_s(given)
        self._fed_at = self._told_at = float("-inf")
        self._told = ""

    def ready(self) -> None:
        """The state is restored and the web answers; also the end of a reload."""
        self.tell("READY=1" + self._patience(self._patience_s))

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it. The manager wants to know when, so that it can order what it hears.

        Unlike before a first start it goes on watching, so it is asked for patience.
        """
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock() * 1e6)}" + self._patience(RELOAD_S))

    def stopping(self) -> None:
        self.tell("STOPPING=1\nSTATUS=saving and leaving")

    def round(self, health: Health, status: Callable[[], str]) -> None:
        """After each round of the engine: feeds the watchdog where it is time and nothing hangs; says how it goes every ten seconds."""
        if not self._address:
            return
        now = self._clock()
        if self._patience_s and not health.stalled and now - self._fed_at >= self._patience_s / 2:
            self._fed_at = now
            self.tell("WATCHDOG=1")
        if now - self._told_at >= STATUS_S:
            self._told_at = now
            line = f"hangs: {', '.join(health.stalled)}" if health.stalled else status()
            if line != self._told:
                self._told = line
                self.tell(f"STATUS={line}")

    def _patience(self, seconds: float) -> str:
        return f"\nWATCHDOG_USEC={int(seconds * 1e6)}" if self._patience_s else ""

    def tell(self, state: str) -> None:
        """One datagram of lines; a manager that cannot be reached costs a line in the log and nothing else."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.sendto(state.encode(), address)
            except OSError as error:
                log.warning("systemd_not_told", state=state, why=str(error))


def patience_s(environment: Mapping[str, str]) -> float:
    """After how many seconds without a sign the manager gives this process up; 0: it does not look.

    >>> patience_s({"WATCHDOG_USEC": "60000000"}), patience_s({"WATCHDOG_USEC": "soon"}), patience_s({})
    (60.0, 0.0, 0.0)
    """
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    asked = environment.get("WATCHDOG_USEC", "")
    return int(asked) / 1e6 if asked.isascii() and asked.isdigit() else 0.0


def status_line(models: Sequence[ModelView], source: SourceStatus) -> str:
    """How it goes, in a line of `systemctl status`.

    >>> status_line([], SourceStatus(connected=True))
    'judging 0 of 0 models; 0 records behind'
    >>> status_line([], SourceStatus(connected=False, cause="nobody listens at broker:9092"))
    'judging 0 of 0 models; no contact: nobody listens at broker:9092'
    """
    judging = sum(view.stage == "judging" for view in models)
    pages = sum(incident.severity == "page" for view in models for incident in view.open_incidents)
    behind = sum(partition.lag or 0 for partition in source.partitions.values())
    words = [f"judging {judging} of {counted(len(models), 'model')}"]
    words += [counted(pages, "open page")] * bool(pages)
    words += [f"{counted(behind, 'record')} behind" if source.connected else f"no contact: {source.cause or 'brokers do not answer'}"]
    return "; ".join(words)
