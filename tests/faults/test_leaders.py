"""Leaders that move, on a cluster of three: killed, handed back, without a majority; nobody helps, and nothing is lost or repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.conftest import Calm
from tests.faults.witness import PACES, REAL, TOLD_S, Witness, account, records
from tests.river.world import events
from tests.services.broker import Broker
from tests.services.cluster import Cluster, Places
from tests.services.feed import Feed
from tests.services.river import PER_HOUR, River, stable

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, broker_process: Broker) -> Iterator[Cluster]:
    """Started where the shared broker could be: what is missing is said there."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(nodes: Cluster) -> Cluster:
    return nodes.well()


@pytest.fixture
def feed(cluster: Cluster) -> Iterator[Feed]:
    feed = Feed(cluster.bootstrap, copies=3)
    yield feed
    feed.close()


@pytest.fixture
def river(cluster: Cluster, feed: Feed, tmp_path: Path) -> Iterator[River]:
    made = River(cluster, feed, tmp_path)
    yield made
    made.close()


@pytest.fixture
def places(feed: Feed) -> Places:
    return Places(feed)


def struck(cluster: Cluster, places: Places, topic: str) -> int:
    """The leader of the topic's first partition is killed and another one leads; who it was."""
    leader = places.leader(topic)
    cluster.nodes[leader].kill()
    places.until(lambda: places.leader(topic) not in (-1, leader), "another one leads")
    return leader


@pytest.mark.parametrize("program", PACES)
def test_a_leader_that_is_killed_while_records_flow(
    river: River, cluster: Cluster, places: Places, calm: Calm, program: Sequence[str]
) -> None:
    """The first is killed in the middle of a burst of records, comes back, and gets its partitions back; then a second one is killed."""
    topic = river.topics["in"]
    witness = Witness(river.start(program=program))
    witness.told(up=True)
    river.send(range(2))
    witness.closed(0)
    river.begin(range(2, 4))
    first = struck(cluster, places, topic)
    river.send(range(4, 6))
    witness.closed(4)
    cluster.nodes[first].start()
    places.whole(*river.topics.values())
    places.hand_back(topic)
    assert places.leader(topic) == first
    river.send(range(6, 8))
    witness.closed(6)
    river.begin(range(8, 9))
    assert struck(cluster, places, river.topics["out"]) >= 0
    river.send(range(9, 12))
    witness.closed(10)
    witness.until(lambda: witness.gauge("raincheck_ready") == 1, "ready while two of three are there")
    witness.saved(river.state, 12 * PER_HOUR)
    witness.saved(river.state, 12 * PER_HOUR, "out")
    found = calm.holds(river, 11)
    assert (records(found, "in"), records(found, "out"), found["counts"]) == (12 * PER_HOUR, 12 * PER_HOUR, [])


def test_a_coordinator_that_is_killed_stops_nothing(river: River, cluster: Cluster, places: Places, calm: Calm) -> None:
    """What is committed to the broker is for lag tools only: positions are our own. They see us again when another node has the group."""
    witness = Witness(river.start(program=REAL))
    witness.told(up=True)
    river.send(range(2))
    witness.closed(0)
    witness.until(lambda: witness.gauge("raincheck_kafka_commits_total"), "the group is known to its coordinator")
    places.whole("__consumer_offsets")
    cluster.nodes[places.coordinator()].kill()
    river.send(range(2, 6))
    witness.closed(4)
    river.send(range(6, 8))
    witness.closed(6)
    wanted = 8 * PER_HOUR // 2
    witness.until(lambda: places.committed("raincheck", river.topics["in"]) == {0: wanted, 1: wanted}, "lag tools see all of it read")
    assert witness.gauge("raincheck_ready") == 1
    found = calm.holds(river, 7)
    assert (records(found, "in"), found["counts"]) == (8 * PER_HOUR, [])


@pytest.mark.parametrize("program", PACES)
def test_without_a_majority_nothing_is_read_and_it_is_said(
    river: River, cluster: Cluster, places: Places, calm: Calm, program: Sequence[str]
) -> None:
    """Two of three are killed: the third may lead a partition still, but nobody may elect another leader for the others."""
    topic = river.topics["in"]
    witness = Witness(river.start(program=program))
    witness.told(up=True)
    river.send(range(3))
    witness.closed(1)
    both = {places.leader(topic, 0), places.leader(topic, 1)}
    assert len(both) == 2, "two partitions are led by two nodes"
    river.feed.close()
    for node in both:
        cluster.nodes[node].kill()
    line = witness.told(up=False)
    assert line["cause"], "it says why"
    witness.outlives(5, "while there is no majority")
    cluster.well()
    witness.told(up=True)
    river.send(range(3, 6))
    witness.closed(4)
    witness.saved(river.state, 6 * PER_HOUR)
    found = calm.holds(river, 5)
    assert (records(found, "in"), found["counts"]) == (6 * PER_HOUR, [])


