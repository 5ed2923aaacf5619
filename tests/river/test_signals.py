"""Signals of the daemon's process; no broker answers, which is a state and no reason to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.river.world import Daemon, configuration


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    config = tmp_path / "raincheck.yaml"
    state = {"path": str(tmp_path / "state.db")}
    config.write_text(yaml.safe_dump(configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state=state, http={"port": 0})))
    made = Daemon(config)
    made.wait_for("started")
    yield made
    made.kill()


def test_a_hangup_ends_nothing_and_says_what_to_do(daemon: Daemon) -> None:
    daemon.process.send_signal(signal.SIGHUP)
    assert "restart" in daemon.wait_for("not_reloaded")["right"]
    assert daemon.get("/api/v1/models")["models"][0]["name"] == "shop"
    assert daemon.terminate() == 0
