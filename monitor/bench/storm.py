"""An office that reads the bench's traffic from memory behind the real web server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from monitor import wall
from monitor.batch import Records
from monitor.bench.traffic import STREAM, plan
from monitor.http import Server, create_app
from monitor.office import Office
from monitor.plan import Limits
from monitor.reference import Reference
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.sqlite import SqliteStore


class Stormy:
    """The same work again and again: `office` opens it behind a port, `rates` does it."""

    def __init__(self, reference: Reference, traffic: Sequence[Records], series: int) -> None:
        self._reference, self._series = reference, series
        self._plan = replace(plan(), limits=Limits(series=series))
        self._bus = Bus()
        topic = self._plan.streams[STREAM].topic
        partitions = sorted({records.partition for records in traffic})
        self._bus.create(topic, len(partitions))
        self._records = 0
        for records in traffic:
            self._bus.extend(topic, list(records.values), partitions.index(records.partition), list(records.stamps_ms))
            self._records += len(records.values)

    @contextmanager
    def office(self) -> Iterator[tuple[Office, int]]:
        """A fresh daemon but for its process: state in a file, metrics filled up to the budget, served on a free port."""
        with tempfile.TemporaryDirectory() as folder:
            source = MemorySource(self._bus, {STREAM: self._plan.streams[STREAM].topic})
            office = Office(self._plan, source, SqliteStore(Path(folder) / "state.db"), lambda _: MemoryNotifier(self._plan))
            office.rounds.engine.given(self._reference, b"")
            metrics = office.telemetry.metrics
            for i in range(self._series):
                metrics.set(
                    "raincheck_effect", 0.5 + i / 7, model=f"model-{i % 20}", subject=f"feature-{i // 20}", statistic="psi", segment=""
                )
            server = Server(create_app(office, clock=wall.now_ms, count=office.counted), port=0)
            port = server.start()
            office.start()
            try:
                yield office, port
            finally:
                server.stop()
                office.stop(1.0)

    def rates(self, office: Office) -> tuple[float, float]:
        """Records per second of wall time, and of all this process' CPU time, until all have been read and their windows judged."""
        wall_s, cpu_s, read = time.perf_counter(), time.process_time(), 0
        while read < self._records:
            read += office.turn(0)
        return self._records / (time.perf_counter() - wall_s), self._records / (time.process_time() - cpu_s)
