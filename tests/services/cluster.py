"""Three nodes of a real Apache Kafka on the loopback, each broker and controller: topics have three copies and a leader that moves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kafka.errors import KafkaConnectionError

from tests.services.broker import Broker, free_port
from tests.services.feed import Feed

NODES = (1, 2, 3)
THREE: Mapping[str, str] = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "min.insync.replicas": "2",
    "auto.leader.rebalance.enable": "false",  # leaders move when a test moves them
    "replica.lag.time.max.ms": "2000",  # how long a copy that stands still counts as one; the default of 30 s would only be waited for
}


class Cluster:
    """The nodes by their numbers. Data and ports are kept over restarts."""

    def __init__(self, folder: Path) -> None:
        quorum = {node: free_port() for node in NODES}
        self.nodes = {node: Broker(folder / str(node), properties=THREE, heap="256m", node=node, quorum=quorum) for node in NODES}

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes.values())

    def well(self) -> Cluster:
        """Itself, with all nodes running: whatever a test has done to them before."""
        absent = [node for node in self.nodes.values() if not node.running]
        for node in absent:
            node.launch()
        for node in absent:
            node.await_started()
        return self

    def stop(self) -> None:
        """The data is thrown away: nothing is to be handed over, which is what a node's orderly leaving would wait for."""
        for node in self.nodes.values():
            node.kill()


class Places:
    """Where the copies of a cluster's partitions are, as its controller says."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def leader(self, topic: str, partition: int = 0) -> int:
        """The node that leads the partition; -1 where none does."""
        return int(self._row(topic, partition)["leader_id"])

    def in_sync(self, topic: str, partition: int = 0) -> set[int]:
        """The nodes whose copies are complete."""
        return set(self._row(topic, partition)["isr_nodes"])

    def coordinator(self) -> int:
        """The node that keeps what all groups have committed: the topic of offsets has one partition here."""
        return self.leader("__consumer_offsets")

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What the group has committed of the topic: {partition: next offset}."""
        found = self._asked(lambda admin: admin.list_group_offsets(group))[group]
        return {at.partition: committed.offset for at, committed in found.items() if at.topic == topic}

    def hand_back(self, topic: str) -> None:
        """Have those lead that are the first of their partition's copies: leaders move while every node lives."""
        rows = self._rows(topic)
        self._feed.admin.elect_leaders(0, {topic: [row["partition_index"] for row in rows]})
        first = {row["partition_index"]: row["replica_nodes"][0] for row in rows}
        self.until(lambda: {row["partition_index"]: row["leader_id"] for row in self._rows(topic)} == first, "the preferred ones lead")

    def whole(self, *topics: str) -> None:
        """Waits until every node has every copy of the topics' partitions."""
        for topic in topics:

            def complete(topic: str = topic) -> bool:
                return all(set(row["isr_nodes"]) == set(row["replica_nodes"]) for row in self._rows(topic))

            self.until(complete, f"all copies of {topic} are complete")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        for _ in range(6000):  # each look is a question of some milliseconds to the controller
            if condition():
                return
        raise TimeoutError(what)

    def _rows(self, topic: str) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = self._asked(lambda admin: admin.describe_topics([topic]))[0]["partitions"]
        return rows

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        """The answer; where the node that was asked is the one that was killed, that of the next one whom the client asks."""
        for _ in NODES:
            with contextlib.suppress(KafkaConnectionError):
                return question(self._feed.admin)
        raise TimeoutError("no node answers")

    def _row(self, topic: str, partition: int) -> Mapping[str, Any]:
        return next(row for row in self._rows(topic) if row["partition_index"] == partition)
