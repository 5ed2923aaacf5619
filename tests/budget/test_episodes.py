"""An incident inside a reference is left out and told; what belongs to the traffic stays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detectors.budget.calibration import Options, calibrate
from detectors.budget.episodes import episodes, without
from detectors.budget.episodes import learnt as kept
from detectors.budget.history import History
from detectors.budget.walk import pages_of
from detectors.layout import Column
from detectors.testing.traffic import DAY_MS, SCENARIOS, WINDOW_MS, Drift, draw

DAY, HOUR = 288, 12
KIND = SCENARIOS["all"]
Spoil = Callable[[History], None]


def traffic(days: int, seed: int = 1, drift: Drift | None = None, start: int = 0) -> tuple[list[Column], History]:
    return draw(KIND, 3, days * DAY, seed, world=1, start_ms=start * DAY_MS, drift=drift)


def stretch(history: History, row: int, windows: int, drift: Drift) -> None:
    """The windows as they would have been under the drift."""
    _, bad = draw(KIND, 3, windows, row, world=1, start_ms=int(history.start_ms[row]), drift=drift)
    for name, table in history.counts.items():
        table[row : row + windows] = bad.counts[name]


def repeated(rows: range, windows: int, drift: Drift) -> Spoil:
    def spoil(history: History) -> None:
        for row in rows:
            stretch(history, row, windows, drift)

    return spoil


UP, GONE = Drift(shift=1.5), Drift(missing=0.99)
ROWS: list[tuple[int, Spoil, bool, bool, str]] = [
    # days, what happens, is it told, is it left out, because
    (28, repeated(range(3000, 3001), 6 * HOUR, UP), True, True, "six hours of one broken feature"),
    (28, repeated(range(3000, 3001), 6 * HOUR, GONE), True, True, "six hours without its values"),
    (28, repeated(range(3000, 3001), DAY, UP), True, True, "a whole day"),
    (28, repeated(range(3000, 5000, 1584), 6 * HOUR, UP), True, True, "twice, twelve hours apart in the day: two incidents"),
    (28, lambda h: None, False, False, "traffic with days, weeks and moods"),
    (28, repeated(range(1000, 28 * DAY, 7 * DAY), 2 * HOUR, UP), False, False, "a job that runs once a week is normal"),
    (14, repeated(range(1000, 14 * DAY, 7 * DAY), 2 * HOUR, UP), False, False, "twice is enough to know it"),
    (14, repeated(range(1000, 14 * DAY, DAY), HOUR, GONE), False, False, "a nightly gap is"),
    (28, repeated(range(500, 28 * DAY, 900), 1, Drift(shift=4.0)), False, False, "glitches of one window are what the clip is for"),
    (28, repeated(range(3000, 3001), 1, Drift(shift=4.0)), False, False, "a single one as well"),
    (28, repeated(range(3000, 3001), 6 * DAY, UP), False, False, "a quarter of the reference is no exception to it"),
    (8, repeated(range(1000, 1001), 4 * HOUR, GONE), True, False, "in one week nobody can tell an incident from a weekly job"),
    (2, repeated(range(300, 301), HOUR, GONE), False, False, "two days know of no usual hour"),
]


@pytest.mark.parametrize(("days", "spoil", "told", "left_out", "because"), ROWS, ids=[row[4] for row in ROWS])
def test_what_is_told_and_what_is_left_out(days: int, spoil: Spoil, told: bool, left_out: bool, because: str) -> None:
    columns, history = traffic(days)
    spoil(history)
    found = episodes(columns, history)
    assert bool(found) == told, because
    assert any(e.left_out for e in found) == left_out, because
    assert {e.column for e in found} <= {"f0"}, "the feature that broke, and no other"
    rest = without(history, found)
    assert (len(rest.start_ms) < len(history.start_ms)) == left_out
    assert len(rest.start_ms) > 0.9 * len(history.start_ms), "a reference is left"


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "all, 10x"])
def test_quiet_references_have_no_incident(scenario: str) -> None:
    for days in (7, 14, 28):
        columns, history = draw(SCENARIOS[scenario], 6, days * DAY, 3, world=3)
        assert episodes(columns, history) == []


@pytest.mark.parametrize("drift", [Drift(shift=3.0), GONE], ids=["moved by 3 sd", "missing"])
def test_a_column_whose_incident_was_learnt_from_is_not_deaf(drift: Drift) -> None:
    """The same incident again is found at once, and a quiet fortnight pages no more than after a clean reference."""
    columns, history = traffic(14)
    stretch(history, 1500, 6 * HOUR, drift)
    calibration = calibrate(columns, history, Options(WINDOW_MS))
    (told,) = calibration.report["episodes"]
    assert told["left_out"]
    assert told["from_ms"] <= 1500 * WINDOW_MS
    assert (1500 + 6 * HOUR) * WINDOW_MS <= told["until_ms"] <= (1500 + 6 * HOUR + 2 * HOUR) * WINDOW_MS
    assert {show["column"] for show in told["shows"]} == {"f0"}
    assert len(kept(history, calibration.report).start_ms) == len(history.start_ms) - told["windows"]
    _, again = traffic(1, seed=9, drift=drift, start=20)
    assert pages_of(calibration, again)[0][0] <= 1, "two windows"
    _, quiet = traffic(14, seed=5, start=14)
    assert pages_of(calibration, quiet)[0] == []


def test_nothing_is_lost_but_the_stretch_itself() -> None:
    columns, history = traffic(14)
    before = {name: table.copy() for name, table in history.counts.items()}
    stretch(history, 1500, 6 * HOUR, UP)
    rest = without(history, episodes(columns, history))
    kept = np.searchsorted(history.start_ms, rest.start_ms)
    assert not set(range(1500, 1500 + 6 * HOUR)) & set(kept.tolist())
    for name, table in rest.counts.items():
        np.testing.assert_array_equal(table, before[name][kept])
