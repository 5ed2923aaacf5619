"""One Kafka consumer in our words: partitions by their names, failures by what must be done about them.

A consumer that has raised is never polled again: kafka-python's next poll would spin for ever (measured with 3.0.12). So there is no
recovery in here; `monitor.sources.kafka` throws the client away and builds a new one at positions of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal

from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, LogTruncationError, OffsetOutOfRangeError, UnsupportedCodecError
from kafka.net.compat import KafkaNetClient

from monitor import wall
from monitor.batch import Records
from monitor.sources.source import partition_name, partition_number

PROBE_MS = 2000


class ClientFailed(Exception):  # noqa: N818 - it is an outcome, not a mistake
    """A poll or a probe raised. `kind` says what must be done, `name` is the client's class of error.

    kind "range": `offsets` {partition: position} are outside of the log; "cut": the log was cut, `offsets` {partition: where the common
    past ends, or None}; "unreadable": a batch cannot be opened, whose is not said; "other": anything else.
    """

    def __init__(
        self, kind: Literal["range", "cut", "unreadable", "other"], error: Exception, offsets: Mapping[str, int | None] | None = None
    ) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.kind = kind
        self.name = type(error).__name__
        self.offsets = dict(offsets or {})


class KafkaClient:
    """A consumer without topics. `topics` is {stream: topic}, `arguments` what every client of this cluster is built with.

    `assigned` names the partitions that are being read. Building connects, and raises
    whatever kafka-python raises after at most ten seconds.
    """

    def __init__(self, arguments: Mapping[str, Any], topics: Mapping[str, str], group: str | None, most: int = 2000) -> None:
        self._topics = dict(topics)
        self._streams = {topic: stream for stream, topic in topics.items()}
        self._consumer = built(
            KafkaConsumer,
            {"bootstrap_timeout_ms": 10_000, **arguments},
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=most,
            fetch_max_bytes=16 * 1024 * 1024,
            request_timeout_ms=10_000,
            reconnect_backoff_max_ms=1000,
            metadata_max_age_ms=30_000,
            allow_auto_create_topics=False,
        )
        # 3.0.12 loses the last setting on its way to the metadata, so that polling a topic that was just deleted makes it anew
        cluster = getattr(self._consumer, "_cluster", None)
        if cluster is not None:
            cluster.config["allow_auto_create_topics"] = False
        self.assigned: set[str] = set()

    def _tp(self, partition: str) -> TopicPartition:
        stream, number = partition_number(partition)
        return TopicPartition(self._topics[stream], number)

    def _name(self, tp: TopicPartition) -> str:
        return partition_name(self._streams[tp.topic], tp.partition)

    def assign(self, positions: Mapping[str, int], paused: Collection[str] = (), epochs: Mapping[str, int] | None = None) -> None:
        """Read exactly these partitions: those read already go on, the others begin at their position; all are sought before any poll.

        Of a position whose epoch is known (`epochs`) the cluster is asked whether its log is still the one that was read; if not, a poll
        raises.
        """
        self._consumer.assign([self._tp(partition) for partition in positions])
        for partition in positions.keys() - self.assigned:
            self._consumer.seek(self._tp(partition), positions[partition])
            if epochs is not None and epochs.get(partition, -1) >= 0:  # the public call takes an offset only
                place = self._place(partition)
                if place is not None:
                    place.seek(OffsetAndMetadata(positions[partition], "", epochs[partition]))
        self.assigned = set(positions)
        self.pause(paused)

    def _place(self, partition: str) -> Any:
        """Where 3.0.12 keeps a partition's position with its epoch, which no public call tells; None where a later client does not."""
        return getattr(getattr(self._consumer, "_subscription", None), "assignment", {}).get(self._tp(partition))

    def seek(self, partition: str, position: int) -> None:
        self._consumer.seek(self._tp(partition), position)

    def pause(self, partitions: Collection[str]) -> None:
        if held := [self._tp(partition) for partition in partitions if partition in self.assigned]:
            self._consumer.pause(*held)

    def resume(self, partitions: Collection[str]) -> None:
        if free := [self._tp(partition) for partition in partitions if partition in self.assigned]:
            self._consumer.resume(*free)

    def poll(self, timeout_ms: int) -> list[Records]:
        """What came within the time, one `Records` per partition; raises `ClientFailed`."""
        self._unpark()
        try:
            found = self._consumer.poll(timeout_ms=timeout_ms)
        except Exception as error:
            raise self._failure(error) from error
        arrival_ms = wall.now_ms()
        out = []
        for tp, rows in found.items():
            name = self._name(tp)
            # one pass per column: the list comprehensions cost a tenth of what the client itself does per record
            out.append(
                Records(
                    stream=self._streams[tp.topic],
                    partition=name,
                    offsets=[row.offset for row in rows],
                    stamps_ms=[row.timestamp for row in rows],
                    values=[row.value for row in rows],
                    next_offset=rows[-1].offset + 1,
                    arrival_ms=arrival_ms,
                )
            )
        return out

    def _unpark(self) -> None:
        """Let the client take up the records of a resumed partition again.

        3.0.12 parks what it has parsed of a paused partition and takes it back only where nothing is in line; but what has been
        read to its end stays in line. A partition that was resumed while all others were paused was never read again.
        """
        fetcher = getattr(self._consumer, "_fetcher", None)
        if fetcher is not None and not getattr(fetcher, "_next_partition_records", True):
            fetcher._next_partition_records = None

    def _failure(self, error: Exception) -> ClientFailed:
        if isinstance(error, OffsetOutOfRangeError):
            return ClientFailed("range", error, {self._name(tp): int(offset) for tp, offset in error.args[0].items()})
        if isinstance(error, LogTruncationError):
            cut = {self._name(tp): None if at is None else int(at.offset) for tp, at in error.divergent_offsets.items()}
            return ClientFailed("cut", error, cut)
        # what a decompressor or a parser raises is no KafkaError
        unreadable = isinstance(error, (CorruptRecordError, UnsupportedCodecError)) or not isinstance(error, KafkaError)
        return ClientFailed("unreadable" if unreadable else "other", error)

    def ends(self, partitions: Collection[str], timeout_ms: int = PROBE_MS) -> dict[str, int]:
        """Fresh end offsets, up to the last stable one: the contact probe. Raises `ClientFailed` when nothing answers in time."""
        return self._offsets(self._consumer.end_offsets, partitions, timeout_ms)

    def beginnings(self, partitions: Collection[str], timeout_ms: int = PROBE_MS) -> dict[str, int]:
        """The first offset that is still there; raises `ClientFailed`."""
        return self._offsets(self._consumer.beginning_offsets, partitions, timeout_ms)

    def since(self, stamps_ms: Mapping[str, int], timeout_ms: int = PROBE_MS) -> dict[str, int | None]:
        """The first offset whose stamp is at least the given one, per partition; None where there is none. Raises `ClientFailed`."""
        try:
            wanted = {self._tp(partition): stamp_ms for partition, stamp_ms in stamps_ms.items()}
            found = self._consumer.offsets_for_times(wanted, timeout_ms=timeout_ms) if wanted else {}
            return {self._name(tp): None if at is None else int(at.offset) for tp, at in found.items()}
        except Exception as error:
            raise ClientFailed("other", error) from error

    def _offsets(self, ask: Any, partitions: Collection[str], timeout_ms: int) -> dict[str, int]:
        try:
            found = ask([self._tp(partition) for partition in partitions], timeout_ms=timeout_ms) if partitions else {}
            return {self._name(tp): int(offset) for tp, offset in found.items()}
        except Exception as error:
            raise ClientFailed("other", error) from error

    def positions(self) -> dict[str, int]:
        """Where the client stands, beyond markers and aborted records at a log's end; only true while it has never raised."""
        try:
            found = {partition: self._consumer.position(self._tp(partition), timeout_ms=500) for partition in self.assigned}
        except Exception as error:
            raise self._failure(error) from error
        return {partition: int(offset) for partition, offset in found.items() if offset is not None}

    def epochs(self, partitions: Iterable[str]) -> dict[str, int]:
        """The leaders' epochs of what was read last of them, markers among it, where they are known; asks nobody."""
        places = {partition: getattr(self._place(partition), "position", None) for partition in partitions}
        known = {partition: int(getattr(at, "leader_epoch", -1)) for partition, at in places.items()}
        return {partition: epoch for partition, epoch in known.items() if epoch >= 0}

    def commit(self, offsets: Mapping[str, int], metadata: str) -> None:
        """Tell the broker, for lag tools; raises `ClientFailed`."""
        try:
            self._consumer.commit(
                {self._tp(partition): OffsetAndMetadata(offset, metadata, -1) for partition, offset in offsets.items()}, timeout_ms=3000
            )
        except Exception as error:
            raise ClientFailed("other", error) from error

    def committed(self, partitions: Collection[str], timeout_ms: int = PROBE_MS) -> dict[str, tuple[int, str]]:
        """What stands in the group now, (offset, metadata) of the partitions that have any; one request. Raises `ClientFailed`."""
        try:
            # the public call asks for one partition at a time, each with a request of its own
            ask = self._consumer._coordinator.fetch_committed_offsets
            found = ask([self._tp(partition) for partition in partitions], timeout_ms=timeout_ms) if partitions else {}
            return {self._name(tp): (int(at.offset), str(at.metadata or "")) for tp, at in found.items()}
        except Exception as error:
            raise ClientFailed("other", error) from error

    def close(self) -> None:
        """Leave within a second; whatever happens while leaving changes nothing."""
        with contextlib.suppress(Exception):
            self._consumer.close(autocommit=False, timeout_ms=1000)


def built(kind: Callable[..., Any], arguments: Mapping[str, Any], **more: Any) -> Any:
    """Build a client of kafka-python and leave nothing behind where that fails: a constructor that raises keeps its thread and sockets."""
    parts: list[Any] = []

    def network(**settings: Any) -> Any:
        parts.append(KafkaNetClient(**settings))
        return parts[-1]

    try:
        return kind(**arguments, **more, kafka_client=network)
    except Exception:
        for part in parts:
            with contextlib.suppress(Exception):
                part.close()
        raise


def admin_client(arguments: Mapping[str, Any]) -> Any:
    """A client that may ask for topics without creating them."""
    return built(KafkaAdminClient, {"bootstrap_timeout_ms": 5000, **arguments}, request_timeout_ms=3000)
