"""Killed at any instant and started again, the state ends as if nothing had happened: verdicts, incidents, counts, messages."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from monitor.stores.export import iso
from monitor.stores.lives import copies
from tests.faults.crossing import CALIBRATION, CUTS, END, FIRST, NIGHT, SECOND, Account, Crossing
from tests.river.world import HOUR_MS, START_MS, raincheck
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River

INSIDE = {"statement", "before commit", "publishing, before the answer", "publishing, after the answer"}  # the save, and a message's way
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]  # a dozen starts of a daemon: minutes where a machine is shared


@pytest.fixture(scope="module")
def module_feed(broker_process: Broker) -> Iterator[Feed]:
    feed = Feed(broker_process.bootstrap)
    yield feed
    feed.close()


@pytest.fixture(scope="module")
def undisturbed(broker_process: Broker, module_feed: Feed, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The same ledger with nobody killed but where people act, when all had been judged."""
    crossing = Crossing(broker_process, module_feed, tmp_path_factory.mktemp("undisturbed") / "run")
    try:
        return crossing.cross([(SECOND.start, "never"), (SECOND.stop, "never")])
    finally:
        crossing.close()


def held_to(
    undisturbed: Account, broker: Broker, feed: Feed, folder: Path, stretches: Sequence[tuple[int, str]], publishing: Sequence[str]
) -> Account:
    crossing = Crossing(broker, feed, folder, publishing)
    try:
        found = crossing.cross(stretches)
    finally:
        crossing.close()
    same(found, undisturbed)
    return found


def same(found: Account, undisturbed: Account) -> None:
    for part in ("verdicts", "incidents", "counts", "offsets", "outcomes"):
        assert found.export[part] == undisturbed.export[part], part
    assert found.messages == undisturbed.messages, "each at least once, and none that an undisturbed run does not send"


def test_the_story_has_what_can_go_wrong(undisturbed: Account) -> None:
    """Else a comparison with it would say little."""
    incidents = undisturbed.export["incidents"]
    pages = [i for i in incidents if i["severity"] == "page"]
    assert [i["resolution"] for i in pages] == ["recovered", "answered"]
    assert {i["severity"] for i in incidents} == {"page", "ticket"}
    assert len(undisturbed.messages) >= 4, "both pages, and that both are over"
    assert sum(v["events"] for v in undisturbed.export["verdicts"]) > 0
    assert len(undisturbed.export["verdicts"]) == END - 1, "every window but the open one"


def test_a_few_kills_change_nothing(
    undisturbed: Account, kafka_broker: Broker, feed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = held_to(undisturbed, kafka_broker, feed, tmp_path / "run", [
        (48, "statement:9"), (CUTS + 3, "learning:cuts,0.3"), (150, "backup:between"), (CALIBRATION + 1, "commit:1"),
        (208, "committing:1"), (SECOND.start, "answered"), (SECOND.stop, "never"),
    ], ["before", "after"])  # fmt: skip
    assert sum(found.blows.values()) >= 8
    assert found.blows.keys() >= INSIDE
    with capsys.disabled():
        sys.stdout.write(f"\n{found.table()}\n")


def fifty() -> list[tuple[int, str]]:
    """42 blows, one for each six hours of event time; eight more fall while messages are delivered."""
    rng = random.Random(20260101)
    hours = list(range(6, 258, 6))
    fixed = {
        CUTS + 6: "learning:cuts,0.5", CALIBRATION + 6: "learning:calibration,1.0", CALIBRATION + 12: "learning:nightly,0.7",
        SECOND.start: "answered", SECOND.stop: "answered", SECOND.stop + 6: "learning:refit,0.2",
        60: "backup:copied", 120: "backup:checked", 180: "backup:between", 216: "backup:renamed",
    }  # fmt: skip
    assert CALIBRATION < NIGHT < CALIBRATION + 12
    kinds = ["seconds"] * 4 + ["reading"] * 8 + ["statement"] * 11 + ["commit"] * 3 + ["saved"] * 3 + ["committing"] * 3
    rng.shuffle(kinds)
    drawn: dict[str, Callable[[], str]] = {
        "seconds": lambda: f"seconds:{rng.uniform(0.3, 4.0):.2f}", "reading": lambda: f"reading:{rng.uniform(0.0, 2.0):.2f}",
        "statement": lambda: f"statement:{rng.randrange(1, 20)}", "commit": lambda: "commit:1", "saved": lambda: "saved:1",
        "committing": lambda: "committing:1",
    }  # fmt: skip
    return [(hour, fixed.get(hour) or drawn[kinds.pop()]()) for hour in hours]


@pytest.mark.fault
@pytest.mark.timeout(1500)
def test_fifty_kills_change_nothing(
    undisturbed: Account, kafka_broker: Broker, feed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = held_to(undisturbed, kafka_broker, feed, tmp_path / "run", fifty(), ["before", "after"] * 4)
    with capsys.disabled():
        sys.stdout.write(f"\n{found.table()}\n")
    assert sum(found.blows.values()) >= 50
    assert found.blows.keys() >= INSIDE


# ---- a state that is lost, and a copy of it


def test_a_damaged_state_goes_on_from_its_copy_as_if_nothing_had_happened(
    undisturbed: Account, kafka_broker: Broker, feed: Feed, tmp_path: Path
) -> None:
    crossing = Crossing(kafka_broker, feed, tmp_path / "run")
    state, config = crossing.river.state, str(crossing.river.config)
    try:
        crossing.stretch(FIRST.start, "never")
        crossing.live(FIRST.stop + 6, "copying", signal.SIGTERM)  # after the copy the page opens, and is told before the daemon leaves
        assert copies(state)[0].exists()
        told = len(crossing.receiver.received)
        assert f"{state}: well" in raincheck("state", "check", "--config", config)  # and what the log held is in the file now
        whole = state.read_bytes()
        state.write_bytes(bytes(byte ^ 0x15 if at % 512 == 300 else byte for at, byte in enumerate(whole)))
        refused = raincheck("state", "check", "--config", config, codes=(78,))
        assert f"raincheck state restore {state}" in refused
        daemon = crossing.river.start(ready=False)
        assert daemon.process.wait(60) == 78, "not a loop of starts"
        restored = json.loads(raincheck("state", "restore", "--config", config, "--json"))
        assert restored["reaches"] == {"shop": iso(START_MS + (FIRST.start - 1) * HOUR_MS)}
        assert len(restored["set_aside"]) >= 1
        crossing.stretch(SECOND.start, "never")
        crossing.stretch(SECOND.stop, "never")
        found = crossing.finish()
    finally:
        crossing.close()
    same(found, undisturbed)
    assert len(crossing.receiver.received) > told > 0


def test_a_state_has_one_daemon_at_a_time_and_no_command_under_it(river: River) -> None:
    first = river.start()
    second = river.start(ready=False)
    assert second.process.wait(60) == 78
    second.kill()
    assert "in use by another raincheck" in str(second.lines)
    for action in ("reset", "restore"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "monitor", "state", action, str(river.state)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 78
        assert "in use by another raincheck" in done.stderr
    assert f"{river.state}: well" in raincheck("state", "check", str(river.state)), "looking is no trouble"
    first.kill()
    third = river.start()  # the lock went with the process, however it ended
    assert third.terminate() == 0
