"""What normal looks like, learnt once from the reference: from counts to the law of every stream when nothing has changed.

    profile of the cells (season on the probit scale, shrunk) -> streams out of fold -> what season is left -> wander by likelihood
    -> tails -> variance by horizon, dead zone -> clip and inflation by replaying the reference

Everything that the reference is judged by is taken out of fold: each week is held against what the other weeks taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar, profile, rare, season, slots, spread, tail, wander
from detectors.budget.calibrated import Calibration, Learnt, Options, TooLittle
from detectors.budget.evidence import LAMBDAS, bet_weights
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.replay import WIDER, Tape, own_kappa, pages
from detectors.budget.report import visible_shifts
from detectors.budget.series import Series, hours, series, totals_and_typical
from detectors.budget.stage import Stage, stage_of
from detectors.layout import Column
from detectors.streams.cells import layout
from detectors.streams.shape import Shape, shape
from detectors.streams.weights import CADENCES

__all__ = ["Calibration", "Options", "TooLittle", "calibrate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CLIPS = (8.0, 5.0, 4.0)
NEVER = 1e9  # the price of a bet that is not offered
LEAST_BLOCKS = 40  # of a slower cadence, before it can be calibrated
SLOWEST_MS = 3 * 86_400_000
KAPPA_LIMIT = 20.0  # lengths of the reference: at most one valid stream in twenty is widened for nothing


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
        raise TooLittle(f"calibration: {len(history.start_ms)} windows of history, at least 8 are needed")
    place = layout(columns, {c.name: history.counts[c.name].shape[1] for c in columns})
    totals, typical = totals_and_typical(place, history)
    if not typical.any():
        raise TooLittle("calibration: no event in the whole history")
    span = history.span_ms / history.window_ms
    cadences = tuple(c for c in CADENCES if c == 1 or (span / c >= LEAST_BLOCKS and c * history.window_ms <= SLOWEST_MS))
    frozen = shape(place, totals, typical, cadences)
    gamma, used, past = _streams(frozen, cadences, history, options)
    known, rest = _rest_of_season(frozen, past, history, options)
    known = replace(known, spent=known.spent + used - 1)
    return _law(frozen, cadences, history, options, past, rest, gamma, known)


def folds(day: Ints, days: float) -> Ints:
    """Weeks; pairs of days in short references; quarters in very short ones."""
    if days < 4:
        return np.arange(len(day)) * 4 // len(day)
    return np.unique(day // (7 if days >= 21 else 2), return_inverse=True)[1].astype(np.int64)


def _days(history: History) -> Ints:
    days: Ints = (history.start_ms - history.start_ms[0]) // calendar.DAY_MS
    return days


def _streams(frozen: Shape, cadences: tuple[int, ...], history: History, options: Options) -> tuple[Floats, Floats, Series]:
    """Profile from everything, columns it spent per stream, and the streams of each fold against the profile of the others."""
    day = _days(history)
    fold = folds(day, history.days)
    groups = calendar.groups(history.days)
    x = calendar.columns(history.start_ms + history.window_ms // 2, options.timezone, history.days)
    sums = hours(frozen, history, x, day)
    first = np.searchsorted(history.start_ms, history.start_ms[0] + sums.day * calendar.DAY_MS)
    hour_fold = fold[np.minimum(first, len(fold) - 1)] if history.days >= 4 else np.arange(len(sums.day)) * 4 // len(sums.day)
    gamma, used = profile.fit(sums, groups, np.ones(len(sums.day), bool))
    gamma = single(gamma)
    apart = [profile.fit(sums, groups, hour_fold != f, gamma)[0] for f in range(int(fold.max()) + 1)]
    past = series(frozen, cadences, history, x, fold, apart)
    spent = used[[s.column for s in frozen.streams]]
    seasonal = np.array([s.place < 5 * len(used) or s.statistic == "level" for s in frozen.streams])
    return gamma, np.where(seasonal, spent, 1.0), past


def linear(signed: NDArray[np.bool_], value: Floats, events: Floats) -> Floats:
    """The scale on which a stream is modelled: scores per root event, so that a wander of the level looks the same at any volume."""
    return np.where(signed, value / np.sqrt(np.maximum(events, 1.0)), value)


@dataclass(frozen=True, slots=True)
class Season:
    """Coefficients `beta` (P, S), slots of the week (slots, m) of the m `sharp` streams, and columns `spent` per stream (S,)."""

    beta: Floats
    sharp: Ints
    slots: Floats
    spent: Floats


def _rest_of_season(frozen: Shape, past: Series, history: History, options: Options) -> tuple[Season, Floats]:
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
    slot = slots.slot_of_week(centre, options.timezone, history.window_ms)
    local_day = calendar.local(centre, options.timezone) // calendar.DAY_MS
    n = slots.per_day(history.window_ms)
    table = np.zeros((7 * n, y.shape[1]))
    for c in np.unique(cadence[~rate]):
        mine = np.flatnonzero((cadence == c) & ~rate)
        middle = history.start_ms + history.window_ms - int(c) * history.window_ms // 2
        x = calendar.columns(middle, options.timezone, history.days)
        sums = season.days(x, y[:, mine], weight[:, mine], part)
        beta[:, mine], used[mine] = season.solve(sums, np.ones(len(sums.A), bool), groups)
        for f in np.unique(fold):
            apart, _ = season.solve(sums, fold_of_day != f, groups)
            inside = fold == f
            left = y[:, mine] - x @ apart
            if c == 1:
                seldom, _ = slots.fit(left[~inside], weight[~inside][:, mine], local_day[~inside], slot[~inside], n, history.days)
                left[inside] -= seldom[slot[inside]]
            rest[np.ix_(inside, mine)] = left[inside]
        if c == 1:
            table[:, mine], spent = slots.fit(y[:, mine] - x @ beta[:, mine], weight[:, mine], local_day, slot, n, history.days)
            used[mine] += spent
    sharp = np.flatnonzero(table.any(axis=0))
    return Season(single(beta), sharp, single(table[:, sharp]), used), np.where(past.seen, rest, 0.0)


def single(array: Floats) -> Floats:
    """Rounded to single precision, as it is packed: the reference must be judged by the very numbers that will judge the stream."""
    return array.astype(np.float32).astype(float)


def _law(
    frozen: Shape,
    cadences: tuple[int, ...],
    history: History,
    options: Options,
    past: Series,
    rest: Floats,
    gamma: Floats,
    known: Season,
) -> Calibration:
    signed, rate = frozen.signed, frozen.rate
    streams, seen = frozen.streams, past.seen
    stage = stage_of(history.days)
    family = np.unique([f"{s.statistic}/{s.cadence}/{s.law}" for s in streams], return_inverse=True)[1].astype(np.int64)
    law, u = _wander(frozen, history, past, rest, signed, rate)
    fold = folds(_days(history), history.days)
    z = np.zeros_like(u)
    for f in np.unique(fold):
        z[fold == f] = tail.straighten(u[fold == f], tail.knots(u[fold != f], seen[fold != f], family))
    v = spread.by_horizon(z, seen, family)
    blocks = seen.sum(0)
    dead = spread.dead_zone(v, known.spent, blocks, stage.dead)
    price = spread.cost(v)
    if not stage.pages:
        price[:, LAMBDAS < 1] = NEVER
    hour = rare.hour_of(history.start_ms + history.window_ms // 2, options.timezone, history.days)
    upper = single(np.where(rate, rare.limits(np.where(rate, past.value, 0.0), past.events, hour), 1.0))
    tape = Tape(np.where(rate, past.value, z), past.events, past.elapsed, rate, dead, price, upper[hour])
    weights = bet_weights(np.array([s.weight for s in streams]), signed)
    clip, kappa, wider, replayed = _check(tape, weights, options, history, stage)
    sizes = np.where(seen, past.effect, 0.0).sum(0) / np.maximum(blocks, 1)
    learnt = Learnt(
        gamma,
        known.beta,
        known.sharp,
        known.slots,
        np.where(signed | rate, 0.0, sizes),
        tail.knots(u, seen, family),
        dead,
        price,
        kappa,
        upper,
    )
    report: dict[str, Any] = {
        "days": round(history.days, 3), "stage": asdict(stage), "streams": len(streams), "cadences": list(cadences), "clip": clip,
        "wider": wider, "replay": replayed,
        "inflated": [_name(frozen, i, kappa[i]) for i in np.argsort(-kappa)[:50] if kappa[i] > stage.inflation * wider],
        "inflated_share": round(float((kappa > stage.inflation * wider).mean()), 4),
    }  # fmt: skip
    done = Calibration(options, frozen, cadences, history.days, learnt, law, clip, report)
    typical = np.array([float(np.median(past.events[seen[:, j], j])) if seen[:, j].any() else 0.0 for j in range(len(streams))])
    return replace(done, report=report | {"visible": visible_shifts(done, typical)})


def _name(frozen: Shape, i: int, kappa: float) -> dict[str, Any]:
    s = frozen.streams[i]
    column = frozen.layout.columns[s.column].name
    return {"column": column, "statistic": s.statistic, "cadence": s.cadence, "kappa": round(float(kappa), 2)}


def _wander(
    frozen: Shape, history: History, past: Series, rest: Floats, signed: NDArray[np.bool_], rate: NDArray[np.bool_]
) -> tuple[Wander, Floats]:
    """The state space of every stream and its innovations on the reference, cadence by cadence."""
    S = len(frozen.streams)
    out = Wander(np.full(S, 0.9), np.zeros(S), np.ones(S), np.zeros(S), np.ones(S))
    u = np.zeros_like(rest)
    cadence = np.array([s.cadence for s in frozen.streams])
    end = history.start_ms + history.window_ms
    for c in np.unique(cadence[~rate]):
        mine = np.flatnonzero((cadence == c) & ~rate)
        at = np.flatnonzero(past.seen[:, mine].any(axis=1))
        spot = np.ix_(at, mine)
        steps = np.diff(end[at], prepend=end[at[0]] - c * history.window_ms) / (c * history.window_ms)
        seen = past.seen[spot]
        inverse = np.where(signed[mine] & seen, 1 / np.maximum(past.events[spot], 1), 1.0)
        law = wander.fit(rest[spot], inverse, seen, steps, signed[mine])
        raw = wander.innovations(law, rest[spot], inverse, seen, steps)
        scale = np.sqrt((np.clip(raw, -4, 4) ** 2).sum(0) / np.maximum(seen.sum(0), 1))
        scale = np.where(seen.sum(0) > 0, np.maximum(scale, 0.5), 1.0)
        u[spot] = raw / scale
        for name, found in (("rho", law.rho), ("tau2", law.tau2), ("a", law.a), ("w", law.w), ("scale", scale)):
            getattr(out, name)[mine] = found
    return out, u


def _check(tape: Tape, weights: Floats, options: Options, history: History, stage: Stage) -> tuple[float, Floats, float, dict[str, Any]]:
    """(clip, kappa, common widening, pages of the replay): the least of each with which the reference does not page itself."""
    budget = options.budget_ms / options.window_ms
    span = history.span_ms / history.window_ms
    periods = span / budget
    one = np.ones(tape.z.shape[1])
    clip = CLIPS[-1]
    for clip in CLIPS:
        tenth, whole = pages(tape, one, clip, weights, (budget / 10, budget))
        if len(tenth) <= max(2.0, 12 * periods) and len(whole) <= max(1.0, 1.2 * periods):
            break
    kappa = own_kappa(tape, clip, weights, KAPPA_LIMIT * span)
    wider, counts = 1.0, [0, 0, 0]
    for wider in WIDER:
        counts = [len(p) for p in pages(tape, kappa * wider, clip, weights, (budget / 10, budget / 3, budget))]
        if counts[0] <= max(1.0, 6 * periods) and counts[1] <= max(1.0, 1.8 * periods) and counts[2] == 0:
            break
    return clip, kappa * wider * stage.inflation, wider, dict(zip(("at_tenth", "at_third", "at_budget"), counts, strict=True))
