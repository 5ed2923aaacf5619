"""What a stream can be: bursting, backed up, skewed, silent in parts, out of order, doubled, stamped wrongly. Nothing is lost silently."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.plan import Plan
from monitor.standing import Standing
from tests.faults.twin import Account, Clock, Twin, compiled
from tests.faults.witness import REAL, Witness
from tests.river.world import HOUR_MS, START_MS
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River

HOURS, PER_HOUR = 12, 60
SCHEMA = {"features": {"speed": {"kind": "numeric", "path": "sensors.speed"}, "weather": "categorical"}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().set(monkeypatch)


def plan(**model: Any) -> Plan:
    return compiled(model={"schema": SCHEMA} | model)


def event(at: int | str, i: int, **more: Any) -> bytes:
    speed = at // 60_000 % 97 if isinstance(at, int) else 0
    return json.dumps({"id": str(i), "at": at, "model": "m", "sensors": {"speed": speed}, "weather": "dry"} | more).encode()


def times(hours: int = HOURS, per_hour: int = PER_HOUR) -> list[int]:
    return [START_MS + i * (HOUR_MS // per_hour) for i in range(hours * per_hour)]


def run(clock: Clock, of: Plan, *partitions: Sequence[int | str], most: int = 2000) -> Account:
    """Events at these times, in the order of each partition's log."""
    twin = Twin(of, partitions=len(partitions), clock=clock, most=most)
    for number, stamps in enumerate(partitions):
        twin.bus.extend("in", [event(at, i) for i, at in enumerate(stamps)], number)
    return twin.end()


def ledger(account: Account) -> int:
    """Every record's place: in a window, late, or counted."""
    return account.events + sum(account.counts.values()) - account.counts.get(("in", "clamped_stamp"), 0)


@dataclass(frozen=True)
class Row:
    """What is done to the log of one partition, and how many events come too late for it, at least and at most."""

    name: str
    stamps: Sequence[int | str]
    late: tuple[int, int]
    because: str
    clamped: int = 0
    same: bool = True  # windows are those of the log in order
    early: int = 0  # windows before them, whatever a poll brings


def shuffled(by_ms: int) -> list[int]:
    """Each event up to that much later than its time."""
    rng = np.random.default_rng(7)
    stamps = times()
    return [stamps[i] for i in np.argsort(np.array(stamps) + rng.integers(0, by_ms, len(stamps)), kind="stable")]


def with_(*bad: int | str, at: int = 5 * PER_HOUR, spread: int = 1) -> list[int | str]:
    """`bad` stamps, one after `spread` good ones each."""
    stamps: list[int | str] = [*times()]
    for i, stamp in enumerate(bad):
        stamps.insert(at + i * spread, stamp)
    return stamps


FUTURE = "2099-01-01T00:00:00Z"
ROWS = [
    Row("in order", times(), (0, 0), "nothing to tell"),
    Row("out of order within the lateness", shuffled(10 * 60_000), (0, 0), "the plan waits fifteen minutes"),
    Row("out of order beyond the lateness", shuffled(3 * HOUR_MS), (1, 500), "what its window could not wait for is counted", same=False),
    Row("a stamp in 2099", with_(FUTURE), (0, 0), "it closes nothing", 1),
    Row("a stamp in 2099 first", with_(FUTURE, at=0), (0, 0), "nor where nothing was known yet", 1),
    Row("stamps in 2099, one by one", with_(*[FUTURE] * 50, spread=3), (0, 0), "nor do fifty of them among good ones", 50),
    Row("a stamp in 1970", with_(0), (1, 1), "left behind long ago"),
    Row("a stamp in 1970 first", with_(0, at=0), (1, 1), "it is no beginning: nothing is learnt or told of half a century of silence"),
    Row(
        "clocks that begin in 1970",
        with_(*(f"1970-01-01T0{hour}:00:00Z" for hour in range(5)), at=0),
        (0, 0),
        "a record at a time their windows are closed before a better clock is seen, so they are also where all is read at once",
        early=5,
    ),
    Row("two clocks that begin in 1970", with_(0, "1980-01-01T00:00:00Z", at=0), (2, 2), "neither had a second window to begin with"),
]


