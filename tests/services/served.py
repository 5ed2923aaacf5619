"""A server of another project as a process of its own: started, killed, and started again on the same port and data."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], why: str = "it never came to be", limit_s: float = 60.0) -> Found:
    """Looks again until something true is seen, and returns it; how long that took proves nothing."""
    end = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < end, why
        time.sleep(0.05)
    return found


def asked(url: str, body: Any = None) -> Any:
    """What a JSON API answers; with a body, to a POST of it."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text.strip() else None


def lasting_port() -> int:
    """A free port that stays free while nobody listens on it: below those that the system gives to clients on their way out."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Served:
    """`options(port)` is the command line; `ready` the path that answers once the server does; `cwd` where it is started."""

    def __init__(self, folder: Path, options: Callable[[int], Sequence[str]], *, ready: str = "/-/ready", cwd: Path | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self._ready, self._cwd = folder, lasting_port(), ready, cwd
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = list(options(self.port))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers; AssertionError with its log where it ends instead."""
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []  # a test run that is killed takes it along
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*leash, *self._command], stdout=log, stderr=log, cwd=self._cwd)
        until(self._answers, f"{self._command[0]} does not answer: {self.told()}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.told()
        try:
            with urllib.request.urlopen(self.url + self._ready, timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def told(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]

    def kill(self) -> None:
        """SIGKILL: nothing is written down any more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
