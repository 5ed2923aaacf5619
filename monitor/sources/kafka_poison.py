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
    """The search for the culprit among `suspects`, one per `step`. `done` says that the client in use must be thrown away.

    `halted` names the culprit's partition afterwards, unless `skip` had its batch passed over.
    """

    def __init__(self, suspects: Collection[str], *, skip: bool) -> None:
        self._suspects = sorted(suspects)
        self._skip = skip
        self.halted: set[str] = set()
        self.done = False

    def step(self, client: KafkaClient, positions: Positions, paused: Collection[str]) -> list[Records | Note]:
        """Read the next suspect alone; `done` is set when the culprit was found or nobody is left."""
        ends = client.ends(self._suspects) if self._suspects else {}
        while self._suspects:
            name = self._suspects.pop(0)
            # one without records cannot have raised, and a paused one raises again when it is resumed
            if name not in paused and positions.next[name] < ends[name]:
                return self._try(client, positions, name, ends[name])
        self.done = True
        return []

    def _try(self, client: KafkaClient, positions: Positions, name: str, end: int) -> list[Records | Note]:
        position = positions.next[name]
        client.assign({name: position}, epochs=positions.epochs)
        try:
            found = _bring(client)
        except ClientFailed as failure:
            if failure.kind != "unreadable":
                raise
            self.done = True
            out: list[Records | Note] = [Unreadable(partition_number(name)[0], name, position, failure.name, not self._skip)]
            if self._skip:
                return out + self._pass(client, positions, name, end)
            self.halted.add(name)
            return out
        _advance(client, positions, found)
        return list(found)

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
                found = _bring(client)
            except ClientFailed as failure:
                if failure.kind != "unreadable":
                    raise
        out: list[Records | Note] = [positions.lose(name, at, "poison")]
        _advance(client, positions, found)
        return [*out, *found]


def _advance(client: KafkaClient, positions: Positions, found: Collection[Records]) -> None:
    """Their offsets with their epochs: an epoch of before would have the next client told of a cut that never was."""
    for records in found:
        positions.next[records.partition] = records.next_offset
    positions.epochs |= client.epochs(records.partition for records in found)


def _bring(client: KafkaClient) -> list[Records]:
    for _ in range(TRIES):
        if found := client.poll(500):
            return found
    return []
