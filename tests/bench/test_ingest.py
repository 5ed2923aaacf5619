"""The bench measures what it says: every record is read, every window judged, every part of the time told."""

from __future__ import annotations

import json

import pytest

from monitor.__main__ import main
from monitor.bench.traffic import polls


def test_the_last_line_is_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "ingest", "--json", "--memory-only", "--events", "6000", "--per-window", "1500", "--rounds", "1"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = told["figures"]
    assert told["bench"] == "ingest"
    assert figures["windows_judged"] == 4
    assert figures["events_per_second_memory"] > 0
    assert sum(figures[f"share_{part}"] for part in ("decode", "fold", "judge")) == pytest.approx(1)


def test_traffic_is_the_same_for_a_seed_and_keeps_its_partitions_in_order() -> None:
    one, other = polls(7, 1000, 500, most=100), polls(7, 1000, 500, most=300)
    assert sum(len(records.values) for records in one) == 1000
    for partition in {records.partition for records in one}:
        logs = [[value for records in traffic if records.partition == partition for value in records.values] for traffic in (one, other)]
        assert logs[0] == logs[1]
    assert polls(7, 10, 5)[0].values == polls(7, 10, 5)[0].values != polls(8, 10, 5)[0].values
