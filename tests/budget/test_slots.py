"""Sharp habits of the clock: learnt where every day shows them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget import slots

DAYS, PER_DAY = 28, 48


def residuals(seed: int, habit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three streams of noise with moods of a day's length; the first has the habit (a value per slot of the week)."""
    rng = np.random.default_rng(seed)
    at = np.arange(DAYS * 288)
    day = at // 288
    slot = day % 7 * PER_DAY + at % 288 // 6
    rest = rng.normal(size=(len(at), 3)) + 0.3 * rng.normal(size=(DAYS, 3))[day]
    rest[:, 0] += habit[slot]
    return rest, np.ones_like(rest), day, slot


@pytest.mark.parametrize(
    ("days_of_week", "size", "because"),
    [
        (range(5), 1.0, "lunch on working days: twenty of them"),
        ((0,), 2.5, "Monday mornings: four of them"),
        ((6,), 3.0, "a job on Sundays"),
    ],
    ids=["lunch", "monday", "job"],
)
def test_a_habit_is_learnt(days_of_week: tuple[int, ...], size: float, because: str) -> None:
    habit = np.zeros(7 * PER_DAY)
    for d in days_of_week:
        habit[d * PER_DAY + 24 : d * PER_DAY + 26] = size
    found, spent = slots.fit(*residuals(3, habit), PER_DAY, DAYS)
    np.testing.assert_allclose(found[habit > 0, 0], size, atol=0.6 * size, err_msg=because)
    assert abs(found[habit == 0, 0]).mean() < 0.1
    assert spent[0] >= 1


def test_noise_and_moods_are_no_habits() -> None:
    found, spent = slots.fit(*residuals(4, np.zeros(7 * PER_DAY)), PER_DAY, DAYS)
    assert abs(found).mean() < 0.05
    assert spent.max() < 25


def test_a_week_is_needed() -> None:
    found, _ = slots.fit(*residuals(5, np.ones(7 * PER_DAY)), PER_DAY, 5)
    assert not found.any()
