"""Signals of the daemon's process; no broker answers, which is a state and no reason to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import pandas as pd
import pytest
import yaml

from monitor.changes import Changes
from monitor.config import compile as compile_plan
from monitor.config import load
from monitor.daemon import from_file, tried
from monitor.errors import Misconfigured
from monitor.metrics import Metrics
from monitor.plan import DAY_MS, Plan
from monitor.reload import Reload
from monitor.rounds import LIVES
from monitor.standing import Standing
from monitor.stores.backup import back_up
from monitor.stores.holding import held
from monitor.stores.lives import formers, stamp
from monitor.stores.sqlite import SqliteStore
from monitor.workshop import Workshop
from tests.river.world import START_MS, Daemon, configuration, events

P = ParamSpec("P")
T = TypeVar("T")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    config = tmp_path / "raincheck.yaml"
    state = {"path": str(tmp_path / "state.db")}
    config.write_text(yaml.safe_dump(configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state=state, http={"port": 0})))
    made = Daemon(config)
    made.wait_for("started")
    yield made
    made.kill()


def test_a_start_says_which_state_it_opened_and_whether_anything_is_known_in_it(daemon: Daemon, tmp_path: Path) -> None:
    """A mistyped path looks like a first start: both are a warning."""
    (told,) = [line for line in daemon.lines if line["event"] == "state_opened"]
    assert (told["path"], told["outcome"], told["level"]) == (str(tmp_path / "state.db"), "fresh", "warning")
    assert daemon.terminate() == 0
    store = SqliteStore(tmp_path / "state.db")
    standing = Standing(next_ms=DAY_MS, digest=load(tmp_path / "raincheck.yaml").models["shop"].digest)
    store.save(Changes(evidence={"shop": standing.pack()}))
    store.close()
    again = Daemon(tmp_path / "raincheck.yaml")
    try:
        told = again.wait_for("state_opened")
        assert (told["outcome"], told["windows_until"], told["level"]) == ("snapshot", "1970-01-02T00:00:00Z", "info")
        assert again.terminate() == 0
    finally:
        again.kill()


def test_a_start_whose_state_is_gone_names_the_copy_that_is_left(daemon: Daemon, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    assert daemon.terminate() == 0
    stamp(back_up(state), DAY_MS)
    state.unlink()
    again = Daemon(tmp_path / "raincheck.yaml")
    try:
        told = again.wait_for("state_opened")
        (left,) = formers(state)
        assert (told["outcome"], told["copy"], told["copy_made"]) == ("fresh", str(left), "1970-01-02T00:00:00Z")
        assert f"raincheck state restore {state} --from {left}" in told["right"]
        assert again.terminate() == 0
    finally:
        again.kill()


def test_a_stop_is_heard_while_a_file_is_learnt_from_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    """It is sent as soon as learning begins: whoever learns first and listens then leaves a reference behind."""
    inputs, outputs = events(range(9 * 24), 30)
    pairs = zip(map(json.loads, inputs), map(json.loads, outputs), strict=True)
    rows = [event | event["features"] | {"prediction": answer["label"]} for event, answer in pairs]
    frame = pd.DataFrame(rows).drop(columns=["id", "features"]).rename(columns={"at": "time"})
    frame.assign(time=pd.to_datetime(frame["time"], unit="ms", utc=True)).to_csv(tmp_path / "normal.csv", index=False)
    told = configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state={"path": str(tmp_path / "state.db")}, http={"port": 0})
    told["models"]["shop"]["reference"] = {"file": str(tmp_path / "normal.csv")}
    config = tmp_path / "raincheck.yaml"
    config.write_text(yaml.safe_dump(told))
    daemon = Daemon(config)
    try:
        daemon.wait_for("reference_from_file")
        assert daemon.terminate() == 0
    finally:
        daemon.kill()
    assert not [line for line in daemon.lines if line["event"] == "started" or line.get("level") == "error"]
    store = SqliteStore(tmp_path / "state.db")
    assert not store.load().references
    assert not list(store.windows("shop", 0, START_MS + 30 * DAY_MS))
    store.close()

    again = Daemon(config)
    try:
        again.wait_for("started", 120)
        assert again.get("/api/v1/models")["models"][0]["reference"], "learnt from its beginning, and kept"
        assert again.terminate() == 0
    finally:
        again.kill()


def test_a_file_with_mistakes_is_refused_as_if_it_were_read_here(tmp_path: Path) -> None:
    """It is read in another process: what that finds must come back in whole."""
    config = tmp_path / "raincheck.yaml"
    (tmp_path / "normal.csv").write_text("time,x0\nyesterday,1\n")
    told = configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state={"path": str(tmp_path / "state.db")}, http={"port": 0})
    told["models"]["shop"]["reference"] = {"file": str(tmp_path / "normal.csv")}
    config.write_text(yaml.safe_dump(told))
    daemon = Daemon(config)
    assert daemon.process.wait(60) == 78
    daemon.kill()
    assert "normal.csv" in json.dumps(daemon.lines[-1])


class Mortal(Workshop):
    """One whose process dies with the first so many works."""

    def __init__(self, deaths: int) -> None:
        super().__init__()
        self.left = deaths

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.left -= 1
        return super().submit(fn, *args, **kwargs) if self.left < 0 else super().submit(os._exit, 9)


@pytest.mark.parametrize(
    ("deaths", "told", "because"),
    [
        (LIVES - 1, "yesterday", "it is read in the end, whatever became of those before"),
        (LIVES, "memory", "whoever starts us anew would see the same again: a person must look"),
    ],
)
def test_a_process_that_is_ended_while_it_learns_from_a_file_is_begun_again(deaths: int, told: str, because: str, tmp_path: Path) -> None:
    file = tmp_path / "normal.csv"
    file.write_text("time,x0\nyesterday,1\n")
    with Mortal(deaths) as pool, pytest.raises(Misconfigured) as refused:
        from_file(compile_plan(configuration()), "shop", str(file), pool, threading.Event())
    assert told in str(refused.value), because
    assert str(file) in str(refused.value), "which file it is about"


def test_a_hangup_with_mistakes_in_the_configuration_changes_nothing_and_names_them(daemon: Daemon, tmp_path: Path) -> None:
    config = tmp_path / "raincheck.yaml"
    good = config.read_text()
    config.write_text(good.replace("window: 1h", "window: 7m").replace("owner: shop-team", "owner: nobody"))
    daemon.process.send_signal(signal.SIGHUP)
    told = " ".join(daemon.wait_for("not_reloaded")["mistake"] for _ in range(2))
    assert "window" in told
    assert "nobody" in told
    assert daemon.get("/api/v1/models")["models"][0]["name"] == "shop"
    assert "raincheck_config_last_reload_successful 0.0" in daemon.get("/metrics")
    assert daemon.terminate() == 0


def test_mistakes_are_told_to_everybody_who_asks_for_a_reload() -> None:
    """Who asks over HTTP hears of them at once, and the metric that its rule watches says it as after a hangup."""

    def read() -> Plan:
        raise Misconfigured.of("is not known", field="models.m.owner", value="nobody", right="one of owners")

    reload, metrics = Reload(read), Metrics(process=False)
    with pytest.raises(Misconfigured):
        reload.ask()
    assert not reload.due(metrics)
    assert metrics.value("raincheck_config_last_reload_successful") == 0


def test_a_hangup_takes_up_a_changed_configuration_as_the_same_process(daemon: Daemon, tmp_path: Path) -> None:
    config = tmp_path / "raincheck.yaml"
    config.write_text(config.read_text().replace("models:\n  shop:", "models:\n  bakery:"))
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("reloading")
    daemon.wait_for("begins_again")
    daemon.wait_for("started")
    assert "stopped" not in [line["event"] for line in daemon.lines], "it has not come to an end"
    assert daemon.process.poll() is None
    assert [model["name"] for model in daemon.get("/api/v1/models")["models"]] == ["bakery"]
    assert "raincheck_config_last_reload_successful 1.0" in daemon.get("/metrics")
    assert daemon.terminate() == 0, "a stop is heard by the one that took the other's place"


@pytest.mark.parametrize(
    ("change", "field", "because"),
    [
        (lambda plan, taken, _: replace(plan, http=replace(plan.http, port=taken)), "http.port", "somebody listens there"),
        (lambda plan, _, held_path: replace(plan, state=replace(plan.state, path=held_path)), "state.path", "another raincheck's"),
        (lambda plan, *_: replace(plan, kafka=None), "kafka", "nothing to read from"),
        (lambda plan, *_: replace(plan, models={}), "", "whatever else is new is taken up"),
    ],
)
def test_a_plan_under_which_nobody_could_begin_is_not_taken_up(
    change: Callable[[Plan, int, str], Plan], field: str, because: str, tmp_path: Path
) -> None:
    told = configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state={"path": str(tmp_path / "a.db")})
    old = compile_plan(told)
    other = tmp_path / "b.db"
    with socket.create_server(("127.0.0.1", 0)) as taken, held(other):
        new = change(old, int(taken.getsockname()[1]), str(other))
        if not field:
            assert tried(new, old) is new, because
            return
        with pytest.raises(Misconfigured) as refused:
            tried(new, old)
        assert field in str(refused.value), because
