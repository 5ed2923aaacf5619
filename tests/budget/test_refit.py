"""A page answered "false" must teach something, and must not teach the drift itself."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget.calibration import Options, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.budget.refit import refit
from detectors.budget.walk import pages_of
from detectors.testing.traffic import DAY_MS, WINDOW_MS, Drift, Scenario, draw

FEATURES, DAYS = 4, 10
MOODY = Scenario(wander=0.15, rho=0.97)


def stretch(scenario: Scenario, days: int, seed: int, from_day: int, drift: Drift | None = None) -> History:
    return draw(scenario, FEATURES, days * 288, seed, world=6, start_ms=from_day * DAY_MS, drift=drift)[1]


def test_a_wander_that_the_reference_did_not_show() -> None:
    """The reference was still, the world is moody: hundreds of false pages before, next to none after one honest answer."""
    columns, past = draw(Scenario(), FEATURES, DAYS * 288, 51, world=6)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
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


def test_the_mean_is_never_refitted() -> None:
    """Calling a lasting shift false does not make it normal: its level stays where the reference put it."""
    columns, past = draw(Scenario(), FEATURES, DAYS * 288, 51, world=6)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    shifted = stretch(Scenario(), 2, 55, DAYS, Drift(shift=0.4))
    better = refit(calibration, shifted, int(shifted.start_ms[0]))
    for name in ("gamma", "season", "slots", "effect_mean", "dead"):
        np.testing.assert_array_equal(getattr(better.learnt, name), getattr(calibration.learnt, name))
    assert (better.learnt.cost >= calibration.learnt.cost).all()


def test_evidence_goes_on_through_a_refit() -> None:
    columns, past = draw(Scenario(), FEATURES, DAYS * 288, 51, world=6)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
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


def test_too_little_is_refused() -> None:
    columns, past = draw(Scenario(), FEATURES, DAYS * 288, 51, world=6)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    hours = History(past.start_ms[:60], WINDOW_MS, {n: t[:60] for n, t in past.counts.items()})
    with pytest.raises(ValueError, match="at least 1"):
        refit(calibration, hours, 0)
