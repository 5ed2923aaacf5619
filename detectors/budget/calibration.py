"""What normal looks like, learnt once from the reference: from counts to the law of every stream when nothing has changed.

    profile of the cells (season on the probit scale, shrunk) -> streams out of fold -> what season is left -> wander by likelihood
    -> tails -> variance by horizon, dead zone -> clip and inflation by replaying the reference

Everything that the reference is judged by is taken out of fold: each week is held against what the other weeks taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detectors.budget import bunching, calendar, dispersion, mixes, pooled, profile, rare, season, slots
from detectors.budget.calendar import Zone
from detectors.budget.calibrated import AUTO, Calibration, Learnt, Options, TooLittle
from detectors.budget.clock import Clock
from detectors.budget.clock_choice import found
from detectors.budget.coverage import unlearnt, unreadable
from detectors.budget.episodes import as_json, episodes, without
from detectors.budget.evidence import HORIZONS, bet_weights
from detectors.budget.history import History
from detectors.budget.law import Residuals, learn
from detectors.budget.profile import Hours
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
        clock = found(sums, history, folds(_days(history), history.days))
        sums = _hours(frozen, history, clock) if clock.changes else sums
    zone = options.zone(clock)
    whole, used = profile.fit(sums, calendar.groups(history.days), np.ones(len(sums.day), bool))
    gamma = single(whole)
    frozen = shape(place, totals, typical, cadences, mixes.directions(frozen.panel, gamma, sums))
    past, used = _streams(frozen, cadences, history, zone, sums, gamma, used)
    known, rest = _rest_of_season(frozen, past, history, zone)
    known = replace(known, spent=known.spent + used - 1)
    done = _law(frozen, cadences, history, options, clock, past, rest, gamma, known)
    told = {"episodes": as_json(odd, everything), "unlearnt_hours": unlearnt(history, zone), "unreadable": unreadable(columns, history)}
    return replace(done, report=done.report | told)


def folds(day: Ints, days: float) -> Ints:
    """Weeks; pairs of days in short references; quarters in very short ones."""
    if days < 4:
        return np.arange(len(day)) * 4 // len(day)
    return np.unique(day // (7 if days >= 21 else 2), return_inverse=True)[1].astype(np.int64)


def _days(history: History) -> Ints:
    days: Ints = (history.start_ms - history.start_ms[0]) // calendar.DAY_MS
    return days


def _hours(frozen: Shape, history: History, zone: Zone) -> Hours:
    """Hourly sums of the reference's cells, with their calendar."""
    x = calendar.columns(history.start_ms + history.window_ms // 2, zone, history.days)
    return hours(frozen, history, x, _days(history))


def _streams(
    frozen: Shape, cadences: tuple[int, ...], history: History, zone: Zone, sums: Hours, gamma: Floats, used: Floats
) -> tuple[Series, Floats]:
    """Profile from everything, columns it spent per stream, and the streams of each fold against the profile of the others."""
    day = _days(history)
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


def linear(signed: NDArray[np.bool_], value: Floats, events: Floats) -> Floats:
    """The scale on which a stream is modelled: scores per root event, so that a wander of the level looks the same at any volume."""
    return np.where(signed, value / np.sqrt(np.maximum(events, 1.0)), value)


@dataclass(frozen=True, slots=True)
class Season:
    """Coefficients `beta` (P, S), `habits` of all streams, columns `spent` per stream (S,), limits of the rates `upper` (hours, S)."""

    beta: Floats
    habits: slots.Habits
    spent: Floats
    upper: Floats


def _rest_of_season(frozen: Shape, past: Series, history: History, zone: Zone) -> tuple[Season, Floats]:
    """What is left of the season in the streams, and the residuals out of fold (T, S)."""
    signed, rate = frozen.signed, frozen.rate
    day = _days(history)
    fold = folds(day, history.days)
    groups = calendar.groups(history.days)
    y = linear(signed, past.value, past.events)
    weight = np.where(signed, past.events, past.seen.astype(float))
    cadence = np.array([s.cadence for s in frozen.streams])
    beta, rest, used = np.zeros((len(groups), y.shape[1])), y.copy(), np.ones(y.shape[1])
    part = np.unique(day, return_inverse=True)[1]
    fold_of_day = np.array([fold[np.flatnonzero(part == d)[0]] for d in range(int(part.max()) + 1)])
    if history.days < 4:  # whole days cannot be left out
        part, fold_of_day = fold, np.arange(int(fold.max()) + 1)
    centre = history.start_ms + history.window_ms // 2
    times = slots.Times.of(centre, zone, history.window_ms)
    habits = slots.fit(y[:0], weight[:0], weight[0], times, 0.0)
    for c in np.unique(cadence[~rate]):
        mine = np.flatnonzero((cadence == c) & ~rate)
        middle = history.start_ms + history.window_ms - int(c) * history.window_ms // 2
        x = calendar.columns(middle, zone, history.days)
        sums = season.days(x, y[:, mine], weight[:, mine], part)
        beta[:, mine], used[mine] = season.solve(sums, np.ones(len(sums.A), bool), groups)
        for f in np.unique(fold):
            apart, _ = season.solve(sums, fold_of_day != f, groups)
            inside = fold == f
            left = y[:, mine] - x @ apart
            if c == 1:
                without = slots.fit(left[~inside], weight[~inside][:, mine], signed[mine].astype(float), times.part(~inside), history.days)
                left[inside] -= without.at(times.part(inside))
            rest[np.ix_(inside, mine)] = left[inside]
        if c == 1:
            habits.put(mine, slots.fit(y[:, mine] - x @ beta[:, mine], weight[:, mine], signed[mine].astype(float), times, history.days))
    hour = rare.hour_of(centre, zone, history.days)
    upper = single(np.where(rate, rare.limits(np.where(rate, past.value, 0.0), past.events, hour), 1.0))
    seldom = np.flatnonzero(rate & (past.value * past.seen).any(axis=0))
    if len(seldom):
        hits, due = past.value[:, seldom], past.events[:, seldom] * upper[hour][:, seldom]
        due *= hits.sum(0) / np.maximum(due.sum(0), 1e-300)
        habits.put(seldom, slots.fit(hits / np.maximum(due, 1e-300) - (due > 0), due, np.ones(len(seldom)), times, history.days, True))
    used = used + np.where(rate, 0.0, habits.spent)
    return Season(single(beta), habits.rounded(), used, upper), np.where(past.seen, rest, 0.0)


def single(array: Floats) -> Floats:
    """Rounded to single precision, as it is packed: the reference must be judged by the very numbers that will judge the stream."""
    return array.astype(np.float32).astype(float)


def _law(
    frozen: Shape, cadences: tuple[int, ...], history: History, options: Options, clock: Clock, past: Series, rest: Floats, gamma: Floats,
    known: Season,
) -> Calibration:  # fmt: skip
    """From residuals to a calibration: the law of all streams, the pooled group, and what a replay says of both."""
    signed, rate, streams, seen = frozen.signed, frozen.rate, frozen.streams, past.seen
    stage, window = stage_of(history.days), history.window_ms
    end = (history.start_ms + window) / window
    fold = folds(_days(history), history.days)
    cadence = np.array([s.cadence for s in streams])
    kin = np.unique([f"{s.statistic}/{s.cadence}/{s.law}" for s in streams], return_inverse=True)[1].astype(np.int64)
    inverse = np.where(signed, 1 / np.maximum(past.events, 1.0), 1.0)
    law = learn(Residuals(rest, seen & ~rate, inverse, signed, cadence, kin, fold, end), known.spent, stage)
    centre, zone = history.start_ms + window // 2, options.zone(clock)
    hour = rare.hour_of(centre, zone, history.days)
    swell = np.where(rate, rare.swell(known.habits.at(slots.Times.of(centre, zone, window))), 1.0)
    steps = np.diff(end, prepend=end[0] - 1)
    filters = dispersion.learnt(law.wander, rate, past.value, past.events, known.upper[hour] * swell, steps)
    upper = single(np.minimum(known.upper * np.where(rate, dispersion.doubt(filters, seen.sum(0)), 1.0), 1.0))
    limit, size = dispersion.predicted(filters, rate, past.value, past.events, upper[hour] * swell, steps)
    tape = Tape(np.where(rate, past.value, law.z), past.events, past.elapsed, rate, law.dead, law.cost, limit, size)
    weights = bet_weights(np.array([s.weight for s in streams]), signed)
    trial = Trial(options.budget_ms / window, history.span_ms / window)
    clip = trial.clip(tape, weights)
    kappa, wider = trial.kappa(tape, weights, clip)
    kappa = np.maximum(kappa, bunching.least_kappa(streams, law.wander, past))
    # the pooled group stands on the z of the others
    at = np.minimum(np.searchsorted(HORIZONS, cadences), len(HORIZONS) - 1)
    pool = pooled.learn(streams, law.z, seen & ~rate, kappa, law.v[:, at].T, cadences, history.start_ms // window)
    value, there = pooled.values(pool, law.z, seen & ~rate, history.start_ms // window)
    spent = np.where(pool.signed, np.median(known.spent), 4.0)  # energies: a dead zone of two standard errors
    P, one = pool.size, np.ones(value.shape)
    above = learn(Residuals(value, there, one, np.zeros(P, bool), pool.cadence, np.arange(P), fold, end), spent, stage)
    both = Tape(
        np.c_[tape.z, above.z], np.c_[past.events, there], np.c_[past.elapsed, elapsed(end, there, end[0] - 1)],
        np.r_[rate, np.zeros(P, bool)],
        np.r_[law.dead, above.dead], np.r_[law.cost, above.cost], np.c_[limit, one], np.c_[size, one],
    )  # fmt: skip
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
