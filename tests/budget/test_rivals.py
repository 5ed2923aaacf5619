"""Two clocks side by side: a clock change pages nobody, a drift on the same days still does, and nothing is lost in between."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pytest

from detectors.budget import rivals
from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.chain import Chain
from detectors.budget.clock import DAY_MS, HOUR_MS, Change, Clock
from detectors.budget.history import History
from detectors.budget.reading import Reading
from detectors.budget.state import Rival, State
from detectors.budget.walk import pages_of
from detectors.testing.steps import walk
from detectors.testing.traffic import WINDOW_MS, Drift, Scenario, draw

PEOPLE = Scenario(season=0.4, volume=2.0, wander=0.03, common=0.3)
FEATURES, DAYS = 3, 15


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


CHANGE = utc("2026-10-25T01:00")
BEGIN = utc("2026-10-24T00:00")  # of the live windows


def traffic(zone: str, begin: int, windows: int, seed: int, drift: Drift | None = None, onset: int = 0) -> History:
    return draw(replace(PEOPLE, timezone=zone), FEATURES, windows, seed, world=2, start_ms=begin, drift=drift, onset=onset)[1]


def learnt(zone: str, timezone: str, begin: int, days: int) -> Calibration:
    columns, past = draw(replace(PEOPLE, timezone=zone), FEATURES, days * 288, 1, world=2, start_ms=begin - days * DAY_MS)
    return calibrate(columns, past, Options(WINDOW_MS, timezone=timezone))


@pytest.fixture(scope="module")
def berlin() -> Chain:
    return Chain(learnt("Europe/Berlin", "auto", BEGIN, DAYS))


def followed(chain: Chain, history: History) -> list[tuple[int, State, Reading]]:
    return list(walk(chain, history))


def test_a_clock_change_pages_nobody(berlin: Chain) -> None:
    steps = followed(berlin, traffic("Europe/Berlin", BEGIN, 4 * 288, 5))
    assert max(r.log10_m for _, _, r in steps) < steps[0][2].log10_a
    last = steps[-1][1]
    assert (last.clock.offset_ms, last.rivals) == (-HOUR_MS, ()), "and it is decided"
    assert not steps[10][1].rivals, "before the date there is one clock"
    shown = berlin.calibration.report["clock"]
    assert shown == "not seen to change its clock", "in the reference"


def test_a_stretch_is_read_by_the_clock_of_the_state(berlin: Chain) -> None:
    """Refits, new normals and trends look at live windows at once: under the clock that these have shown meanwhile."""
    state = followed(berlin, traffic("Europe/Berlin", BEGIN, 2 * 288 + 24, 5))[-1][1]
    assert state.clock.changes
    later = traffic("Europe/Berlin", BEGIN + 3 * DAY_MS, 2 * 288, 6)
    assert not pages_of(berlin.calibration.under(state.clock), later)[0]
    assert pages_of(berlin.calibration, later)[0], "or it makes no difference"


def test_without_it_there_would_be_pages(berlin: Chain) -> None:
    """Or the test above tests nothing."""
    utc_only = replace(berlin.calibration, options=replace(berlin.calibration.options, timezone="UTC"))
    assert pages_of(utc_only, traffic("Europe/Berlin", BEGIN, 4 * 288, 5))[0]


def test_people_who_change_no_clock_are_left_alone(berlin: Chain) -> None:
    """Reference and live windows are the same people's: in August and October alike Berlin is two hours ahead, and so is this zone."""
    steps = followed(berlin, traffic("Etc/GMT-2", BEGIN, 4 * 288, 6))
    assert max(r.log10_m for _, _, r in steps) < steps[0][2].log10_a
    assert (steps[-1][1].clock.changes, steps[-1][1].rivals) == ((), ())


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Etc/GMT-2"])
def test_a_drift_on_that_day_is_found(berlin: Chain, zone: str) -> None:
    """Six hours after the change nothing is decided yet; the evidence has to convince both clocks, which costs windows, not hours."""
    onset = (CHANGE - BEGIN) // WINDOW_MS + 72
    history = traffic(zone, BEGIN, onset + 6, 7, Drift(shift=0.6), onset)
    steps = followed(berlin, history)
    assert steps[onset][1].rivals
    found = [row for row, _, r in steps if r.log10_m >= r.log10_a]
    assert found
    assert onset <= found[0] <= onset + 5
    lead = steps[found[0]][2].leads[0]
    assert (lead.column, lead.direction) == ("f0", "up")


@pytest.mark.parametrize(("zone", "onset", "right"), [("Europe/Berlin", 150, -HOUR_MS), ("Etc/GMT-2", 330, 0)])
def test_an_incident_does_not_choose_the_clock(berlin: Chain, zone: str, onset: int, right: int) -> None:
    """All features lie off by 0.3 sd over the date: against levels that are held, every hour errs, and more so when it is busy."""
    state, paged = berlin.zero(), False
    for row, start in enumerate((history := traffic(zone, BEGIN, 600, 21, Drift(shift=0.3, features=3), onset)).start_ms):
        state, reading = berlin.step(state, int(start), {n: t[row] for n, t in history.counts.items()})
        if not paged and reading.log10_m >= reading.log10_a:
            paged, state = True, berlin.freeze(berlin.reset(state), reading.leads)
    assert paged
    assert state.rivals or state.clock.offset_ms == right


