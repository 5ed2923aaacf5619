"""After a page answered "false": the null model is fitted again on what has come since, season and level staying as they were.

A page that was false says that the streams wander or scatter in a way the reference did not show. The mean is never refitted, so a
slow drift cannot become normal by being called false. Of fits to the last 28, 7, 3 and 1 days that one is taken which pages least
when replayed over the time since the first false page; among equals the longest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors.budget import dispersion, pooled
from detectors.budget.calendar import DAY_MS
from detectors.budget.calibrated import Calibration, TooLittle
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.law import Residuals, learn
from detectors.budget.replay import elapsed, own_kappa, pages
from detectors.budget.sums import Tape
from detectors.budget.trial import ALONE, POOLED
from detectors.budget.walk import Left, left_of, tape_of

SPANS = (28.0, 7.0, 3.0, 1.0)
LONGEST_MS = 7 * DAY_MS
WORST = 10.0  # budgets; where a reference is too short for pages, its replay is held against the largest threshold there is
ENOUGH_DAYS = 6.9  # from which streams may be widened one by one


def refit(calibration: Calibration, recent: History, false_ms: int) -> Calibration:
    """The calibration with wander, tails, variances and inflation of `recent` windows.

    `recent` are the windows up to now, 28 days of them where there are as many: soon after a fresh reference they reach back into it.
    `false_ms` is when the first of the false pages was sent; the replay goes back to there, a day at least, a week at most. The
    streams stay what they were, so `Chain.adopt` takes the running evidence over. `report["refit"]` says which `days`
    were fitted and whether they replay `calm`, without a page at the model's own threshold. TooLittle under a day of windows.
    """
    c, window = calibration, recent.window_ms
    if recent.days < SPANS[-1] * 0.9:
        raise TooLittle(f"refit: {recent.days:.2f} days of windows, at least {SPANS[-1]:g} are needed")
    left = left_of(c, recent)
    now_ms = int(recent.start_ms[-1]) + window
    begin = int(np.searchsorted(recent.start_ms, min(max(false_ms, now_ms - LONGEST_MS), now_ms - DAY_MS)))
    since = left.part(slice(begin, None))
    budget = c.options.budget_ms / window
    own = min(c.threshold, WORST * budget)
    best, fewest = c, None
    for days in sorted({min(days, recent.days) for days in SPANS}, reverse=True):
        first = int(np.searchsorted(recent.start_ms, now_ms - days * DAY_MS))
        found = fitted(c, left.part(slice(first, None)))
        tenth, whole = (len(x) for x in pages(tape_of(found, since), found.learnt.kappa, found.clip, found.weights, (budget / 10, own)))
        if fewest is None or tenth < fewest:
            told = {"days": round(days, 2), "calm": not whole, "until_ms": now_ms}
            best, fewest = replace(found, report=c.report | {"refit": told}), tenth
    return best


def fitted(calibration: Calibration, left: Left) -> Calibration:
    """The law of one stretch under the seasons of a calibration."""
    c, past = calibration, left.past
    signed, rate, S = c.shape.signed, c.shape.rate, len(c.shape.streams)
    seen = past.seen & ~rate
    quarters = np.arange(len(left.end)) * 4 // len(left.end)
    names = [f"{s.statistic}/{s.cadence}/{s.law}" for s in c.shape.streams]
    kin = np.unique(names, return_inverse=True)[1].astype(np.int64)
    cadence = np.array([s.cadence for s in c.shape.streams])
    law = learn(Residuals(left.rest, seen, left.inverse, signed, cadence, kin, quarters, left.end), np.ones(S), c.stage)
    # of these the stretch says nothing: they keep what they had, or would be thought to stand still
    silent = np.where(rate, past.value.sum(0) < dispersion.LEAST_HITS, ~seen.any(0))
    value, there = pooled.values(c.pool, law.z, seen, np.round(left.end).astype(np.int64) - 1)
    P, one = c.pool.size, np.ones(value.shape)
    data = Residuals(value, there, one, np.zeros(P, bool), c.pool.cadence, np.arange(P), quarters, left.end)
    above = learn(data, np.ones(P), c.stage)
    steps = np.diff(left.end, prepend=left.end[0] - 1)
    hits, events, usual = past.value[:, rate], past.events[:, rate], left.limits(c.learnt.upper, rate)
    moody = dispersion.learnt(law.wander, rate, hits, events, usual, steps)
    filters = Wander(*(np.where(silent, getattr(c.wander, k)[:S], getattr(moody, k)) for k in Wander.__slots__))
    limit, size = dispersion.predicted(filters, rate, hits, events, usual, steps)
    cost = np.maximum(np.r_[law.cost, above.cost], c.learnt.cost)  # a refit makes nothing bolder
    tape = Tape(np.where(rate, past.value, law.z), past.elapsed, rate, c.learnt.dead[:S], cost[:S], events * limit, size)
    tape = tape.followed_by(above.z, elapsed(left.end, there, left.end[0] - 1), c.learnt.dead[S:], cost[S:])
    span = float(left.end[-1] - left.end[0]) + 1
    kappa = c.learnt.kappa
    if span * c.options.window_ms >= ENOUGH_DAYS * DAY_MS:
        late = np.arange(S + P) >= S
        own = [own_kappa(tape.only(part), c.clip, c.weights[part], limit * span) for part, limit in ((~late, ALONE), (late, POOLED))]
        kappa = np.maximum(kappa, np.concatenate(own))
    tails = np.where(silent, c.learnt.tails[:, :, :S], law.tails)
    learnt = replace(c.learnt, tails=np.concatenate([tails, above.tails], axis=2), cost=cost, kappa=kappa)
    return replace(c, learnt=learnt, wander=filters.followed_by(above.wander))
