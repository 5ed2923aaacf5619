"""The front of a running raincheck: what is announced to it, and leaving when something does not work."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import nullcontext
from dataclasses import replace

import httpx
import pytest

from monitor import config
from monitor.alert import Alert
from monitor.changes import Changes
from monitor.errors import Corrupt, Transient
from monitor.http import Server, create_app
from monitor.incident import Incident
from monitor.office import Office
from monitor.plan import DAY_MS
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.signature import drawn
from monitor.standing import Expected, Standing
from monitor.stores.memory import MemoryStore

PLAN = config.compile(
    {
        "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}},
        "owners": {"team": {}},
        "models": {
            "m": {"owner": "team", "window": "5m", "schema": {"features": {"x": {"kind": "numeric"}}}, "reference": {"learn": "7d"}}
        },
    }
)


def test_an_announced_event_is_shown_once_it_is_saved_and_gone_once_it_is_called_off() -> None:
    bus, store = Bus(), MemoryStore()
    bus.create("in")
    office = Office(PLAN, MemorySource(bus, {"in": "in"}), store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.turn(0)
    event = Expected(DAY_MS, 2 * DAY_MS, None, ("x",), "ops", "sale")
    for announced, shown in ((event, [("x",)]), (replace(event, until_ms=DAY_MS), [])):
        owed = office.expected("m", announced)
        assert not owed.done(), "nothing is confirmed before it is on disk"
        office.turn(0)
        owed.result(timeout=0)
        (view,) = office.models()
        assert [occasion.subjects for occasion in view.outlook.calendar] == shown
        assert office.report("m").outlook == view.outlook
        assert len(Standing.unpack(store.load().evidence["m"]).calendar) == len(shown)
    office.stop(5.0)


def test_an_incident_of_a_model_that_has_left_the_plan_can_be_looked_at_and_not_answered() -> None:
    bus, store = Bus(), MemoryStore()
    bus.create("in")
    left = Incident("1", "gone", "team", "page", "rule", DAY_MS, DAY_MS, (), 0.0, 0.0, "no events", rule="silent")
    store.save(Changes(incidents={left.id: left}))
    office = Office(PLAN, MemorySource(bus, {"in": "in"}), store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.rounds.save()
    server = Server(create_app(office, clock=lambda: 2 * DAY_MS), port=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.start()}", trust_env=False) as client:
        page = client.get("/incidents/1")
        answer = client.post("/api/v1/incidents/1/answer", json={"answer": "fixed", "who": "Mira"})
    server.stop()
    assert page.status_code == 200
    assert "gone has left the configuration" in page.text
    assert "<form" not in page.text
    assert "/models/gone" not in page.text, "where nobody finds anything"
    assert (answer.status_code, answer.json()["field"]) == (409, "incident")
    assert b'model="gone"' not in office.metrics(), "a model that has left takes its series with it"
    office.stop(5.0)


def test_who_writes_while_raincheck_leaves_is_told_at_once_and_nothing_is_kept_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that answers slowly, a process that learns: whoever waited for them was cut off with the listener, without a word."""
    bus, store = Bus(), MemoryStore()
    bus.create("in")
    office = Office(PLAN, MemorySource(bus, {"in": "in"}), store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.turn(0)
    server = Server(create_app(office, clock=lambda: 2 * DAY_MS), port=0)
    path, written = "/api/v1/models/m/deployments", {"version": "2", "who": "ci"}
    before = office.deployment("m", "1", "ci", "")
    with httpx.Client(base_url=f"http://127.0.0.1:{server.start()}", trust_env=False) as client:
        office.leave()
        assert before.done(), "who came before that is answered"
        leaving = client.post(path, json=written)  # no thread turns the engine: only a refusal can come
        office.stop(5.0)
        left = client.post(path, json=written)
    server.stop()
    for answer in (leaving, left):
        assert (answer.status_code, answer.headers["content-type"], answer.headers["retry-after"]) == (503, "application/json", "10")
        assert "raincheck is leaving" in answer.json()["value"]
        assert answer.elapsed.total_seconds() < 5, "not what the listener gives those that hang"
    assert [row.body["version"] for row in store.inputs() if row.kind == "deployment"] == ["1"]
    assert not [record for record in caplog.records if record.exc_info]


def test_whoever_reads_only_the_pages_is_told_of_a_second_daemon_a_lost_state_and_lost_offsets() -> None:
    bus = Bus()
    bus.create("in")
    bus.extend("in", [b"{}"] * 30)
    MemorySource(bus, {"in": "in"}).commit({"in/0": 20})  # an earlier life read so far, and this one begins with an empty state
    bus.trim("in", 0, 5)
    source = MemorySource(bus, {"in": "in"}, look_s=0.0)
    office = Office(PLAN, source, MemoryStore(), lambda metrics: MemoryNotifier(PLAN), ticks=False)
    server = Server(create_app(office, clock=lambda: 2 * DAY_MS), port=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.start()}", trust_env=False) as client:

        def told() -> tuple[set[str], str]:
            office.ticked(office.rounds.engine, source)
            assert client.get("/-/ready").status_code == 200, "it works: out of service it would mend nothing"
            return set(client.get("/api/v1/models").json()["troubles"]), client.get("/").text

        office.start()
        office.turn(0)
        names, page = told()
        assert names == {"state_was_lost"}
        assert "<b>State was lost</b>: this state began empty" in page
        bus.extend("in", [b"{}"] * 10)
        bus.trim("in", 0, 37)
        office.turn(0)
        names, page = told()
        assert names == {"state_was_lost", "offsets_lost"}
        assert "<b>Offsets lost</b>: in: up to 7 records deleted before they were read, since the start;" in page
        other = MemorySource(bus, {"in": "in"}, look_s=0.0)
        for offset in range(3):  # two looks tell of it
            source.commit({"in/0": 37 + offset})
            other.commit({"in/0": 20})
        names, page = told()
        assert names == {"another_daemon", "state_was_lost", "offsets_lost"}
        assert f"<b>Another daemon</b>: {drawn('0/1').who} reads as well" in page
        for offset in range(4):  # the first sees the other's last word, and three that see nobody end it
            source.commit({"in/0": 37 + offset})
        assert told()[0] == {"state_was_lost", "offsets_lost"}, "what is lost stays lost while this process lives"
    server.stop()
    office.stop(5.0)


class FullDisk(MemoryStore):
    """Saves nothing, and knows whether it was closed."""

    closed = False

    def save(self, changes: Changes) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def close(self) -> None:
        self.closed = True


class Unmarked(MemoryStore):
    """Cannot note what became of an alert."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def attempted(self, alert: str, at_ms: int, error: str) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "raised", "because"),
    [
        (sqlite3.OperationalError("database or disk is full"), False, "a disk may have room again"),
        (Corrupt("a row of outbox differs", "raincheck state restore"), True, "nothing is gone on with"),
    ],
)
def test_a_delivery_that_could_not_be_marked_is_told_and_repeated(
    error: Exception, raised: bool, because: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus, store = Bus(), Unmarked(error)
    bus.create("in")
    page = Incident("1", "m", "team", "page", "rule", DAY_MS, DAY_MS, (), 0.0, 0.0, "no events", rule="silent")
    store.save(Changes(incidents={page.id: page}, alerts=[Alert("1:opened", "opened", page)]))
    office = Office(PLAN, MemorySource(bus, {"in": "in"}), store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.courier.stop(30.0)  # its thread has ended: the alert was delivered, and the mark is in the inbox
    with pytest.raises(Corrupt) if raised else nullcontext():
        office.turn(0)
    assert [record.getMessage() for record in caplog.records if "1:opened" in str(vars(record))] == ["delivery_not_marked"], because
    assert [delivery.alert.id for delivery in store.pending()] == ["1:opened"], "at least once: the next start sends it again"
    office.stop(5.0)


def test_everything_is_let_go_of_although_the_state_cannot_be_saved() -> None:
    threads = set(threading.enumerate())
    bus, store = Bus(), FullDisk()
    bus.create("in")
    source = MemorySource(bus, {"in": "in"})
    office = Office(PLAN, source, store, lambda metrics: MemoryNotifier(PLAN), ticks=False)
    office.start()
    office.turn(0)
    bus.append("in", b"{}")
    office.turn(0)
    owed = office.deployment("m", "2", "someone", "")
    with pytest.raises(Transient, match="disk is full"):
        office.stop(5.0)
    assert isinstance(owed.exception(timeout=0), Transient), "nobody waits for what nobody will do"
    assert store.closed
    assert not source.status().connected
    assert set(threading.enumerate()) <= threads, "neither the courier nor the dead letters keep a thread"
