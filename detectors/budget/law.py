"""The law of a set of streams when nothing has changed: wander, tails, variance by horizon, the reference's own error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget import spread, tail, wander
from detectors.budget.evidence import LAMBDAS
from detectors.budget.innovation import Wander
from detectors.budget.stage import Stage

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
NEVER = 1e9  # the price of a bet that is not offered


@dataclass(frozen=True, slots=True)
class Residuals:
    """What season leaves of the reference, out of fold: `rest` (T, S) where `seen`, `inverse` 1/n (1 where sampling noise does not
    go with it: not `by_n`), `cadence` (S,) in windows, `family` (S,) streams that may learn from each other, `fold` and `end` (T,) window
    ends counted in windows."""

    rest: Floats
    seen: Flags
    inverse: Floats
    by_n: Flags
    cadence: Ints
    family: Ints
    fold: Ints
    end: Floats


@dataclass(frozen=True, slots=True)
class Law:
    """Per stream: filter, tail knots, variance by horizon `v` (S, horizons), `dead` zone, `cost` of bets; and z (T, S) out of fold."""

    wander: Wander
    tails: Floats
    v: Floats
    dead: Floats
    cost: Floats
    z: Floats


def learn(data: Residuals, spent: Floats, stage: Stage) -> Law:
    """Fit everything but the season; `spent` (S,) columns of it that each stream used up."""
    filters, u = _filter(data)
    z = np.zeros_like(u)
    for f in np.unique(data.fold):
        inside = data.fold == f
        z[inside] = tail.straighten(u[inside], tail.knots(u[~inside], data.seen[~inside], data.family))
    v = spread.by_horizon(z, data.seen, data.family)
    dead = spread.dead_zone(v, spent, data.seen.sum(0), stage.dead)
    cost = spread.cost(v)
    if not stage.pages:  # too short a reference to trust small shifts
        cost[:, LAMBDAS < 1] = NEVER
    return Law(filters, tail.knots(u, data.seen, data.family), v, dead, cost, z)


def _filter(data: Residuals) -> tuple[Wander, Floats]:
    """The state space of every stream and its innovations, cadence by cadence."""
    S = data.rest.shape[1]
    out = Wander(np.full(S, 0.9), np.zeros(S), np.ones(S), np.zeros(S), np.ones(S))
    u = np.zeros_like(data.rest)
    for c in np.unique(data.cadence):
        mine = np.flatnonzero((data.cadence == c) & data.seen.any(axis=0))
        if not len(mine):
            continue
        at = np.flatnonzero(data.seen[:, mine].any(axis=1))
        spot = np.ix_(at, mine)
        steps = np.diff(data.end[at], prepend=data.end[at[0]] - c) / c
        seen, rest, inverse = data.seen[spot], data.rest[spot], data.inverse[spot]
        law = wander.fit(rest, inverse, seen, steps, data.by_n[mine])
        raw = wander.innovations(law, rest, inverse, seen, steps)
        scale = np.maximum(np.sqrt((np.clip(raw, -4, 4) ** 2).sum(0) / seen.sum(0)), 0.5)
        raw /= scale
        u[spot] = raw
        for name, found in (("rho", law.rho), ("tau2", law.tau2), ("a", law.a), ("w", law.w), ("scale", scale)):
            getattr(out, name)[mine] = found
    return out, u
