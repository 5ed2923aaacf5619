"""The promise itself: a month of traffic in which nothing changes stays within its budget."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget.calibration import Options, calibrate
from detectors.budget.history import History
from detectors.budget.walk import pages_of
from detectors.testing.traffic import SCENARIOS, WINDOW_MS, Scenario, draw

BUDGET = 30 * 288.0  # one false page in thirty days, in windows


def month(scenario: Scenario, features: int, days: int, seed: int) -> tuple[list[int], list[int], float]:
    """Pages of a live month at the model's own threshold and at a tenth of the budget, and the safety factor in force."""
    columns, history = draw(scenario, features, (days + 30) * 288, seed, world=seed)
    cut = days * 288
    past, future = (
        History(history.start_ms[part], WINDOW_MS, {n: t[part] for n, t in history.counts.items()})
        for part in (slice(cut), slice(cut, None))
    )
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    own, tenth = pages_of(calibration, future, (calibration.threshold, BUDGET / 10))
    return own, tenth, calibration.threshold / BUDGET


@pytest.mark.parametrize(("days", "features", "seed", "safety"), [(28, 20, 101, 3.0), (14, 10, 102, 3.0), (7, 10, 103, 10.0)])
def test_a_month_of_stationary_traffic(days: int, features: int, seed: int, safety: float) -> None:
    """Twenty features of some 300 events, fewer under short references.

    At a tenth of the budget ten pages are allowed on average: the bound is tested there too, where it can fail;
    P(more than 20 | 10) is 0.002.
    """
    own, tenth, factor = month(SCENARIOS["iid"], features, days, seed)
    assert factor == pytest.approx(safety)
    assert not own
    assert len(tenth) <= 20


@pytest.mark.parametrize("name", ["all", "slow wander"])
def test_a_month_with_days_and_moods(name: str) -> None:
    """Four features with a season of up to half an sd, three times the volume by day, and slow wander."""
    own, tenth, _ = month(SCENARIOS[name], 4, 28, 104)
    assert not own
    assert len(tenth) <= 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(110, 116))
def test_more_months(seed: int) -> None:
    own, tenth, _ = month(SCENARIOS["all"], 20, 28, seed)
    assert not own
    assert len(tenth) <= 20


def test_under_a_week_nobody_is_woken() -> None:
    """The reference is too short to know what a week looks like: tickets only, whatever the evidence."""
    columns, history = draw(SCENARIOS["iid"], 2, 3 * 288, 1)
    calibration = calibrate(columns, history, Options(WINDOW_MS))
    assert np.isinf(calibration.threshold)
    assert not calibration.stage.pages
