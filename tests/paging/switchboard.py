"""Every receiver of an Alertmanager on one loopback port: who got which notification, in the order of their coming."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEPT_IN = "RAINCHECK_KEEP_NOTIFICATIONS"  # a folder: every body that came, as NUMBER-RECEIVER-ALERT-STATUS.json


@dataclass(frozen=True, slots=True)
class Notification:
    """What one receiver got: Alertmanager's own JSON, one group of alerts."""

    receiver: str
    body: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.body["status"])

    @property
    def name(self) -> str:
        return str(self.body["commonLabels"]["alertname"])

    @property
    def said(self) -> tuple[str, str]:
        return self.name, self.status

    @property
    def alerts(self) -> list[dict[str, Any]]:
        return list(self.body["alerts"])


class Switchboard:
    """`wait` takes what has come and what comes; nothing is consumed, so that the whole story can be read at its end."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._all: list[Notification] = []
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                take(Notification(self.path.strip("/"), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def receiver(self, name: str) -> dict[str, Any]:
        """A receiver in Alertmanager's words that calls here."""
        return {"name": name, "webhook_configs": [{"url": f"{self._url}/{name}", "send_resolved": True}]}

    def _take(self, notification: Notification) -> None:
        with self._came:
            self._all.append(notification)
            number = len(self._all)
            self._came.notify_all()
        if notification.name != "Watchdog" or number < 3:
            text = json.dumps(notification.body, indent=2)
            print(f"\n--- {number}: {notification.receiver}\n{text}")  # noqa: T201 - shown by pytest -s
            if folder := os.environ.get(KEPT_IN):
                name = f"{number:03}-{notification.receiver}-{notification.name}-{notification.status}.json"
                Path(folder).mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_text(text + "\n", encoding="utf-8")

    def heard(self, receiver: str) -> list[Notification]:
        """What this receiver has got so far."""
        with self._came:
            return [one for one in self._all if one.receiver == receiver]

    def wait(self, receiver: str, name: str, status: str, nth: int = 1, limit_s: float = 60.0, **labels: str) -> Notification:
        """The nth notification of that kind, of a group with these labels, to that receiver; AssertionError with all that came instead."""
        end = time.monotonic() + limit_s
        with self._came:
            while True:
                found = [
                    one
                    for one in self._all
                    if one.receiver == receiver and one.said == (name, status) and labels.items() <= one.body["commonLabels"].items()
                ]
                if len(found) >= nth:
                    return found[nth - 1]
                left = end - time.monotonic()
                told = [(one.receiver, *one.said) for one in self._all if one.name != "Watchdog"]
                assert left > 0, f"{name} {status} never reached {receiver}, but: {told}"
                self._came.wait(left)

    def rounds(self, n: int = 2) -> None:
        """Until the Watchdog has rung n more times: had Alertmanager had more to say by now, it would have said it."""
        before = len(self.heard("watchdog"))
        self.wait("watchdog", "Watchdog", "firing", nth=before + n)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
