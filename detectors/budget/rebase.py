"""A new normal, or a new version of the model: the levels of some columns are taken anew, everything else stays.

Season, wander, tails and variances say how a column moves, and hold for the new level too; only where it lies is estimated again:
the cells' constants on the probit scale, class shares, shares of missing, invalid and unseen values, limits of rare rates, and what
is left in the streams. Dead zones grow to the error of an estimate from so few windows. The streams stay what they were, so
`Chain.adopt` takes a running state over.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from detectors.budget import calendar, levels
from detectors.budget.bunching import DEAF
from detectors.budget.calibrated import Calibration, Learnt, TooLittle
from detectors.budget.doubt import dead_zones, together, undecided
from detectors.budget.history import History
from detectors.budget.pooled import left_out
from detectors.budget.remains import single
from detectors.budget.report import visible_shifts
from detectors.budget.series import hours, rows
from detectors.budget.walk import Left, left_of
from detectors.streams.measure import cells_of
from detectors.streams.shape import VALUES, Shape

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
LEAST_WINDOWS = 12
COMMON = 10.0  # hits a window below which a score is no longer nearly normal
SURE = 0.95


def rebase(calibration: Calibration, recent: History, columns: Collection[str]) -> Calibration:
    """The calibration with the levels of `columns` as they are in `recent` windows.

    `recent` are the closed windows since the new normal began, `columns` names of folded columns (`detectors.layout.Column`). Asked
    again later with more windows, start from the calibration before the first rebase: dead zones never narrow. Cells
    stay those of the reference, so of events beyond them only the share is watched; `report["rebased"]` says how many those are.

    Raises TooLittle when fewer than 12 windows hold events of one of the columns; ValueError for a column the calibration does not have.

    >>> from detectors.budget.calibration import Options, calibrate
    >>> from detectors.testing.traffic import Drift, Scenario, draw
    >>> names, past = draw(Scenario(events=100), 2, 288 * 8, seed=1)
    >>> before = calibrate(names, past, Options(window_ms=300_000))
    >>> _, now = draw(Scenario(events=100), 2, 72, seed=2, start_ms=288 * 8 * 300_000, drift=Drift(shift=1.0))
    >>> after = rebase(before, now, ["f0"])
    >>> [float((a.learnt.gamma[0, k, 31] - before.learnt.gamma[0, k, 31]).round(1)) for a in (after,) for k in (0, 1)]
    [-1.0, 0.0]
    """
    c = calibration
    names = [column.name for column in c.shape.layout.columns]
    unknown = sorted(set(columns) - set(names))
    if unknown:
        raise ValueError(f"rebase: no column {unknown[0]!r}; the calibration has {', '.join(names)}")
    if recent.window_ms != c.options.window_ms:
        raise ValueError(f"rebase: recent windows of {recent.window_ms} ms, the calibration has {c.options.window_ms} ms")
    which = np.array([i for i, name in enumerate(names) if name in columns], np.int64)
    if not len(which):
        return c
    events = np.concatenate(
        [np.zeros((0, len(names)), np.int64), *(c.shape.layout.totals(flat) for _, flat in rows(c.shape.layout, recent))]
    )
    held = (events > 0).sum(0)
    few = [i for i in which if held[i] < LEAST_WINDOWS]
    if few:
        raise TooLittle(f"rebase: {held[few[0]]} windows hold events of {names[few[0]]!r}, at least {LEAST_WINDOWS} are needed")
    typical = np.array([float(np.median(n[n > 0])) if (n > 0).any() else 0.0 for n in events.T])
    moved, gamma = _moved(c, recent, which, typical)
    learnt = replace(c.learnt, gamma=gamma)
    draft = replace(c, shape=moved, learnt=learnt)
    touched = np.isin(np.array([s.column for s in moved.streams], np.int64), which)
    left = left_of(draft, recent)
    draft = replace(draft, learnt=_levels(draft, left, touched, typical))
    one = np.array([s.cadence == 1 for s in moved.streams])
    blocks = np.array([held[s.column] / s.cadence for s in moved.streams])
    blocks = np.where(one, np.maximum(left.past.seen.sum(0), 1), blocks)
    draft = replace(draft, pool=left_out(draft.pool, undecided(draft, blocks, touched)))
    done = replace(draft, learnt=replace(draft.learnt, dead=dead_zones(draft, blocks, touched)))
    return replace(done, report=_told(done, recent, which, touched, left, held))


def _moved(calibration: Calibration, recent: History, which: Ints, typical: Floats) -> tuple[Shape, Floats]:
    """Shares of cells and rates, merged cells, and the profile, at the new level."""
    c, shape = calibration, calibration.shape
    x = calendar.columns(recent.start_ms + recent.window_ms // 2, c.zone, c.days)
    gamma = c.learnt.gamma.copy()
    sums = hours(shape, recent, x, np.zeros(len(x), np.int64))
    gamma[0, which] = single(gamma[0, which] + levels.constants(shape.panel, gamma, sums, which))
    total = sum((flat.sum(0) for _, flat in rows(shape.layout, recent)), np.zeros(shape.layout.width, np.int64))
    cells = cells_of(shape.panel, total)
    share, merge = shape.panel.shares.copy(), shape.panel.merge.copy()
    share[which] = levels.shares(shape.panel, cells, which)
    for i in which:
        merge[i] = levels.merged(share[i], typical[i])
    panel = replace(shape.panel, shares=share, merge=merge)
    rates = shape.rates
    mine = np.isin(rates.columns, which)
    hits = np.add.reduceat(total[rates.places], rates.bounds).astype(float)
    n = shape.layout.totals(total)[rates.columns].astype(float)
    own = (hits + levels.PRIOR * rates.share) / (n + levels.PRIOR)
    # a level's share among all events and among the live cells must agree, or its own season would be off by their ratio
    inside = cells.sum(-1)[rates.columns] / np.maximum(n, 1.0)
    own = np.where(rates.spot >= 0, share.ravel()[np.maximum(rates.spot, 0)] * inside, own)
    return replace(shape, panel=panel, rates=replace(rates, share=np.where(mine, own, rates.share))), gamma


def _levels(calibration: Calibration, left: Left, touched: Flags, typical: Floats) -> Learnt:
    """What is left of the level in each stream, limits of rare rates, effects of one-sided streams, and scores that became too rare."""
    c, past, streams = calibration, left.past, calibration.shape.streams
    signed, rate = c.shape.signed, c.shape.rate
    weight = np.where(signed, past.events, past.seen.astype(float))
    blocks = past.seen.sum(0)
    mean = (weight * left.rest).sum(0) / np.maximum(weight.sum(0), 1e-9)
    mean = np.where(signed, mean, np.maximum(mean, 0.0))  # chi-square lies too low on the very windows that taught its shares
    season = c.learnt.season.copy()
    season[0] = single(season[0] + np.where(touched & ~rate, mean, 0.0))
    upper, effect = c.learnt.upper.copy(), c.learnt.effect_mean
    due = past.events[:, rate] * left.limits(upper, rate)
    whole = np.maximum(due.sum(0), 1e-300)
    law, _ = c.wander.split(len(streams))
    moods = law.tau2[rate] * together(due, left.end, law.rho[rate]) + law.w[rate] * (due**2).sum(0)
    for r, i in enumerate(np.flatnonzero(rate)):
        if not touched[i]:
            continue
        # hits in bunches of D count as one in D, moods among them; the hours keep their proportions
        bunch = float(c.learnt.kappa[i] + moods[r] / whole[r])
        limit = bunch * float(gammaincinv(past.value[:, i].sum() / bunch + 1, SURE))
        upper[:, i] = single(np.minimum(upper[:, i] * limit / whole[r], 1.0))
    sizes = np.where(past.seen, past.effect, 0.0).sum(0) / np.maximum(blocks, 1)
    effect = np.where(touched & ~signed & ~rate & (blocks > 0), sizes, effect)
    kappa = c.learnt.kappa.copy()
    first = VALUES * len(c.shape.layout.columns)
    for i in np.flatnonzero(touched & signed):
        if streams[i].place >= first:
            q = float(c.shape.rates.share[streams[i].place - first])
            if typical[streams[i].column] * q * (1 - q) < COMMON:
                kappa[i] = max(kappa[i], DEAF)
    return replace(c.learnt, season=season, upper=upper, effect_mean=effect, kappa=kappa)


def _told(calibration: Calibration, recent: History, which: Ints, touched: Flags, left: Left, held: Ints) -> dict[str, Any]:
    """The report, with what these columns can still show and what they rest on."""
    c, past = calibration, left.past
    typical = np.array([
        float(np.median(past.events[past.seen[:, i], i])) if touched[i] and past.seen[:, i].any() else 0.0 for i in range(len(touched))
    ])  # fmt: skip
    told: dict[str, Any] = dict(c.report.get("rebased", {}))
    panel, layout = c.shape.panel, c.shape.layout
    for i in which:
        table = recent.counts.get(layout.columns[i].name)
        whole = np.zeros(1, np.int64) if table is None else table.sum(0)
        places = panel.places[i][panel.shares[i] > 0] - layout.bounds[i]
        beyond = 1 - float(whole[places].sum()) / max(float(whole.sum()), 1.0)
        told[layout.columns[i].name] = {
            "from_ms": int(recent.start_ms[0]), "until_ms": int(recent.start_ms[-1]) + recent.window_ms, "windows": int(held[i]),
            "outside": round(beyond, 6),
        }  # fmt: skip
    return c.report | {"visible": c.report.get("visible", {}) | visible_shifts(c, typical), "rebased": told}
