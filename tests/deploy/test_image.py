"""The image, built and run: what is in it, and its life on a volume against a real broker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import missing
from tests.deploy.containers import CONFIG, IMAGE, PODMAN, ROOT, STATE, Harbour, confined, inspected, podman, shell
from tests.deploy.hearing import DEPLOY
from tests.river.world import START_MS, Daemon, configuration
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.river import PER_HOUR

pytestmark = pytest.mark.image

LEARNT, CLEAN, SHIFTED = 8 * 24, 24, 6  # hours: the shortest reference that may page, a day without events, a drift


@pytest.fixture(autouse=True)
def image() -> None:
    if not PODMAN.exists():
        missing("there is no image: `make test-image` builds it")


@pytest.fixture
def harbour(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> Iterator[Harbour]:
    made = Harbour(kafka_broker, feed, tmp_path)
    yield made
    made.close()


# ---- what is in it


def test_its_labels_say_what_it_is() -> None:
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in inspected("image", IMAGE)["Labels"].items()}
    assert podman(*confined(), IMAGE, "--version").split() == ["raincheck", labels["version"]]
    assert (labels["title"], labels["licenses"]) == ("raincheck", "Apache-2.0")
    assert len(labels["revision"]) == 40, "the commit, as the build was told"


def test_its_user_has_no_rights_and_one_folder() -> None:
    said = shell("id -u; id -g; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | cut -f 2")
    assert said == ["10001", "10001", "0" * 16, "0" * 16, "1"]
    writable = shell(r"find / \( -path /proc -o -path /sys -o -path /dev \) -prune -o ! -type l -writable -print 2>/dev/null || true")
    assert writable == ["/tmp", str(Path(STATE).parent)]


def test_nothing_of_its_making_is_left() -> None:
    """No installer, no sources, nobody's tests, nothing of the machine that built it; bytecode, so that nothing is compiled at a start."""
    assert shell("ls -d /src /opt/raincheck/bin/pip* /etc/pip.conf 2>/dev/null || true") == []
    assert shell("find /opt/raincheck -name tests -type d") == []
    assert podman(*confined(), "--user=0", "--cap-add=DAC_OVERRIDE", "--entrypoint=find", IMAGE, "/root", "-name", "*pip*") == ""
    assert shell(f"grep -rlIF -e '{ROOT}' /opt/raincheck || true") == []
    told = podman("history", "--no-trunc", "--format={{.CreatedBy}}", IMAGE) + json.dumps(inspected("image", IMAGE)["Config"])
    assert str(ROOT) not in told
    assert shell("python -v -c 'import urllib.request, monitor.daemon' 2>&1 | grep -E \"code object from .*[.]py'?$\" || true") == []


# ---- what it does without a network


def test_the_demo_tells_its_story() -> None:
    told = json.loads(podman(*confined(), IMAGE, "demo", "--once", "--json", "--log-level=error").splitlines()[-1])
    assert len(told["pages"]) == 2
    assert told["false_pages"] == 0


@pytest.mark.parametrize(
    ("config", "word", "because"),
    [
        (None, CONFIG, "nothing was mounted"),
        ("models: {m: {owner: nobody}}", "owner", "an owner that is nowhere"),
        (
            yaml.safe_dump(configuration(kafka={"bootstrap": ["broker:9092"]})),
            "state.path",
            "the state's usual place is beside the configuration, which is read-only",
        ),
    ],
    ids=["none", "wrong", "no-place"],
)
def test_a_mistake_is_for_a_person(tmp_path: Path, config: str | None, word: str, because: str) -> None:
    path = tmp_path / "raincheck.yaml"
    path.write_text(config or "")
    mount = [f"--volume={path}:{CONFIG}:ro"] if config else []
    done = subprocess.run([PODMAN, *confined(), *mount, IMAGE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 78, because
    assert word in done.stderr, because


def test_composes_own_service_lives_while_its_broker_is_away() -> None:
    """compose.yaml's configuration and confinement: alive for the HEALTHCHECK, open to whoever knows the token, gone when it is told."""
    config = DEPLOY / "compose" / "raincheck.yaml"
    name = "raincheck-compose"
    words = [*confined(), f"--name={name}", f"--volume={config}:{CONFIG}:ro", "--env=RAINCHECK_TOKEN=a-token-of-some-length", IMAGE]
    daemon = Daemon(config, command=[str(PODMAN), *words])
    try:
        daemon.wait_for("started")
        podman("healthcheck", "run", name)
        podman("exec", name, "raincheck", "check", "--without-files", CONFIG)
        assert daemon.terminate() == 0
    finally:
        podman("rm", "--force", "--ignore", "--time=0", name)
        daemon.kill()


# ---- its life on a volume


def test_it_learns_pages_stops_and_goes_on(harbour: Harbour) -> None:
    """The river's end-to-end story in containers: learning process, page, SIGTERM, SIGKILL, each record once."""
    first = harbour.launch()
    assert json.loads(harbour.inside("raincheck", "check", "--json", "--connect", CONFIG))["ok"]
    harbour.send(range(LEARNT + CLEAN))
    assert [first.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    shifted = range(LEARNT + CLEAN, LEARNT + CLEAN + SHIFTED)
    harbour.send(shifted, shifted=3)
    assert "x3" in json.dumps(harbour.webhook.next())
    incident = first.get("/api/v1/incidents")["incidents"][0]
    assert abs(incident["onset_ms"] - START_MS - shifted.start * 3_600_000) <= 2 * 3_600_000, "told to within two windows"
    assert first.terminate() == 0

    harbour.send(range(shifted.stop, shifted.stop + 3))
    second = harbour.launch()
    harbour.when_closed(second, shifted.stop)
    podman("kill", harbour.names[-1])
    assert second.process.wait(60) == 137, "128 and SIGKILL"
    harbour.send(range(shifted.stop + 3, shifted.stop + 6))
    third = harbour.launch()
    last = range(shifted.stop + 6, shifted.stop + 8)
    harbour.send(last)
    ended = harbour.when_closed(third, last.start)
    assert third.terminate() == 0
    for topic in ("in/", "out/"):
        assert sum(place["records"] for name, place in ended["offsets"].items() if name.startswith(topic)) == last.stop * PER_HOUR
    assert [verdict["events"] for verdict in ended["verdicts"]] == [PER_HOUR] * len(ended["verdicts"])
    assert ended["counts"] == []


def test_a_second_container_on_the_same_volume_is_refused(harbour: Harbour) -> None:
    first = harbour.launch()
    podman(*harbour.words(), code=78)
    assert first.get("/-/healthy")["healthy"]
    assert first.terminate() == 0
