"""A service manager's ears: the datagram socket of NOTIFY_SOCKET, and a daemon started as the unit starts it."""

from __future__ import annotations

import configparser
import json
import shlex
import socket
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "raincheck.service"
BIN = Path(sys.executable).parent


class Ears:
    """Listens at `address`; `next` is the next line of the wanted kind, and what came before it stays in `heard`."""

    def __init__(self, folder: Path, *, abstract: bool = False) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = str(folder / "notify")
        self._socket.bind("\0" + path if abstract else path)
        self.address = "@" + path if abstract else path
        self.heard: list[str] = []

    def next(self, kind: str, timeout_s: float = 60.0) -> str:
        self._socket.settimeout(timeout_s)
        while True:
            lines = self._socket.recv(4096).decode().splitlines()
            self.heard += lines
            for line in lines:
                if line.startswith(kind):
                    return line

    def waiting(self) -> list[str]:
        """What has come and nobody asked for."""
        self._socket.setblocking(False)
        found: list[str] = []
        while True:
            try:
                found += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                self.heard += found
                return found

    def close(self) -> None:
        self._socket.close()


def unit() -> configparser.ConfigParser:
    """The unit as sections; of keys that may be repeated the last one."""
    read = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys know capitals
    read.read(UNIT)
    return read


def command(config: Path) -> list[str]:
    """The unit's command line with our installation and `config` in the place of the machine's."""
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert words.count("/etc/raincheck/raincheck.yaml") == 1
    return [str(config) if word == "/etc/raincheck/raincheck.yaml" else word.replace("/opt/raincheck/bin", str(BIN)) for word in words]


def health_check(address: str) -> int:
    """The exit code of the image's HEALTHCHECK, asked of the daemon at `address`."""
    text = (DEPLOY / "Dockerfile").read_text()
    words = json.loads(text.split("HEALTHCHECK", 1)[1].split("CMD", 1)[1].splitlines()[0])
    assert words[0] == "python"
    asked = [sys.executable, *(word.replace("http://127.0.0.1:9740", address) for word in words[1:])]
    return subprocess.run(asked, capture_output=True, timeout=60, check=False).returncode


def environment() -> dict[str, str]:
    """What the unit's Environment= says."""
    return dict(word.split("=", 1) for word in shlex.split(unit()["Service"]["Environment"]))
