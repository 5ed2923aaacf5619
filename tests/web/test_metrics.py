"""The catalogue and what is made of it: names by the rules, no unknown label, a budget that drops detail and never a decision."""

from __future__ import annotations

import gzip
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

import monitor
from monitor.catalogue import BOUNDED, CATALOGUE, COUNTERS, GAUGES, HISTOGRAMS, OTHER, CounterName, Family, GaugeName, HistogramName
from monitor.metrics import DISTINCT_VALUES, Metrics
from monitor.sinks.prometheus import Exposition
from tests.services.tools import tool

# what Prometheus attaches to every target, or what an alert rule adds: ours would be renamed or would shadow them
TARGET_LABELS = {"job", "instance", "owner", "env", "service", "cluster", "type", "le", "quantile", "severity_level"}
UNITS = ("seconds", "bytes", "ratio", "records", "events", "series", "partitions", "alerts")
# gauges that carry no unit because they have none: a flag, a constant, a logarithm, a share, a rate, an effect in its own unit
UNITLESS = {
    "raincheck_ready", "raincheck_component_up", "raincheck_config_last_reload_successful", "raincheck_incident_active",
    "raincheck_evidence", "raincheck_evidence_threshold", "raincheck_evidence_share", "raincheck_effect",
    "raincheck_false_page_rate_upper_limit", "raincheck_exported_series_limit", "raincheck_kafka_another_daemon",
}  # fmt: skip


def labels_of(family: Family, value: str = "x") -> dict[str, str]:
    return dict.fromkeys(family.labels, value)


def fill(metrics: Metrics, value: str = "x") -> None:
    """Every metric of the catalogue once."""
    for counter, family in COUNTERS.items():
        metrics.inc(counter, 1.0, **labels_of(family, value))
    for gauge, family in GAUGES.items():
        metrics.set(gauge, 1.0, **labels_of(family, value))
    for histogram, family in HISTOGRAMS.items():
        metrics.observe(histogram, 0.2, **labels_of(family, value))


def test_the_types_and_the_table_name_the_same_metrics() -> None:
    assert set(get_args(CounterName)) == set(COUNTERS)
    assert set(get_args(GaugeName)) == set(GAUGES)
    assert set(get_args(HistogramName)) == set(HISTOGRAMS)
    assert len(CATALOGUE) == len(COUNTERS) + len(GAUGES) + len(HISTOGRAMS), "no name stands in two tables"


def test_every_metric_is_set_somewhere() -> None:
    """A row that nobody sets is a promise on a dashboard that stays empty."""
    room = Path(monitor.__path__[0])
    written = "".join(file.read_text() for file in room.rglob("*.py") if file.name != "catalogue.py")
    assert [name for name in CATALOGUE if f'"{name}"' not in written] == []


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_names_labels_and_help_follow_the_conventions(name: Any) -> None:
    family = CATALOGUE[name]
    assert re.fullmatch(r"raincheck(_[a-z0-9]+)+", name)
    assert family.help[0].isupper() or family.help.startswith("1 ")
    assert family.help.endswith(".")
    assert "\n" not in family.help
    assert not set(family.labels) & TARGET_LABELS
    assert len(set(family.labels)) == len(family.labels)
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in family.labels)
    assert name.endswith("_total") == (name in COUNTERS), "counters, and only counters, end in _total"
    assert bool(family.buckets) == (name in HISTOGRAMS)
    if name in HISTOGRAMS:
        assert name.endswith("_seconds")
        assert list(family.buckets) == sorted(set(family.buckets))
    if name in GAUGES and name not in UNITLESS:
        assert name.endswith(("_info", *UNITS)), "a gauge says its unit"
    assert ("timestamp" in name) == name.endswith("_timestamp_seconds")
    assert family.detail == 0 or "model" in family.labels, "only a model's detail may be dropped"


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_family_is_exposed_with_help_and_type_and_can_be_read_back(openmetrics: bool) -> None:
    metrics = Metrics()
    fill(metrics)
    text = metrics.render(openmetrics).decode()
    families = {f.name: f for f in (read_openmetrics(text) if openmetrics else read_text(text))}  # type: ignore[no-untyped-call]
    for name, row in CATALOGUE.items():
        family = families[name.removesuffix("_total")]
        assert family.documentation == row.help
        assert family.type == ("counter" if name in COUNTERS else "gauge" if name in GAUGES else "histogram")
        assert family.samples
    assert "_created" not in text, "a created row doubles the series"
    assert not [s for f in families.values() for s in f.samples if s.timestamp is not None], "time stamps would defeat staleness"


