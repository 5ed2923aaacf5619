"""What a broker and its topics can do to a running daemon: windows, counts and verdicts stay those of an undisturbed run."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence

import pytest

from tests.faults.conftest import Calm
from tests.faults.witness import BRISK, PACES, REAL, Witness, account, records
from tests.river.world import START_MS, events
from tests.services.broker import Broker
from tests.services.river import PER_HOUR, River, stable

pytestmark = pytest.mark.kafka
# What a daemon that waits may cost: it polls five times a second and builds a client every five seconds; a spin takes the whole core.
IDLE_SHARE = 0.5
# What an outage may leave in memory: clients come and go, and nothing is held for them.
LEFT_MIB = 50.0


def begun(river: River, program: Sequence[str], hours: int = 3) -> Witness:
    """A daemon in the middle of its stream: all windows but the last are closed, one is open."""
    witness = Witness(river.start(program=program))
    witness.told(up=True)
    river.send(range(hours))
    witness.closed(hours - 2)
    sent = hours * PER_HOUR  # read to the last: what a topic takes along with it is nobody's fault but its deleter's
    witness.until(lambda: witness.gauge("raincheck_records_consumed_total", stream="in") == sent, "all of the open window has been read")
    river.feed.close()  # the test's own clients need not shout about what it does to the broker
    return witness


def poison(river: River, broker: Broker) -> None:
    """One more batch in the first partition, with a bit of it flipped on the broker's disk."""
    record = b"poison-poison"
    river.feed.produce(river.topics["in"], [record], 0)
    with broker.segment(river.topics["in"], 0).open("r+b") as file:
        at = file.read().index(record)
        file.seek(at)
        file.write(bytes([record[0] ^ 1]))


@pytest.mark.parametrize("program", PACES)
def test_a_broker_that_is_killed_and_comes_back(river: River, kafka_broker: Broker, calm: Calm, program: Sequence[str]) -> None:
    witness = begun(river, program)
    memory = witness.rss_mib()
    kafka_broker.kill()
    line = witness.told(up=False)
    assert re.search("(?i)connection refused|hangs up", line["cause"])
    before, away_s = witness.cpu_s(), 100 if program == REAL else 3  # longer than a client is given to find back by itself
    witness.outlives(away_s, "while the broker is away")
    assert witness.cpu_s() - before < IDLE_SHARE * away_s, "waiting is no spinning"
    kafka_broker.start()
    river.send(range(3, 7))
    witness.told(up=True)
    witness.closed(5)
    assert witness.rss_mib() - memory < LEFT_MIB
    witness.saved(river.state, 7 * PER_HOUR)
    witness.saved(river.state, 7 * PER_HOUR, "out")
    found = calm.holds(river, 6)
    assert (records(found, "in"), records(found, "out"), found["counts"]) == (7 * PER_HOUR, 7 * PER_HOUR, [])


@pytest.mark.parametrize("program", PACES)
def test_a_broker_that_freezes(river: River, kafka_broker: Broker, calm: Calm, program: Sequence[str]) -> None:
    """Its ports stay open, so that only a question which is not answered tells."""
    witness = begun(river, program)
    kafka_broker.freeze()
    before, frozen_s = witness.cpu_s(), 20 if program == REAL else 1
    line = witness.told(up=False)
    assert re.search("answer|in time", line["cause"])
    witness.outlives(frozen_s, "while the broker is frozen")
    assert witness.cpu_s() - before < IDLE_SHARE * (frozen_s + 5)
    kafka_broker.thaw()
    witness.told(up=True, within_s=30)
    river.send(range(3, 7))
    witness.closed(5)
    witness.saved(river.state, 7 * PER_HOUR)
    found = calm.holds(river, 6)
    assert (records(found, "in"), found["counts"]) == (7 * PER_HOUR, [])


@pytest.mark.parametrize("program", PACES)
def test_a_broker_that_is_absent_at_the_start(river: River, kafka_broker: Broker, calm: Calm, program: Sequence[str]) -> None:
    river.send(range(5))
    river.feed.close()
    kafka_broker.stop()
    witness = Witness(river.start(program=program))
    line = witness.told(up=False)
    assert "refused" in line["cause"]
    before, away_s = witness.cpu_s(), 30 if program == REAL else 3
    witness.outlives(away_s, "while no broker is there")
    assert witness.cpu_s() - before < IDLE_SHARE * away_s
    kafka_broker.start()
    witness.told(up=True)
    witness.closed(3)
    assert calm.holds(river, 4)["counts"] == []


