"""What is shown of a running raincheck: immutable views, replaced after each transaction, read by any thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from monitor.changes import Changes
from monitor.desk import ModelView, Series
from monitor.engine import Engine
from monitor.incident import Incident
from monitor.outlook import outlook
from monitor.plan import Plan
from monitor.reference import Reference
from monitor.report import ModelReport, report_of
from monitor.standing import Standing
from monitor.stores.store import Store
from monitor.verdict import Verdict

KEPT = 4_000  # verdicts per model in memory: two weeks of 5-minute windows; older ones stay in the state file
KEPT_INCIDENTS = 1_000  # resolved ones, of all models together; open ones are all shown


class Board:
    """Only what has been saved is shown, so a page never takes back what it said."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._verdicts: dict[str, deque[Verdict]] = {name: deque(maxlen=KEPT) for name in plan.models}
        self._incidents: dict[str, Incident] = {}
        self._views: tuple[ModelView, ...] = ()
        self._series: dict[str, tuple[Series, ...]] = {}
        self._ground: dict[str, tuple[Standing, Reference | None]] = {}  # what reports are made from: immutable, so they can wait

    def restore(self, store: Store, engine: Engine) -> None:
        """Fills the board from a state that has just been opened."""
        for name in self._plan.models:
            self._verdicts[name].extend(store.verdicts(name, KEPT))
        self._incidents = {i.id: i for i in store.incidents()}
        self._forget()
        self._views, self._ground = self._viewed(engine), _ground(engine)

    def show(self, changes: Changes, engine: Engine) -> None:
        """Takes in one saved turn."""
        with self._lock:
            for row in changes.windows:
                verdicts = self._verdicts[row.verdict.model]
                if not verdicts or row.verdict.start_ms > verdicts[-1].start_ms:
                    verdicts.append(row.verdict)
            self._incidents.update(changes.incidents)
            self._forget()
            self._views, self._ground = self._viewed(engine), _ground(engine)

    def _forget(self) -> None:
        resolved = [i for i in self._incidents.values() if i.resolved_ms is not None]
        for incident in sorted(resolved, key=lambda i: (i.opened_ms, i.id))[:-KEPT_INCIDENTS]:
            del self._incidents[incident.id]

    def draw(self, model: str, series: Sequence[Series]) -> None:
        """Lines to be shown beside the evidence."""
        with self._lock:
            self._series[model] = tuple(series)

    def models(self) -> tuple[ModelView, ...]:
        return self._views

    def windows(self, model: str, limit: int) -> list[Verdict]:
        with self._lock:
            verdicts = self._verdicts.get(model, ())  # a model that has left the plan leaves its incidents behind, and nothing else
            return list(verdicts)[-limit:] if limit > 0 else []

    def incidents(self, model: str | None = None) -> list[Incident]:
        with self._lock:
            found = [i for i in self._incidents.values() if model in (None, i.model)]
        return sorted(found, key=lambda i: (-i.opened_ms, i.id))

    def report(self, model: str) -> ModelReport:
        """Made when it is asked for; KeyError for a model that is not watched."""
        with self._lock:
            standing, reference = self._ground[model]
        return report_of(self._plan.models[model], standing, reference, self.incidents(model))

    def reference(self, model: str) -> Reference | None:
        """The one in force, as last saved; KeyError for a model that is not watched."""
        with self._lock:
            return self._ground[model][1]

    def series(self, model: str) -> tuple[Series, ...]:
        with self._lock:
            return self._series.get(model, ())

    def _viewed(self, engine: Engine) -> tuple[ModelView, ...]:
        return tuple(self._view(engine, name) for name in self._plan.models)

    def _view(self, engine: Engine, name: str) -> ModelView:
        model, standing = self._plan.models[name], engine.standings[name]
        waiting = any(due.model == name for due in engine.due())
        verdicts = self._verdicts[name]
        reference = engine.references.get(name)
        return ModelView(
            name=name, owner=model.owner, mode=model.mode,
            stage="judging" if standing.stage == "judging" else "calibrating" if waiting else "learning",
            learnt=engine.learnt(name), last=verdicts[-1] if verdicts else None,
            open_incidents=tuple(i for i in engine.incidents.values() if i.model == name),
            watermark_ms=engine.low_ms(name), reference=reference.name if reference is not None else "",
            outlook=outlook(model, standing),
        )  # fmt: skip


def _ground(engine: Engine) -> dict[str, tuple[Standing, Reference | None]]:
    return {name: (standing, engine.references.get(name)) for name, standing in engine.standings.items()}