def test_promtool_finds_nothing_to_say() -> None:
    promtool = tool("promtool")
    metrics = Metrics()
    fill(metrics)
    said = subprocess.run([promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False, timeout=60)
    assert (said.returncode, said.stdout, said.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("call", "because"),
    [
        (lambda m: m.inc("raincheck_nothing_total"), "no such metric"),
        (lambda m: m.inc("raincheck_ready"), "a gauge is not counted"),
        (lambda m: m.set("raincheck_pages_total", 1, model="m", kind="rule"), "a counter is not set"),
        (lambda m: m.observe("raincheck_evidence", 1, model="m"), "a gauge is not observed"),
        (lambda m: m.inc("raincheck_pages_total", model="m"), "a label is missing"),
        (lambda m: m.inc("raincheck_pages_total", model="m", kind="rule", camera="north"), "a label too many"),
        (lambda m: m.inc("raincheck_pages_total", -1, model="m", kind="rule"), "counters never fall"),
    ],
)
def test_what_the_catalogue_does_not_know_is_refused(call: Any, because: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message differs per row, that it is refused does not
        call(Metrics())


def test_a_gauge_nobody_has_set_is_not_exported_and_a_counter_starts_at_zero() -> None:
    metrics = Metrics()
    text = metrics.render().decode()
    assert "raincheck_state_last_snapshot_timestamp_seconds" not in text, "0 would claim 1970"
    assert metrics.value("raincheck_state_snapshots_total") == 0.0


def test_a_bounded_label_stops_growing() -> None:
    metrics = Metrics()
    for index in range(DISTINCT_VALUES + 40):
        metrics.inc("raincheck_records_rejected_total", stream="s", reason=f"reason-{index}")
    assert "reason" in BOUNDED
    assert metrics.value("raincheck_records_rejected_total", stream="s", reason="reason-0") == 1
    assert metrics.value("raincheck_records_rejected_total", stream="s", reason=OTHER) == 40


def test_a_hostile_label_value_is_escaped() -> None:
    metrics = Metrics()
    hostile = 'a"} 1\nraincheck_ready 0\\'
    metrics.set("raincheck_evidence", 2.0, model=hostile)
    (sample,) = next(f for f in read_text(metrics.render().decode()) if f.name == "raincheck_evidence").samples
    assert sample.labels == {"model": hostile}
    assert metrics.value("raincheck_ready") is None


def series(metrics: Metrics, name: str) -> int:
    return sum(len(f.samples) for f in read_text(metrics.render().decode()) if f.name == name)


def test_segment_detail_goes_first_then_effects_then_features_and_decisions_never() -> None:
    metrics = Metrics(series_limit=30, process=False)
    for index in range(10):
        metrics.set("raincheck_effect", 1.0, model="m", subject=f"s{index}", statistic="psi", segment="camera=north")
    for index in range(10):
        metrics.set("raincheck_effect", 1.0, model="m", subject=f"s{index}", statistic="psi", segment="")
    for index in range(10):
        metrics.inc("raincheck_feature_values_total", model="m", feature=f"f{index}")
    assert (series(metrics, "raincheck_effect"), series(metrics, "raincheck_feature_values")) == (20, 10)

    for index in range(8):
        metrics.set("raincheck_evidence", 1.0, model=f"m{index}")
    segments = [s for f in read_text(metrics.render().decode()) if f.name == "raincheck_effect" for s in f.samples]
    assert len([s for s in segments if s.labels["segment"] == ""]) == 10, "segments went first"
    assert series(metrics, "raincheck_feature_values") == 10

    for index in range(60):
        metrics.set("raincheck_incident_active", 1.0, model=f"m{index}", severity="page", kind="rule")
    assert series(metrics, "raincheck_incident_active") == 60, "a decision is exported whatever the budget"
    assert series(metrics, "raincheck_effect") == series(metrics, "raincheck_feature_values") == 0
    dropped = metrics.value("raincheck_exported_series_dropped_total", metric="raincheck_effect")
    assert dropped is not None
    assert dropped >= 20

    metrics.set("raincheck_effect", 1.0, model="m", subject="s0", statistic="psi", segment="")
    assert series(metrics, "raincheck_effect") == 0, "detail does not come back over the budget"
    assert metrics.value("raincheck_exported_series_dropped_total", metric="raincheck_effect") == dropped + 1


def test_below_the_budget_the_number_of_series_is_told_exactly() -> None:
    metrics = Metrics(series_limit=10_000, process=False)
    fill(metrics)
    metrics.render()
    told = metrics.value("raincheck_exported_series")
    labelled = {name.removesuffix("_total"): row for name, row in CATALOGUE.items() if row.labels}
    counted = sum(len(f.samples) for f in read_text(metrics.render().decode()) if f.name in labelled)
    assert told == counted


def test_removing_by_some_labels_leaves_the_rest() -> None:
    metrics = Metrics(process=False)
    for model in ("a", "b"):
        for subject in ("x", "y"):
            metrics.set("raincheck_evidence_share", 0.5, model=model, subject=subject)
    metrics.remove("raincheck_evidence_share", model="a")
    assert metrics.value("raincheck_evidence_share", model="a", subject="x") is None
    assert metrics.value("raincheck_evidence_share", model="b", subject="y") == 0.5


def test_counting_from_many_threads_loses_nothing() -> None:
    metrics = Metrics(series_limit=50, process=False)
    gate = threading.Barrier(8)

    def count(thread: int) -> None:
        gate.wait(30)
        for index in range(300):
            metrics.inc("raincheck_windows_evaluated_total", model="m")
            metrics.set("raincheck_effect", 1.0, model="m", subject=f"{thread}-{index}", statistic="psi", segment="s")
            metrics.remove("raincheck_effect", subject=f"{thread}-{index}")
            if index % 100 == 0:
                metrics.render()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert metrics.value("raincheck_windows_evaluated_total", model="m") == 2400
    assert series(metrics, "raincheck_effect") == 0


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_exposition_is_rendered_at_most_once_a_second_per_format() -> None:
    metrics, clock = Metrics(process=False), Clock()
    exposition = Exposition(metrics, clock)
    first = exposition.body()
    metrics.inc("raincheck_state_snapshots_total")
    assert exposition.body() is first, "within the second: the very same bytes"
    clock.now_s += 0.99
    assert exposition.body() is first
    clock.now_s += 0.02
    assert b"raincheck_state_snapshots_total 1.0" in exposition.body()
    assert exposition.body(openmetrics=True).endswith(b"# EOF\n")
    assert gzip.decompress(exposition.body(gzipped=True)) == exposition.body()
    assert exposition.body(gzipped=True) is exposition.body(gzipped=True), "compressed once"


def test_a_scraper_that_finds_a_rendering_under_way_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, clock = Metrics(process=False), Clock()
    exposition = Exposition(metrics, clock)
    first = exposition.body()
    under_way, go_on = threading.Event(), threading.Event()

    def slow(openmetrics: bool = False) -> bytes:
        under_way.set()
        assert go_on.wait(30)
        return b"second"

    monkeypatch.setattr(metrics, "render", slow)
    clock.now_s += 2
    with ThreadPoolExecutor(1) as pool:
        rendering = pool.submit(exposition.body)
        assert under_way.wait(30)
        assert exposition.body() is first
        go_on.set()
        assert rendering.result(30) == b"second"
