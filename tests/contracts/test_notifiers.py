"""One contract for the real notifier, which posts to a real web server on loopback, and for its in-memory twin."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import pytest

from monitor.alert import Alert, AlertEvent
from monitor.incident import Incident, Severity
from monitor.message import body, title
from monitor.metrics import Metrics
from monitor.plan import Http, Model, Owner, Plan, Schema
from monitor.sinks.memory import MemoryNotifier
from monitor.sinks.notifier import Delivered, Notifying, Outcome, Retry
from monitor.sinks.notify import Notifier, redacted
from monitor.verdict import Subject

ONSET_MS = 1_795_096_200_000
SUBJECTS = (
    Subject("frame", "images", "noise location", "up", 2.34, "sd", 0.7, ONSET_MS),
    Subject("speed", "inputs", "missing", "up", 4.2, "points", 0.3, ONSET_MS + 600_000),
)


class Webhook:
    """A web server on loopback: one path per receiver, which answers 500 while it is among the `failing`."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, object]]] = []
        self.failing: set[str] = set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"]))
                fails = self.path in hook.failing
                if not fails:
                    hook.received.append((self.path, json.loads(text)))
                self.send_response(500 if fails else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet: the tests look at what was received."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, path: str) -> str:
        return f"json://127.0.0.1:{self.server.server_address[1]}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class World(Protocol):
    """What a contract test may do with either notifier."""

    notifier: Notifying

    def fail(self, path: str, failing: bool) -> None: ...

    def told(self) -> list[tuple[str, str, str]]:
        """(path, title, body) of everything that arrived, in order."""
        ...


def plan_for(receivers: dict[str, str]) -> Plan:
    owners = {
        "vision": Owner("vision", page=(receivers["/page-a"], receivers["/page-b"]), ticket=(receivers["/ticket"],)),
        "tickets-only": Owner("tickets-only", ticket=(receivers["/ticket"],)),
        "nobody": Owner("nobody"),
    }
    model = Model("traffic-light", "vision", Schema(), timezone="Europe/Amsterdam", runbook="https://wiki.example/light")
    return Plan({"traffic-light": model}, owners, http=Http(external_url="https://raincheck.example/"))


PATHS = ("/page-a", "/page-b", "/ticket")


class RealWorld:
    def __init__(self, hook: Webhook) -> None:
        self.hook = hook
        self.metrics = Metrics(process=False)
        self.notifier: Notifying = Notifier(plan_for({path: hook.url(path) for path in PATHS}), self.metrics)

    def fail(self, path: str, failing: bool) -> None:
        (self.hook.failing.add if failing else self.hook.failing.discard)(path)

    def told(self) -> list[tuple[str, str, str]]:
        return [(path, str(fields["title"]), str(fields["message"])) for path, fields in self.hook.received]


class MemoryWorld:
    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.memory = MemoryNotifier(plan_for({path: path for path in PATHS}), lambda r: "is down" if r in self.failing else "")
        self.notifier: Notifying = self.memory

    def fail(self, path: str, failing: bool) -> None:
        (self.failing.add if failing else self.failing.discard)(path)

    def told(self) -> list[tuple[str, str, str]]:
        return self.memory.delivered


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()
    yield hook
    hook.close()


@pytest.fixture(params=["apprise", "memory"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        return MemoryWorld()
    return RealWorld(request.getfixturevalue("webhook"))


def alert(severity: Severity = "page", event: AlertEvent = "opened", owner: str = "vision", number: int = 1) -> Alert:
    incident = Incident(
        f"traffic-light-statistical-page-{number}", "traffic-light", owner, severity, "statistical", ONSET_MS + 900_000, ONSET_MS, SUBJECTS,
        5.1, 4.41, "something has changed", 1241, resolved_ms=ONSET_MS + 9_000_000 if event == "resolved" else None,
    )  # fmt: skip
    return Alert(f"{incident.id}:{event}", event, incident)


def receivers(outcome: Outcome) -> list[bool]:
    return [receipt.reason == "" for receipt in outcome.receipts]


@pytest.mark.parametrize(
    ("severity", "owner", "expected", "because"),
    [
        ("page", "vision", ["/page-a", "/page-b"], "a page goes to every page receiver"),
        ("ticket", "vision", ["/ticket"], "a ticket wakes nobody"),
        ("note", "vision", [], "a note is for the record"),
        ("page", "tickets-only", ["/ticket"], "somewhere is better than nowhere"),
        ("page", "nobody", [], "Prometheus carries it"),
        ("page", "left the plan", [], "an owner who is gone has no receivers"),
    ],
)
def test_who_hears_of_it(world: World, severity: Severity, owner: str, expected: list[str], because: str) -> None:
    outcome = world.notifier.send(alert(severity, owner=owner))
    assert isinstance(outcome, Delivered), because
    assert [path for path, _, _ in world.told()] == expected, because
    assert receivers(outcome) == [True] * len(expected)


def test_the_message_carries_owner_subject_and_onset_plainly(world: World) -> None:
    world.notifier.send(alert())
    _, head, text = world.told()[0]
    assert head == "[page] traffic-light: noise in pictures of `frame` is up by 2.3 sd (and 1 more)"
    for fact in (
        "Owner: vision",
        "noise in pictures of `frame` is up by 2.3 sd (70% of the evidence)",
        "`speed` is missing, 4.2 percentage points more often (30% of the evidence, since Thu 19 Nov 2026, 15:00 CET (14:00 UTC))",
        "sd: standard deviations, the usual spread of a column.",
        "Since: Thu 19 Nov 2026, 14:50 CET (13:50 UTC), told by 1241 events",
        "the threshold is once in 89 days",
        "https://raincheck.example/incidents/traffic-light-statistical-page-1",
        "Runbook: https://wiki.example/light",
        "Incident: traffic-light-statistical-page-1",
    ):
        assert fact in text, fact


def test_one_bad_receiver_neither_blocks_nor_repeats_the_others(world: World) -> None:
    world.fail("/page-a", True)
    first = world.notifier.send(alert())
    assert isinstance(first, Retry)
    assert receivers(first) == [False, True]
    assert first.reason
    second = world.notifier.send(alert())
    assert isinstance(second, Retry)
    assert [path for path, _, _ in world.told()] == ["/page-b"], "who has it is left alone"
    world.fail("/page-a", False)
    assert isinstance(world.notifier.send(alert()), Delivered)
    assert isinstance(world.notifier.send(alert()), Delivered)
    assert [path for path, _, _ in world.told()] == ["/page-b", "/page-a"]


def test_each_event_of_an_incident_is_told_once(world: World) -> None:
    events: tuple[AlertEvent, ...] = ("opened", "appended", "resolved", "opened")
    for event in events:
        world.notifier.send(alert("ticket", event))
    assert [head.partition(" traffic")[0] for _, head, _ in world.told()] == ["[ticket]", "[also ticket]", "[resolved ticket]"]
    assert "Resolved: Thu 19 Nov 2026, 17:20 CET (16:20 UTC), recovered, open for 2.2 h" in world.told()[-1][2]


def test_a_repeat_after_a_restart_carries_the_same_id(webhook: Webhook) -> None:
    for _ in range(2):  # a new notifier knows nothing of the old one: at least once
        RealWorld(webhook).notifier.send(alert("ticket"))
    first, second = (str(fields["message"]) for _, fields in webhook.received)
    assert first == second
    assert "Incident: traffic-light-statistical-page-1" in first


def test_secrets_are_read_at_use_and_shown_nowhere(webhook: Webhook, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = tmp_path / "hook"
    reference = f"json_file:{secret}"
    plan = Plan({}, {"team": Owner("team", page=(reference,))})
    notifier = Notifier(plan)
    first = notifier.send(alert(owner="team"))
    assert isinstance(first, Retry), "the file is not there yet"
    assert "cannot be read" in first.reason
    secret.write_text("nonsense-with-key-hunter2")
    second = notifier.send(alert(owner="team"))
    assert isinstance(second, Retry)
    secret.write_text(webhook.url("/late?key=hunter2") + "\n")
    third = notifier.send(alert(owner="team"))
    assert isinstance(third, Delivered)
    assert len(webhook.received) == 1
    shown = caplog.text + "".join(str(outcome) for outcome in (first, second, third)) + str([r.__dict__ for r in caplog.records])
    assert "hunter2" not in shown
    assert reference in str(third), "it is named as the plan names it"


def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gone = f"json://127.0.0.1:{taken.getsockname()[1]}/x"
    outcome = Notifier(Plan({}, {"team": Owner("team", page=(gone,))})).send(alert(owner="team"))
    assert isinstance(outcome, Retry)


def test_notifications_and_failures_are_counted_per_team(webhook: Webhook) -> None:
    world = RealWorld(webhook)
    world.fail("/page-a", True)
    world.notifier.send(alert())
    world.notifier.send(alert())
    assert world.metrics.value("raincheck_notifications_total", team="vision") == 3, "b once, a twice"
    assert world.metrics.value("raincheck_notification_failures_total", team="vision") == 2


@pytest.mark.parametrize(
    ("receiver", "shown"),
    [
        ("slack://T1/B2/C3", "slack://***"),
        ("mailto://user:pass@example.org", "mailto://***"),
        ("jsons://user:pass@example.org:8443/hook/key?token=1", "jsons://example.org:8443/***"),
        ("json://127.0.0.1:9", "json://127.0.0.1:9"),
        ("pagerduty_file:secrets/pd", "pagerduty_file:secrets/pd"),
        ("${PAGER}", "${PAGER}"),
    ],
)
def test_receivers_are_shown_without_what_could_be_a_secret(receiver: str, shown: str) -> None:
    assert redacted(receiver) == shown


def test_a_rule_says_its_own_words_and_a_long_title_is_cut() -> None:
    rule = Incident("i", "gate", "team", "page", "rule", 0, 0, (), 0.0, 0.0, "no events for 15 min\nreally", rule="silent")
    plan = Plan({}, {})
    assert title(rule, "opened") == "[page] gate: no events for 15 min really"
    assert "What is wrong: no events for 15 min" in body(rule, "opened", plan)
    assert "Evidence" not in body(rule, "opened", plan)
    assert "Look and answer" not in body(rule, "opened", plan), "without an outside address there is no link to give"
    endless = Incident("i", "m" * 500, "team", "page", "rule", 0, 0, (), 0.0, 0.0, "x", rule="silent")
    assert len(title(endless, "opened")) == 200
