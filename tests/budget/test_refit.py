"""A page answered "false" must teach something, and must not teach the drift itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pytest

from detectors.budget.calibration import Calibration, Options, TooLittle, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.budget.refit import refit
from detectors.budget.walk import pages_of
from detectors.layout import Column
from detectors.testing.traffic import DAY_MS, WINDOW_MS, Drift, Scenario, draw

FEATURES, DAYS = 4, 10
Still: TypeAlias = tuple[list[Column], History, Calibration]
MOODY = Scenario(wander=0.15, rho=0.97)


@pytest.fixture(scope="module")
def still() -> Still:
    """A reference in which nothing wanders, and what was learnt from it."""
    columns, past = draw(Scenario(), FEATURES, DAYS * 288, 51, world=6)
    return columns, past, calibrate(columns, past, Options(WINDOW_MS))


def stretch(scenario: Scenario, days: int, seed: int, from_day: int, drift: Drift | None = None) -> History:
    return draw(scenario, FEATURES, days * 288, seed, world=6, start_ms=from_day * DAY_MS, drift=drift)[1]


def test_a_wander_that_the_reference_did_not_show(still: Still) -> None:
    """The reference was still, the world is moody: hundreds of false pages before, next to none after one honest answer."""
    _, _, calibration = still
    lived = stretch(MOODY, 3, 52, DAYS)
    first = pages_of(calibration, lived)[0]
    assert len(first) > 20, "the null model must be broken, or there is nothing to mend"
    better = refit(calibration, lived, int(lived.start_ms[first[0]]))
    later = stretch(MOODY, 10, 53, DAYS + 3)
    before, after = (len(pages_of(c, later)[0]) for c in (calibration, better))
    assert after <= 1
    assert before > 50 * max(after, 1)
    bad = stretch(MOODY, 1, 54, DAYS + 14, Drift(shift=1.5))
    assert pages_of(better, bad)[0], "a drift far beyond the moods must still be seen"


def test_the_mean_is_never_refitted(still: Still) -> None:
    """Calling a lasting shift false does not make it normal: its level stays where the reference put it."""
    _, _, calibration = still
    shifted = stretch(Scenario(), 2, 55, DAYS, Drift(shift=0.4))
    better = refit(calibration, shifted, int(shifted.start_ms[0]))
    for name in ("gamma", "season", "slots", "effect_mean", "dead"):
        np.testing.assert_array_equal(getattr(better.learnt, name), getattr(calibration.learnt, name))
    assert (better.learnt.cost >= calibration.learnt.cost).all()


def test_evidence_goes_on_through_a_refit(still: Still) -> None:
    columns, past, calibration = still
    lived = stretch(MOODY, 2, 52, DAYS)
    chain = Chain(calibration)
    state, _ = chain.step(chain.zero(), int(lived.start_ms[0]), {n: t[0] for n, t in lived.counts.items()})
    other = Chain(refit(calibration, lived, int(lived.start_ms[10])))
    assert other.name != chain.name
    adopted = other.adopt(state)
    np.testing.assert_array_equal(adopted.sums, state.sums)
    other.unpack(adopted.pack())
    few = Chain(calibrate(columns[:2], past, Options(WINDOW_MS)))
    with pytest.raises(ValueError, match="other streams"):
        few.adopt(state)


def test_a_column_that_was_silent_keeps_its_law() -> None:
    """A day without a feature says nothing of it: a refit that took it for one without wander would page on its return."""
    columns, past = draw(MOODY, FEATURES, DAYS * 288, 51, world=6)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    lived = stretch(MOODY, 1, 53, DAYS)
    quiet = History(lived.start_ms, lived.window_ms, {**lived.counts, "f1": np.zeros_like(lived.counts["f1"])})
    found = refit(calibration, quiet, int(lived.start_ms[0]))
    tests = [i for i, s in enumerate(calibration.shape.streams) if columns[s.column].name == "f1" and s.law != "rate"]
    assert (calibration.wander.tau2[tests] > 0).any(), "there is a wander to be lost"
    for name in ("rho", "tau2", "a", "w", "scale"):
        assert np.array_equal(getattr(found.wander, name)[tests], getattr(calibration.wander, name)[tests]), name
    assert np.array_equal(found.learnt.tails[:, :, tests], calibration.learnt.tails[:, :, tests])


def test_a_rate_without_hits_keeps_its_moods(still: Still) -> None:
    columns, _, calm = still
    rates = [i for i, s in enumerate(calm.shape.streams) if s.law == "rate"]
    tau2 = calm.wander.tau2.copy()
    tau2[rates] = 0.3
    calibration = replace(calm, wander=replace(calm.wander, tau2=tau2))
    lived = stretch(Scenario(), 1, 54, DAYS)
    silent = {c.name: lived.counts[c.name].copy() for c in columns}
    for table in silent.values():
        table[:, :4], table[:, -1] = 0, 0  # missing, not finite, invalid, and beyond the reference on either side
    found = refit(calibration, History(lived.start_ms, lived.window_ms, silent), int(lived.start_ms[0]))
    assert rates
    assert (found.wander.tau2[rates] == 0.3).all(), "a quiet day does not say that its bunches are over"


def test_too_little_is_refused(still: Still) -> None:
    _, past, calibration = still
    hours = History(past.start_ms[:60], WINDOW_MS, {n: t[:60] for n, t in past.counts.items()})
    with pytest.raises(TooLittle, match="at least 1"):
        refit(calibration, hours, 0)


@pytest.mark.parametrize(
    ("windows", "part", "because"),
    [(24, 0.75, "two moody hours among days of calm already teach something"), (288, 0.05, "and a day of them nearly all of it")],
)
def test_soon_after_a_fresh_reference(still: Still, windows: int, part: float, because: str) -> None:
    """What there is of the present may be less than a day: the windows then reach back into the reference."""
    _, past, calibration = still
    lived = stretch(MOODY, 2, 56, DAYS)
    first = pages_of(calibration, lived)[0][0]
    assert first < 24
    counts = {n: np.r_[t, lived.counts[n][:windows]] for n, t in past.counts.items()}
    recent = History(np.r_[past.start_ms, lived.start_ms[:windows]], WINDOW_MS, counts)
    better = refit(calibration, recent, int(lived.start_ms[first]))
    later = History(lived.start_ms[288:], WINDOW_MS, {n: t[288:] for n, t in lived.counts.items()})
    before, after = (len(pages_of(c, later)[0]) for c in (calibration, better))
    assert after < part * before, because
    assert better.report["refit"]["until_ms"] == int(recent.start_ms[-1]) + WINDOW_MS


def test_the_report_says_what_was_fitted_and_whether_it_is_calm(still: Still) -> None:
    _, _, calibration = still
    lived = stretch(MOODY, 3, 52, DAYS)
    false_ms = int(lived.start_ms[30])
    better = refit(calibration, lived, false_ms)
    told = better.report["refit"]
    since = History(lived.start_ms[30:], WINDOW_MS, {n: t[30:] for n, t in lived.counts.items()})
    assert told["days"] in (1.0, 3.0)
    assert told["calm"] == (not pages_of(better, since)[0])
    assert "refit" not in calibration.report
    assert Calibration.unpack(better.pack()).report["refit"] == told
