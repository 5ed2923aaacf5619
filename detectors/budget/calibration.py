"""What normal looks like, learnt once from the reference: from counts to the law of every stream when nothing has changed.

    profile of the cells (season on the probit scale, shrunk) -> streams out of fold -> what season is left -> wander by likelihood
    -> tails -> variance by horizon, dead zone -> clip and inflation by replaying the reference

Everything that the reference is judged by is taken out of fold: each week is held against what the other weeks taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detectors.budget import bunching, calendar, dispersion, mixes, pooled, profile, rare, slots
from detectors.budget.calendar import Zone
from detectors.budget.calibrated import AUTO, Calibration, Learnt, Options, TooLittle
from detectors.budget.clock import Clock
from detectors.budget.clock_choice import found
from detectors.budget.coverage import unlearnt, unreadable
from detectors.budget.episodes import as_json, episodes, without
from detectors.budget.evidence import HORIZONS, bet_weights
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.law import Residuals, learn
from detectors.budget.profile import Hours
from detectors.budget.remains import Season, days, rest_of_season, single
from detectors.budget.replay import elapsed
from detectors.budget.report import report
from detectors.budget.series import Series, hours, series, totals_and_typical
from detectors.budget.stage import stage_of
from detectors.budget.sums import Tape
from detectors.budget.trial import Trial
from detectors.layout import Column
from detectors.streams.cells import layout
from detectors.streams.shape import VALUES, Shape, shape
from detectors.streams.weights import CADENCES

__all__ = ["Calibration", "Options", "TooLittle", "calibrate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
LEAST_BLOCKS = 40  # of a slower cadence, before it can be calibrated
SLOWEST_MS = 3 * 86_400_000


def calibrate(columns: Sequence[Column], history: History, options: Options) -> Calibration:
    """Learn the law of every stream under "nothing changed" from the closed windows of a reference.

    `columns` as folded, `history` their counts. Raises TooLittle while there is too little of it, ValueError when it has other
    windows than the model or lacks a column.
    """
    if history.window_ms != options.window_ms:
        raise ValueError(f"calibration: history has windows of {history.window_ms} ms, the model of {options.window_ms} ms")
    missing = [c.name for c in columns if c.name not in history.counts]
    if missing or not columns:
        raise ValueError(f"calibration: history lacks column(s) {', '.join(missing) or '(there are none)'}")
    if len(history.start_ms) < 8:
        n = len(history.start_ms)
        raise TooLittle(f"calibration: {n} window{'' if n == 1 else 's'} of history, at least 8 are needed")
    odd = episodes(columns, history, "UTC" if options.timezone == AUTO else options.timezone)
    everything, history = history, without(history, odd)
    place = layout(columns, {c.name: history.counts[c.name].shape[1] for c in columns})
    totals, typical = totals_and_typical(place, history)
    if not typical.any():
        raise TooLittle("calibration: no event in the whole history")
    span = history.span_ms / history.window_ms
    cadences = tuple(c for c in CADENCES if c == 1 or (span / c >= LEAST_BLOCKS and c * history.window_ms <= SLOWEST_MS))
    frozen = shape(place, totals, typical, cadences)
    clock = Clock(settled_ms=int(history.start_ms[-1]) + history.window_ms)
    sums = _hours(frozen, history, options.zone(clock))
    if options.timezone == AUTO:
        clock = found(sums, history, folds(days(history), history.days))
        sums = _hours(frozen, history, clock) if clock.changes else sums
    zone = options.zone(clock)
    whole, used = profile.fit(sums, calendar.groups(history.days), np.ones(len(sums.day), bool))
    gamma = single(whole)
    frozen = shape(place, totals, typical, cadences, mixes.directions(frozen.panel, gamma, sums))
    past, used = _streams(frozen, cadences, history, zone, sums, gamma, used)
    del sums
    done = _law(frozen, cadences, history, options, clock, past, gamma, used)
    told = {"episodes": as_json(odd, everything), "unlearnt_hours": unlearnt(history, zone), "unreadable": unreadable(columns, history)}
    return replace(done, report=done.report | told)


def folds(day: Ints, days: float) -> Ints:
    """Weeks; pairs of days in short references; quarters in very short ones."""
    if days < 4:
        return np.arange(len(day)) * 4 // len(day)
    return np.unique(day // (7 if days >= 21 else 2), return_inverse=True)[1].astype(np.int64)


def _hours(frozen: Shape, history: History, zone: Zone) -> Hours:
    """Hourly sums of the reference's cells, with their calendar."""
    x = calendar.columns(history.start_ms + history.window_ms // 2, zone, history.days)
    return hours(frozen, history, x, days(history))


def _streams(
    frozen: Shape, cadences: tuple[int, ...], history: History, zone: Zone, sums: Hours, gamma: Floats, used: Floats
) -> tuple[Series, Floats]:
    """Profile from everything, columns it spent per stream, and the streams of each fold against the profile of the others."""
    day = days(history)
    fold = folds(day, history.days)
    groups = calendar.groups(history.days)
    x = calendar.columns(history.start_ms + history.window_ms // 2, zone, history.days)
    first = np.searchsorted(history.start_ms, history.start_ms[0] + sums.day * calendar.DAY_MS)
    hour_fold = fold[np.minimum(first, len(fold) - 1)] if history.days >= 4 else np.arange(len(sums.day)) * 4 // len(sums.day)
    apart = [profile.fit(sums, groups, hour_fold != f, gamma)[0] for f in range(int(fold.max()) + 1)]
    past = series(frozen, cadences, history, x, fold, apart)
    spent = used[[s.column for s in frozen.streams]]
    seasonal = np.array([s.place < VALUES * len(used) or s.statistic == "level" for s in frozen.streams])
    return past, np.where(seasonal, spent, 1.0)


def _law(
    frozen: Shape, cadences: tuple[int, ...], history: History, options: Options, clock: Clock, past: Series, gamma: Floats, used: Floats
) -> Calibration:
    """From streams to a calibration: the law of all streams, the pooled group, and what a replay says of both.

    Tables of a number per window and stream are the bulk of what learning holds: each is let go when it has been read for the last time.
    """
    signed, rate, streams, seen = frozen.signed, frozen.rate, frozen.streams, past.seen
    stage, window, zone = stage_of(history.days), history.window_ms, options.zone(clock)
    end = (history.start_ms + window) / window
    fold = folds(days(history), history.days)
    known, rest = rest_of_season(frozen, past, history, fold, zone)
    spent = known.spent + used - 1
    cadence = np.array([s.cadence for s in streams])
    kin = np.unique([f"{s.statistic}/{s.cadence}/{s.law}" for s in streams], return_inverse=True)[1].astype(np.int64)
    inverse = np.where(signed, 1 / np.maximum(past.events, 1.0), 1.0)
    law = learn(Residuals(rest, seen & ~rate, inverse, signed, cadence, kin, fold, end), spent, stage)
    del rest, inverse
    filters, upper, due, size = _rare(frozen, past, law.wander, known, history, zone, end)
    tape = Tape(np.where(rate, past.value, law.z), past.elapsed, rate, law.dead, law.cost, due, size)
    law = replace(law, z=tape.z)
    weights = bet_weights(np.array([s.weight for s in streams]), signed)
    trial = Trial(options.budget_ms / window, history.span_ms / window)
    clip = trial.clip(tape, weights)
    kappa, wider = trial.kappa(tape, weights, clip)
    kappa = np.maximum(kappa, bunching.least_kappa(streams, law.wander, past))
    # the pooled group stands on the z of the others
    at = np.minimum(np.searchsorted(HORIZONS, cadences), len(HORIZONS) - 1)
    pool = pooled.learn(streams, law.z, seen & ~rate, kappa, law.v[:, at].T, cadences, history.start_ms // window)
    value, there = pooled.values(pool, law.z, seen & ~rate, history.start_ms // window)
    spent = np.where(pool.signed, np.median(spent), 4.0)  # energies: a dead zone of two standard errors
    P = pool.size
    above = learn(Residuals(value, there, np.ones(value.shape), np.zeros(P, bool), pool.cadence, np.arange(P), fold, end), spent, stage)
    both = tape.followed_by(above.z, elapsed(end, there, end[0] - 1), above.dead, above.cost)
    del tape
    everything = Calibration.combined(weights, pool)
    widths, replayed = trial.pooled(both, everything, kappa, clip, len(streams))
    blocks = np.maximum(seen.sum(0), 1)
    sizes = np.where(signed | rate, 0.0, np.where(seen, past.effect, 0.0).sum(0) / blocks)
    learnt = Learnt(
        gamma=gamma, season=known.beta, **known.habits.sparse(), effect_mean=sizes,
        tails=np.concatenate([law.tails, above.tails], axis=2),
        dead=both.dead, cost=both.cost, kappa=widths * stage.inflation, upper=upper,
    )  # fmt: skip
    done = Calibration(options, frozen, cadences, history.days, learnt, filters.followed_by(above.wander), pool, clip, {}, clock)
    typical = np.array([float(np.median(past.events[seen[:, j], j])) if seen[:, j].any() else 0.0 for j in range(len(streams))])
    return replace(done, report=report(done, typical, wider, replayed))


def _rare(
    frozen: Shape, past: Series, wander: Wander, known: Season, history: History, zone: Zone, end: Floats
) -> tuple[Wander, Floats, Floats, Floats]:
    """Filters with the moods of the rare rates; their limits (hours, S); what was due at each window and the size of its law (T, R)."""
    rate, centre = frozen.rate, history.start_ms + history.window_ms // 2
    hits, events = past.value[:, rate], past.events[:, rate]
    hour = rare.hour_of(centre, zone, history.days)
    swell = rare.swell(known.habits.of(rate).at(slots.Times.of(centre, zone, history.window_ms)))
    steps = np.diff(end, prepend=end[0] - 1)
    filters = dispersion.learnt(wander, rate, hits, events, known.upper[:, rate][hour] * swell, steps)
    upper = single(np.minimum(known.upper * np.where(rate, dispersion.doubt(filters, past.seen.sum(0)), 1.0), 1.0))
    limit, size = dispersion.predicted(filters, rate, hits, events, upper[:, rate][hour] * swell, steps)
    return filters, upper, events * limit, size
