"""Local time: named zones to the quarter of an hour, the dates at which zones change their clocks, and the clock of a reference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.budget import calendar, clock_choice
from detectors.budget.calibration import folds
from detectors.budget.clock import DAY_MS, HOUR_MS, QUARTER_MS, ZONES, Change, Clock, candidates, offset_ms, unpacked, words
from detectors.budget.history import History
from detectors.budget.series import hours, totals_and_typical
from detectors.streams.cells import layout
from detectors.streams.shape import shape
from detectors.testing.traffic import SCENARIOS, WINDOW_MS, draw

YEAR = 1_767_225_600_000  # 2026
MOMENTS = st.integers(YEAR - 20 * 365 * DAY_MS, YEAR + 10 * 365 * DAY_MS)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


# ---- named zones


class Wall(NamedTuple):
    zone: str
    moment: str  # UTC
    shows: str
    because: str


WALLS = [
    Wall("Europe/Berlin", "2026-10-25T00:30", "2026-10-25T02:30", "the hour before the change"),
    Wall("Europe/Berlin", "2026-10-25T01:30", "2026-10-25T02:30", "the same hour once more"),
    Wall("Europe/Berlin", "2026-03-29T00:59", "2026-03-29T01:59", "the minute before the hour that does not exist"),
    Wall("Europe/Berlin", "2026-03-29T01:00", "2026-03-29T03:00", "and the one after"),
    Wall("Australia/Adelaide", "2026-10-03T16:29", "2026-10-04T01:59", "changes on half an hour of UTC"),
    Wall("Australia/Adelaide", "2026-10-03T16:30", "2026-10-04T03:00", "not at 16:00 and not at 17:00"),
    Wall("America/St_Johns", "2026-11-01T04:29", "2026-11-01T01:59", "half an hour off, behind UTC"),
    Wall("America/St_Johns", "2026-11-01T04:30", "2026-11-01T01:00", "its second small hour"),
    Wall("Asia/Kathmandu", "2026-10-25T12:00", "2026-10-25T17:45", "45 minutes and no clock changes"),
    Wall("Asia/Kolkata", "2026-03-29T12:00", "2026-03-29T17:30", "30 minutes and no clock changes"),
    Wall("Pacific/Chatham", "2026-04-04T14:00", "2026-04-05T02:45", "45 minutes with clock changes"),
    Wall("Australia/Lord_Howe", "2026-10-03T15:30", "2026-10-04T02:30", "a change of half an hour"),
]


@pytest.mark.parametrize("row", WALLS, ids=[f"{row.zone} {row.moment}" for row in WALLS])
def test_walls_show_what_they_show(row: Wall) -> None:
    shown = calendar.local(np.array([utc(row.moment)]), row.zone)
    assert datetime.fromtimestamp(int(shown[0]) // 1000, UTC) == datetime.fromisoformat(row.shows).replace(tzinfo=UTC), row.because


@given(name=st.sampled_from(ZONES), at_ms=MOMENTS)
def test_a_named_zone_is_exact(name: str, at_ms: int) -> None:
    offset = datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZoneInfo(name)).utcoffset()
    assert offset is not None
    assert int(calendar.local(np.array([at_ms]), name)[0]) - at_ms == offset // timedelta(milliseconds=1)


# ---- dates


@settings(deadline=None)
@given(edges=st.tuples(MOMENTS, MOMENTS, MOMENTS).map(sorted))
def test_candidates_do_not_depend_on_how_time_is_cut(edges: list[int]) -> None:
    low, middle, high = edges[0], edges[0] + (edges[1] - edges[0]) % (200 * DAY_MS), edges[0] + 200 * DAY_MS
    assert candidates(low, high) == candidates(low, middle) + candidates(middle, high)


@settings(deadline=None)
@given(week=st.integers(YEAR // (7 * DAY_MS) - 600, YEAR // (7 * DAY_MS) + 300))
def test_candidates_are_what_the_zones_do(week: int) -> None:
    """No change of an hour is overlooked, and none is made up: held against every quarter of an hour of a week."""
    low = week * 7 * DAY_MS - 1
    quarters = range(low + 1, low + 1 + 7 * DAY_MS, QUARTER_MS)
    expected = set()
    for zone in map(ZoneInfo, ZONES):
        if offset_ms(low, zone) != offset_ms(low + 7 * DAY_MS, zone):
            steps = [(at, offset_ms(at, zone) - offset_ms(at - 1, zone)) for at in quarters]
            expected |= {Change(at, by) for at, by in steps if abs(by) == HOUR_MS}
    assert candidates(low, low + 7 * DAY_MS) == tuple(sorted(expected))


def test_a_year_has_few_dates() -> None:
    """Each costs some days of watching under two clocks."""
    days = {change.at_ms // DAY_MS for change in candidates(YEAR, YEAR + 365 * DAY_MS)}
    assert 4 <= len(days) <= 24
    europe, america = utc("2026-10-25T01:00"), utc("2026-11-01T06:00")
    assert {Change(europe, -HOUR_MS), Change(america, -HOUR_MS)} <= set(candidates(YEAR, YEAR + 365 * DAY_MS))


def test_after_years_of_silence_the_last_dates_count() -> None:
    long_gap = candidates(YEAR - 8 * 365 * DAY_MS, YEAR)
    assert long_gap == candidates(long_gap[0].at_ms - 1, YEAR)
    assert len({change.by_ms for change in long_gap}) == 2


# ---- clocks


AUTUMN, SPRING = Change(1_000 * HOUR_MS, -HOUR_MS), Change(5_000 * HOUR_MS, HOUR_MS)


def test_a_clock_has_two_positions() -> None:
    winter = Clock().moved(AUTUMN)
    assert winter is not None
    assert winter.moved(Change(2_000 * HOUR_MS, -HOUR_MS)) is None, "no clock falls back twice"
    whole = winter.moved(SPRING)
    assert whole is not None
    assert (whole.offset_ms, whole.moved(Change(6_000 * HOUR_MS, HOUR_MS))) == (0, None)
    first = Clock().moved(SPRING)
    assert first is not None
    assert first.moved(AUTUMN) == whole, "whichever was found first"


def test_a_clock_tells_time_like_the_zone_it_follows() -> None:
    berlin = Clock(candidates(utc("2026-10-25T00:30"), utc("2026-10-25T01:30")))
    at = utc("2026-10-24T00:00") + QUARTER_MS * np.arange(200)
    ahead = calendar.local(at, "Europe/Berlin") - calendar.local(at, berlin)
    assert set(ahead.tolist()) == {2 * HOUR_MS}, "but for a constant, which no season can see"


def test_words_and_packing() -> None:
    clock = Clock((AUTUMN, SPRING), 17)
    assert unpacked({"changes": [{"at_ms": c.at_ms, "by_ms": c.by_ms} for c in clock.changes], "settled_ms": 17}) == clock
    assert words(clock) == "moves its clock with: 1970-02-11 16:00 UTC, 1970-07-28 08:00 UTC"
    assert words(Clock()) == "not seen to change its clock"


# ---- the clock of a reference


def chosen(scenario: str, zone: str, start: str, days: int, window_ms: int = WINDOW_MS) -> Clock:
    columns, history = draw(
        replace(SCENARIOS[scenario], timezone=zone), 3, days * DAY_MS // window_ms, 3, world=3, start_ms=utc(start), window_ms=window_ms
    )
    place = layout(columns, {c.name: history.counts[c.name].shape[1] for c in columns})
    totals, typical = totals_and_typical(place, history)
    frozen, day = shape(place, totals, typical, (1,)), (history.start_ms - history.start_ms[0]) // DAY_MS
    x = calendar.columns(history.start_ms, "UTC", history.days)
    return clock_choice.found(hours(frozen, history, x, day), history, folds(day, history.days))


class Told(NamedTuple):
    scenario: str
    zone: str
    start: str
    days: int
    moves: str  # day on which it moves its clock, or nothing
    because: str


REFERENCES = [
    Told("all", "Europe/Berlin", "2026-10-11", 28, "2026-10-25", "in the middle; the American date is inside as well"),
    Told("all", "America/New_York", "2026-10-11", 28, "2026-11-01", "the European date is inside as well"),
    Told("all", "Europe/Berlin", "2026-03-15", 28, "2026-03-29", "forward, and the southern date a week later"),
    Told("all", "Australia/Sydney", "2026-03-15", 28, "2026-04-04", "back, and the northern date a week before"),
    Told("office", "Europe/Berlin", "2026-10-04", 28, "2026-10-25", "steps instead of waves, a week from the end"),
    Told("season and volume", "Europe/Berlin", "2026-10-20", 10, "2026-10-25", "ten days: the season of a day is enough"),
    Told("all", "Asia/Kolkata", "2026-10-11", 28, "", "people who change no clock"),
    Told("season and volume", "UTC", "2026-03-01", 40, "", "forty days with seven dates"),
    Told("iid", "Europe/Berlin", "2026-10-11", 28, "", "no season shows no clock"),
    Told("slow wander", "Europe/Berlin", "2026-10-11", 28, "", "moods are no clocks"),
    Told("all", "Europe/Berlin", "2026-07-01", 28, "", "no date inside"),
    Told("all", "Europe/Berlin", "2026-10-22", 5, "", "under a week there is no season"),
]


@pytest.mark.parametrize("row", REFERENCES, ids=[f"{row.scenario} {row.zone} {row.start} {row.days}" for row in REFERENCES])
def test_the_clock_of_a_reference(row: Told) -> None:
    clock = chosen(row.scenario, row.zone, row.start, row.days)
    assert [datetime.fromtimestamp(c.at_ms // 1000, UTC).date().isoformat() for c in clock.changes] == ([row.moves] if row.moves else []), (
        row.because
    )


def test_a_year_finds_both_changes() -> None:
    spring, autumn = chosen("all", "Europe/Berlin", "2026-01-10", 330, 7_200_000).changes
    assert abs(spring.at_ms - utc("2026-03-29T01:00")) < DAY_MS
    assert abs(autumn.at_ms - utc("2026-10-25T01:00")) < DAY_MS
    assert (spring.by_ms, autumn.by_ms) == (HOUR_MS, -HOUR_MS)


def test_a_date_just_before_the_end_is_left_open() -> None:
    """Five hours show too little: the live windows go on with both clocks. What lies further back is settled."""
    clock = chosen("all", "Europe/Berlin", "2026-09-27T06:00", 28)
    assert not clock.changes
    assert utc("2026-10-18T06:00") < clock.settled_ms < utc("2026-10-25T01:00")
    assert chosen("all", "Europe/Berlin", "2026-09-10", 28).settled_ms == utc("2026-10-08T00:00")


def test_windows_too_long_to_see_an_hour() -> None:
    assert clock_choice.movable(28, 7_200_000)
    assert not clock_choice.movable(28, 21_600_000)
    assert not chosen("season and volume", "Europe/Berlin", "2026-10-11", 28, 21_600_000).changes


def test_an_empty_hour_and_a_column_never_seen_break_nothing() -> None:
    columns, history = draw(SCENARIOS["all"], 2, 28 * 288, 4, start_ms=utc("2026-10-11T00:00"))
    night = history.start_ms % DAY_MS < 6 * HOUR_MS
    counts = {name: np.where(night[:, None], 0, table) * (name == "f0") for name, table in history.counts.items()}
    past = History(history.start_ms, WINDOW_MS, counts)
    place = layout(columns, {c.name: counts[c.name].shape[1] for c in columns})
    totals, typical = totals_and_typical(place, past)
    day = (past.start_ms - past.start_ms[0]) // DAY_MS
    sums = hours(shape(place, totals, typical, (1,)), past, calendar.columns(past.start_ms, "UTC", past.days), day)
    assert not clock_choice.found(sums, past, folds(day, past.days)).changes
