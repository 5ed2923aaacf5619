"""The week as a whole against the reference: what a filter follows is still off, and an ordinary week is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.doubt import together
from detectors.budget.history import History
from detectors.budget.rebase import rebase
from detectors.budget.trend import trend
from detectors.budget.walk import pages_of
from detectors.layout import Column
from detectors.testing.traffic import DAY_MS, WINDOW_MS, Drift, Scenario, draw

Live = Callable[..., History]
WEEK = 2016
MOODY = Scenario(wander=0.1, rho=0.99, season=0.3, volume=2.0)
MOODY_DAYS = 21


@pytest.fixture(scope="module")
def moody() -> Calibration:
    """A model whose features wander for hours: what the filter is made for, and what it swallows."""
    columns, past = draw(MOODY, 3, MOODY_DAYS * 288, 61, world=5)
    return calibrate(columns, past, Options(WINDOW_MS))


def moody_weeks(weeks: int, seed: int, drift: Drift | None = None) -> list[History]:
    whole = draw(MOODY, 3, weeks * WEEK, seed, world=5, start_ms=MOODY_DAYS * DAY_MS, drift=drift)[1]
    return [
        History(whole.start_ms[at : at + WEEK], WINDOW_MS, {n: t[at : at + WEEK] for n, t in whole.counts.items()})
        for at in range(0, weeks * WEEK, WEEK)
    ]


@pytest.mark.parametrize(
    ("drift", "column", "statistic", "direction", "unit", "size"),
    [
        (Drift(shift=0.3), "f0", "location", "up", "sd", 0.3),
        (Drift(shift=-0.3), "f0", "location", "down", "sd", -0.3),
        (Drift(scale=1.3), "f0", "scale", "up", "ratio", 1.3),
        (Drift(missing=0.02), "f0", "missing", "up", "points", 2.0),
    ],
)
def test_what_lies_off_is_named_with_its_size(
    calibration: Calibration, live: Live, drift: Drift, column: str, statistic: str, direction: str, unit: str, size: float
) -> None:
    week = live(WEEK, 41, drift)
    found = trend(calibration, week)
    lead = next(x for x in found if x.statistic == statistic)
    assert (lead.column, lead.subject, lead.group, lead.direction, lead.unit) == (column, column, "inputs", direction, unit)
    assert lead.size == pytest.approx(size, rel=0.25)
    assert lead.onset_ms == int(week.start_ms[0])
    assert lead.events == pytest.approx(week.counts[column].sum(), rel=0.05)
    assert {x.column for x in found} == {column}, "what did not move is not named"
    assert sum(x.share for x in found) == pytest.approx(1.0)
    assert [x.share for x in found] == sorted((x.share for x in found), reverse=True)


def test_a_ramp_that_the_filter_follows_is_seen_by_the_week(moody: Calibration) -> None:
    """0.8 sd in two weeks among moods of .1 sd that last for hours: never evidence enough in a day, plain in the second week."""
    weeks = moody_weeks(2, 62, Drift(shift=0.8, ramp=2 * WEEK))
    assert not pages_of(moody, weeks[0])[0], "found at once, this would be no slow trend"
    found = trend(moody, weeks[1])
    assert (found[0].column, found[0].statistic, found[0].direction) == ("f0", "location", "up")
    assert found[0].size == pytest.approx(0.6, abs=0.15)


def test_ordinary_weeks_are_not_named(moody: Calibration, calibration: Calibration, live: Live) -> None:
    """Eight weeks of moods that last for hours, two of the usual: nothing, even where the owner minds the smallest effect."""
    strict = replace(moody, options=replace(moody.options, location=0.0, scale=0.0, rate=0.0, psi=0.0))
    for week in moody_weeks(8, 63):
        assert trend(strict, week) == ()
    for seed in (42, 43):
        assert trend(calibration, live(WEEK, seed)) == ()


def test_below_the_owners_minimum_nothing_is_named(calibration: Calibration, live: Live) -> None:
    week = live(WEEK, 44, Drift(shift=0.3))
    assert trend(calibration, week)
    assert trend(replace(calibration, options=replace(calibration.options, location=0.5, scale=0.5, psi=0.5)), week) == ()


def test_a_level_taken_anew_is_the_one_to_be_held_against(calibration: Calibration, live: Live) -> None:
    lived = live(288 + WEEK, 45, Drift(shift=0.3))
    day, week = (
        History(lived.start_ms[rows], WINDOW_MS, {n: t[rows] for n, t in lived.counts.items()}) for rows in (slice(288), slice(288, None))
    )
    assert trend(calibration, week)
    assert trend(rebase(calibration, day, ["f0"]), week) == ()


def test_categories_that_moved(calibration: Calibration, live: Live) -> None:
    week = live(WEEK, 46)
    colour = week.counts["colour"].copy()
    colour[:, 4:] = np.random.default_rng(3).multinomial(colour.sum(1), [0.32, 0.3, 0.15, 0.1, 0.13])
    found = trend(calibration, History(week.start_ms, WINDOW_MS, {**week.counts, "colour": colour}))
    assert {x.column for x in found} == {"colour"}
    assert {(x.direction, x.unit) for x in found if x.statistic == "categories"} <= {
        ("up", "points"), ("down", "points"), ("changed", "psi")
    }  # fmt: skip
    falls = next(x for x in found if x.direction == "down")
    assert falls.size == pytest.approx(-8.0, abs=1.0)


def test_too_little_says_nothing(calibration: Calibration, live: Live, reference: tuple[list[Column], History]) -> None:
    assert trend(calibration, live(5, 47, Drift(shift=3.0))) == ()
    none = live(1, 47)
    assert trend(calibration, History(none.start_ms[:0], WINDOW_MS, {n: t[:0] for n, t in none.counts.items()})) == ()
    with pytest.raises(ValueError, match="windows of 60000 ms"):
        trend(calibration, History(none.start_ms, 60_000, none.counts))


def test_a_short_week_is_believed_less(calibration: Calibration, live: Live) -> None:
    """Two days do not average the season's errors out, so they are counted in."""
    days = live(2 * 288, 48, Drift(shift=0.3))
    found, whole = trend(calibration, days), trend(calibration, live(WEEK, 48, Drift(shift=0.3)))
    assert found[0].column == whole[0].column == "f0"
    assert found[0].log10_alone < whole[0].log10_alone / 3


def test_together_is_the_double_sum() -> None:
    rng = np.random.default_rng(4)
    weight, rho = rng.random((30, 2)), np.array([0.5, 0.99])
    end = np.cumsum(rng.integers(1, 4, 30)).astype(float)
    gap = np.abs(end[:, None] - end)
    plain = [weight[:, s] @ rho[s] ** gap @ weight[:, s] for s in range(2)]
    np.testing.assert_allclose(together(weight, end, rho), plain)
