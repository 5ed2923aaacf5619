"""The engine walked from beginning to end without a clock: what backtests, replays and file references share.

Learning is done where it is asked for, so a walk sees exactly what a live run would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from monitor.batch import Records, Slice
from monitor.codecs import codec_for
from monitor.engine import Engine
from monitor.learning import Due, perform
from monitor.plan import Plan
from monitor.sources.files import FilesSource
from monitor.sources.recording import read_lines
from monitor.stores.memory import MemoryStore
from monitor.stores.store import Store
from monitor.verdict import Verdict

Progress = Callable[[int, int], None]  # records so far, event time reached (ms)


class Walk:
    """An engine with its store. `feed` as often as there are slices, then `finish`."""

    def __init__(self, plan: Plan, store: Store | None = None) -> None:
        self.store = store if store is not None else MemoryStore()
        self.plan = plan
        self.engine = Engine(plan, self.store.load())
        self.records = 0
        self._lasting = store is not None  # a walk of its own needs no checkpoints: nobody asks it again
        self._closed: list[Verdict] = []

    def closed(self) -> list[Verdict]:
        """Verdicts since the last call, in the order in which windows closed."""
        closed, self._closed = self._closed, []
        return closed

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
            self._save()
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
        self._save()

    def _save(self) -> None:
        changes = self.engine.drain()
        if not self._lasting:
            changes.checkpoints.clear()
        self.store.save(changes)
        self._closed += [row.verdict for row in changes.windows]


def recorded(plan: Plan, paths: Sequence[Path]) -> tuple[list[str], Iterator[Slice]]:
    """The partitions that recordings hold, and their slices in the order in which they were written.

    The partitions come first, from a reading of their own: a live run waits for all of them from its beginning.
    """
    places = {line.place for path in paths for _, line in read_lines(path) if line.stream in plan.streams}
    return sorted(places), _decoded(plan, paths)


def _decoded(plan: Plan, paths: Sequence[Path]) -> Iterator[Slice]:
    codecs = {name: codec_for(plan, stream) for name, stream in plan.streams.items()}
    source = FilesSource(paths, plan.streams)
    source.start({}, {})
    while not source.finished:
        for item in source.poll(0):
            if isinstance(item, Records):
                yield codecs[item.stream].decode(item)