def test_the_evidence_is_that_of_the_better_clock(berlin: Chain) -> None:
    """While two clocks are tried, M is the smaller of what each would say alone; the state given is left as it was."""
    history = traffic("Europe/Berlin", BEGIN, 500, 8)
    state = berlin.zero()
    alone: dict[int, State] = {}
    for row, start in enumerate(history.start_ms):
        counts = {n: t[row] for n, t in history.counts.items()}
        before = state.pack()
        new, reading = berlin.step(state, int(start), counts)
        assert state.pack() == before
        if new.rivals and len(new.rivals) == len(state.rivals) and new.rivals[0].since_ms == state.rivals[0].since_ms:
            readings = [berlin.step(replace(one, rivals=()), int(start), counts) for one in (state, state.rivals[0].state)]
            assert reading.log10_m == min(r.log10_m for _, r in readings)
            assert new.rivals[0].state.pack() == readings[1][0].pack()
            alone[row] = new
        state = new
    assert len(alone) > 100


@pytest.mark.parametrize("at", [250, 320, 400, 590])
def test_an_interruption_changes_nothing(berlin: Chain, at: int) -> None:
    history = traffic("Europe/Berlin", BEGIN, 620, 9)
    plain = followed(berlin, history)
    state = berlin.unpack(plain[at][1].pack())
    assert state.pack() == plain[at][1].pack()
    for row in range(at + 1, 620):
        state, reading = berlin.step(state, int(history.start_ms[row]), {n: t[row] for n, t in history.counts.items()})
        assert reading.log10_m == plain[row][2].log10_m
    assert state.pack() == plain[-1][1].pack()


def test_without_dates_it_is_utc() -> None:
    """In January no large zone changes its clock: the same numbers, the same bytes but for the name, one walk per window."""
    begin = utc("2026-01-12T00:00")
    auto, plain = (learnt("UTC", timezone, begin, 8) for timezone in ("auto", "UTC"))
    assert auto.clock == plain.clock
    for field in ("gamma", "season", "tails", "kappa"):
        np.testing.assert_array_equal(getattr(auto.learnt, field), getattr(plain.learnt, field))
    history = traffic("UTC", begin, 150, 4)
    for (_, mine, one), (_, its, other) in zip(followed(Chain(auto), history), followed(Chain(plain), history), strict=True):
        assert not mine.rivals
        assert one.log10_m == other.log10_m
        assert replace(mine, name="").pack() == replace(its, name="").pack()


@pytest.mark.parametrize(("days", "because"), [(5, "no season under a week"), (10, "a daily season is enough")])
def test_short_references(days: int, because: str) -> None:
    chain = Chain(learnt("Europe/Berlin", "auto", BEGIN, days))
    steps = followed(chain, traffic("Europe/Berlin", BEGIN, 2 * 288 + 60, 3))
    assert bool(any(s.rivals for _, s, _ in steps)) == (days >= 7), because
    assert all(r.log10_m < r.log10_a for _, _, r in steps)


def test_a_change_inside_the_reference_is_learnt() -> None:
    begin = utc("2026-11-02T00:00")
    found = learnt("Europe/Berlin", "auto", begin, DAYS)
    assert found.report["clock"] == "moves its clock with: 2026-10-25 01:00 UTC"
    assert Calibration.unpack(found.pack()).clock == found.clock
    chain = Chain(found)
    assert chain.zero().clock == found.clock
    steps = followed(chain, traffic("Europe/Berlin", begin, 288, 5))
    assert max(r.log10_m for _, _, r in steps) < steps[0][2].log10_a
    assert not any(s.rivals for _, s, _ in steps), "no clock falls back twice, so the date of other continents is not tried"
    # live windows under the found clock: whoever walks a stretch at once sees what the chain sees
    assert not pages_of(found, traffic("Europe/Berlin", begin, 288, 5))[0]


def test_a_named_zone_tries_nothing() -> None:
    chain = Chain(learnt("Europe/Berlin", "Europe/Berlin", BEGIN, 8))
    steps = followed(chain, traffic("Europe/Berlin", BEGIN, 2 * 288, 5))
    assert chain.calibration.report["clock"] == "Europe/Berlin"
    assert not any(s.rivals for _, s, _ in steps)
    assert max(r.log10_m for _, _, r in steps) < steps[0][2].log10_a


# ---- what is done to a state is done under every clock


@pytest.fixture(scope="module")
def doubtful(berlin: Chain) -> tuple[State, Reading]:
    """Some hours after the date, with a drift that pages."""
    onset = (CHANGE - BEGIN) // WINDOW_MS + 60
    steps = followed(berlin, traffic("Europe/Berlin", BEGIN, onset + 4, 7, Drift(shift=1.0), onset))
    assert steps[-1][1].rivals
    assert steps[-1][2].leads
    return steps[-1][1], steps[-1][2]


