"""One ledger of numbered records, and the daemons that take it across however often they are killed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitor.stores.export import iso
from monitor.stores.sqlite import SqliteStore
from tests.river.world import HOUR_MS, START_MS, Daemon, configuration, events
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River, stable

PROGRAM = Path(__file__).with_name("struck.py")
PER_HOUR = 20
COLUMNS = ("x0", "x1", "x3", "c0")
# the steps of learning are due with these windows: a quarter of the reference, the whole of it, the night after
CUTS, CALIBRATION, NIGHT = 96, 192, 194
FIRST, SECOND, END = range(204, 210), range(234, 240), 258  # x3 moves and comes back by itself; x1 moves, is answered, comes back
KIND = re.compile(r" \d+(:.*)?")  # of the place where a daemon was struck: without its number and the statement there
GONE = (OSError, http.client.HTTPException, ValueError)  # what a request meets whose daemon dies


class Receiver:
    """A webhook that keeps every message it was sent. `blows`, two per message: the daemon is killed before or after it is answered."""

    def __init__(self, blows: Iterable[str] = ()) -> None:
        self.daemon: Daemon | None = None
        self.struck: list[str] = []
        self.received: list[tuple[str, str]] = []
        left, seen = list(blows), Counter[tuple[str, str]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                message = (str(sent["title"]), str(sent["message"]))
                outer.received.append(message)
                seen[message] += 1
                blow = left.pop(0) if left and seen[message] <= 2 else ""
                if blow == "before":
                    outer.strike("publishing, before the answer")
                    return
                with contextlib.suppress(OSError):  # killed elsewhere in the meantime
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.flush()
                if blow == "after":
                    outer.strike("publishing, after the answer")

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/shop"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def strike(self, where: str) -> None:
        if self.daemon is not None and self.daemon.process.poll() is None:
            self.struck.append(where)
            os.kill(self.daemon.process.pid, signal.SIGKILL)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass(frozen=True)
class Account:
    """What a run came to: its export, its messages (each once), and what happened on the way."""

    export: dict[str, Any]
    messages: frozenset[tuple[str, str]]
    blows: Counter[str] = field(default_factory=Counter)
    records: int = 0
    restarts: int = 0
    deliveries: int = 0

    def table(self) -> str:
        lines = [f"{n:4}  {where}" for where, n in sorted(self.blows.items())]
        pages = sum(incident["severity"] == "page" for incident in self.export["incidents"])
        return "\n".join([
            f"{sum(self.blows.values())} kills, {self.restarts} restarts, {self.records} records, {len(self.export['verdicts'])} windows, "
            f"{pages} pages, {len(self.messages)} messages in {self.deliveries} deliveries", *lines,
        ])  # fmt: skip


class Crossing:
    """A river with the small model of this story, on topics of its own. `publishing`: blows while messages are delivered."""

    def __init__(self, broker: Broker, feed: Feed, folder: Path, publishing: Sequence[str] = ()) -> None:
        folder.mkdir()
        self.receiver = Receiver(publishing)
        shop = configuration()["models"]["shop"]
        features = {name: column for name, column in shop["schema"]["features"].items() if name in COLUMNS}
        models = {"shop": shop | {"schema": shop["schema"] | {"features": features}}}
        owners = {"shop-team": {"page": [self.receiver.url], "ticket": [self.receiver.url]}}
        self.river = River(broker, feed, folder, models=models, owners=owners)
        self.sent = self.restarts = self.records = 0
        self.blows: Counter[str] = Counter()

    def cross(self, stretches: Sequence[tuple[int, str]]) -> Account:
        """Sends up to each hour in turn, each time to a daemon that is struck as told; the account after the last one.

        When the daemon has judged all that came before them, an event is announced at hour 234, and the open page is answered
        "false" at 240: again and again until a look says that it is on disk.
        """
        hours = [hour for hour, _ in stretches]
        assert hours == sorted(hours)
        assert {SECOND.start, SECOND.stop} <= set(hours), "people act at the ends of stretches"
        for hour, blow in stretches:
            self.stretch(hour, blow)
        return self.finish()

    def stretch(self, hour: int, blow: str) -> None:
        while (ended := self.live(hour, blow)) == "publishing":
            pass
        while ended != "judged" and hour in (SECOND.start, SECOND.stop):
            ended = self.live(hour, "never")

    def finish(self) -> Account:
        while self.live(END, "never", leave=signal.SIGTERM) != "judged":
            pass
        store = SqliteStore(self.river.state, reader=True)
        assert store.pending() == [], "what the outbox held has been delivered"
        store.close()
        got = self.receiver.received
        return Account(compared(self.river.exported()), frozenset(got), self.blows, self.records, self.restarts, len(got))

    def live(self, hour: int, blow: str, leave: int = signal.SIGKILL) -> str:
        """One daemon's life: "struck" as told, killed while "publishing", or ended by `leave` when all that was sent had been "judged"."""
        daemon = self.river.start(ready=False, program=(str(PROGRAM), blow))
        self.receiver.daemon, before = daemon, len(self.receiver.struck)
        self.restarts += 1
        first = range(self.sent, self.sent + (hour - self.sent) // 2)
        self.send(first)
        with contextlib.suppress(AssertionError):  # struck before it could say that it has started
            daemon.wait_for("started")
        self.send(range(first.stop, hour))
        judged = self.judged(daemon, hour) and self.act(daemon, hour)
        if blow.startswith(("seconds", "reading")):
            daemon.process.wait(60)  # its hour is sure to come
        if judged and leave == signal.SIGTERM:
            assert daemon.terminate() == 0, daemon.lines[-10:]
        daemon.kill()
        struck = [line["where"] for line in daemon.lines if line.get("event") == "struck"]
        if len(self.receiver.struck) > before:
            self.blows[self.receiver.struck[-1]] += 1
            return "publishing"
        if struck:
            self.blows[KIND.sub("", struck[-1])] += 1
            return "judged" if judged else "struck"  # what people said is on disk, or not
        assert judged, daemon.lines[-10:]
        if leave == signal.SIGKILL:
            self.blows["when all had been judged"] += 1
        return "judged"

    def send(self, hours: range) -> None:
        """In the order of event time; inputs alternate between two partitions. Every hour is with the broker before the next one goes."""
        topics, producer = self.river.topics, self.river.feed.producer
        for hour in hours:
            shifted = 3 if hour in FIRST else 1 if hour in SECOND else None
            inputs, outputs = events([hour], PER_HOUR, shifted)
            for i, (one, other) in enumerate(zip(inputs, outputs, strict=True)):
                producer.send(topics["in"], one, partition=i % 2)
                producer.send(topics["out"], other, partition=0)
            producer.flush()
            self.records += len(inputs) + len(outputs)
        self.sent = max(self.sent, hours.stop)

    def judged(self, daemon: Daemon, hour: int) -> bool:
        """Waits until the last window but the open one has been judged and saved; False once the process has ended."""
        wanted = START_MS + (hour - 2) * HOUR_MS
        while daemon.process.poll() is None:
            with contextlib.suppress(StopIteration, *GONE):  # not listening yet, or no longer
                last = daemon.get("/api/v1/models")["models"][0]["last"]
                if last is not None and last["start_ms"] >= wanted:
                    return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.process.wait(0.1)  # for its end, which may come between two looks
        return False

    def act(self, daemon: Daemon, hour: int) -> bool:
        """What people say at this hour, until it is on disk; False where the process has ended meanwhile."""
        try:
            if hour == SECOND.start:
                return self.announce(daemon)
            if hour == SECOND.stop:
                return self.answer(daemon)
        except urllib.error.HTTPError as refused:
            raise AssertionError(refused.read().decode()) from refused
        except GONE:
            return False
        return True

    def announce(self, daemon: Daemon) -> bool:
        model = daemon.get("/api/v1/models")["models"][0]
        if not model["outlook"]["calendar"]:
            begins, ends = (iso(START_MS + hour * HOUR_MS) for hour in (END + 30, END + 31))
            post(daemon, "/api/v1/models/shop/expected", {"from": begins, "until": ends, "who": "ann"})
        return True

    def answer(self, daemon: Daemon) -> bool:
        found = next(i for i in daemon.get("/api/v1/incidents")["incidents"] if i["severity"] == "page")
        if not found["answers"]:
            post(daemon, f"/api/v1/incidents/{found['id']}/answer", {"answer": "false", "who": "ann", "note": "a sale"})
        return True

    def close(self) -> None:
        self.river.close()
        self.receiver.close()


def post(daemon: Daemon, path: str, body: dict[str, object]) -> None:
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(daemon.address + path, json.dumps(body).encode(), headers), timeout=30) as reply:
        reply.read()


def compared(export: dict[str, Any]) -> dict[str, Any]:
    """An export but for what may differ: when somebody clicked, and the last digits of sums."""
    incidents = [stable(i) | {"answers": [a | {"at": None} for a in i["answers"]]} for i in export["incidents"]]
    subjects = [i | {"subjects": [stable(s) for s in i["subjects"]]} for i in incidents]
    verdicts = [stable(v) | {"subjects": [stable(s) for s in v["subjects"]]} for v in export["verdicts"]]
    return export | {"incidents": subjects, "verdicts": verdicts}
