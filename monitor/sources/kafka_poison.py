"""Which partition holds the batch that cannot be opened, and how to get past it.

The client does not say whose batch it was that it could not open (wrong checksum, unknown compression). So each partition is read alone, by
a client that has never raised: the culprit raises a second time, at the same place, before it has brought a record.
"""

from __future__ import annotations

from collections.abc import Collection

from monitor import wall
from monitor.batch import Records
from monitor.sources.kafka_client import ClientFailed, KafkaClient
from monitor.sources.positions import Positions
from monitor.sources.source import Note, Unreadable, partition_number

TRIES = 10  # of half a second each, for a partition that has records and brings none
BUDGET_S = 8.0  # for stepping through a batch within one poll; the watchdog bites after 30 s


class Isolation:
    """The search for the culprit among `suspects`, one of them per `step`, each with a new client.

    After a step whose partition raised, `spent` says that the client must be thrown away.
    """

    def __init__(self, suspects: Collection[str], *, skip: bool) -> None:
        self._suspects = sorted(suspects)
        self._skip = skip
        self.halted: set[str] = set()
        self.done = False

    def step(self, client: KafkaClient, positions: Positions) -> list[Records | Note]:
        """Read the next suspect alone; `done` is set when the culprit was found or nobody is left."""
        ends = client.ends(self._suspects) if self._suspects else {}
        while self._suspects:
            name = self._suspects.pop(0)
            position = positions.next[name]
            if position >= ends[name]:
                continue  # nothing to read, so it cannot have raised
            client.assign({name: position})
            try:
                for _ in range(TRIES):
                    if found := client.poll(500):
                        positions.next[name] = found[0].next_offset
                        return list(found)
            except ClientFailed as failure:
                if failure.kind != "unreadable":
                    raise
                self.done = True
                stream = partition_number(name)[0]
                out: list[Records | Note] = [Unreadable(stream, name, position, failure.name, not self._skip)]
                if self._skip:
                    out += self._pass(client, positions, name, ends[name])
                else:
                    self.halted.add(name)
                return out
        self.done = True
        return []

    @staticmethod
    def _pass(client: KafkaClient, positions: Positions, name: str, end: int) -> list[Records | Note]:
        """Seek one further and poll, until the batch is behind: a seek to another offset is what clears a client that has raised."""
        at = positions.next[name]
        deadline = wall.monotonic() + BUDGET_S
        found: list[Records] = []
        while not found and wall.monotonic() < deadline:
            at += 1
            if at >= end:
                break
            client.seek(name, at)
            try:
                for _ in range(TRIES):
                    if found := client.poll(500):
                        break
            except ClientFailed as failure:
                if failure.kind != "unreadable":
                    raise
        out: list[Records | Note] = [positions.lose(name, at, "poison")]
        if found:
            positions.next[name] = found[0].next_offset
        return [*out, *found]
