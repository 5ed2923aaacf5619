"""A service of twenty features on two topics, and the raincheck process that watches it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
HOUR_MS = 3_600_000
NUMERIC = [f"x{i}" for i in range(16)]
CATEGORICAL = [f"c{i}" for i in range(4)]
LEVELS = ["red", "green", "blue", "grey"]


def configuration(**more: Any) -> dict[str, Any]:
    """Hourly windows, eight days learnt from: the shortest reference that may page, so that the test stays short."""
    features: dict[str, Any] = {name: {"kind": "numeric", "path": f"features.{name}"} for name in NUMERIC}
    features |= {name: {"kind": "categorical", "path": f"features.{name}"} for name in CATEGORICAL}
    base: dict[str, Any] = {
        "streams": {
            "in": {"topic": "in", "role": "inputs", "format": "json", "fields": {"id": "id", "time": "at", "model": "model"}},
            "out": {"topic": "out", "role": "predictions", "format": "json", "fields": {"id": "id", "time": "at", "model": "model"}},
        },
        "models": {
            "shop": {
                "owner": "shop-team",
                "window": "1h",
                "schema": {"features": features, "prediction": {"class": "label"}},
                "reference": {"learn": "8d"},
            }
        },
        "owners": {"shop-team": {}},
    }
    return base | more


def events(hours: Iterable[int], per_hour: int = 60, shifted: int | None = None) -> tuple[list[bytes], list[bytes]]:
    """Inputs and predictions of these hours, in time order; the same for the same hours. `shifted`: the number that moves by one sd."""
    inputs: list[bytes] = []
    outputs: list[bytes] = []
    for hour in hours:
        rng = np.random.default_rng([7, hour])
        numbers = rng.normal(size=(per_hour, len(NUMERIC)))
        if shifted is not None:
            numbers[:, shifted] += 1.0
        levels = rng.choice(len(LEVELS), size=(per_hour, len(CATEGORICAL)), p=[0.4, 0.3, 0.2, 0.1])
        answers = rng.choice(["yes", "no"], size=per_hour, p=[0.3, 0.7])
        for i in range(per_hour):
            at = START_MS + hour * HOUR_MS + i * (HOUR_MS // per_hour)
            who = {"id": f"{hour}-{i}", "at": at, "model": "shop"}
            values: dict[str, Any] = dict(zip(NUMERIC, numbers[i].round(4).tolist(), strict=True))
            values |= {name: LEVELS[level] for name, level in zip(CATEGORICAL, levels[i].tolist(), strict=True)}
            inputs.append(json.dumps(who | {"features": values}).encode())
            outputs.append(json.dumps(who | {"label": str(answers[i])}).encode())
    return inputs, outputs


class Webhook:
    """A loopback receiver; `next` waits for a message."""

    def __init__(self) -> None:
        self._got: queue.Queue[dict[str, Any]] = queue.Queue()
        got = self._got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/shop"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next(self, timeout_s: float = 60.0) -> dict[str, Any]:
        return self._got.get(timeout=timeout_s)

    @property
    def waiting(self) -> int:
        return self._got.qsize()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Daemon:
    """`raincheck run` as its own process; its log lines (JSON on stderr) are what tests wait for. `command` is a whole command line."""

    def __init__(
        self, config: Path, *, env: Mapping[str, str] | None = None, program: Sequence[str] = ("-m", "monitor"), port: int = 0,
        command: Sequence[str] = (),
    ) -> None:  # fmt: skip
        usual = [sys.executable, "-P", *program, "run", "--config", str(config), "--port", str(port), "--log-format", "json"]
        self.process = subprocess.Popen(
            command or usual, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        )
        self.lines: list[dict[str, Any]] = []
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except json.JSONDecodeError:
                    event = {"event": "unreadable", "text": line}
                self.lines.append(event)
                self._events.put(event)
        self._events.put(None)

    def wait_for(self, event: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """The next line of that event; AssertionError with the whole log where the process ends without it."""
        while True:
            got = self._events.get(timeout=timeout_s)
            assert got is not None, f"ended before {event}: {self.lines}"
            if got.get("event") == event:
                return got

    @property
    def address(self) -> str:
        """Where it listens since it last began."""
        return str(next(line["http"] for line in reversed(self.lines) if line.get("event") == "started")).rstrip("/")

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=10) as response:
            body = response.read().decode()
        return json.loads(body) if response.headers["Content-Type"].startswith("application/json") else body

    def terminate(self, timeout_s: float = 30.0) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """Ends the process if it still runs, and waits for its last line."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._reader.join(10)


def raincheck(*arguments: str, codes: Sequence[int] = (0,)) -> str:
    """Runs a command to its end; what it wrote to stdout."""
    done = subprocess.run([sys.executable, "-P", "-m", "monitor", *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in codes, f"{arguments}: {done.returncode}\n{done.stderr}"
    return done.stdout