@pytest.mark.parametrize("most", [1, 3, 2000], ids=["a record a poll", "three a poll", "many a poll"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_stamps_and_order(clock: Clock, row: Row, most: int) -> None:
    of = plan(lateness="15m", rules={"silent_for": "3h"})
    found, calm = run(clock, of, row.stamps, most=most), run(clock, of, times())
    standing = Standing.unpack(found.store.load().evidence["m"])
    assert standing.origin_ms == START_MS, "learning begins where the events are"
    late = found.counts.get(("m", "late"), 0)
    assert row.late[0] <= late <= row.late[1], row.because
    assert found.metric("raincheck_late_events_total", model="m") == (late or None)
    assert found.metric("raincheck_records_adjusted_total", stream="in", reason="clamped_stamp") == (row.clamped or None)
    assert ledger(found) == len(row.stamps), "nothing is lost silently"
    assert list(found.store.incidents("m")) == [], "nobody is woken for a stamp"
    if row.same:
        assert {start: held for start, held in found.columns().items() if start >= START_MS} == calm.columns()
        judged = [(v.start_ms, v.events, v.status) for v in found.verdicts() if v.start_ms >= START_MS]
        assert judged == [(v.start_ms, v.events, v.status) for v in calm.verdicts()]
        assert len(found.verdicts()) - len(judged) == row.early, "no empty windows of half a century"
    else:
        assert found.events + late == calm.events


def test_a_record_that_is_sent_twice_is_two_events(clock: Clock) -> None:
    """A log's place is an event's identity: its reader cannot tell a producer's repetition from two events alike."""
    doubled = [at for at in times() for _ in range(2)]
    found, calm = run(clock, plan(), doubled), run(clock, plan(), times())
    assert [v.events for v in found.verdicts()] == [2 * v.events for v in calm.verdicts()]
    assert found.counts == {}


def live(clock: Clock, of: Plan, partitions: int, hours: int, where: Sequence[int], ticks: bool = True) -> Account:
    """Events come at their own time, a minute apart, into the partitions that `where` names in turn; the clock goes along."""
    clock.start_ms = START_MS
    twin = Twin(of, partitions=partitions, clock=clock, ticks=ticks)
    for i, at in enumerate(times(hours)):
        clock.passed_s = (at - START_MS) / 1000
        twin.bus.append("in", event(at, i), where[i % len(where)])
        twin.office.turn(0)
        clock.passed_s += 20
        twin.office.turn(0)
    return twin.end()


SKEWS = [
    (range(8), "evenly spread"),
    ([3], "a hot key: all of one model's records in one partition of eight, seven of which never bring any"),
    ([0, 0, 0, 0, 0, 0, 0, 5], "one is busy, one has an event now and then, six are idle"),
]


@pytest.mark.parametrize(("where", "because"), SKEWS, ids=[row[1] for row in SKEWS])
def test_partitions_that_are_hot_and_idle(clock: Clock, where: Sequence[int], because: str) -> None:
    found = live(clock, plan(rules={"silent_for": "1h"}), 8, HOURS, where)
    assert [v.events for v in found.verdicts()][: HOURS - 1] == [PER_HOUR] * (HOURS - 1), because
    assert len(found.verdicts()) >= HOURS - 1, "no partition that is silent holds a window open"
    assert list(found.store.incidents("m")) == [], "an idle partition is not a silent model"
    assert found.counts == {}


def test_without_ticks_an_idle_partition_would_hold_everything_up(clock: Clock) -> None:
    """The counter-proof: it is the releases that let windows close."""
    assert live(clock, plan(), 8, 3, [3], ticks=False).verdicts() == []


def test_a_burst_of_ten_times_for_a_minute(clock: Clock) -> None:
    """It is judged as what it is, more events in one window; nobody is told of silence after it, and nothing is late."""
    clock.start_ms = START_MS
    twin = Twin(plan(rules={"silent_for": "1h"}), clock=clock, ticks=True)
    sent = 0
    for minute in range(5 * 60):
        clock.passed_s = minute * 60.0
        for _ in range(100 if minute == 150 else 10):
            twin.bus.append("in", event(START_MS + minute * 60_000 + sent % 60_000, sent))
            sent += 1
        twin.office.turn(0)
    found = twin.end()
    assert [v.events for v in found.verdicts()] == [600, 600, 690, 600]
    assert ledger(found) == sent
    assert list(found.store.incidents("m")) == []
    assert found.counts == {}


# ---- on the real daemon


def filled(feed: Feed, topic: str, partitions: Sequence[int], records: int, hours: int) -> None:
    """That many records over those hours of event time, spread over the partitions."""
    from kafka import KafkaProducer

    producer: Any = KafkaProducer(bootstrap_servers=feed.bootstrap, acks=1, compression_type="lz4", linger_ms=50, batch_size=500_000)
    step = hours * HOUR_MS / records
    head, tail = b'{"id": "', b', "model": "m", "weather": "dry", "sensors": {"speed": 0.5}}'
    for i in range(records):
        value = head + b'%d", "at": %d' % (i, START_MS + int(i * step)) + tail
        producer.send(topic, value, partition=partitions[i % len(partitions)])
    producer.flush(timeout=120)
    producer.close(timeout=10)


def reached(witness: Witness, end_ms: int) -> None:
    """Waits until the windows up to there are closed."""
    seconds = end_ms / 1000
    witness.until(lambda: (witness.gauge("raincheck_window_last_end_timestamp_seconds") or 0) >= seconds, "read to its end", 500)


@pytest.mark.kafka
@pytest.mark.fault
@pytest.mark.timeout(900)
def test_a_backlog_of_a_million_takes_no_more_memory_than_one_of_ten_thousand(
    kafka_broker: Broker, feed: Feed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """What is held is open windows and what one poll brought, however much waits; the table is for tests/README.md."""
    peaks: dict[int, float] = {}
    for records in (10_000, 100_000, 1_000_000):
        folder = tmp_path / str(records)
        folder.mkdir()
        topic = feed.create(partitions=4)
        stream = {"topic": topic, "role": "inputs", "format": "json", "fields": {"id": "id", "time": "at", "model": "model"}}
        model = {"owner": "shop-team", "window": "1h", "schema": SCHEMA, "reference": {"learn": "8d"}, "rules": {"silent_for": "3h"}}
        river = River(kafka_broker, feed, folder, models={"m": model})
        river.plan["streams"] = {"in": stream}
        river.write()
        try:
            filled(feed, topic, range(4), records, hours=100)
            witness = Witness(river.start(program=REAL))
            reached(witness, START_MS + 98 * HOUR_MS)
            peaks[records] = witness.peak_mib()
            assert witness.ask("/-/healthy")[0] == 200
            assert witness.daemon.terminate() == 0
            found = river.exported()
            assert sum(p["records"] for p in found["offsets"].values()) == records
            assert sum(v["events"] for v in found["verdicts"][:98]) == records * 98 // 100
            assert found["counts"] == []
            assert found["incidents"] == []
        finally:
            river.close()
    record_property("peak RSS in MiB by backlog", {records: round(peak) for records, peak in peaks.items()})
    sys.stderr.write(f"peak RSS in MiB by backlog: {peaks}\n")  # shown by pytest -rP
    assert peaks[1_000_000] < peaks[10_000] + 150, "a hundred times as much waits: what a poll holds, and the allocator's share"