Handle = Callable[[Chain, State, Reading], State]
Holds = Callable[[State], bool]
HANDLING: list[tuple[str, Handle, Holds]] = [
    ("reset", lambda c, s, _: c.reset(s), lambda s: not s.sums.any()),
    ("freeze", lambda c, s, r: c.freeze(s, r.leads), lambda s: bool(s.held.any())),
    ("thaw", lambda c, s, r: c.thaw(c.freeze(s, r.leads)), lambda s: not s.held.any() and not s.sums.any()),
    (
        "emptied",
        lambda c, s, _: c.emptied(s, [k.name for k in c.calibration.shape.layout.columns]),
        lambda s: (s.pending.first_ms == -1).all(),
    ),
    ("adopt", lambda c, s, _: c.adopt(replace(s, name="before")), lambda s: s.name != "before"),
]


@pytest.mark.parametrize(("name", "change", "holds"), HANDLING, ids=[row[0] for row in HANDLING])
def test_every_clock_is_handled(berlin: Chain, doubtful: tuple[State, Reading], name: str, change: Handle, holds: Holds) -> None:
    state, reading = doubtful
    done = change(berlin, state, reading)
    assert done.clock == state.clock
    assert [r.state.clock for r in done.rivals] == [r.state.clock for r in state.rivals]
    assert holds(done), name
    assert all(holds(r.state) for r in done.rivals), name


# ---- when it is decided


class Verdict(NamedTuple):
    hours: float
    ahead: float
    t: float
    decided: bool | None
    because: str


VERDICTS = [
    Verdict(23.9, 500.0, 20.0, None, "not before every hour of a day has spoken"),
    Verdict(24.0, 500.0, 20.0, True, "a whole day, and it is clear"),
    Verdict(24.0, -500.0, -20.0, False, "clear the other way"),
    Verdict(25.0, 500.0, 20.0, None, "only at the end of a day"),
    Verdict(48.0, 5.0, 20.0, None, "too little likelihood"),
    Verdict(48.0, 500.0, 2.9, None, "a few windows carry it all"),
    Verdict(168.0, 500.0, 2.1, True, "after a week less is enough"),
    Verdict(168.0, 5.0, 2.9, False, "most clocks stay on most dates"),
    Verdict(168.0, 0.0, 0.0, False, "no season, no clock"),
]


@pytest.mark.parametrize("row", VERDICTS, ids=[row.because for row in VERDICTS])
def test_when_it_is_decided(row: Verdict, berlin: Chain) -> None:
    now = CHANGE + int(row.hours * HOUR_MS)
    one = replace(berlin.zero(), end_ms=now, clock=Clock((Change(CHANGE, -HOUR_MS),)))
    square = (row.ahead / row.t) ** 2 if row.t else 0.0
    before = replace(berlin.zero(), end_ms=now - WINDOW_MS, rivals=(Rival(one, CHANGE, row.ahead, square),))
    reading = Reading(-1.0, 4.0, 2.0, {}, (), None, False, False, True)
    state, _ = rivals.settled(before, replace(before, end_ms=now), reading, [(one, reading)])
    decided = None if state.rivals else bool(state.clock.changes)
    assert decided is row.decided, row.because


def test_while_an_incident_is_open_nobody_is_hurried(berlin: Chain) -> None:
    """Its streams say nothing of the clock, so a week without a decision is no decision either."""
    now, held = CHANGE + 7 * DAY_MS, np.ones_like(berlin.zero().held)
    one = replace(berlin.zero(), end_ms=now, clock=Clock((Change(CHANGE, -HOUR_MS),)))
    before = replace(berlin.zero(), end_ms=now - WINDOW_MS, rivals=(Rival(one, CHANGE),), held=held)
    reading = Reading(-1.0, 4.0, 2.0, {}, (), None, False, False, True)
    assert rivals.settled(before, replace(before, end_ms=now), reading, [(one, reading)])[0].rivals


def test_a_later_date_takes_the_place_of_one_that_found_nothing(berlin: Chain) -> None:
    """Jerusalem falls back two hours before Berlin: until then whoever follows Berlin's clock has evidence against it."""
    state = rivals.entered(replace(berlin.zero(), end_ms=BEGIN), CHANGE - 2 * HOUR_MS, WINDOW_MS)
    first = state.rivals[0]
    for ahead, dates in ((-1.0, CHANGE), (1.0, CHANGE - 2 * HOUR_MS)):
        behind = replace(state, end_ms=CHANGE - WINDOW_MS, rivals=(replace(first, ahead=ahead),))
        (rival,) = rivals.entered(behind, CHANGE, WINDOW_MS).rivals
        assert [c.at_ms for c in rival.state.clock.changes] == [dates]


def test_a_long_silence_tries_either_way(berlin: Chain) -> None:
    """A daemon that was off for a year knows nothing of what clocks did meanwhile, but that they did what clocks do."""
    later = rivals.entered(replace(berlin.zero(), end_ms=BEGIN), BEGIN + 365 * DAY_MS, WINDOW_MS)
    offsets = sorted(r.state.clock.offset_ms for r in later.rivals)
    assert offsets == [-HOUR_MS, HOUR_MS]
    assert math.isfinite(sum(r.ahead for r in later.rivals))
