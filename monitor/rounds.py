"""One thread's round: poll, decode, absorb, learn, save, tell. The daemon and the demo turn the same wheel.

The order of a save (every few seconds or when a window closed, never per poll):
  1. one transaction holds offsets, panes, evidence, windows, incidents, inputs and outbox;
  2. what was saved is shown, and waiting answers return;
  3. alerts leave the outbox and are marked when a receiver has them;
  4. offsets are committed to the broker, for lag tools and other daemons to see.
A crash between any two of these loses nothing: the transaction is the truth, everything after it is repeated.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from monitor import wall
from monitor.batch import Records, Slice
from monitor.board import Board
from monitor.changes import Changes, WindowRow
from monitor.codecs import Codec
from monitor.engine import Engine
from monitor.errors import Corrupt, Transient
from monitor.learning import Due, Learned, perform
from monitor.log import events
from monitor.plan import Plan
from monitor.sources.source import Absent, Assigned, Forgotten, Gap, Note, Recreated, Rewound, Source, Unreadable
from monitor.stores.backup import remedy
from monitor.stores.glance import Stretch, glance_at
from monitor.stores.store import Store

log = events("engine")
T = TypeVar("T")
TICK_S = 5.0
LIVES = 3  # a learning process that something ended says nothing about what is learnt; one that its work ends does so again
FRESH_MS = 15_000  # sources probe every five seconds: what is older was said before they lost touch
NEW_LIFE = "this state is empty, and the group says that another one has read on to these offsets: what it knew is learnt again"
FIND_IT = (
    "nothing, where it was meant to be reset; else stop it, and look whether state.path and its volume are those of before;"
    " where a copy is left, state_opened names it and the way back"
)


class Listener(Protocol):
    """Who hears of a round, on the engine's thread."""

    def decoded(self, records: Records, piece: Slice) -> None: ...

    def noted(self, note: Note) -> None: ...

    def saved(self, changes: Changes, engine: Engine, seconds: float) -> None: ...

    def save_failed(self, error: Exception) -> None: ...

    def learning_failed(self, due: Due, error: Exception) -> None: ...

    def ticked(self, engine: Engine, source: Source) -> None: ...


