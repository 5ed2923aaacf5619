"""The engine walked from beginning to end without a clock: what backtests, replays and file references share.

Learning is done where it is asked for, so a walk sees exactly what a live run would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from monitor.batch import Slice
from monitor.engine import Engine
from monitor.learning import Due, perform
from monitor.plan import Plan
from monitor.stores.memory import MemoryStore
from monitor.stores.store import Store

Progress = Callable[[int, int], None]  # records so far, event time reached (ms)


class Walk:
    """An engine with its store. `feed` as often as there are slices, then `finish`."""

    def __init__(self, plan: Plan, store: Store | None = None) -> None:
        self.store = store if store is not None else MemoryStore()
        self.plan = plan
        self.engine = Engine(plan, self.store.load())
        self.records = 0

    def feed(self, slices: Iterable[Slice], progress: Progress | None = None) -> None:
        for piece in slices:
            self.engine.assign([piece.partition])
            self.engine.absorb(piece)
            self.settle()
            self.records += piece.records
            if progress is not None:
                progress(self.records, max((p.mark_ms or 0 for p in self.engine.watermark.positions.values()), default=0))

    def settle(self) -> None:
        """Saves what changed and does the learning that is due, until nothing is."""
        while True:
            self.store.save(self.engine.drain())
            due = self.engine.due()
            if not due:
                return
            for step in due:
                self.learn(step)

    def learn(self, due: Due) -> None:
        model = self.plan.models[due.model]
        rows = self.store.windows(due.model, due.from_ms, due.until_ms)
        self.engine.learned(perform(model, due, rows, self.engine.references.get(due.model)))

    def finish(self) -> None:
        """Closes what is open: the recording has ended."""
        self.engine.close_all()
        while self.engine.due():
            self.settle()
            self.engine.close_all()
        self.store.save(self.engine.drain())
