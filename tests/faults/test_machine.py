"""What a machine can do to a running daemon: reading is held back and told, never lost; who can still answer answers."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import EXIT_CRASH
from tests.conftest import missing
from tests.faults.conftest import Calm
from tests.faults.machine import SmallDisk, Unavailable, slow_disk, unwritable
from tests.faults.witness import BRISK, Witness
from tests.river.world import HOUR_MS, START_MS, raincheck
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import PER_HOUR, River

pytestmark = pytest.mark.kafka


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        made = SmallDisk(tmp_path / "disk")
    except Unavailable as reason:
        missing(str(reason))
        raise
    yield made
    made.close()


@pytest.fixture
def cramped(kafka_broker: Broker, feed: Feed, disk: SmallDisk) -> Iterator[River]:
    """A river whose state and dead letters are on the small disk."""
    made = River(kafka_broker, feed, disk.path, dead_letter={"to": "file", "path": str(disk.path / "dead.jsonl")})
    yield made
    made.close()


def held_back(witness: Witness) -> None:
    """What everybody is told while the state cannot be saved."""
    witness.daemon.wait_for("held_back")
    witness.until(lambda: witness.gauge("raincheck_component_up", component="state") == 0, "the gauge follows")
    failures = witness.gauge("raincheck_state_snapshot_failures_total") or 0
    witness.until(lambda: (witness.gauge("raincheck_state_snapshot_failures_total") or 0) > failures, "it is tried again and counted")
    code, body = witness.ask("/-/ready")
    assert (code, body["components"]["state"]) == (503, False)
    code, body = witness.ask("/-/healthy")
    assert code == 200, f"a restart would not mend a disk: {body}"


def whole(found: dict[str, object], hours: int) -> None:
    assert found["counts"] == []
    offsets = found["offsets"]
    assert isinstance(offsets, dict)
    assert sum(p["records"] for p in offsets.values()) == hours * PER_HOUR * 2, "every record of both topics, once"


def test_a_full_disk_holds_reading_back_and_costs_nothing(cramped: River, disk: SmallDisk, calm: Calm) -> None:
    daemon = cramped.start(program=BRISK)
    witness = Witness(daemon)
    cramped.send(range(4))
    before = cramped.when_closed(daemon, 2)
    disk.fill()
    cramped.send(range(4, 9))
    held_back(witness)
    assert cramped.exported() == before, "the last transaction is whole"
    assert raincheck("state", "check", str(cramped.state))
    disk.free()
    cramped.when_closed(daemon, 7)
    witness.until(lambda: witness.gauge("raincheck_component_up", component="state") == 1, "well again without a human")
    assert daemon.terminate() == 0
    whole(calm.holds(cramped, 8), 9)


def test_killed_and_refused_on_a_full_disk(cramped: River, disk: SmallDisk, calm: Calm) -> None:
    """What was held back is read again; a start on a full disk is refused in words, and nobody is told to throw the state away."""
    daemon = cramped.start(program=BRISK)
    cramped.send(range(3))
    cramped.when_closed(daemon, 1)
    disk.fill()
    cramped.send(range(3, 6))
    daemon.wait_for("held_back")
    daemon.kill()
    disk.free()
    daemon = cramped.start(program=BRISK)
    cramped.when_closed(daemon, 4)
    assert daemon.terminate() == 0
    disk.fill()
    told = refusal(cramped)
    assert "space" in told
    assert "reset" not in told, "the state is well"
    disk.free()
    again = cramped.start(program=BRISK)
    cramped.send(range(6, 9))
    cramped.when_closed(again, 7)
    assert again.terminate() == 0
    whole(calm.holds(cramped, 8), 9)


def refusal(river: River) -> str:
    """What a daemon says that cannot begin on this disk; it names the setting and is not started again and again."""
    refused = river.start(ready=False, program=BRISK)
    assert refused.process.wait(60) == 78
    refused.kill()
    told = json.dumps(refused.lines)
    assert "state.path" in told
    return told


@pytest.mark.fault
def test_writes_that_fail_while_running_are_a_full_disk(river: River, calm: Calm) -> None:
    """No write succeeds, as on a disk that the kernel has turned read-only under the process."""
    daemon = river.start(program=BRISK)
    witness = Witness(daemon)
    river.send(range(4))
    before = river.when_closed(daemon, 2)
    with unwritable(witness.pid):
        river.send(range(4, 9))
        held_back(witness)
        assert river.exported() == before
    river.when_closed(daemon, 7)
    assert daemon.terminate() == 0
    whole(calm.holds(river, 8), 9)


@pytest.mark.parametrize("there", [False, True], ids=["nothing there yet", "a state is there"])
def test_a_read_only_disk_is_refused_at_the_start(cramped: River, disk: SmallDisk, there: bool) -> None:
    if there:
        daemon = cramped.start(program=BRISK)
        cramped.send(range(2))
        cramped.when_closed(daemon, 0)
        assert daemon.terminate() == 0
    disk.read_only()
    told = refusal(cramped)
    assert "cannot be written" in told
    assert "Read-only file system" in told
    disk.read_only(False)


SLOW_S = 0.7


def slowed(tmp_path: Path, seconds: float) -> dict[str, str]:
    try:
        return slow_disk(tmp_path, seconds)
    except Unavailable as reason:
        missing(str(reason))
        raise


def test_a_slow_disk_slows_and_loses_nothing(river: River, tmp_path: Path, calm: Calm) -> None:
    daemon = river.start(program=BRISK, env=slowed(tmp_path, SLOW_S))
    witness = Witness(daemon)
    river.send(range(9))
    witness.until(
        lambda: (witness.gauge("raincheck_window_last_end_timestamp_seconds") or 0) * 1000 >= START_MS + 8 * HOUR_MS, "all closed"
    )
    spent, saves = (witness.gauge(f"raincheck_state_snapshot_duration_seconds_{part}") for part in ("sum", "count"))
    assert spent is not None
    assert saves is not None
    assert spent >= SLOW_S * saves > 0, "every transaction waited for the disk"
    code, body = witness.ask("/-/healthy")
    assert (code, body["stalled"]) == (200, []), body
    assert witness.gauge("raincheck_state_snapshot_failures_total") in (0, None)
    assert daemon.terminate(60) == 0
    whole(calm.holds(river, 8), 9)


def test_told_to_stop_under_load_and_started_again(river: River, calm: Calm) -> None:
    """Stopped in the midst of reading, again and again: what it had read is saved, what it had not is read next time."""
    river.send(range(9))
    for _ in range(3):
        daemon = river.start(program=BRISK)
        daemon.wait_for("partitions_assigned")
        assert daemon.terminate() == 0
        assert daemon.lines[-1]["event"] == "stopped"
    last = river.start(program=BRISK)
    river.when_closed(last, 7)
    assert last.terminate() == 0
    whole(calm.holds(river, 8), 9)


def test_told_twice_it_leaves_at_once(river: River, tmp_path: Path) -> None:
    """Also where the disk does not answer: the first signal waits for a transaction that takes longer than anybody would."""
    assert river.start(program=BRISK).terminate() == 0
    river.send(range(3))
    stuck = river.start(ready=False, program=BRISK, env=slowed(tmp_path, 600))
    assert stuck.wait_for("unreadable")["text"] == "the disk is slow\n"
    stuck.process.send_signal(signal.SIGTERM)
    stuck.wait_for("stopping")
    stuck.process.send_signal(signal.SIGTERM)
    assert stuck.process.wait(30) == EXIT_CRASH
    stuck.kill()
    assert "stopped" not in [line["event"] for line in stuck.lines], "it did not leave in order"
    again = river.start(program=BRISK)
    river.when_closed(again, 1)
    assert again.terminate() == 0


def test_dead_letters_on_a_full_disk_are_counted_and_hold_nobody_up(
    kafka_broker: Broker, feed: Feed, tmp_path: Path, disk: SmallDisk, calm: Calm
) -> None:
    river = River(kafka_broker, feed, tmp_path, dead_letter={"to": "file", "path": str(disk.path / "dead.jsonl")})
    try:
        daemon = river.start(program=BRISK)
        witness = Witness(daemon)
        disk.fill()
        river.send(range(9))
        river.when_closed(daemon, 7)
        feed.produce(river.topics["in"], [b"{"] * 7)
        witness.until(lambda: witness.gauge("raincheck_records_rejected_total", stream="in", reason="not_json") == 7, "all were read")
        witness.until(lambda: witness.gauge("raincheck_dead_letter_failures_total", stream="in") == 7, "each is counted")
        disk.free()
        feed.produce(river.topics["in"], [b"["] * 3)
        witness.until(lambda: witness.gauge("raincheck_dead_letters_total", stream="in") == 3, "the next ones are kept")
        assert len((disk.path / "dead.jsonl").read_text().splitlines()) == 3
        assert daemon.terminate() == 0
        found = calm.holds(river, 8)
        assert found["counts"] == [{"of": "in", "reason": "not_json", "count": 10}]
    finally:
        river.close()
