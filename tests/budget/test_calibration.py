"""Learning a reference: what it refuses, what it finds, what it reports."""

from __future__ import annotations

import json

import numpy as np
import pytest

from detectors.budget import wander
from detectors.budget.calibration import Calibration, Options, TooLittle, calibrate
from detectors.budget.history import History
from detectors.budget.shrinkage import shrink
from detectors.layout import Column
from detectors.testing.traffic import WINDOW_MS

Reference = tuple[list[Column], History]


@pytest.mark.parametrize(
    ("starts", "match"),
    [([0, 0], "increasing"), ([300_000, 0], "increasing"), ([0, 100], "increasing")],
)
def test_history_must_move_forward(starts: list[int], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        History(np.array(starts), WINDOW_MS, {})


def test_history_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'x' must have shape \(2, cells\)"):
        History(np.array([0, WINDOW_MS]), WINDOW_MS, {"x": np.zeros((3, 7), np.int64)})


def test_what_is_missing_is_named(reference: Reference) -> None:
    columns, history = reference
    with pytest.raises(ValueError, match=r"lacks column\(s\) colour"):
        calibrate(
            columns, History(history.start_ms, WINDOW_MS, {n: t for n, t in history.counts.items() if n != "colour"}), Options(WINDOW_MS)
        )
    with pytest.raises(ValueError, match="windows of 300000 ms, the model of 60000 ms"):
        calibrate(columns, history, Options(60_000))
    with pytest.raises(TooLittle, match="3 windows"):
        calibrate(columns, History(history.start_ms[:3], WINDOW_MS, {n: t[:3] for n, t in history.counts.items()}), Options(WINDOW_MS))
    with pytest.raises(TooLittle, match="no event"):
        calibrate(columns, History(history.start_ms, WINDOW_MS, {n: 0 * t for n, t in history.counts.items()}), Options(WINDOW_MS))


def test_the_report_is_json_and_says_what_can_be_seen(calibration: Calibration) -> None:
    report = json.loads(json.dumps(calibration.report))
    assert report["stage"]["name"] == "14 to 28 days"
    assert set(report["visible"]) >= {"f0", "f1", "f2", "f3"}
    for shift in report["visible"].values():
        assert 0 < shift["day"] < shift["hour"] < 1.0
    assert report["replay"]["at_budget"] == 0


def test_the_same_reference_gives_the_same_calibration(reference: Reference) -> None:
    columns, history = reference
    short = History(history.start_ms[:800], WINDOW_MS, {n: t[:800] for n, t in history.counts.items()})
    assert calibrate(columns, short, Options(WINDOW_MS)).pack() == calibrate(columns, short, Options(WINDOW_MS)).pack()


@pytest.mark.parametrize(("rho", "share"), [(0.9, 0.5), (0.98, 0.7), (0.0, 0.0)])
def test_wander_is_found_where_there_is_some(rho: float, share: float) -> None:
    """Innovations must be white: then a month of them can be bet on."""
    rng = np.random.default_rng(8)
    level, noise = np.zeros((6000, 4)), rng.normal(size=(6000, 4))
    for t in range(1, 6000):
        level[t] = rho * level[t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=4)
    r = np.sqrt(share) * level + np.sqrt(1 - share) * noise
    one, seen, steps = np.ones_like(r), np.ones(r.shape, bool), np.ones(6000)
    law = wander.fit(r, one, seen, steps, np.zeros(4, bool))
    if share:
        np.testing.assert_allclose(law.rho, rho, atol=0.05)
        np.testing.assert_allclose(law.tau2, share, atol=0.25)
    else:
        assert law.tau2.max() < 0.1, "white noise is not wander"
    u = wander.innovations(law, r, one, seen, steps)
    for lag in (1, 2, 5, 20):
        assert abs((u[lag:] * u[:-lag]).mean(0)).max() < 5 / np.sqrt(6000)


def test_noise_is_not_learnt_as_season() -> None:
    """Two halves that disagree shrink a coefficient away; two that agree keep it."""
    rng = np.random.default_rng(9)
    A = np.tile(np.eye(3) * 100.0, (40, 1, 1))
    groups = np.array([0, 1, 2])
    noise = [rng.normal(size=(40, 3, 1)) * 0.1 * np.sqrt(2) for _ in range(2)]
    truth = np.zeros((40, 3, 1))
    truth[:, 2] = 1.0
    halves = [truth + n for n in noise]
    small, weights = shrink(A, (halves[0] + halves[1]) / 2, halves[0], halves[1], groups)
    assert weights[:, 1].mean() < 0.5
    assert weights[:, 2].min() > 0.9
    assert abs(small[:, 1]).mean() < 0.05
