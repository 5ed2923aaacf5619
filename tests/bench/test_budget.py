"""The bench of costs tells every figure that is promised, and none is beyond what it may be many times over."""

from __future__ import annotations

import json

import pytest

from monitor.__main__ import main


def test_costs_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "budget", "--quick", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["bench"] == "budget"
    figures = told["figures"]
    assert figures["backtest_events"] >= 50_000
    assert figures["backtest_windows"] * 580 >= figures["backtest_events"] - 580
    assert figures["backtest_pages"] == 0, "three days of reference may open tickets, never page"
    assert figures["state_bytes"] == figures["evidence_bytes"] + figures["pane_bytes"] <= 1_000_000
    for name in ("calibration_s", "step_ms", "backtest_cpu_s", "backtest_events_per_second"):
        assert figures[name] > 0, name
