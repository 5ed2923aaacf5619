"""The desk of a running raincheck: rounds, board, courier, metrics and web pages behind one front."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from monitor import wall
from monitor.album import Album
from monitor.batch import Records, Slice
from monitor.board import Board
from monitor.changes import Changes
from monitor.codecs import Codec, codec_for
from monitor.courier import Courier
from monitor.desk import Health, ModelView, Series
from monitor.engine import Engine
from monitor.incident import Answer, Incident
from monitor.learning import Due
from monitor.log import events, tallied
from monitor.metrics import Metrics
from monitor.plan import Plan
from monitor.portraits import Gallery
from monitor.report import ModelReport
from monitor.rounds import Rounds
from monitor.sinks.deadletter import Producer, open_dead_letters
from monitor.sinks.notifier import Notifying
from monitor.sinks.prometheus import Exposition
from monitor.sources.source import Note, Source
from monitor.standing import Expected
from monitor.stores.glance import glance_at
from monitor.stores.store import Store
from monitor.telemetry import Telemetry
from monitor.verdict import Verdict

log = events("office")
T = TypeVar("T")
# A stage that has not completed a round for this long has hung, whatever the brokers do.
STALLED_S: Mapping[str, float] = {"engine": 60.0, "notify": 120.0}


class Office:
    """Everything of one running raincheck but its signals; a desk (monitor.desk) and a listener (monitor.rounds) at once.

    `decoding` is the whole plan where `plan` holds one shard's models: records of the others are known, and left to them.
    Whoever owns it calls `start`, then `rounds.turn` again and again on one thread, then `stop`.
    """

    def __init__(
        self, plan: Plan, source: Source, store: Store, notifier: Callable[[Metrics], Notifying], *,
        letters: Producer | None = None, decoding: Plan | None = None,
        pool: Executor | None = None, ticks: bool = True,
        reload: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.telemetry = Telemetry(plan, Metrics(plan.limits.series))
        codecs: dict[str, Codec] = {name: codec_for(decoding or plan, stream) for name, stream in plan.streams.items()}
        self.source, self.store = source, store
        self._dead = open_dead_letters(plan.dead_letter, self.telemetry.metrics, letters)
        self.rounds = Rounds(plan, source, store, codecs, listener=self, pool=pool, ticks=ticks)
        self.courier = Courier(notifier(self.telemetry.metrics), self._delivered, lambda: self.telemetry.beat("notify"))
        self._album = Album(plan, glance_at(store))
        self._exposition = Exposition(self.telemetry.metrics, wall.monotonic, self._looked_at)
        self._reload = reload
        self._silence: Callable[[], None] = lambda: None
        self._unready: tuple[str, ...] = ("starting",)
        self._stalled: frozenset[str] = frozenset()
        engine = self.rounds.engine
        self.telemetry.restored(engine, {name: next(iter(self.board.windows(name, 1)), None) for name in plan.models})

    @property
    def board(self) -> Board:
        return self.rounds.board

    def start(self) -> None:
        """Takes up what the outbox still holds and hands saved positions to the source."""
        self._silence = tallied(lambda level: self.telemetry.metrics.inc("raincheck_log_messages_total", level=level))
        self.telemetry.beat("engine")
        self.courier.start()
        self.courier.take(delivery.alert for delivery in self.store.pending())
        self.rounds.start()
        self._unready = ()

    def leave(self) -> None:
        """The first step of stopping: who has written is answered, who writes from now on is told at once to ask again later.

        Ending a process that learns, or a receiver that is slow, may take longer than a caller waits.
        """
        self._unready = ("draining",)
        self.rounds.drain()

    def stop(self, budget_s: float) -> None:
        """Saves, delivers what can be delivered in the time, and lets go of everything, in reverse order of start.

        Each step is taken whatever became of those before it; the last one's error is raised at the end.
        """
        self._unready = ("draining",)
        with ExitStack() as leaving:  # what is pushed first is done last
            leaving.callback(self._silence)
            leaving.callback(self.store.close)
            leaving.callback(self._dead.close)
            leaving.callback(self.source.close)
            leaving.callback(self.rounds.close)
            leaving.callback(self.rounds.drain)  # what the courier has just delivered is marked
            leaving.callback(self.courier.stop, budget_s)
            leaving.callback(self.rounds.drain)

    def turn(self, timeout_ms: int = 200) -> int:
        """One round of the engine's thread; how many records it brought."""
        try:
            return self.rounds.turn(timeout_ms)
        finally:  # a disk that is full holds the round back and hangs nothing: a restart would mend neither
            self.telemetry.beat("engine")

    # ---- listening

    def decoded(self, records: Records, piece: Slice) -> None:
        self.telemetry.decoded(records, piece)
        for rejected in piece.rejected:
            self._dead.put(records.stream, self.plan.streams[records.stream].topic, records.partition, rejected)

    def noted(self, note: Note) -> None:
        self.telemetry.noted(note)

    def saved(self, changes: Changes, engine: Engine, seconds: float) -> None:
        self.telemetry.saved(changes, engine, seconds, self.rounds.worked_s)
        self.courier.take(changes.alerts)

    def save_failed(self, error: Exception) -> None:
        self.telemetry.save_failed(error)

    def learning_failed(self, due: Due, error: Exception) -> None:
        self.telemetry.learning_failed(due, error)

    def ticked(self, engine: Engine, source: Source) -> None:
        self.telemetry.ticked(engine, source)

    def _delivered(self, alert: str, error: str) -> None:
        at_ms = wall.now_ms()
        marked = self.rounds.submit(lambda: self.store.attempted(alert, at_ms, error))
        if not error:
            marked.add_done_callback(lambda done: _unmarked(alert, done))

    # ---- the desk

    def models(self) -> Sequence[ModelView]:
        return self.board.models()

    def rejected(self) -> Mapping[str, Mapping[str, int]]:
        return self.telemetry.rejections.counts()

    def troubles(self) -> Mapping[str, str]:
        return self.telemetry.troubles.words()

    def windows(self, model: str, limit: int) -> Sequence[Verdict]:
        return self.board.windows(model, limit)

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        return self.board.incidents(model)

    def report(self, model: str) -> ModelReport:
        return self.board.report(model)

    def columns(self, model: str, incident: Incident | None = None) -> Gallery:
        last = next(iter(self.board.windows(model, 1)), None)
        reference = self.board.reference(model)
        return self._album.lately(model, reference, last) if incident is None else self._album.since(incident, reference, last)

    def series(self, model: str) -> Sequence[Series]:
        return self.board.series(model)

    def answer(self, incident: str, answer: Answer) -> Future[Incident]:
        stamped = replace(answer, at_ms=wall.now_ms())
        shown = next((i for i in self.board.incidents() if i.id == incident), None)  # the engine keeps open ones only
        return self._written(lambda: self.rounds.engine.answer(shown or incident, stamped))

    def expected(self, model: str, event: Expected) -> Future[None]:
        at_ms = wall.now_ms()
        return self._written(lambda: self.rounds.engine.expected(model, event, at_ms))

    def deployment(self, model: str, version: str, who: str, note: str) -> Future[None]:
        at_ms = wall.now_ms()
        return self._written(lambda: self.rounds.engine.deployed(model, version, who, note, at_ms))

    def _written(self, work: Callable[[], T]) -> Future[T]:
        """What a person wrote; cancelled, with nothing kept of it, while raincheck leaves."""
        if self._unready != ("draining",):
            return self.rounds.submit(work)
        refused: Future[T] = Future()
        refused.cancel()
        return refused

    def reload(self) -> None:
        if self._reload is None:
            raise LookupError("this raincheck was started without a configuration that could be read again")
        self._reload()

    def metrics(self, openmetrics: bool = False, gzipped: bool = False) -> bytes:
        return self._exposition.body(openmetrics, gzipped)

    def metrics_at_hand(self, openmetrics: bool = False, gzipped: bool = False) -> bytes | None:
        return self._exposition.at_hand(openmetrics, gzipped)

    def _looked_at(self) -> None:
        """What is known only when somebody looks."""
        self.health()  # readiness is a metric, too
        self.telemetry.metrics.set("raincheck_outbox_alerts", self.courier.waiting)

    def counted(self, handler: str, status: int) -> None:
        """One answer of the web side."""
        self.telemetry.metrics.inc("raincheck_http_requests_total", handler=handler, code=str(status))

    def health(self) -> Health:
        now = wall.monotonic()
        beats = {stage: now - at for stage, at in self.telemetry.beats.copy().items()}  # a thread may beat for the first time
        stalled = tuple(stage for stage, age in beats.items() if age > STALLED_S.get(stage, 60.0))
        before, self._stalled = self._stalled, frozenset(stalled)
        if self._stalled - before:
            log.error("stalled", stages=stalled, right="all stacks follow; a restart loses nothing")
            faulthandler.dump_traceback(all_threads=True)  # whoever restarts it takes away what would have told why
        # until the first tick the source itself is asked: a start without a broker is not ready in between either
        components = {"source": self.source.status().connected} | self.telemetry.components
        health = Health(beats, stalled, self._unready, components)
        self.telemetry.metrics.set("raincheck_ready", float(not health.against(self.plan.http.readiness)))
        return health


def _unmarked(alert: str, marked: Future[None]) -> None:
    """Says so where an alert that a receiver has could not be marked: the outbox still holds it, so a restart sends it once more."""
    why = "raincheck was leaving" if marked.cancelled() else marked.exception()
    if why is not None:
        log.warning("delivery_not_marked", alert=alert, why=str(why), right="nothing: it is sent again after a restart, with the same id")