@pytest.mark.parametrize("program", PACES)
def test_a_topic_that_is_deleted_and_made_anew(river: River, calm: Calm, program: Sequence[str]) -> None:
    """The new one is longer than where we stood: offsets alone would go on in its middle and say nothing."""
    witness = begun(river, program)
    daemon, topic = witness.daemon, river.topics["in"]
    former = river.feed.identity(topic)
    river.feed.delete(topic)
    line = daemon.wait_for("topic_absent")
    assert line["topic"] == topic
    witness.until(lambda: witness.gauge("raincheck_kafka_assigned_partitions", topic=topic) == 0, "nothing of it is read")
    river.feed.create(topic, partitions=2)
    line = daemon.wait_for("topic_recreated")
    assert (line["before"], line["now"]) == (former, river.feed.identity(topic))
    river.send(range(3, 9))  # twice as many as were read of the old one
    witness.closed(7)
    witness.saved(river.state, 9 * PER_HOUR)
    # hour 2 was open: it is as whole as the others, but who knows what the old topic still held
    lacks = ["in/0: recreated", "in/1: recreated"]
    found = calm.holds(river, 8, {2: lacks, 3: lacks})
    assert (records(found, "in"), found["counts"]) == (9 * PER_HOUR, [])
    assert found["offsets"]["in/0"]["next_offset"] == 6 * PER_HOUR // 2, "the offsets are those of the new topic"


def test_a_crash_after_a_topic_was_made_anew_reads_nothing_twice(river: River, calm: Calm) -> None:
    """Killed in the middle of the first records of the new topic, the next start must not take it for another one again."""
    witness = begun(river, BRISK)
    river.feed.delete(river.topics["in"])
    witness.daemon.wait_for("topic_absent")
    assert witness.daemon.terminate() == 0
    river.feed.create(river.topics["in"], partitions=2)
    river.send(range(3, 6))
    program = (str(BRISK[0]), "die-at-restart")
    dies = river.start(ready=False, program=program)
    assert dies.process.wait(60) == -9
    second = Witness(river.start(program=BRISK))
    river.send(range(6, 9))
    second.closed(7)
    second.saved(river.state, 9 * PER_HOUR)
    lacks = ["in/0: recreated", "in/1: recreated"]
    found = calm.holds(river, 8, {2: lacks, 3: lacks})
    assert (records(found, "in"), found["counts"]) == (9 * PER_HOUR, [])
    assert not [line for line in second.daemon.lines if line["event"] == "topic_recreated"], "told once, by the one that was killed"


@pytest.mark.parametrize("program", PACES)
def test_partitions_that_are_added_are_read_from_their_beginning(river: River, calm: Calm, program: Sequence[str]) -> None:
    witness = begun(river, program)
    river.feed.widen(river.topics["in"], 3)
    inputs, outputs = events(range(3, 7), PER_HOUR)
    for i, (one, other) in enumerate(zip(inputs, outputs, strict=True)):
        river.feed.producer.send(river.topics["in"], one, partition=i % 3)
        river.feed.producer.send(river.topics["out"], other, partition=0)
    river.feed.producer.flush()
    witness.daemon.wait_for("partitions_assigned")
    witness.until(lambda: witness.gauge("raincheck_kafka_assigned_partitions", topic=river.topics["in"]) == 3, "all three are read")
    witness.closed(5)
    witness.saved(river.state, 7 * PER_HOUR)
    found, _ = account(river.state)
    # what a partition brings before it is known of may find its window closed: counted as late, and nothing is missing
    late = sum(row["count"] for row in found["counts"] if row["reason"] == "late")
    assert records(found, "in") == 7 * PER_HOUR
    judged = sum(v["events"] for v in found["verdicts"][:6])
    assert judged + late == 6 * PER_HOUR
    calm.holds(river, 2)