def test_verdicts_and_the_page_are_those_of_an_undisturbed_run(river: River, cluster: Cluster, places: Places) -> None:
    """Judged, not only counted: leaders are killed while it learns and in the middle of a shift; a replay has seen neither."""
    learnt, clean, shifted = 8 * 24, 24, 6
    daemon = river.start()
    witness = Witness(daemon)
    witness.told(up=True)
    river.begin(range(learnt // 2))
    first = struck(cluster, places, river.topics["in"])
    river.send(range(learnt // 2, learnt + clean))
    assert [daemon.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    cluster.nodes[first].start()
    places.whole(*river.topics.values())
    river.begin(range(learnt + clean, learnt + clean + 1), shifted=3)
    struck(cluster, places, river.topics["out"])
    river.send(range(learnt + clean + 1, learnt + clean + shifted), shifted=3)
    assert "x3" in str(river.webhook.next())
    river.send(range(learnt + clean + shifted, learnt + clean + shifted + 2))
    witness.closed(learnt + clean + shifted)
    assert daemon.terminate() == 0
    found, _ = account(river.state)
    assert found["counts"] == []
    assert river.webhook.waiting == 0, "one page, and nothing about the brokers"
    assert {v["status"] for v in found["verdicts"][-shifted:]} >= {"page"}
    assert [stable(v) for v in river.replayed()] == [stable(v) for v in found["verdicts"]]


def uncleanly(river: River, cluster: Cluster, places: Places) -> tuple[str, Broker, Broker]:
    """A topic of two copies, one of which may lead without being complete; its name, and who has the complete and the stale one."""
    topic, (stale, complete) = river.feed.name(), (1, 2)
    settings = {"unclean.leader.election.enable": "true", "min.insync.replicas": "1"}
    river.feed.admin.create_topics({topic: {"assignments": {0: [complete, stale]}, "configs": settings}}, wait_for_metadata=True)
    river.plan["streams"]["in"]["topic"] = river.topics["in"] = topic
    river.write()
    return topic, cluster.nodes[complete], cluster.nodes[stale]


def write(river: River, hours: range) -> None:
    inputs, outputs = events(hours, PER_HOUR)
    river.feed.produce(river.topics["in"], inputs)
    river.feed.produce(river.topics["out"], outputs)


def two_hours_ahead(river: River, places: Places, witness: Witness, complete: Broker, stale: Broker) -> None:
    """Five hours are read and saved, of which the copy that was stopped knows the first three."""
    write(river, range(3))
    places.whole(*river.topics.values())
    stale.kill()
    places.until(lambda: places.in_sync(river.topics["in"]) == {complete.node}, "one copy is left behind")
    write(river, range(3, 5))
    witness.closed(3)
    witness.saved(river.state, 5 * PER_HOUR)


def test_an_unclean_election_that_cuts_the_log_is_told_and_counted(river: River, cluster: Cluster, places: Places) -> None:
    """A copy that stood still leads after the only complete one died: what was read of it and is no more is counted; verdicts stay."""
    topic, complete, stale = uncleanly(river, cluster, places)
    witness = Witness(river.start(program=REAL))
    witness.told(up=True)
    two_hours_ahead(river, places, witness, complete, stale)
    complete.kill()
    stale.start()
    line = witness.daemon.wait_for("log_truncated", TOLD_S)
    assert (line["partition"], line["position"], line["start"]) == ("in/0", 5 * PER_HOUR, 3 * PER_HOUR)
    river.feed.close()  # a producer that has seen its records vanish may not go on
    write(river, range(5, 7))
    witness.closed(5)
    complete.start()
    places.whole(topic)
    places.hand_back(topic)  # its log was cut, too: the same one goes on
    write(river, range(7, 9))
    witness.closed(7)
    witness.saved(river.state, 9 * PER_HOUR)
    cut_once(river, witness)


def test_a_log_that_was_cut_and_grew_again_while_we_were_away_is_told(river: River, cluster: Cluster, places: Places) -> None:
    """Its end is beyond our offset again, where other records stand now: offsets alone would go on in their middle and say nothing."""
    topic, complete, stale = uncleanly(river, cluster, places)
    first = Witness(river.start(program=REAL))
    first.told(up=True)
    two_hours_ahead(river, places, first, complete, stale)
    assert first.daemon.terminate() == 0
    complete.kill()
    stale.start()
    places.until(lambda: places.leader(topic) == stale.node, "the one that stood still leads")
    river.feed.close()
    write(river, range(5, 9))
    second = Witness(river.start(program=REAL))
    line = second.daemon.wait_for("log_truncated", TOLD_S)
    assert (line["partition"], line["position"], line["start"]) == ("in/0", 5 * PER_HOUR, 3 * PER_HOUR)
    second.closed(7)
    second.saved(river.state, 9 * PER_HOUR)
    cut_once(river, second)


def cut_once(river: River, witness: Witness) -> None:
    """Two hours were read and are no more: they are counted, what was judged stays judged, and each later record was read once."""
    found, _ = account(river.state)
    assert found["counts"] == [{"of": "in", "reason": "rewound", "count": 2 * PER_HOUR}]
    assert found["offsets"]["in/0"]["next_offset"] == records(found, "in") - 2 * PER_HOUR, (
        "read, less what is no more, is what the log holds"
    )
    assert [v["events"] for v in found["verdicts"][:8]] == [PER_HOUR] * 8
    lacks = {i: v["lacks"] for i, v in enumerate(found["verdicts"][:8]) if v["partial"]}
    assert lacks == {4: ["in/0: cut"], 5: ["in/0: cut"]}, "records that nobody had read may have gone with those that were"
    assert [line["event"] for line in witness.daemon.lines].count("log_truncated") == 1
