"""The whole river on the real broker, with the daemon as its own process."""

from __future__ import annotations

import json

import pytest

from tests.river.world import START_MS, Daemon, raincheck
from tests.services.river import PER_HOUR, River, stable

pytestmark = pytest.mark.kafka
LEARNT, CLEAN, SHIFTED = 8 * 24, 24, 6


def test_a_shift_pages_the_right_owner_and_a_restart_loses_nothing(river: River) -> None:
    first = river.start()
    river.send(range(LEARNT + CLEAN))
    # learning is asked for at event times and told in the log: the frozen cells, then the calibration
    assert [first.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    shifted = range(LEARNT + CLEAN, LEARNT + CLEAN + SHIFTED)
    river.send(shifted, shifted=3)

    message = river.webhook.next()
    text = json.dumps(message)
    onset = START_MS + shifted.start * 3_600_000
    incident = first.get("/api/v1/incidents")["incidents"][0]
    assert "shop-team" in text
    assert "x3" in text
    assert incident["subjects"][0]["name"] == "x3"
    assert abs(incident["onset_ms"] - onset) <= 2 * 3_600_000, "the onset is told to within two windows"
    assert 'raincheck_incident_active{model="shop",severity="page",kind="statistical"} 1.0' in first.get("/metrics")

    # in the middle of the stream: what comes while nobody runs is read after the restart
    river.send(range(shifted.stop, shifted.stop + 3))
    assert first.terminate() == 0
    river.send(range(shifted.stop + 3, shifted.stop + 6))
    second = river.start()
    last = range(shifted.stop + 6, shifted.stop + 8)
    river.send(last)
    ended = river.when_closed(second, last.start)
    assert second.terminate() == 0

    total = last.stop * PER_HOUR
    assert sum(p["records"] for name, p in ended["offsets"].items() if name.startswith("in/")) == total
    assert sum(p["records"] for name, p in ended["offsets"].items() if name.startswith("out/")) == total
    closed = ended["verdicts"]
    assert [v["events"] for v in closed] == [PER_HOUR] * len(closed), "every window holds each of its records once"
    assert len({v["id"] for v in closed}) == len(closed)
    assert ended["counts"] == []
    assert river.webhook.waiting <= 1, "no second page for one drift (a notice of recovery may follow)"

    # the same records from a file are judged alike
    recording = river.folder / "topic.jsonl.gz"
    raincheck("record", "--config", str(river.config), "--out", str(recording), "--until-end")
    replayed = [json.loads(line) for line in raincheck("replay", "--config", str(river.config), str(recording)).splitlines()]
    assert [stable(v) for v in replayed] == [stable(v) for v in closed]


def test_an_incident_is_computed_again_from_the_broker_until_retention_takes_its_records(river: River) -> None:
    daemon = river.start()
    river.send(range(LEARNT + CLEAN))
    assert [daemon.wait_for("learnt")["step"] for _ in range(2)] == ["cuts", "calibration"]
    shifted = range(LEARNT + CLEAN, LEARNT + CLEAN + SHIFTED)
    river.send(shifted, shifted=3)
    incident = river.webhook.next() and daemon.get("/api/v1/incidents")["incidents"][-1]
    again = ("replay", "--incident", incident["id"], "--config", str(river.config), "--json")
    found = json.loads(raincheck(*again))  # while the daemon goes on
    assert (found["outcome"], found["parts"], found["missing"]) == ("same", "", {})
    assert found["found"]["subjects"][0]["name"] == "x3"
    assert found["found"]["evidence"] == pytest.approx(incident["evidence"], abs=1e-6)
    assert daemon.terminate() == 0

    recording = river.folder / "topic.jsonl.gz"
    raincheck("record", "--config", str(river.config), "--out", str(recording), "--until-end")
    total = shifted.stop * PER_HOUR
    for topic, partition, end in (("in", 0, total // 2), ("in", 1, total // 2), ("out", 0, total)):
        river.feed.trim(river.topics[topic], partition, end)
    gone = json.loads(raincheck(*again, codes=(3,)))
    assert gone["outcome"] == "gone"
    assert sum(gone["missing"].values()) > 0
    assert all(n <= total for n in gone["missing"].values())
    assert "cannot be reproduced" in raincheck(*again[:-1], codes=(3,))
    assert json.loads(raincheck(*again, str(recording)))["outcome"] == "same", "a recording outlives retention"


def test_a_second_daemon_on_the_same_state_is_refused(river: River) -> None:
    river.start()
    second = Daemon(river.config)
    river.daemons.append(second)
    assert second.process.wait(30) == 78
