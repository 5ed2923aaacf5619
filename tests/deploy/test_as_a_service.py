"""The daemon under a service manager: the unit's own command line, a socket that hears it, the signals that it gets."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from tests.deploy.hearing import DEPLOY, Ears, command, environment, health_check
from tests.river.world import Daemon, configuration
from tests.services.broker import Broker
from tests.services.river import River

Start = Callable[..., Daemon]

# a receiver that never answers: the courier's round does not end, the engine's rounds go on
HANGS = """
import sys, threading
import monitor.office
from monitor.__main__ import main
from monitor.courier import Courier

def hang(self):
    self._beat()
    threading.Event().wait()

monitor.office.STALLED_S = {"engine": 60.0, "notify": 0.5}
Courier._run = hang
sys.exit(main(sys.argv[1:]))
"""


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    made = Ears(tmp_path)
    yield made
    made.close()


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A configuration whose broker is not there."""
    plan = configuration(kafka={"bootstrap": [f"127.0.0.1:{closed_port()}"]}, state={"path": str(tmp_path / "state.db")}, http={"port": 0})
    path = tmp_path / "raincheck.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


@pytest.fixture
def start(ears: Ears) -> Iterator[Start]:
    """A daemon that the ears hear; what was started ends with the test."""
    daemons: list[Daemon] = []

    def started(config: Path, *, watchdog_s: float = 0.0, **how: Any) -> Daemon:
        asked = {"WATCHDOG_USEC": str(int(watchdog_s * 1e6))} if watchdog_s else {}
        daemons.append(Daemon(config, env={"NOTIFY_SOCKET": ears.address, **environment(), **asked}, **how))
        return daemons[-1]

    yield started
    for daemon in daemons:
        daemon.kill()


def ready(daemon: Daemon) -> tuple[int, dict[str, Any], float]:
    """What /-/ready answers (status, body), and what the gauge says."""
    try:
        status, body = 200, daemon.get("/-/ready")
    except HTTPError as error:
        status, body = error.code, json.loads(error.read())
    gauge = next(line for line in daemon.get("/metrics").splitlines() if line.startswith("raincheck_ready "))
    return status, body, float(gauge.split()[1])


def test_the_units_command_line_tells_its_manager_the_whole_life(start: Start, ears: Ears, away: Path) -> None:
    daemon = start(away, watchdog_s=2.0, command=command(away))
    ears.next("READY=1")
    daemon.wait_for("started")
    assert daemon.get("/-/healthy")["healthy"], "the web answers before the manager hears of it"
    assert health_check(daemon.address) == 0
    assert not [line for line in ears.heard if line.startswith(("WATCHDOG=", "STATUS="))]
    for _ in range(3):
        ears.next("WATCHDOG=1")  # without a broker, too: what hangs is restarted, what waits is not
    if not any(line.startswith("STATUS=") for line in ears.heard):
        ears.next("STATUS=")
    status = next(line for line in ears.heard if line.startswith("STATUS="))
    assert status.startswith("STATUS=judging 0 of 1 model; no contact: ")

    daemon.process.send_signal(signal.SIGHUP)  # ExecReload
    ears.next("RELOADING=1")
    ears.next("READY=1")
    ears.next("WATCHDOG=1")
    assert daemon.terminate() == 0
    assert "STOPPING=1" in [*ears.heard, *ears.waiting()]


def test_a_hung_stage_is_not_vouched_for(start: Start, ears: Ears, away: Path) -> None:
    daemon = start(away, watchdog_s=1.0, program=("-c", HANGS))
    ears.next("READY=1")
    assert ears.next("STATUS=hangs") == "STATUS=hangs: notify"
    ears.waiting()
    daemon.wait_for("source_down")  # the engine's rounds go on: a tick later
    daemon.get("/metrics")
    assert "WATCHDOG=1" not in ears.waiting()
    with pytest.raises(HTTPError, match="503"):
        daemon.get("/-/healthy")
    assert health_check(daemon.address) != 0


def test_a_configuration_with_mistakes_ends_with_the_code_that_is_not_restarted(start: Start, ears: Ears, away: Path) -> None:
    away.write_text(away.read_text().replace("owner: shop-team", "owner: nobody"))
    daemon = start(away, command=command(away))
    assert daemon.process.wait(60) == 78
    assert ears.waiting() == []


@pytest.mark.parametrize(
    ("readiness", "status", "because"),
    [
        ("local", 200, "a sidecar must not take its model out of service for a broker"),
        ("full", 503, "a service that reads nothing says so, from its first moment on"),
    ],
)
def test_without_a_broker(start: Start, away: Path, readiness: str, status: int, because: str) -> None:
    plan = yaml.safe_load(away.read_text())
    plan["http"]["readiness"] = readiness
    away.write_text(yaml.safe_dump(plan))
    daemon = start(away)
    daemon.wait_for("started")
    for ticked in (False, True):
        if ticked:
            daemon.wait_for("source_down")
        answered, body, gauge = ready(daemon)
        assert (answered, gauge) == (status, float(status == 200)), because
        assert body["scope"] == readiness
        assert body["reasons"] == ([] if status == 200 else ["source does not answer"])
        assert daemon.get("/-/healthy")["healthy"], "no restart brings a broker back"


@pytest.mark.kafka
def test_readiness_follows_the_broker(river: River, kafka_broker: Broker) -> None:
    daemon = river.start()
    daemon.wait_for("source_up")
    assert ready(daemon)[0] == 200
    kafka_broker.kill()
    daemon.wait_for("source_down")
    assert ready(daemon)[::2] == (503, 0.0)
    kafka_broker.start()
    daemon.wait_for("source_up")
    assert ready(daemon)[::2] == (200, 1.0)


def test_a_sidecar_stays_within_its_limits_and_leaves_when_told(start: Start, away: Path, tmp_path: Path) -> None:
    """The manifest's own configuration, but for its broker and its paths, under the manifest's limit of memory."""
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "sidecar.yaml").read_text()))
    config = yaml.safe_load(next(d for d in documents if d["kind"] == "ConfigMap")["data"]["raincheck.yaml"])
    config["kafka"]["bootstrap"] = yaml.safe_load(away.read_text())["kafka"]["bootstrap"]
    config["http"] |= {"bind": "127.0.0.1", "port": 0}
    config["http"]["token_file"] = str(tmp_path / "api")
    (tmp_path / "api").write_text("of the Secret")
    config["state"]["path"] = str(tmp_path / "state.db")
    away.write_text(yaml.safe_dump(config))
    pod = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]["spec"]
    asked = pod["initContainers"][0]["resources"]["requests"]["memory"]

    daemon = start(away)
    daemon.wait_for("source_down")
    assert ready(daemon)[0] == 200
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    resident = int(status.split("VmHWM:")[1].split()[0]) * 1024
    assert resident < int(asked.removesuffix("Mi")) << 20, "what it is promised holds all it needs before it learns"
    # the kubelet's order: SIGTERM, and SIGKILL once the grace is used up, at any instant
    assert daemon.terminate(pod["terminationGracePeriodSeconds"]) == 0
    again = start(away)
    again.wait_for("started")
    again.process.kill()
    assert again.process.wait(10) == -signal.SIGKILL
    third = start(away)
    third.wait_for("started")
    assert ready(third)[0] == 200, "killed without a warning, it starts as if nothing had been"
