"""Containers of the image that tests/deploy/image.sh has built, confined as deploy/compose says: read-only, no rights, limits."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.hearing import DEPLOY
from tests.river.world import Daemon
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import River

ROOT = DEPLOY.parent
PODMAN = ROOT / ".cache" / "image" / "podman"  # the engine with a store of its own, which goes with the folder
IMAGE = "localhost/raincheck:0.1.0"
SERVICE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())["services"]["raincheck"]
STATE = "/var/lib/raincheck/state.db"
CONFIG = "/etc/raincheck/raincheck.yaml"


def podman(*words: str | Path, code: int | None = 0) -> str:
    """What the engine and the container say on stdout; another exit code than `code` is the test's failure (None: whatever it is)."""
    done = subprocess.run([str(word) for word in (PODMAN, *words)], capture_output=True, text=True, timeout=240, check=False)
    assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def inspected(kind: str, name: str) -> dict[str, Any]:
    """The engine's own words on an image, a container or a volume."""
    found: list[dict[str, Any]] = json.loads(podman(kind, "inspect", name))
    return found[0]


def confined(network: str = "none") -> list[str]:
    """compose.yaml's confinement of raincheck in the engine's words, in a container that goes when it ends."""
    assert SERVICE["read_only"] is True
    return [
        "run",
        "--rm",
        "--read-only",
        "--read-only-tmpfs=false",  # podman's gift of /run and /var/tmp, which compose does not make
        *(f"--tmpfs={path}" for path in SERVICE["tmpfs"]),
        *(f"--cap-drop={name}" for name in SERVICE["cap_drop"]),
        *(f"--security-opt={word.replace(':true', '')}" for word in SERVICE["security_opt"]),
        f"--memory={SERVICE['mem_limit']}",
        f"--pids-limit={SERVICE['pids_limit']}",
        f"--network={network}",
    ]


def shell(script: str) -> list[str]:
    """Lines of a shell in the image, as its user and confined."""
    return podman(*confined(), "--entrypoint=sh", IMAGE, "-c", script).splitlines()


class Harbour(River):
    """A river whose daemons are containers on one volume, one after the other; the broker is the machine's, hence its network."""

    def __init__(self, broker: Broker, feed: Feed, folder: Path) -> None:
        super().__init__(broker, feed, folder, state={"path": STATE})
        self.volume = f"raincheck-{uuid.uuid4().hex[:8]}"
        self.names: list[str] = []

    def words(self, *options: str) -> list[str]:
        """The command line of the next container."""
        self.names.append(f"{self.volume}-{len(self.names)}")
        mounts = [f"--volume={self.config}:{CONFIG}:ro", f"--volume={self.volume}:{Path(STATE).parent}"]
        return [*confined("host"), f"--name={self.names[-1]}", *mounts, *options, IMAGE]

    def launch(self) -> Daemon:
        """The image's own command, started; its log is what tests wait for, signals go through, its exit code is the container's."""
        daemon = Daemon(self.config, command=[str(PODMAN), *self.words()])
        self.daemons.append(daemon)
        daemon.wait_for("started")
        return daemon

    def inside(self, *words: str, code: int | None = 0) -> str:
        """A program in the container that was started last, as its user."""
        return podman("exec", self.names[-1], *words, code=code)

    def exported(self) -> dict[str, Any]:
        """The state, read in the container that runs."""
        answer: dict[str, Any] = json.loads(self.inside("raincheck", "state", "export", "--json", STATE))
        return answer

    def close(self) -> None:
        podman("rm", "--force", "--ignore", "--time=0", *self.names)
        super().close()
        podman("volume", "rm", "--force", self.volume)
