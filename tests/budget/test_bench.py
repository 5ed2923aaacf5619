"""The bench itself: its quick form keeps the promises it measures, and an interrupted run goes on where it stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from monitor.bench import detection


def arguments(folder: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    detection.configure(parser)
    return parser.parse_args(["--quick", "--out", str(folder)])


def test_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = detection.measure(arguments(tmp_path))
    assert figures["false pages a month"] == 0
    for name in ("1 feature mean +0.5 sd", "1 feature scale x1.3", "missing +3 points"):
        assert figures[f"missed, {name}, all"] == 0
        assert figures[f"delay, {name}, all"] <= figures[f"delay of the best peer, {name}, all"] + 1
    assert figures["drifted feature first, all"] == 1
    assert figures["median onset error in windows, all"] <= 2
    assert figures["pages of a 3-day drift, all"] == 1
    assert 0 <= figures["windows to recovery after a 3-day drift, all"] <= 24

    def never(**job: object) -> detection.Cell:
        raise AssertionError(f"worked twice on {job}")

    monkeypatch.setattr("monitor.bench.episodes.quiet_month", never)
    monkeypatch.setattr("monitor.bench.episodes.drifting", never)
    assert detection.measure(arguments(tmp_path)) == figures