class Rounds:
    """Owns engine, source and store; everything that touches them happens in `turn`, on one thread.

    `pool` performs learning elsewhere; None does it in the round. Other threads hand in work through `submit`.
    """

    def __init__(
        self, plan: Plan, source: Source, store: Store, codecs: Mapping[str, Codec], *,
        listener: Listener, pool: Executor | None = None, ticks: bool = True,
    ) -> None:  # fmt: skip
        self.plan, self.source, self.store = plan, source, store
        try:
            self.engine = Engine(plan, store.load())
        except (ValueError, msgspec.MsgspecError) as error:
            path = plan.state.path
            raise Corrupt(f"{path}: the state cannot be read by this release: {error}", remedy(Path(path))) from error
        self.board = Board(plan)
        self.board.restore(store, self.engine)
        self._codecs = codecs
        self._pool, self._listener, self._ticks = pool, listener, ticks
        self._inbox: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._door, self._closed = threading.Lock(), False
        self._answered: list[tuple[Future[Any], Any]] = []
        self._learning: dict[str, tuple[Due, Future[Learned]]] = {}
        self._deaths: Counter[str] = Counter()  # of the learning process, in a row and by model
        self._unsaved: Changes | None = None
        self.worked_s = 0.0  # spent on folding and judging since the last save
        self._saved_at = self._ticked_at = wall.monotonic()
        self._paused: set[str] = set()
        self._identities: dict[str, str] = {}

    def start(self) -> None:
        """Hands the saved positions to the source; nothing is read yet."""
        self._identities = self.store.identities()
        self.source.start(self.engine.positions(), self._identities)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Runs `work` on the engine's thread; the future resolves once the transaction that holds its effect is on disk.

        It is cancelled where the engine has left, or leaves before it came to it.
        """
        future: Future[T] = Future()
        with self._door:  # between a look at `_closed` and the inbox nobody may close: that work would be waited for in vain
            if self._closed:
                future.cancel()
            else:
                self._inbox.put((work, future))
        return future

    def turn(self, timeout_ms: int = 200) -> int:
        """One round; how many records it brought. Transient: the state cannot be saved, or read, just now; try again later."""
        self._settle()
        self._work()
        count = 0
        for item in self.source.poll(timeout_ms):
            if isinstance(item, Records):
                count += len(item.offsets)
                self._absorb(item)
            else:
                self._note(item)
        now = wall.monotonic()
        if self._ticks and now - self._ticked_at >= TICK_S:
            self._ticked_at = now
            self._tick()
        self._learn()
        if self._due_to_save(now):
            self.save()
        return count

    def save(self) -> None:
        """Makes everything since the last save durable, then tells about it."""
        self._settle()
        changes = self.engine.drain()
        # all that was polled has been absorbed, so these are the identities of exactly the offsets that are drained here
        changes.identities = {name: at for name, at in self.source.identities().items() if self._identities.get(name) != at}
        if changes or self._answered:
            self._save(changes)
        self._saved_at = wall.monotonic()

    def drain(self) -> None:
        """Before leaving: what has been read is saved and committed, learning that runs is given up (it is asked for again)."""
        self._settle()
        self._work()
        self.save()

    def close(self) -> None:
        """After the last `drain`, whatever became of it: nobody goes on waiting for what will not be done."""
        with self._door:
            self._closed = True
        while not self._inbox.empty():
            self._inbox.get()[1].cancel()
        answered, self._answered = self._answered, []
        for future, _ in answered:
            future.set_exception(Transient("raincheck left before the state could be saved"))

    # ---- inside a round

    def _settle(self) -> None:
        """What could not be saved comes before anything new: a later transaction on disk alone would leave out what it stands on."""
        if self._unsaved is not None:
            self._save(self._unsaved)

    def _absorb(self, records: Records) -> None:
        piece = self._codecs[records.stream].decode(records)
        self._listener.decoded(records, piece)
        begun = wall.monotonic()
        self.engine.absorb(piece)
        self.worked_s += wall.monotonic() - begun

    def _note(self, note: Note) -> None:
        self._listener.noted(note)
        match note:
            case Assigned():
                log.info("partitions_assigned", stream=note.stream, starts=dict(note.starts))
                self.engine.assign(note.starts)
                for name, start in note.starts.items():  # those known before, too: a topic made anew may begin anywhere
                    self.engine.moved(name, start)
            case Gap():
                log.warning(
                    "offsets_lost", stream=note.stream, partition=note.partition, start=note.start, stop=note.stop, reason=note.reason
                )
                self.engine.lost(note.stream, f"gap_{note.reason}", note.stop - note.start)
                self.engine.torn(note.partition, note.stop, note.reason, wall.now_ms())
            case Forgotten():
                log.warning("state_was_lost", by=note.by, had_read=dict(note.offsets), means=NEW_LIFE, right=FIND_IT)
            case Recreated():
                log.error("topic_recreated", stream=note.stream, topic=note.topic, before=note.before, now=note.now)
                self.engine.restart(note.partitions, "recreated", wall.now_ms())
            case Rewound():
                log.error("log_truncated", partition=note.partition, position=note.position, start=note.start)
                self.engine.lost(note.stream, "rewound", note.position - note.start)
                self.engine.torn(note.partition, note.start, "cut", wall.now_ms())  # who lost what was read lost what was not, too
            case Unreadable():
                log.error("batch_unreadable", partition=note.partition, offset=note.offset, reason=note.reason, halted=note.halted)
                if note.halted:  # not lost yet, so not counted: each start comes to it again
                    self.engine.blocked(note.partition, note.reason, wall.now_ms())
                else:
                    self.engine.lost(note.stream, "unreadable_batch", 1)
            case Absent():
                log.warning("topic_absent", stream=note.stream, topic=note.topic)
                # one that was read before is waited for; nobody knows whether one that was never there will come, so windows are partial
                if not any(name.rpartition("/")[0] == note.stream for name in self.engine.positions()):
                    self.engine.blocked(f"{note.stream}/0", "the topic does not exist", wall.now_ms())

    def _tick(self) -> None:
        now_ms = wall.now_ms()
        # an end that was seen before an outage says nothing about what was written since: silence is only what was probed
        fresh = {name: r for name, r in self.source.caught_up().items() if 0 <= now_ms - r.at_ms <= FRESH_MS}
        self.engine.tick(now_ms, {name: (r.position, r.end) for name, r in fresh.items()})
        self._align()
        self._listener.ticked(self.engine, self.source)

    def _align(self) -> None:
        """Holds back partitions that are far ahead in event time: memory is bounded by it, and by nothing else."""
        ahead = self.engine.ahead()
        if ahead - self._paused:
            self.source.pause(ahead - self._paused)
        if self._paused - ahead:
            self.source.resume(self._paused - ahead)
        self._paused = ahead

    def _work(self) -> None:
        while not self._inbox.empty():
            work, future = self._inbox.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                self._answered.append((future, work()))
            except Exception as error:
                future.set_exception(error)  # whatever went wrong belongs to the one who asked
                if isinstance(error, Corrupt):  # and this to everybody: what cannot be trusted is not gone on with
                    raise
        if self._answered:
            self.save()

    def _learn(self) -> None:
        for due in self.engine.due():
            if due.model not in self._learning:
                log.info("learning", model=due.model, step=due.step)
                self._learning[due.model] = due, self._performed(due)
        for model, (due, future) in list(self._learning.items()):
            if future.done():
                del self._learning[model]
                learned = self._outcome(due, future)
                if learned is None:
                    continue
                del self._deaths[model]
                log.info("learnt", model=model, step=due.step, reason=learned.reason)
                try:
                    self.engine.learned(learned)
                except ValueError as error:  # the evidence cannot go on under it: nothing has changed, the old reference stays
                    self.engine.learned(self._failed(due, error))
                self.save()

    def _outcome(self, due: Due, future: Future[Learned]) -> Learned | None:
        """What a step of learning brought; one that failed is asked for again later, and the other models are watched meanwhile.

        None: its process was ended from outside (out of memory, by hand), or could not read the state. It is done again at once, so that
        verdicts do not depend on it.
        """
        try:
            return future.result()
        except (BrokenProcessPool, Transient) as error:
            if isinstance(error, Transient):  # whoever judges by a damaged row must not go on: here it is told from a passing trouble
                for _ in self._rows(due):
                    pass
            self._deaths[due.model] += 1
            if self._deaths[due.model] < LIVES:
                log.warning("learning_ended", model=due.model, step=due.step, why=str(error))
                return None
            return self._failed(due, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the daemon lives on
            return self._failed(due, error)

    def _failed(self, due: Due, error: Exception) -> Learned:
        log.error("learning_failed", model=due.model, step=due.step, exc_info=error)
        self._listener.learning_failed(due, error)
        return Learned(due, None, f"{due.step} failed: {type(error).__name__}: {error}")

    def _performed(self, due: Due) -> Future[Learned]:
        self.save()  # the windows it learns from must be in the store
        model = self.plan.models[due.model]
        reference = self.engine.references.get(due.model)
        if self._pool is not None:  # which reads the rows itself: here they would be held as long as it works on them
            return self._pool.submit(perform, model, due, Stretch(glance_at(self.store), due.model, due.from_ms, due.until_ms), reference)
        done: Future[Learned] = Future()
        try:
            done.set_result(perform(model, due, self._rows(due), reference))
        except (Corrupt, Transient):
            raise  # of the state, not of what is learnt from it
        except Exception as error:  # noqa: BLE001 - as from a pool: the future carries it
            done.set_exception(error)
        return done

    def _rows(self, due: Due) -> Iterator[WindowRow]:
        try:
            yield from self.store.windows(due.model, due.from_ms, due.until_ms)
        except (sqlite3.OperationalError, OSError) as error:
            raise Transient(f"state could not be read: {error}") from error

    def _due_to_save(self, now: float) -> bool:
        return self.engine.closed_since_drain() or now - self._saved_at >= self.plan.state.save_every_ms / 1000

    def _save(self, changes: Changes) -> None:
        started = wall.monotonic()
        try:
            self.store.save(changes)
        except (sqlite3.OperationalError, OSError) as error:
            self._unsaved = changes
            self._listener.save_failed(error)
            raise Transient(f"state could not be saved: {error}") from error
        self._unsaved = None
        self._identities |= changes.identities
        self.board.show(changes, self.engine)
        self._listener.saved(changes, self.engine, wall.monotonic() - started)
        self.worked_s = 0.0
        answered, self._answered = self._answered, []
        for future, value in answered:
            future.set_result(value)
        if changes.marks:
            at = self.engine.positions()  # of a topic that was never there nothing can be committed
            self.source.commit({name: mark.next_offset for name, mark in changes.marks.items() if mark is not None and name in at})
