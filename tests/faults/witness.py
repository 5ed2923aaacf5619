"""What can be seen of a daemon from outside: readiness, health, metrics, the log, and what its process costs."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from detectors.summaries import unpack
from detectors.summaries.sample import Sample
from monitor import wall
from monitor.stores.export import exported
from monitor.stores.sqlite import SqliteStore
from tests.river.world import HOUR_MS, START_MS, Daemon

# operating.md's bound for the truth about a broker that is gone; recovery has the time of a reconnection, not of a person
TOLD_S = 90.0
BRISK = (str(Path(__file__).with_name("brisk.py")),)
REAL = ("-m", "monitor")


class Witness:
    """Looks at one daemon; every wait is for something observable and has a deadline, which is reached only when something is broken."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.pid = daemon.process.pid

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON body; what says no (503) is an answer, too."""
        try:
            with urllib.request.urlopen(self.daemon.address + path, timeout=10) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    def gauge(self, name: str, **labels: str) -> float | None:
        """The series' value; None where it is not exported."""
        for family in text_string_to_metric_families(self.daemon.get("/metrics")):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def until(self, condition: Callable[[], object], what: str, within_s: float = TOLD_S) -> float:
        """Asks until the condition holds; the seconds that it took."""
        began = wall.monotonic()
        while not condition():
            assert wall.monotonic() - began < within_s, f"not within {within_s:g} s: {what}; the log ends with {self.daemon.lines[-3:]}"
            self.outlives(0.1, what)
        return wall.monotonic() - began

    def outlives(self, seconds: float, what: str) -> None:
        """The process is still there at the end of that time."""
        try:
            code = self.daemon.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"the process ended with {code}: {what}; its log ends with {self.daemon.lines[-5:]}")

    def told(self, up: bool, within_s: float = TOLD_S) -> dict[str, Any]:
        """Waits for the log's line about the source, then holds everything else that tells to it; the line."""
        line = self.daemon.wait_for("source_up" if up else "source_down", within_s)
        # the exposition is rendered at most once a second
        self.until(lambda: self.gauge("raincheck_component_up", component="source") == float(up), "the gauge follows the log", 10)
        self.until(lambda: self.gauge("raincheck_ready") == float(up), "so does readiness", 10)
        code, body = self.ask("/-/ready")
        assert (code, body["components"]["source"]) == (200 if up else 503, up), "what the load balancer hears"
        code, body = self.ask("/-/healthy")
        assert code == 200, f"a broker that is away is no reason to restart this process: {body}"
        return line

    def closed(self, hour: int, within_s: float = TOLD_S) -> None:
        """The window of this hour has been saved."""
        start = START_MS + hour * HOUR_MS

        def last() -> bool:
            view = self.ask("/api/v1/models")[1]["models"][0]
            return view["last"] is not None and view["last"]["start_ms"] >= start

        self.until(last, f"the window of hour {hour} is closed", within_s)

    def saved(self, state: Path, total: int, stream: str = "in") -> None:
        """So many records of the stream are in the saved account: the last window is open, and nothing else tells when it is read."""

        def enough() -> bool:
            return records(account(state)[0], stream) >= total

        self.until(enough, f"{total} records of {stream} are saved")

    def cpu_s(self) -> float:
        """Processor seconds of the process and its threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        """Memory of the process now."""
        return self._memory_mib("VmRSS")

    def peak_mib(self) -> float:
        """The most that it ever had."""
        return self._memory_mib("VmHWM")

    def _memory_mib(self, field: str) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


def records(found: dict[str, Any], stream: str) -> int:
    """How many records of a stream an exported state has counted."""
    return sum(int(p["records"]) for name, p in found["offsets"].items() if name.startswith(f"{stream}/"))


def account(state: Path) -> tuple[dict[str, Any], dict[int, dict[str, object]]]:
    """The exported state, and what was counted to the last value: {start of a closed window: {column: content}}."""
    store = SqliteStore(state, reader=True)
    try:
        windows: dict[int, dict[str, object]] = {}
        for row in store.windows("shop", 0, 2**62):
            decoded = content if row.form == "summaries" else bytes
            windows[row.verdict.start_ms] = {name: decoded(body) for name, body in row.columns.items()}
        return exported(store), windows
    finally:
        store.close()


def content(packed: bytes) -> object:
    """A column of a window before its cells are frozen. A sample's keys name offsets, which a fault may move: its values are compared."""
    kind, _, body = packed.partition(b"\0")
    sample = unpack(kind.decode(), body)
    if not isinstance(sample, Sample):
        return packed
    assert len(sample.values) == sample.n, "an hour is small enough to be kept whole"
    return (sample.n, sample.missing, sample.not_finite, sample.invalid, *sorted(sample.values.tolist()))


PACES = [pytest.param(BRISK, id="brisk"), pytest.param(REAL, id="real", marks=pytest.mark.fault)]
