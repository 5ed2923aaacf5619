"""Alerts on their way: order within an incident, no incident waits for another."""

from __future__ import annotations

import queue

import pytest

from monitor.alert import Alert, AlertEvent
from monitor.courier import Courier
from monitor.incident import Incident
from monitor.sinks.notifier import Delivered, Outcome, Retry

WAIT_S = 30.0


def alert(incident: str, event: AlertEvent) -> Alert:
    return Alert(f"{incident}:{event}", event, Incident(incident, "m", "team", "page", "rule", 2, 1, (), 0.0, 0.0, ""))


class Receiver:
    """Refuses the alerts it is told to, once each; the order of attempts is kept."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.attempts: queue.Queue[str] = queue.Queue()

    def send(self, alert: Alert) -> Outcome:
        self.attempts.put(alert.id)
        if alert.id in self.refused:
            self.refused.discard(alert.id)
            return Retry("away")
        return Delivered()


def test_a_later_alert_waits_for_the_earlier_one_of_its_incident_and_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.courier.FIRST_S", 0.2)
    receiver = Receiver("a:opened")
    outcomes: queue.Queue[tuple[str, str]] = queue.Queue()
    courier = Courier(receiver, lambda name, error: outcomes.put((name, error)))
    courier.take([alert("a", "opened"), alert("a", "appended"), alert("b", "opened"), alert("a", "resolved"), alert("b", "resolved")])
    assert courier.waiting == 5
    courier.start()
    got = [outcomes.get(timeout=WAIT_S) for _ in range(6)]
    courier.stop(WAIT_S)
    assert [one for one in got if one[0].startswith("a")] == [
        ("a:opened", "away"),
        ("a:opened", ""),
        ("a:appended", ""),
        ("a:resolved", ""),
    ]
    assert got[:3] == [("a:opened", "away"), ("b:opened", ""), ("b:resolved", "")], "nobody waits for another incident"
    assert courier.waiting == 0


def test_an_incident_that_was_told_to_its_end_leaves_nothing_behind_and_may_be_told_again() -> None:
    receiver = Receiver()
    courier = Courier(receiver, lambda name, error: None)
    courier.start()
    for event in ("opened", "resolved"):
        courier.take([alert("a", event)])
        assert receiver.attempts.get(timeout=WAIT_S) == f"a:{event}"
    courier.stop(WAIT_S)
    assert courier.waiting == 0
