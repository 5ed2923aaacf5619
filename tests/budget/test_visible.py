"""The smallest visible changes that a report promises are visible: twice or thrice as much is found in time, a fifth of it is not."""

from __future__ import annotations

import math

import pytest

from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.walk import pages_of
from detectors.testing.traffic import DAY_MS, SCENARIOS, WINDOW_MS, Drift, Scenario, draw

DAY, BEFORE = 288, 12


def learnt(kind: Scenario) -> Calibration:
    columns, history = draw(kind, 8, 14 * DAY, 3, world=3)
    return calibrate(columns, history, Options(WINDOW_MS))


@pytest.fixture(scope="module")
def rare() -> Calibration:
    return learnt(SCENARIOS["all"])


@pytest.fixture(scope="module")
def odd() -> Calibration:
    return learnt(SCENARIOS["office"])


def found(calibration: Calibration, kind: Scenario, drift: Drift, windows: int) -> int:
    """In how many of four stretches it pages in time."""
    hits = 0
    for k in range(4):
        start = (30 + k) * DAY_MS + DAY_MS // 2  # at noon: a typical number of events
        _, stretch = draw(kind, 8, BEFORE + windows, 100 + k, world=3, start_ms=start, drift=drift, onset=BEFORE)
        hits += any(row >= BEFORE for row in pages_of(calibration, stretch)[0])
    return hits


@pytest.mark.parametrize(("span", "windows"), [("hour", 12), ("day", DAY)])
def test_missing_values(rare: Calibration, odd: Calibration, span: str, windows: int) -> None:
    for calibration, name in ((rare, "all"), (odd, "office")):
        told = calibration.report["visible_changes"]["f0"]["missing"][span] / 100
        # thrice: what is rare comes by chance, too, now more, now less
        assert found(calibration, SCENARIOS[name], Drift(missing=3 * told), windows) == 4, name
    told = rare.report["visible_changes"]["f0"]["missing"][span] / 100
    assert found(rare, SCENARIOS["all"], Drift(missing=told / 5), windows) == 0


@pytest.mark.parametrize(("span", "windows"), [("hour", 12), ("day", DAY)])
def test_the_spread(rare: Calibration, span: str, windows: int) -> None:
    told = rare.report["visible_changes"]["f0"]["scale"][span] / 100
    assert found(rare, SCENARIOS["all"], Drift(scale=1 + 2 * told), windows) == 4


def test_more_windows_see_less_and_categories_have_their_units(odd: Calibration) -> None:
    changes = odd.report["visible_changes"]
    levels = [sizes for sizes in changes.values() if "categories" in sizes]
    assert levels, "office traffic has a feature of levels"
    assert {"categories", "level", "missing", "unseen"} <= set(levels[0])
    for sizes in changes.values():
        for told in sizes.values():
            assert 0 < told["day"] < told["hour"]


def test_shifts_are_those_of_locations(odd: Calibration) -> None:
    report = odd.report
    assert report["visible"] == {name: sizes["location"] for name, sizes in report["visible_changes"].items() if "location" in sizes}


def test_a_threshold_of_nothing_is_reached_by_any_change() -> None:
    columns, history = draw(SCENARIOS["all"], 8, 14 * DAY, 3, world=3)
    changes = calibrate(columns, history, Options(WINDOW_MS, budget_ms=WINDOW_MS / 1e6)).report["visible_changes"]
    told = [size for sizes in changes.values() for spans in sizes.values() for size in spans.values()]
    assert told
    assert all(math.isfinite(size) and size >= 0 for size in told)
