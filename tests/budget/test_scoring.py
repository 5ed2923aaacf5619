"""Counting alarms: what is right, what is late, what is false."""

from __future__ import annotations

import pytest

from detectors.scoring import Change, poisson_upper, score

DAY = 86_400_000
ONE = Change(10 * DAY, 11 * DAY)


@pytest.mark.parametrize(
    ("alarms", "changes", "settle", "delays", "missed", "false", "because"),
    [
        ([], [], 0, (), 0, 0, "nothing happened and nothing was said"),
        ([1], [], 0, (), 0, 1, "any alarm without a change is false"),
        ([10 * DAY], [ONE], 0, (0,), 0, 0, "at once"),
        ([10 * DAY + 5, 10 * DAY + 9], [ONE], 0, (5,), 0, 0, "the second alarm of one change says nothing new"),
        ([11 * DAY], [ONE], 0, (), 1, 1, "a change is over at its end"),
        ([11 * DAY], [ONE], DAY, (), 1, 0, "the return is excused while it settles, but finds nothing"),
        ([9 * DAY, 10 * DAY + 1], [ONE], 0, (1,), 0, 1, "too early is false, whatever comes after"),
        ([40 * DAY], [ONE], 0, (), 1, 0, "after the watch nothing counts"),
    ],
)
def test_table(
    alarms: list[int], changes: list[Change], settle: int, delays: tuple[int, ...], missed: int, false: int, because: str
) -> None:
    scored = score(alarms, changes, 0, 30 * DAY, settle)
    assert (scored.delays_ms, scored.missed, scored.false_alarms) == (delays, missed, false), because


def test_months_are_those_without_change() -> None:
    scored = score([], [ONE], 0, 31 * DAY)
    assert scored.months == pytest.approx(1.0)
    assert scored.upper_limit == pytest.approx(poisson_upper(0))


def test_overlapping_changes_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        score([], [ONE, Change(10 * DAY + 1, 12 * DAY)], 0, 30 * DAY)
