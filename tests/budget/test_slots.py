"""Sharp habits of the clock: learnt where every day shows them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget import slots
from detectors.budget.slots import Habits, Times

WINDOW_MS = 300_000
DAYS, HOUR = 28, 12
MONDAY = 4  # the epoch began on a Thursday


def times(days: int = DAYS) -> Times:
    return Times.of(np.arange(days * 288, dtype=np.int64) * WINDOW_MS, "UTC", WINDOW_MS)


def block(of_week: range | tuple[int, ...], begins: int, ends: int) -> np.ndarray:
    """Windows of the reference that lie between two windows of the day, on those days of the week (0 is Monday)."""
    moment = times().moment
    inside: np.ndarray = np.isin(moment // 288, list(of_week)) & (moment % 288 >= begins) & (moment % 288 < ends)
    return inside


def residuals(seed: int, habit: np.ndarray) -> np.ndarray:
    """Three streams of noise with moods of a day's length; the first has the habit (a value per window)."""
    rng = np.random.default_rng(seed)
    rest = rng.normal(size=(DAYS * 288, 3)) + 0.3 * rng.normal(size=(DAYS, 3))[np.arange(DAYS * 288) // 288]
    rest[:, 0] += habit
    return rest


def learnt(rest: np.ndarray, days: float = DAYS) -> Habits:
    return slots.fit(rest, np.ones_like(rest), np.zeros(rest.shape[1]), times(), days)


@pytest.mark.parametrize(
    ("inside", "size", "because"),
    [
        (block(range(5), 12 * HOUR, 13 * HOUR), 1.0, "lunch on working days: twenty of them"),
        (block((0,), 12 * HOUR, 13 * HOUR), 2.5, "Monday mornings: four of them"),
        (block((6,), 12 * HOUR, 13 * HOUR), 3.0, "a job on Sundays"),
        (block((2,), 8 * HOUR + 2, 8 * HOUR + 11), 4.0, "36 windows in four weeks, from ten past until five to"),
        (block((3,), 100, 101), 6.0, "one window of five minutes, every Thursday"),
    ],
    ids=["lunch", "monday", "job", "between", "moment"],
)
def test_a_habit_is_learnt(inside: np.ndarray, size: float, because: str) -> None:
    habits = learnt(residuals(3, size * inside))
    found = habits.at(times())
    np.testing.assert_allclose(found[inside, 0], size, atol=0.6 * size, err_msg=because)
    assert abs(found[inside, 0].mean() - size) < 0.3 * size
    assert abs(found[~inside, 0]).mean() < 0.1
    assert habits.spent[0] >= 1


def test_noise_and_moods_are_no_habits() -> None:
    habits = learnt(residuals(4, np.zeros(DAYS * 288)))
    assert abs(habits.at(times())).mean() < 0.05
    assert habits.spent.max() < 25


def test_what_one_day_shows_is_no_habit() -> None:
    """An hour of an incident in one of four weeks is as large on average as a habit would be."""
    day = times().day
    once = block((0,), 12 * HOUR, 13 * HOUR) & (day == MONDAY)
    assert once.sum() == HOUR
    found = learnt(residuals(5, 40.0 * once)).at(times())
    assert abs(found[block((0,), 12 * HOUR, 13 * HOUR), 0]).max() < 2.0


@pytest.mark.parametrize(("days", "weekdays"), [(5.0, False), (10.0, False), (28.0, True)])
def test_what_a_reference_may_teach(days: float, weekdays: bool) -> None:
    """Nothing under a week; no difference between weekdays under three."""
    inside = block((1,), 12 * HOUR, 14 * HOUR)
    found = learnt(residuals(6, 5.0 * inside), days).at(times())
    assert found.any() == (days > 7)
    other = block((3,), 12 * HOUR, 14 * HOUR)
    assert (abs(found[inside, 0] - found[other, 0]).mean() > 2.0) == weekdays


def test_counts() -> None:
    """A share four times as large in one hour of the week, in moods; a rate whose few hits came on one day is left alone."""
    rng = np.random.default_rng(7)
    inside = block((2,), 12 * HOUR, 13 * HOUR)
    due = np.column_stack((np.full(DAYS * 288, 5.0), np.full(DAYS * 288, 0.01)))
    moods = np.exp(0.2 * rng.normal(size=DAYS))[times().day]
    hits = np.column_stack((rng.poisson(due[:, 0] * moods * (1 + 3 * inside)), np.zeros(DAYS * 288)))
    hits[3000:3004, 1] = 1.0
    found = slots.fit(hits / due - 1, due, np.ones(2), times(), DAYS, counts=True).at(times())
    assert found[inside, 0].mean() == pytest.approx(3.0, rel=0.3)
    assert abs(found[~inside, 0]).mean() < 0.1
    assert abs(found[:, 1] + 1).min() > 0 and found[:, 1].max() < 1.0  # noqa: PT018 - one sentence


def test_packed_and_looked_up_they_are_the_same() -> None:
    inside = block((2,), 8 * HOUR + 2, 8 * HOUR + 11)
    habits = learnt(residuals(3, 4.0 * inside)).rounded()
    some = habits.sparse()
    assert len(some["sharp"])
    assert (np.diff(some["moment"]) >= 0).all(), "sorted, so that a moment's are found by bisection"

    class Kept:
        sharp, slots, moment, moment_of, habit = (some[name] for name in ("sharp", "slots", "moment", "moment_of", "habit"))

    at = np.arange(7 * 288, dtype=np.int64) * WINDOW_MS
    got = slots.of(Kept(), 3, at, "UTC", WINDOW_MS)  # type: ignore[arg-type]  # five arrays of a calibration's are enough
    np.testing.assert_allclose(got, habits.at(Times.of(at, "UTC", WINDOW_MS)))
