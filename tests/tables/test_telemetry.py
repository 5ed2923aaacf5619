"""What metrics say of incidents and sources, where several things share one series or a total is kept elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from monitor import config, wall
from monitor.changes import Changes, WindowRow
from monitor.engine import Engine
from monitor.incident import Answer, AnswerKind, Incident, IncidentKind, Severity
from monitor.log import EventLog
from monitor.metrics import Metrics
from monitor.reference import pack_cells
from monitor.sources import Forgotten
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.signature import drawn
from monitor.standing import Expected, Standing
from monitor.stores.memory import MemoryStore
from monitor.telemetry import Telemetry
from monitor.verdict import Subject, Verdict
from monitor.watermark import Position

PLAN = config.compile(
    {
        "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}},
        "owners": {"team": {}},
        "models": {
            "m": {"owner": "team", "window": "1h", "schema": {"features": {"x": {"kind": "numeric"}}}, "reference": {"learn": "7d"}}
        },
    }
)


def incident(name: str, onset_s: int, severity: Severity = "page", kind: IncidentKind = "rule", model: str = "m") -> Incident:
    return Incident(name, model, "team", severity, kind, onset_s * 1000 + 1, onset_s * 1000, (), 0.0, 0.0, "")


@pytest.fixture
def engine() -> Engine:
    return Engine(PLAN, MemoryStore().load())


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry(PLAN, Metrics(process=False))


X, Y = incident("x-missing", 300), incident("y-missing", 200)


@pytest.mark.parametrize(
    ("still_open", "changed", "active", "onset", "because"),
    [
        ((X,), (X,), 1, 300, "one is open"),
        ((), (X,), 0, None, "the only one was resolved"),
        ((X,), (X, Y), 1, 300, "another rule's incident was resolved in the same turn"),
        ((X, Y), (X, Y), 1, 200, "two are open: since the first of them"),
        ((incident("t", 1, severity="ticket"),), (X,), 0, None, "a ticket is no page"),
        ((incident("t", 1, kind="statistical"),), (X,), 0, None, "drift is no rule"),
        ((incident("t", 1, model="other"),), (X,), 0, None, "another model's incident"),
    ],
)
def test_a_series_of_incidents_is_active_while_any_of_them_is_open(
    still_open: tuple[Incident, ...],
    changed: tuple[Incident, ...],
    active: int,
    onset: int | None,
    because: str,
    engine: Engine,
    telemetry: Telemetry,
) -> None:
    engine.incidents = {one.id: one for one in still_open}
    told = [one if one in still_open else replace(one, resolved_ms=400_000, resolution="recovered") for one in changed]
    telemetry.saved(Changes(incidents={one.id: one for one in told}), engine, 0.0)
    labels = {"model": "m", "severity": "page", "kind": "rule"}
    assert telemetry.metrics.value("raincheck_incident_active", **labels) == active, because
    assert telemetry.metrics.value("raincheck_incident_onset_timestamp_seconds", **labels) == onset, because


def test_what_an_incident_is_about_is_exported_while_it_is_open(engine: Engine, telemetry: Telemetry) -> None:
    x = Subject("x", "", "missing", "up", 40.0, "points", 1.0, 0)
    drift = Subject("x", "inputs", "location", "down", 0.5, "sd", 0.7, 0)
    incidents = (
        replace(incident("x-missing", 300), rule="missing:x", subjects=(x,)),
        replace(incident("silent", 300), rule="silent"),
        replace(incident("moved", 300, kind="statistical"), subjects=(drift,)),
    )

    def told(*still_open: Incident) -> dict[tuple[str, ...], float]:
        engine.incidents = {one.id: one for one in still_open}
        telemetry.saved(Changes(incidents={one.id: one for one in incidents}), engine, 0.0)
        rows = re.findall(r"raincheck_incident_subject_ratio{(.*)} (.*)", telemetry.metrics.render().decode())
        return {tuple(re.findall(r'(?:kind|subject|statistic|direction)="([^"]*)"', labels)): float(value) for labels, value in rows}

    assert told(*incidents) == {
        ("rule", "x", "missing", ""): 0.4,  # of the events
        ("rule", "", "silent", ""): 1.0,
        ("statistical", "x", "location", "down"): 0.7,  # of the evidence
    }
    assert told(incidents[1]) == {("rule", "", "silent", ""): 1.0}
    assert told() == {}


def test_the_size_of_a_change_is_told_while_the_last_verdict_tells_it(engine: Engine, telemetry: Telemetry) -> None:
    moved, wider = (Subject("x", "inputs", statistic, "up", 1.5, "sd", 0.7, 0) for statistic in ("location", "scale"))
    base = Verdict("m:0", "m", 0, 3_600_000, "page", 50, 4.0, 3.0)

    def told(verdict: Verdict) -> set[str]:
        telemetry.saved(Changes(windows=[WindowRow(verdict, "summaries", {})]), engine, 0.0)
        return set(re.findall(r'raincheck_effect{.*statistic="([^"]*)"', telemetry.metrics.render().decode()))

    assert told(replace(base, subjects=(moved, wider))) == {"location", "scale"}
    assert told(replace(base, status="ticket", subjects=(wider,))) == {"scale"}
    assert told(replace(base, status="unknown", reason="no reference")) == {"scale"}, "nothing newer is known"
    assert told(replace(base, status="ok", evidence=0.0)) == set(), "an old figure must not pass for a new one"


def test_a_save_that_fails_was_attempted(engine: Engine, telemetry: Telemetry) -> None:
    telemetry.saved(Changes(), engine, 0.0)
    telemetry.save_failed(OSError("disk full"))
    value = telemetry.metrics.value
    assert (value("raincheck_state_snapshots_total"), value("raincheck_state_snapshot_failures_total")) == (2, 1)


def test_a_model_whose_inputs_nobody_watches_has_no_coverage() -> None:
    model = {"owner": "team", "schema": {"prediction": {"class": "label"}}}
    telemetry = Telemetry(config.compile({"owners": {"team": {}}, "models": {"m": model}}), Metrics(process=False))
    row = WindowRow(Verdict("m:0", "m", 0, 3_600_000, "ok", 50, 0.0, 3.0), "cells", {"prediction": pack_cells(np.array([0, 0, 0, 0, 9]))})
    telemetry.saved(Changes(windows=[row]), Engine(telemetry.plan, MemoryStore().load()), 0.0)
    assert telemetry.metrics.value("raincheck_feature_values_total", model="m", feature="prediction") == 9
    assert telemetry.metrics.value("raincheck_coverage_ratio", model="m") is None


def test_a_restart_does_not_end_a_silence(engine: Engine, telemetry: Telemetry) -> None:
    """A series that is gone until a record comes is one that RaincheckStreamSilent cannot hold against the plan."""
    engine.watermark.positions["in/0"] = Position(7, mark_ms=100_000, records=7)
    engine.watermark.positions["gone/0"] = Position(7, mark_ms=100_000, records=7)
    before = wall.now_ms() / 1000
    telemetry.restored(engine, {"m": None})
    silent_since = telemetry.metrics.value("raincheck_stream_last_record_timestamp_seconds", stream="in")
    assert silent_since is not None
    assert before <= silent_since <= wall.now_ms() / 1000
    assert telemetry.metrics.value("raincheck_stream_last_record_timestamp_seconds", stream="gone") is None, "it has left the plan"


def test_a_stream_that_was_never_read_is_not_silent(engine: Engine, telemetry: Telemetry) -> None:
    engine.watermark.positions["in/0"] = Position(0)
    telemetry.restored(engine, {"m": None})
    assert telemetry.metrics.value("raincheck_stream_last_record_timestamp_seconds", stream="in") is None


def test_a_note_is_active_like_any_other_incident(engine: Engine, telemetry: Telemetry) -> None:
    note = incident("n", 100, severity="note")
    engine.incidents = {note.id: note}
    telemetry.saved(Changes(incidents={note.id: note}), engine, 0.0)
    assert telemetry.metrics.value("raincheck_incident_active", model="m", severity="note", kind="rule") == 1
    assert telemetry.metrics.value("raincheck_incident_active", model="m", severity="page", kind="rule") is None


def test_a_windows_columns_versions_and_coverage_are_told(engine: Engine) -> None:
    features = {"x": {"kind": "numeric"}, "c": {"kind": "categorical"}}
    model = {"owner": "team", "schema": {"features": features, "prediction": {"class": "label"}}}
    telemetry = Telemetry(config.compile({"owners": {"team": {}}, "models": {"m": model}}), Metrics(process=False))
    engine = Engine(telemetry.plan, MemoryStore().load())
    cells = {"x": [3, 1, 2, 0, 40, 4, 0], "c": [5, 0, 0, 0, 45], "prediction": [0, 0, 0, 0, 100]}
    columns = {name: pack_cells(np.array(counts)) for name, counts in cells.items()}
    verdict = Verdict("m:0", "m", 0, 3_600_000, "ok", 50, -1.0, 3.0, versions=("2024-10", "2024-11"))
    telemetry.saved(Changes(windows=[WindowRow(verdict, "cells", columns)], evidence={"m": b""}), engine, 0.0, worked_s=0.25)
    value = telemetry.metrics.value
    assert value("raincheck_feature_values_total", model="m", feature="x") == 50
    assert value("raincheck_feature_values_missing_total", model="m", feature="x") == 3
    assert value("raincheck_feature_values_invalid_total", model="m", feature="x") == 3, "not finite and not readable"
    assert value("raincheck_feature_values_missing_total", model="m", feature="c") == 5
    assert value("raincheck_feature_values_invalid_total", model="m", feature="c") == 0, (
        "there from the start, so that its first rise is one"
    )
    assert value("raincheck_coverage_ratio", model="m") == 0.5, "100 predictions came with 50 inputs"
    for seen in verdict.versions:
        assert value("raincheck_model_info", model="m", model_version=seen, mode="page", team="team") == 1
    assert b"raincheck_window_evaluation_duration_seconds_sum 0.25" in telemetry.metrics.render()


def test_commits_and_their_failures_are_counted_once(engine: Engine, telemetry: Telemetry) -> None:
    bus = Bus()
    bus.create("in")
    source = MemorySource(bus, {"in": "in"})
    source.start({}, {})
    source.commit({"in/0": 1})
    bus.outage(True)
    source.commit({"in/0": 2})
    for _ in range(2):
        telemetry.ticked(engine, source)
    assert telemetry.metrics.value("raincheck_kafka_commits_total") == 2
    assert telemetry.metrics.value("raincheck_kafka_commit_failures_total") == 1
    source.commit({"in/0": 3})
    telemetry.ticked(engine, source)
    assert telemetry.metrics.value("raincheck_kafka_commit_failures_total") == 2


def test_another_daemon_is_told_once_and_its_end_too(engine: Engine, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(EventLog, "error", lambda _, event, /, **fields: said.append(f"{event} {fields['who']}"))
    monkeypatch.setattr(EventLog, "info", lambda _, event, /, **fields: said.append(event))
    bus = Bus()
    bus.create("in")
    one, two = (MemorySource(bus, {"in": "in"}, look_s=0.0) for _ in range(2))
    seen = []
    for number in range(9):
        one.commit({"in/0": number})
        telemetry.ticked(engine, one)
        seen.append(telemetry.metrics.value("raincheck_kafka_another_daemon"))
        if number < 4:
            two.commit({"in/0": number})
    assert seen == [0, 0, 1, 1, 1, 1, 1, 0, 0], "two looks tell of it, and three in a row that see nobody end it"
    assert said == [f"another_daemon {drawn('0/1').who}", "another_daemon_gone"]


def test_a_state_that_was_lost_is_counted(telemetry: Telemetry) -> None:
    telemetry.noted(Forgotten({"in/0": 7}, "tower:4711"))
    assert telemetry.metrics.value("raincheck_state_restores_total", outcome="lost") == 1


def test_a_false_page_is_counted_once_however_often_it_is_answered(engine: Engine, telemetry: Telemetry) -> None:
    page = incident("p", 300, kind="statistical")
    engine.standings["m"] = Standing(next_ms=500_000)
    engine.incidents = {page.id: page}
    kinds: tuple[AnswerKind, ...] = ("false", "fixed", "false")
    for kind in kinds:
        page = engine.answer(page, Answer(kind, "somebody", "", 0))
        telemetry.saved(engine.drain(), engine, 0.0)
    assert telemetry.metrics.value("raincheck_false_pages_total", model="m") == 1


@pytest.mark.parametrize(
    ("event", "muted", "because"),
    [
        (Expected(0, 7_200_000), 1, "the next window falls into it"),
        (Expected(0, 3_600_000), 0, "it is over when the next window begins"),
        (Expected(7_200_000, 9_000_000), 0, "it begins after the next window"),
        (Expected(0, 7_200_000, subjects=("y",)), 0, "it touches another subject"),
    ],
)
def test_the_share_of_columns_that_are_not_judged(event: Expected, muted: int, because: str, engine: Engine, telemetry: Telemetry) -> None:
    engine.standings["m"] = Standing(next_ms=3_600_000)
    engine.expected("m", event, 0)
    telemetry.saved(engine.drain(), engine, 0.0)
    assert telemetry.metrics.value("raincheck_model_muted_ratio", model="m") == muted, because
