"""What the dashboards' expressions make of samples, by promtool: zero where nothing happened, nothing where nobody was asked."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dashboards.expression import FLEET, MODEL, fold, names_in, or_zero
from monitor.catalogue import CATALOGUE
from tests.dashboards.panels import TARGETS
from tests.services.tools import tool

A, B = ('job="raincheck",instance="a:9740"', 'job="raincheck",instance="b:9740"')
INFO = f'raincheck_model_info{{{A},model="traffic-light",model_version="",mode="page",team="vision-team"}}'
BUILD = f'raincheck_build_info{{{A},version="1",revision="",python_version="3.11"}}'


@dataclass(frozen=True, slots=True)
class Case:
    """Samples a minute apart by series in promtool's notation -> what a panel shows after ten minutes, by the legend's labels."""

    board: str
    panel: str
    ref: str
    samples: Mapping[str, str]
    shows: Mapping[str, float]
    because: str


CASES: tuple[Case, ...] = (
    Case("fleet", "Daemons up", "A", {}, {"{}": 0}, "no target is left: that is a zero, and red"),
    Case("fleet", "Daemons up", "A", {f"up{{{A}}}": "1x10", f"up{{{B}}}": "1 0x9"}, {"{}": 1}, "one of two fails"),
    Case("fleet", "Daemons up", "A", {'up{job="other",instance="c:1"}': "1x10"}, {"{}": 1}, "all jobs are chosen, so every job counts"),
    Case("fleet", "Ready", "A", {f"raincheck_ready{{{A}}}": "1x10", f"raincheck_ready{{{B}}}": "0x10"}, {"{}": 0}, "the worst is shown"),
    Case("fleet", "Ready", "A", {f"raincheck_ready{{{A}}}": "1x3 stale"}, {}, "one that has gone is neither ready nor unready"),
    Case("fleet", "Models with an open page", "A", {INFO: "1x10"}, {"{}": 0}, "watched, and no incident ever: zero"),
    Case("fleet", "Models with an open page", "A", {}, {}, "nobody knows of any model: nothing, and not zero"),
    Case(
        "fleet", "Models with an open page", "A",
        {INFO: "1x10", f'raincheck_incident_active{{{A},model="traffic-light",severity="page",kind="rule"}}': "1x10",
         f'raincheck_incident_active{{{A},model="traffic-light",severity="page",kind="statistical"}}': "1x10",
         f'raincheck_incident_active{{{A},model="other",severity="page",kind="rule"}}': "0x10",
         f'raincheck_incident_active{{{A},model="third",severity="ticket",kind="rule"}}': "1x10"},
        {"{}": 1}, "two kinds of one model are one model, a closed page and a ticket none",
    ),
    Case(
        "fleet", "Models overdue", "A",
        {INFO: "1x10", f'raincheck_window_expected_interval_seconds{{{A},model="traffic-light"}}': "60x10",
         f'raincheck_window_last_end_timestamp_seconds{{{A},model="traffic-light"}}': "0x10"},
        {"{}": 1}, "ten minutes without a window of one",
    ),
    Case(
        "fleet", "Models overdue", "A",
        {INFO: "1x10", f'raincheck_window_expected_interval_seconds{{{A},model="traffic-light"}}': "300x10",
         f'raincheck_window_last_end_timestamp_seconds{{{A},model="traffic-light"}}': "0x10"},
        {"{}": 0}, "ten minutes are two of its intervals: late, not overdue",
    ),
    Case(
        "fleet", "Records refused", "A",
        {f'raincheck_stream_last_record_timestamp_seconds{{{A},stream="in"}}': "0x10",
         f'raincheck_records_rejected_total{{{A},stream="in",reason="not_json"}}': "_x10 7"},
        {'{reason="not_json", stream="in"}': 7}, "its first sample is what happened: increase alone would see nothing",
    ),
    Case(
        "fleet", "Records refused", "A",
        {f'raincheck_stream_last_record_timestamp_seconds{{{A},stream="in"}}': "0x10",
         f'raincheck_records_rejected_total{{{A},stream="in",reason="not_json"}}': "7x10"},
        {'{stream="in"}': 0}, "seven long ago are none now",
    ),
    Case(
        "fleet", "Records refused", "A",
        {f'raincheck_stream_last_record_timestamp_seconds{{{A},stream="in"}}': "0x10",
         f'raincheck_records_rejected_total{{{A},stream="in",reason="not_json"}}': "7x9 0"},
        {'{stream="in"}': 0}, "a daemon that starts anew counts from nothing: no refusal",
    ),
    Case("fleet", "Scheduled tasks", "B", {BUILD: "1x10"}, {"{}": 0}, "nothing failed"),
    Case("fleet", "Scheduled tasks", "B", {}, {}, "nobody was asked whether anything failed"),
    Case(
        "fleet", "Models", "A", {INFO: "1x10", INFO.replace('version=""', 'version="2"'): "1x10"},
        {'{mode="page", model="traffic-light", team="vision-team"}': 1}, "two versions of a model are one line",
    ),
    Case(
        "model", "What carries the evidence", "A", {INFO: "1x10"}, {"{}": 0}, "calm: zero, and not an empty panel",
    ),
    Case(
        "model", "What carries the evidence", "A",
        {INFO: "1x10", f'raincheck_evidence_share{{{A},model="traffic-light",subject="frame"}}': "0.7x10",
         f'raincheck_evidence_share{{{A},model="other",subject="price"}}': "0.9x10"},
        {'{subject="frame"}': 0.7}, "its own subjects alone",
    ),
    Case(
        "model", "Pages, tickets, false pages", "A",
        {INFO: "1x10", f'raincheck_pages_total{{{A},model="traffic-light",kind="statistical"}}': "0 1x9",
         f'raincheck_pages_total{{{B},model="traffic-light",kind="statistical"}}': "0 2x9"},
        {'{kind="statistical"}': 3}, "a model that has moved to another instance keeps its count",
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{case.panel}: {case.because}" for case in CASES])
def test_a_panel_of_samples(case: Case, tmp_path: Path) -> None:
    (expr,) = [
        asked.expr(__rate_interval="4m") for asked in TARGETS  # four scrapes, as Grafana has it at the least
        if (asked.board, asked.panel["title"], asked.target["refId"]) == (f"raincheck-{case.board}", case.panel, case.ref)
    ]  # fmt: skip
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.samples.items()],
        "promql_expr_test": [
            {"expr": expr, "eval_time": "10m", "exp_samples": [{"labels": labels, "value": value} for labels, value in case.shows.items()]}
        ],
    }
    file = tmp_path / "panels.test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run([tool("promtool"), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{case.because}: {done.stdout}{done.stderr}"


def test_a_name_or_label_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="raincheck_evidense is not in the catalogue"):
        FLEET.of("raincheck_evidense")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="raincheck_ready is no counter"):
        FLEET.rate("raincheck_ready")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="up has the labels"):
        MODEL.of("up", model="m")


def test_every_metric_is_found_again_in_its_expression() -> None:
    for name in CATALOGUE:
        assert names_in(or_zero(fold("sum", FLEET.of(name)), MODEL.of("raincheck_model_info"))) == {name, "raincheck_model_info"}
