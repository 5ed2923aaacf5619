"""Slow trends, which a filter that follows wander swallows: a week as a whole against the reference, whose season is never refitted.

Per stream the mean of what season leaves, weighted by events, is held against its sampling error under the reference's own wander,

    Var = [ tau2 sum_ij w_i w_j rho^|i-j| + sum_i w_i^2 (a / n_i + w) ] scale^2 kappa^2 v,    z = mean / sqrt(Var (1 + T dead^2 / v))

with v the variance of long sums per block, where the wander fitted is too short, T the blocks and `dead` the reference's own error. Over a
whole week the errors of its season cancel, and of its level's the share week / reference is left in place of T dead^2 / v (of a level
taken anew: week / what it was taken from). Rare rates are held against their limits, with the moods that they were seen to have.

Six errors are asked for, since a wander slower than the fitted one is part of nobody's error. Weeks looked at once a day, 6 features
(250 streams), 28 days of reference: on office traffic with a second wander of rho .9985, six episodes above 5 and one above 6 in 98
model-weeks; on season, wander of .15 sd and rho .99, two wanders of .1 sd at once, one above 4 and none above 5 in 138.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calendar import DAY_MS
from detectors.budget.calibrated import Calibration
from detectors.budget.doubt import together, variances
from detectors.budget.effects import least_effect, per_score, size_of, unit_of
from detectors.budget.history import History
from detectors.budget.leads import SAID
from detectors.budget.reading import Direction, Lead
from detectors.budget.walk import Left, left_of

Floats = NDArray[np.float64]
SURE = 6.0  # standard errors
LEAST_BLOCKS = 12
WHOLE_MS = int(6.9 * DAY_MS)  # a reference or a week rarely ends on the hour it began


def trend(calibration: Calibration, week: History) -> tuple[Lead, ...]:
    """Where the last 7 days as a whole lie off the reference, strongest first; empty where they do not.

    `week` are closed windows, a whole week of them, so that every hour of it counts once. Named is what exceeds both the owner's minimum
    effect and six standard errors, per column and statistic. `share` is of the sum of z^2 over all that is named, `log10_alone` the
    largest likelihood ratio z^2 / 2 as a power of ten, `level` always 0: the week is held against the season alone. ValueError
    for windows of another length than the calibration's.

    >>> from detectors.budget.calibration import Options, calibrate
    >>> from detectors.testing.traffic import Drift, Scenario, draw
    >>> columns, past = draw(Scenario(events=100), 2, 288 * 8, seed=1)
    >>> calibration = calibrate(columns, past, Options(window_ms=300_000))
    >>> _, week = draw(Scenario(events=100), 2, 288 * 7, seed=2, start_ms=288 * 8 * 300_000, drift=Drift(shift=0.2))
    >>> [(lead.column, lead.statistic, lead.direction, round(lead.size, 1), lead.unit) for lead in trend(calibration, week)]
    [('f0', 'location', 'up', 0.2, 'sd')]
    """
    c, o = calibration, calibration.options
    if week.window_ms != o.window_ms:
        raise ValueError(f"trend: windows of {week.window_ms} ms, the calibration has {o.window_ms} ms")
    if not len(week.start_ms):
        return ()
    left = left_of(c, week)
    effect, z = _scores(c, left)
    effect[c.shape.rate], z[c.shape.rate] = _rates(c, left)
    two_sided = c.shape.signed
    least = np.array([least_effect(s.statistic, o.location, o.scale, o.rate, o.psi) for s in c.shape.streams])
    size = np.where(two_sided, np.abs(effect), effect)
    strength = np.where(two_sided, np.abs(z), z)
    named = (strength > SURE) & (size >= least) & (left.past.seen.sum(0) >= LEAST_BLOCKS)
    found: dict[tuple[str, str, Direction], Lead] = {}
    for i in np.flatnonzero(named)[np.argsort(-strength[named], kind="stable")]:
        stream = c.shape.streams[i]
        column = c.shape.layout.columns[stream.column]
        loose = stream.law == "omnibus" or stream.statistic == "mix"
        way: Direction = "changed" if loose else "up" if effect[i] > 0 else "down"
        lead = Lead(
            column.name, column.subject, column.group, SAID.get(stream.statistic, stream.statistic), way,
            size_of(stream.statistic, float(effect[i])), unit_of(stream.statistic), float(strength[i]) ** 2, int(week.start_ms[0]),
            int(left.past.events[:, i].sum()), float(strength[i]) ** 2 / 2 / math.log(10), int(i), 0.0,
        )  # fmt: skip
        found.setdefault((lead.column, lead.statistic, way), lead)
    whole = sum(lead.share for lead in found.values())
    return tuple(Lead(**{n: getattr(x, n) for n in Lead.__slots__} | {"share": x.share / whole}) for x in found.values())


def _scores(calibration: Calibration, left: Left) -> tuple[Floats, Floats]:
    """Effect and z of every stream but the rare rates, shape (S,)."""
    c, past, signed = calibration, left.past, calibration.shape.signed
    S = len(c.shape.streams)
    law, _ = c.wander.split(S)
    seen = past.seen & ~c.shape.rate
    weight = np.where(signed, past.events, 1.0) * seen
    blocks = seen.sum(0)
    weight = weight / np.maximum(weight.sum(0), 1e-300)
    mean = (weight * left.rest).sum(0)
    v = variances(c.learnt.cost)[:S]
    noise = (weight**2 * (law.a * left.inverse + law.w)).sum(0)
    cadence = np.array([s.cadence for s in c.shape.streams])
    variance = (noise + law.tau2 * together(weight, left.end, law.rho ** (1 / cadence))) * (law.scale * c.learnt.kappa[:S]) ** 2 * v
    span = float(left.end[-1] - left.end[0]) + 1
    whole = span * c.options.window_ms >= WHOLE_MS
    variance *= 1 + (span / _known(c) if whole else blocks * c.learnt.dead[:S] ** 2 / v)
    z = mean / np.sqrt(np.maximum(variance, 1e-300))
    direct = (weight * past.effect).sum(0) - c.learnt.effect_mean
    return np.where(signed, mean * per_score(c.shape), direct), z


def _known(calibration: Calibration) -> Floats:
    """Windows that each stream's level was taken from, shape (S,)."""
    c = calibration
    anew = c.report.get("rebased", {})
    whole = c.days * DAY_MS / c.options.window_ms
    names = [c.shape.layout.columns[s.column].name for s in c.shape.streams]
    return np.array([min(whole, anew[name]["windows"]) if name in anew else whole for name in names])


def _rates(calibration: Calibration, left: Left) -> tuple[Floats, Floats]:
    """Excess of the rare rates over their limits, and its z with hits in bunches and moods, shape (R,)."""
    c, past, rate = calibration, left.past, calibration.shape.rate
    law, _ = c.wander.split(len(rate))
    events = past.events[:, rate]
    due = events * left.limits(c.learnt.upper, rate)
    whole = due.sum(0)
    more = past.value[:, rate].sum(0) - whole
    moods = law.tau2[rate] * together(due, left.end, law.rho[rate]) + law.w[rate] * (due**2).sum(0)
    z = more / np.sqrt(np.maximum(whole * c.learnt.kappa[: len(rate)][rate], 1.0) + moods)
    return more / np.maximum(events.sum(0), 1.0), z