@pytest.mark.parametrize("program", PACES)
def test_what_retention_takes_is_counted_once_and_told(river: River, calm: Calm, program: Sequence[str]) -> None:
    witness = begun(river, program)
    assert witness.daemon.terminate() == 0
    river.send(range(3, 6))
    river.feed.trim(river.topics["in"], 0, 5 * PER_HOUR // 2)  # hours 3 and 4 of one partition of two
    again = Witness(river.start(program=program))
    again.closed(4)
    again.daemon.kill()
    lost = 2 * PER_HOUR // 2
    third = Witness(river.start(program=program))  # it has nothing new to count
    river.send(range(6, 8))
    third.closed(6)
    found, _ = account(river.state)
    assert found["counts"] == [{"of": "in", "reason": "gap_retention", "count": lost}]
    assert sum(v["events"] for v in found["verdicts"][:7]) == 7 * PER_HOUR - lost, "what is missing is what was counted"
    # hour 2 still took events when they were lost, hour 5 had begun with the first one after them
    assert [v["lacks"] for v in found["verdicts"][:7]] == [[], [], *[["in/0: retention"]] * 4, []]
    calm.holds(river, 3, {2: ["in/0: retention"]})


@pytest.mark.fault
def test_a_running_daemon_that_retention_overtakes_counts_the_gap(river: River, calm: Calm) -> None:
    """Stopped for a while like a process that gets no processor. One partition loses all that it had and nothing new comes there."""
    witness = begun(river, BRISK)
    topic = river.topics["in"]
    os.kill(witness.pid, signal.SIGSTOP)
    river.send(range(3, 5))
    river.feed.trim(topic, 1, 5 * PER_HOUR // 2)
    os.kill(witness.pid, signal.SIGCONT)
    line = witness.daemon.wait_for("offsets_lost")
    assert (line["partition"], line["start"], line["stop"], line["reason"]) == ("in/1", 3 * PER_HOUR // 2, 5 * PER_HOUR // 2, "retention")
    inputs, outputs = events(range(5, 8), PER_HOUR)
    river.feed.produce(topic, inputs, 0)
    river.feed.produce(river.topics["out"], outputs)
    # the trimmed partition has been read to its end, so that it is not waited for: half a minute of silence releases it
    witness.closed(6)
    assert witness.gauge("raincheck_kafka_skipped_offsets_total", topic=topic, reason="retention") == PER_HOUR
    found = calm.holds(river, 3, {2: ["in/1: retention"]})
    assert [v["events"] for v in found["verdicts"][3:7]] == [PER_HOUR // 2] * 2 + [PER_HOUR] * 2
    assert all(v["lacks"] == ["in/1: retention"] for v in found["verdicts"][2:7]), "nothing has come that would say how far the loss went"
    assert found["counts"] == [{"of": "in", "reason": "gap_retention", "count": PER_HOUR}]


@pytest.mark.parametrize("program", PACES)
def test_aborted_records_are_not_counted_and_open_ones_wait(river: River, calm: Calm, program: Sequence[str]) -> None:
    witness = begun(river, program, hours=2)
    inputs, outputs = events(range(2, 6), PER_HOUR)
    hours = [inputs[hour * PER_HOUR : (hour + 1) * PER_HOUR] for hour in range(4)]
    with river.feed.transactional(f"{river.topics['in']}-writer") as producer:

        def write(rows: Sequence[bytes]) -> None:
            for i, row in enumerate(rows):
                producer.send(river.topics["in"], row, partition=i % 2)
            producer.flush()

        for rows in hours[:2]:
            producer.begin_transaction()
            write(rows)
            producer.abort_transaction()
            producer.begin_transaction()
            write(rows)
            producer.commit_transaction()
        river.feed.produce(river.topics["out"], outputs)
        witness.closed(2)
        producer.begin_transaction()
        write(hours[2])
        write(hours[3])
        # not yet committed, they hold the window of hour 3 open; the daemon is well all the while
        witness.until(lambda: witness.gauge("raincheck_kafka_lag_records", topic=river.topics["in"], partition="0") == 0, "read to the end")
        assert witness.ask("/api/v1/models")[1]["models"][0]["last"]["start_ms"] == START_MS + 2 * 3_600_000
        producer.commit_transaction()
        witness.closed(4)
    witness.saved(river.state, 6 * PER_HOUR)
    found = calm.holds(river, 5)
    assert (records(found, "in"), found["counts"]) == (6 * PER_HOUR, [])


def test_tombstones_are_counted_and_change_nothing(river: River, calm: Calm) -> None:
    witness = begun(river, BRISK)
    for partition in (0, 1):
        river.feed.produce(river.topics["in"], [None] * 5, partition, key=b"compacted away")
    river.send(range(3, 5))
    witness.closed(3)
    assert calm.holds(river, 4)["counts"] == [{"of": "in", "reason": "tombstone", "count": 10}]


def test_a_batch_that_cannot_be_opened_stops_its_partition_only_and_its_owner_is_told(river: River, kafka_broker: Broker) -> None:
    river.send(range(3))
    poison(river, kafka_broker)
    river.send(range(3, 6))
    again = Witness(river.start(program=BRISK))
    line = again.daemon.wait_for("batch_unreadable")
    assert (line["partition"], line["offset"], line["halted"]) == ("in/0", 3 * PER_HOUR // 2, True)
    message = river.webhook.next()
    assert "in/0" in str(message)
    again.closed(4)
    again.until(lambda: again.gauge("raincheck_kafka_paused_partitions", topic=river.topics["in"]) == 1, "it stands still, and says so")
    again.daemon.kill()  # the next one knows at once that windows do not wait for it, and marks them
    third = Witness(river.start(program=BRISK))
    river.send(range(6, 8))
    third.closed(6)
    found, _ = account(river.state)
    halves = [(PER_HOUR // 2, True, ["in/0: unreadable"])] * 4
    assert [(v["events"], v["partial"], v["lacks"]) for v in found["verdicts"][2:7]] == [(PER_HOUR, True, ["in/0: unreadable"]), *halves]
    assert found["counts"] == [], "it may still be read"


@pytest.mark.fault
def test_a_batch_that_cannot_be_opened_may_be_passed_over(river: River, kafka_broker: Broker, calm: Calm) -> None:
    river.plan["kafka"]["on_corrupt"] = "skip"
    river.write()
    witness = begun(river, BRISK)
    assert witness.daemon.terminate() == 0
    poison(river, kafka_broker)
    river.send(range(3, 6))
    again = Witness(river.start(program=BRISK))
    line = again.daemon.wait_for("offsets_lost")
    assert (line["partition"], line["start"], line["stop"], line["reason"]) == ("in/0", 3 * PER_HOUR // 2, 3 * PER_HOUR // 2 + 1, "poison")
    again.closed(4)
    found = calm.holds(river, 5, {2: ["in/0: poison"], 3: ["in/0: poison"]})
    assert {(row["reason"], row["count"]) for row in found["counts"]} == {("unreadable_batch", 1), ("gap_poison", 1)}


@pytest.mark.fault
def test_verdicts_and_the_page_are_those_of_an_undisturbed_run(river: River, kafka_broker: Broker) -> None:
    """Judged, not only counted: killed while it learns, frozen in the middle of a shift; a replay of the same records has seen neither."""
    learnt, clean, shifted = 8 * 24, 24, 6
    daemon = river.start()
    witness = Witness(daemon)
    witness.told(up=True)
    river.send(range(learnt // 2))
    kafka_broker.kill()
    witness.told(up=False)
    kafka_broker.start()
    river.send(range(learnt // 2, learnt + clean))
    assert [daemon.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    river.send(range(learnt + clean, learnt + clean + 1), shifted=3)
    kafka_broker.freeze()
    witness.until(lambda: witness.gauge("raincheck_ready") == 0, "not ready while it is frozen")
    kafka_broker.thaw()
    river.send(range(learnt + clean + 1, learnt + clean + shifted), shifted=3)
    assert "x3" in str(river.webhook.next())
    river.send(range(learnt + clean + shifted, learnt + clean + shifted + 2))
    witness.closed(learnt + clean + shifted)
    assert daemon.terminate() == 0
    found, _ = account(river.state)
    assert found["counts"] == []
    assert {v["status"] for v in found["verdicts"][-shifted:]} >= {"page"}
    assert [stable(v) for v in river.replayed()] == [stable(v) for v in found["verdicts"]]
