"""What the web pages and the metrics may ask of a running raincheck: the daemon and the demo both sit behind this desk.

Every answer is an immutable value taken between two turns of the engine; nothing here blocks on a broker or on the engine's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from monitor.incident import Answer, Incident
from monitor.outlook import Outlook
from monitor.plan import Plan
from monitor.portraits import Gallery
from monitor.report import ModelReport
from monitor.standing import Expected
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ModelView:
    """One row of the fleet: the last verdict (None: none yet), how far learning is (1.0: judged), what is open."""

    name: str
    owner: str
    mode: str
    stage: str  # "learning" | "calibrating" | "judging"
    learnt: float
    last: Verdict | None
    open_incidents: tuple[Incident, ...]
    watermark_ms: int | None
    reference: str
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Series:
    """A named line beside the evidence (the demo's true accuracy): points of (time_ms, value), shares (0 to 1) when `unit` is "share"."""

    name: str
    unit: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Health:
    """`beats`: seconds since each stage last completed a round (engine, poll, notify ...); `stalled` names the late ones.

    `unready`: why this process cannot work yet or any more (state not restored, draining): /-/ready then says no.
    `components`: outside things (kafka ...) and whether they answer: they make /-/ready say no only with
    `http.readiness: full`, because a sidecar must not take its model out of service when a broker is away.
    """

    beats: dict[str, float]
    stalled: tuple[str, ...]
    unready: tuple[str, ...]
    components: dict[str, bool]

    def against(self, readiness: Literal["local", "full"]) -> tuple[str, ...]:
        """What speaks against being ready; `/-/ready` and `raincheck_ready` both ask here, so that they cannot disagree.

        >>> away = Health({}, (), (), {"source": False, "state": True})
        >>> away.against("full"), away.against("local")
        (('source does not answer',), ())
        """
        down = sorted(name for name, up in self.components.items() if not up)
        return (*self.unready, *(f"{name} does not answer" for name in down if readiness == "full"))


class Desk(Protocol):
    @property
    def plan(self) -> Plan: ...

    def models(self) -> Sequence[ModelView]: ...

    def rejected(self) -> Mapping[str, Mapping[str, int]]:
        """Records that could not be read since this process began, by stream and reason; streams without any are left out."""
        ...

    def troubles(self) -> Mapping[str, str]:
        """What has befallen raincheck itself that somebody should act on, by its name in the log: what it means and what to do."""
        ...

    def windows(self, model: str, limit: int) -> Sequence[Verdict]:
        """The newest `limit` verdicts, oldest first."""
        ...

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        """Newest first, resolved ones too."""
        ...

    def report(self, model: str) -> ModelReport:
        """What the model's reference allows and how its promise was kept, as last saved; KeyError for another model."""
        ...

    def columns(self, model: str, incident: Incident | None = None) -> Gallery:
        """The model's columns beside the reference: over the last hour, or since the onset of one of its incidents; reads the state."""
        ...

    def series(self, model: str) -> Sequence[Series]: ...

    def answer(self, incident: str, answer: Answer) -> Future[Incident]:
        """Stamps the answer; resolves once the transaction that holds the answer is on disk; KeyError where there is no such incident."""
        ...

    def deployment(self, model: str, version: str, who: str, note: str) -> Future[None]: ...

    def expected(self, model: str, event: Expected) -> Future[None]: ...

    def reload(self) -> None:
        """Asks for the configuration to be read again; Misconfigured with its mistakes, LookupError where there is no file to read."""
        ...

    def metrics(self, openmetrics: bool = False, gzipped: bool = False) -> bytes:
        """The exposition in Prometheus' text format or in OpenMetrics, at most a second old (monitor.sinks.prometheus.Exposition.body)."""
        ...

    def metrics_at_hand(self, openmetrics: bool = False, gzipped: bool = False) -> bytes | None:
        """The same where it can be had without rendering or waiting, else None."""
        ...

    def health(self) -> Health: ...
