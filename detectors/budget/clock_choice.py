"""Which clock the traffic of a reference followed, where nobody has named a time zone.

Each date at which large zones change their clocks splits the reference into two parts that share one season only if it is moved by an
hour between them, or only if it is not. Both are tried: harmonics of the local day and week are fitted to hourly shares in local time of
either clock, each quarter of the weeks held against what the others taught, and what is left is made white. With e the remains in the
two liveliest directions of each column, v their variance,

    d_h = sum over directions of (e_still^2 - e_moved^2) / 2 v,    gain = sum d,    t = gain / sqrt(sum d^2)

A date is believed from a gain of 6 and t = 3 on, the best one first: t needs no law for what goes together between columns, and
a handful of odd hours cannot bring it up. A date of the reference's last week that neither reaches this nor its opposite is
left to be tried on live windows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calendar import columns
from detectors.budget.clock import HOUR_MS, WEEK_MS, Clock, candidates
from detectors.budget.history import History
from detectors.budget.profile import Hours

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_DAYS = 6.9  # of reference: a shorter one has no season that could be moved
LONGEST_MS = 2 * HOUR_MS  # of a window in which an hour more or less is to be seen
GAIN, SURE = 6.0, 3.0
PARTS = 4  # of the reference, each held against the others
DIRECTIONS = 2  # of a column's cells: as a rule its location and its width
BOUND = 4.0  # sd beyond which remains say no more: a glitch is no clock


def movable(days: float, window_ms: int) -> bool:
    """Can a season of so many days of reference, in windows of that length, show which clock it follows?"""
    return days >= LEAST_DAYS and window_ms <= LONGEST_MS


def found(sums: Hours, history: History, fold: Ints) -> Clock:
    """The clock of a reference from its hourly sums in UTC; `fold` (T,) of its windows. UTC where nothing speaks for another."""
    end = int(history.start_ms[-1]) + history.window_ms
    clock = Clock(settled_ms=end)
    span = max(HOUR_MS, history.window_ms)
    hour, first = np.unique(history.start_ms // span, return_index=True)
    centre = hour * span + span // 2
    open_ = set(candidates(int(centre[0]), end)) if movable(history.days, history.window_ms) else set()
    if not open_:
        return clock
    y, weight = _liveliest(sums)
    trial = _Trial(y, weight, centre, fold[first] % PARTS, history.days)
    still = trial.left(clock)
    while True:
        moves = [(change, moved) for change in sorted(open_) if (moved := clock.moved(change)) is not None]
        tried = [(*trial.gain(still, left), left, change, moved) for change, moved in moves for left in [trial.left(moved)]]
        if not tried:
            return clock
        gain, t, left, change, moved = max(tried, key=lambda one: one[0])
        if gain < GAIN or t < SURE:
            break
        clock, still = moved, left
        open_.discard(change)
    doubtful = [change.at_ms for _, t, _, change, _ in tried if change.at_ms > end - WEEK_MS and t > -SURE]
    return Clock(clock.changes, min([end, *(at - 1 for at in doubtful)]))


def _liveliest(sums: Hours) -> tuple[Floats, Floats]:
    """Along which cells move most from hour to hour: values and weights (H, K directions), weights at most those of a usual hour."""
    n, below = sums.n, sums.below
    usual = np.array([float(np.median(c[c > 0])) if (c > 0).any() else 1.0 for c in n.T])
    weight = np.minimum(n / usual, 1.0)
    mean = (weight[:, :, None] * below).sum(0) / np.maximum(weight.sum(0), 1e-12)[:, None]
    off = (below - mean) * np.sqrt(weight)[:, :, None]
    _, along = np.linalg.eigh(np.einsum("hkc,hkd->kcd", off, off, optimize=True))
    along = along[:, :, -DIRECTIONS:]
    y = np.einsum("hkc,kcd->hkd", below - mean, along, optimize=True)
    size = y.shape[1] * y.shape[2]
    return y.reshape(len(y), size), np.repeat(weight, y.shape[2], axis=1)


class _Trial:
    """Remains of one reference under any clock."""

    def __init__(self, y: Floats, weight: Floats, centre: Ints, fold: Ints, days: float) -> None:
        self._y, self._weight, self._centre, self._fold, self._days = y, weight, centre, fold, days

    def left(self, clock: Clock) -> Floats:
        """What the other folds' season leaves of each hour, (H, S), times the root of its weight."""
        x = columns(self._centre, clock, self._days)
        (H, P), S = x.shape, self._y.shape[1]
        products = (x[:, :, None] * x[:, None, :]).reshape(H, P * P)
        parts = [self._fold == f for f in np.unique(self._fold)]
        A = [(self._weight[own].T @ products[own]).reshape(S, P, P) for own in parts]
        B = [(self._weight[own] * self._y[own]).T @ x[own] for own in parts]
        out = np.zeros_like(self._y)
        for own, A_own, B_own in zip(parts, A, B, strict=True):
            others = sum(A) - A_own
            others += (1e-3 * np.einsum("spp->s", others) / P + 1e-9)[:, None, None] * np.eye(P)
            out[own] = self._y[own] - x[own] @ np.linalg.solve(others, (sum(B) - B_own)[:, :, None])[:, :, 0].T
        return out * np.sqrt(self._weight)

    @staticmethod
    def gain(still: Floats, moved: Floats) -> tuple[float, float]:
        """How many units of likelihood the moved clock gains, and in how many standard errors."""
        rho = np.clip((still[1:] * still[:-1]).sum(0) / np.maximum((still**2).sum(0), 1e-300), 0.0, 0.98)
        white = [np.vstack([e[:1], e[1:] - rho * e[:-1]]) for e in (still, moved)]
        sd = np.sqrt(np.maximum(np.minimum(*((w**2).mean(0) for w in white)), 1e-300))
        a, b = (np.clip(w / sd, -BOUND, BOUND) for w in white)
        d = (a**2 - b**2).sum(1) / 2
        gain = float(d.sum())
        return gain, gain / max(float(np.sqrt((d**2).sum())), 1e-300)
