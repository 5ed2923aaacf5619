"""What a stream can be, on a real broker and a daemon of its own process: bursting, skewed, out of order, doubled, misdated.

`test_streams.py` asks the same of the whole river inside one process, where polls of any size can be tried.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor import wall
from monitor.engine import MOST_AHEAD
from tests.faults.conftest import Calm
from tests.faults.witness import BRISK, REAL, Witness, account, records
from tests.river.world import HOUR_MS, START_MS, events
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import PER_HOUR, River, stable

pytestmark = pytest.mark.kafka
MINUTE_MS = 60_000
FUTURE = "2099-01-01T00:00:00Z"


@contextmanager
def one_stream(broker: Broker, feed: Feed, folder: Path, partitions: int, **model: Any) -> Iterator[River]:
    """A river of one topic and one number per event, whose values tell which events a window holds."""
    schema = {"features": {"speed": "numeric"}}
    watched = {"owner": "shop-team", "window": "1h", "schema": schema, "reference": {"learn": "8d"}} | model
    river = River(broker, feed, folder, models={"shop": watched})
    river.topics = {"in": feed.create(partitions=partitions)}
    fields = {"id": "id", "time": "at", "model": "model"}
    river.plan["streams"] = {"in": {"topic": river.topics["in"], "role": "inputs", "format": "json", "fields": fields}}
    river.write()
    try:
        yield river
    finally:
        river.close()


@dataclass
class Ledger:
    """What is sent, and where each event belongs: {start of a window: numbers}, or among those that come too late."""

    river: River
    every_ms: int = HOUR_MS
    sent: int = 0
    late: int = 0
    windows: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def send(self, partition: int, at_ms: int, *, says: int | str | None = None, late: bool = False) -> None:
        """An event of that time, which is the broker's stamp, too; what it `says` of its time may be something else."""
        event = {"id": str(self.sent), "at": at_ms if says is None else says, "model": "shop", "speed": self.sent}
        self.river.feed.producer.send(self.river.topics["in"], json.dumps(event).encode(), partition=partition, timestamp_ms=at_ms)
        if late:
            self.late += 1
        else:
            self.windows[at_ms // self.every_ms * self.every_ms].append(float(self.sent))
        self.sent += 1

    def repeat(self, partition: int, at_ms: int) -> None:
        """The record before once more, byte for byte."""
        self.sent -= 1
        self.send(partition, at_ms)
        self.sent += 1

    def judged(self, closed: int) -> dict[str, Any]:
        """The first windows have as many events as were sent for them, a replay judges them alike, nobody was woken. The export."""
        found = self.river.exported()
        starts = sorted(self.windows)[:closed]
        assert [v["events"] for v in found["verdicts"][:closed]] == [len(self.windows[start]) for start in starts]
        assert [stable(v) for v in self.river.replayed()][:closed] == [stable(v) for v in found["verdicts"][:closed]]
        assert (found["incidents"], self.river.webhook.waiting) == ([], 0)
        return found

    def holds(self, closed: int) -> dict[str, Any]:
        """As `judged`, and they hold exactly what was sent for them, value by value."""
        _, mine = account(self.river.state)
        for start in sorted(self.windows)[:closed]:
            assert mine[start]["speed"] == (len(self.windows[start]), 0, 0, 0, *sorted(self.windows[start])), f"the window of {start}"
        return self.judged(closed)


def test_out_of_order_misdated_and_sent_twice_all_in_one_topic(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> None:
    """Every record is in the window of its time, or counted as what it is; a second copy is a second event."""
    rng = np.random.default_rng(17)
    hours, future = 12, 0
    with one_stream(kafka_broker, feed, tmp_path, 2, lateness="15m", rules={"silent_for": "3h"}) as river:
        ledger = Ledger(river)
        ledger.send(0, START_MS, says="1970-01-01T00:00:00Z", late=True)  # the first of its partition, and no beginning
        times = START_MS + np.arange(hours * PER_HOUR) * MINUTE_MS
        shuffled = times[np.argsort(times + rng.integers(0, 10 * MINUTE_MS, len(times)), kind="stable")].tolist()
        for i, at_ms in enumerate(shuffled):
            ledger.send(i % 2, at_ms)
            if i % 10 == 0:
                ledger.repeat(i % 2, at_ms)
            if i % 50 == 25:
                ledger.send(i % 2, at_ms, says=FUTURE)  # taken for what the broker's stamp says, and counted
                future += 1
            if i > 5 * PER_HOUR and i % 60 == 0:
                ledger.send(1, START_MS, says=0, late=True)
                ledger.send(0, at_ms - 4 * HOUR_MS, late=True)
        for partition in range(2):
            ledger.send(partition, START_MS + hours * HOUR_MS + 30 * MINUTE_MS)  # closes the last one
        river.feed.producer.flush()
        witness = Witness(river.start(program=BRISK))
        witness.closed(hours - 1)
        witness.saved(river.state, ledger.sent)
        assert witness.gauge("raincheck_records_adjusted_total", stream="in", reason="clamped_stamp") == future
        assert witness.gauge("raincheck_late_events_total", model="shop") == ledger.late
        assert witness.daemon.terminate() == 0
        found = ledger.holds(hours)
        counted = {(row["of"], row["reason"]): row["count"] for row in found["counts"]}
        assert counted == {("in", "clamped_stamp"): future, ("shop", "late"): ledger.late}
        in_windows = sum(v["events"] for v in found["verdicts"]) + 2  # the last window is open
        assert in_windows + ledger.late == ledger.sent == records(found, "in")


@pytest.mark.parametrize(
    "program", [pytest.param((*BRISK, "release-soon"), id="brisk"), pytest.param(REAL, id="real", marks=pytest.mark.fault)]
)
def test_one_hot_partition_of_eight_while_the_others_are_idle(river: River, calm: Calm, program: Sequence[str]) -> None:
    """Seven never brought a record; then one of them has one now and then. None holds a window open for good, nothing is late."""
    topic = river.feed.create(partitions=8)
    river.plan["streams"]["in"]["topic"] = river.topics["in"] = topic
    river.write()
    witness = Witness(river.start(program=program))
    witness.told(up=True)
    inputs, outputs = events(range(12), PER_HOUR)

    def send(hours: range, *, one_in: int = 3) -> None:
        """Hour by hour: who sends whole topics one after the other and stalls in between has fallen silent, and is waited for no longer."""
        first, rest = hours.start * PER_HOUR, hours.stop * PER_HOUR
        river.feed.produce(topic, inputs[first : first + 1], one_in)
        witness.until(lambda: witness.gauge("raincheck_records_consumed_total", stream="in") == first + 1, "read before others go on")
        for at in range(first, rest, PER_HOUR):
            river.feed.produce(topic, inputs[max(at, first + 1) : at + PER_HOUR], 3)
            river.feed.produce(river.topics["out"], outputs[at : at + PER_HOUR])

    send(range(4))
    witness.closed(2)
    send(range(4, 8))
    witness.closed(6)
    send(range(8, 12), one_in=5)
    witness.closed(10)
    witness.saved(river.state, 12 * PER_HOUR)
    assert witness.gauge("raincheck_kafka_assigned_partitions", topic=topic) == 8
    found = calm.holds(river, 11)
    assert (records(found, "in"), found["counts"], found["incidents"]) == (12 * PER_HOUR, [], [])
    assert river.webhook.waiting == 0, "an idle partition is no silent model"


@pytest.mark.fault
def test_who_runs_ahead_of_a_burst_is_paused_until_it_is_read(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> None:
    """One partition gets ten times as many as the other, and gets them late: the other one waits on the broker, not in our memory."""
    with one_stream(kafka_broker, feed, tmp_path, 2, rules={"silent_for": "3h"}) as river:
        ledger, topic, hours = Ledger(river), river.topics["in"], MOST_AHEAD + 12

        def send(partition: int, hours: range, per_hour: int) -> None:
            for i in range(hours.start * per_hour, hours.stop * per_hour):
                ledger.send(partition, START_MS + i * (HOUR_MS // per_hour))
            river.feed.producer.flush()

        def paused() -> float | None:
            return witness.gauge("raincheck_kafka_paused_partitions", topic=topic)

        witness = Witness(river.start(program=BRISK))
        witness.told(up=True)
        for partition in range(2):
            send(partition, range(2), 10)
        witness.closed(0)
        send(1, range(2, hours), 10)
        witness.until(lambda: paused() == 1, "the one that is ahead waits")
        send(0, range(2, hours), 100)
        witness.closed(hours - 2)
        witness.until(lambda: paused() == 0, "and goes on")
        for partition in range(2):
            send(partition, range(hours, hours + 3), 10)
        witness.closed(hours + 1)
        witness.saved(river.state, ledger.sent)
        found = ledger.holds(hours + 2)
        assert (found["counts"], records(found, "in")) == ([], ledger.sent)


@pytest.mark.fault
@pytest.mark.timeout(600)
def test_a_burst_of_ten_times_for_a_minute_of_the_clock(
    kafka_broker: Broker, feed: Feed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """In the time of day, in windows of a minute: fuller windows, no silence told during or after, and memory as before."""
    steady = 200  # records a second
    with one_stream(kafka_broker, feed, tmp_path, 4, window="1m", lateness="5s", rules={"silent_for": "1m"}) as river:
        ledger = Ledger(river, every_ms=MINUTE_MS)
        witness = Witness(river.start(program=REAL))
        witness.told(up=True)
        memory: list[float] = []

        def flows(rate: int, until_ms: int) -> None:
            began, made = wall.now_ms(), 0
            while (now := wall.now_ms()) < until_ms:
                for _ in range((now - began) * rate // 1000 - made):
                    ledger.send(made % 4, now)
                    made += 1
                witness.outlives(0.05, "while records come")
            memory.append(witness.rss_mib())

        flows(steady, wall.now_ms() + 20_000)
        flows(10 * steady, wall.now_ms() + 60_000)
        quiet_ms = (wall.now_ms() // MINUTE_MS + 2) * MINUTE_MS  # by then one whole minute of the clock was steady again
        flows(steady, quiet_ms + 10_000)
        river.feed.producer.flush()
        witness.until(lambda: witness.gauge("raincheck_records_consumed_total", stream="in") == ledger.sent, "all is read")
        witness.until(lambda: (witness.gauge("raincheck_window_last_end_timestamp_seconds") or 0) * 1000 >= quiet_ms, "and judged")
        assert witness.ask("/-/ready")[0] == 200
        assert witness.daemon.terminate() == 0
        sizes = [len(ledger.windows[start]) for start in sorted(ledger.windows)[:-1]]
        found = ledger.judged(len(sizes))
        assert max(sizes) > 5 * sizes[-1], "a burst it was, however the minutes of the clock divide it"
        assert (found["counts"], records(found, "in")) == ([], ledger.sent)
        assert memory[1] - memory[0] < 60, "a burst of records leaves its share of a poll's batches"
        assert memory[2] - memory[1] < 20, "and nothing grows after it"
        record_property("burst", {"rss": memory, "windows": sizes, "sent": ledger.sent})
        sys.stderr.write(f"burst: rss {memory}, windows {sizes}\n")
