"""Full speed for minutes, with every kind of restart: memory, threads and descriptors stay where they are, and no record is lost.

`SOAK_MINUTES=20 .venv/bin/pytest -m fault -s tests/faults/test_soak.py` prints the table; two minutes where nothing is said.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.river.world import Daemon, configuration, raincheck
from tests.services.broker import Broker
from tests.services.feed import Feed

MINUTES = float(os.environ.get("SOAK_MINUTES", "2"))
pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.timeout(MINUTES * 60 + 600)]
PER_HOUR = 5_000  # events per window: several windows are closed a second
PARTITIONS = 2
AHEAD = 1_000_000  # no more records wait than these, so that the broker's disk stays small
PORTION = 200_000  # is produced at one go; the next one is always asked for, so that neither side rests
ENDINGS = ("kill", "hangup", "terminate", "")  # how each life ends; the last one is asked to leave once all has been read
SAMPLE_S = 2.5


@dataclass(frozen=True)
class Sample:
    """What /proc says of the process at one moment; `records` are those of this life."""

    minute: float
    life: int
    records: int
    rss_mb: float
    threads: int
    descriptors: int
    cpu_s: float


class Flood:
    """The producer's process; `go_on` asks it for the next portion, `sent` says how many events have been produced for certain."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        command = [sys.executable, "-P", "-m", "tests.faults.flood", bootstrap, topic, str(PARTITIONS), str(PER_HOUR)]
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
        self.sent = 0
        self._answers: queue.Queue[int] = queue.Queue()
        self._asked = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(int(line))

    def go_on(self) -> None:
        """Asks for another portion unless two are under way; never waits."""
        while not self._answers.empty():
            self.sent = self._answers.get()
        if self._asked < self.sent + 2 * PORTION:
            self._asked += PORTION
            assert self._process.stdin is not None
            self._process.stdin.write(f"{self._asked}\n")
            self._process.stdin.flush()

    def settle(self) -> int:
        """How many events there are, once everything that was asked for has been produced."""
        while self.sent < self._asked:
            self.sent = self._answers.get(timeout=120)
        return self.sent

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture
def soaked(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> Iterator[tuple[Path, str, Flood]]:
    topic = feed.create(partitions=PARTITIONS, segment_bytes="50000000", retention_bytes="2000000000")
    plan = configuration(kafka={"bootstrap": [kafka_broker.bootstrap]}, state={"path": str(tmp_path / "state.db")}, http={"port": 0})
    del plan["streams"]["out"], plan["models"]["shop"]["schema"]["prediction"]
    plan["streams"]["in"]["topic"] = topic
    config = tmp_path / "raincheck.yaml"
    config.write_text(yaml.safe_dump(plan))
    flood = Flood(kafka_broker.bootstrap, topic)
    yield config, topic, flood
    flood.close()


def test_nothing_grows_and_nothing_is_lost_at_full_speed_over_restarts(soaked: tuple[Path, str, Flood], feed: Feed) -> None:
    config, topic, flood = soaked
    samples: list[Sample] = []
    begun, pause = time.monotonic(), threading.Event()
    daemon = Daemon(config)
    daemons = [daemon]
    try:
        daemon.wait_for("started")
        for life, ending in enumerate(ENDINGS):
            until = begun + MINUTES * 60 * (life + 1) / len(ENDINGS)
            while time.monotonic() < until:
                metrics = daemon.get("/metrics")
                if _total(metrics, "raincheck_kafka_lag_records") < AHEAD:
                    flood.go_on()
                samples.append(_sample(daemon.process.pid, life, (time.monotonic() - begun) / 60, metrics))
                pause.wait(SAMPLE_S)  # the distance of two samples: nothing is waited for
            if ending == "hangup":  # the same process begins again
                daemon.process.send_signal(signal.SIGHUP)
            elif ending:
                daemon.kill() if ending == "kill" else daemon.terminate(60)
                daemon = Daemon(config)
                daemons.append(daemon)
            if ending:
                daemon.wait_for("started")
        total = flood.settle()
        deadline = time.monotonic() + 300
        while _total(daemon.get("/metrics"), "raincheck_kafka_lag_records"):
            assert time.monotonic() < deadline, "the backlog is not read"
            pause.wait(1.0)
        assert daemon.terminate(60) == 0
    finally:
        for one in daemons:
            one.kill()
        _show(samples)

    state = json.loads(raincheck("state", "export", "--json", str(config.parent / "state.db")))
    assert sum(feed.ends(topic, PARTITIONS).values()) == total
    assert sum(p["records"] for p in state["offsets"].values()) == total, "every record is counted once, over kills and restarts"
    assert {v["events"] for v in state["verdicts"]} == {PER_HOUR}, "every window holds each of its records once"
    assert state["counts"] == []
    for life in range(len(ENDINGS)):
        mine = [s for s in samples if s.life == life][1:]
        first, last = mine[: len(mine) // 2], mine[len(mine) // 2 :]
        if not first:
            continue
        # learning comes and goes as a process of its own; what this process holds must not climb
        assert max(s.rss_mb for s in last) < 1.15 * max(s.rss_mb for s in first) + 25
        assert max(s.threads for s in last) <= max(s.threads for s in first) + 4, "a learning pool begins when it is needed"
        assert max(s.descriptors for s in last) <= max(s.descriptors for s in first) + 4


def _total(metrics: str, name: str) -> float:
    """The sum of a metric's series; 0 before there are any."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(f"{name}{{"))


def _sample(pid: int, life: int, minute: float, metrics: str) -> Sample:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    rss_kb, threads = (int(next(line for line in status if line.startswith(key)).split()[1]) for key in ("VmRSS:", "Threads:"))
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    records = int(_total(metrics, "raincheck_records_consumed_total"))
    return Sample(minute, life, records, rss_kb / 1024, threads, descriptors, cpu_s)


def _show(samples: list[Sample]) -> None:
    """Some forty lines, for the record."""
    sys.stdout.write(f"\n{'minute':>7} {'life':>4} {'records':>10} {'rss MB':>7} {'threads':>7} {'fds':>4} {'CPU s':>7}\n")
    for s in samples[:: max(1, len(samples) // 40)]:
        sys.stdout.write(f"{s.minute:7.1f} {s.life:4d} {s.records:10d} {s.rss_mb:7.1f} {s.threads:7d} {s.descriptors:4d} {s.cpu_s:7.1f}\n")
