"""The reference as its own judge: replay it, and widen whatever would have paged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.evidence import advance, gaussian, poisson

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
GRID = (1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)
WIDER = (1.0, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)


@dataclass(frozen=True, slots=True)
class Tape:
    """The reference as the bets see it: `z` (T, S) out of fold, or counts where `rate`; `events`, `elapsed` (T, S), 0 where unseen;
    per stream `rate` flags, `dead`, `cost`; `upper` (T, S) limits of the rates."""

    z: Floats
    events: Floats
    elapsed: Floats
    rate: Flags
    dead: Floats
    cost: Floats
    upper: Floats

    def only(self, some: Flags) -> Tape:
        """The tape of some streams alone."""
        return Tape(
            self.z[:, some], self.events[:, some], self.elapsed[:, some], self.rate[some], self.dead[some], self.cost[some],
            self.upper[:, some],
        )  # fmt: skip


def elapsed(end: Floats, seen: Flags, start: float) -> Floats:
    """Windows since each stream's block before (T, S), zero where none closed."""
    out = np.zeros(seen.shape)
    for s in range(seen.shape[1]):
        at = np.flatnonzero(seen[:, s])
        out[at, s] = np.diff(end[at], prepend=start)
    return out


def log_bets(tape: Tape, t: int, streams: NDArray[np.int64], kappa: Floats, clip: float) -> Floats:
    """ln e of one row for some streams; `kappa` widens z, or tempers the bets on rates."""
    rate = tape.rate[streams]
    out = gaussian(np.clip(tape.z[t, streams] / kappa, -clip, clip), tape.dead[streams], tape.cost[streams])
    if rate.any():
        some = streams[rate]
        out[rate] = poisson(tape.z[t, some], tape.events[t, some], tape.upper[t, some], kappa[rate])
    return out


def pages(tape: Tape, kappa: Floats, clip: float, weights: Floats, thresholds: tuple[float, ...]) -> list[list[int]]:
    """Rows at which a replay would page, for each threshold (in windows), with sums starting again after each page."""
    S = tape.z.shape[1]
    every = np.arange(S)
    sums = np.zeros((len(thresholds), S, 2, weights.shape[-1]))
    level = np.array(thresholds)
    found: list[list[int]] = [[] for _ in thresholds]
    leaks = ~tape.rate
    seen = tape.elapsed > 0
    flat = weights.ravel()
    for t in range(len(tape.z)):
        mine = every[seen[t]]
        if not len(mine):
            continue
        log_e = log_bets(tape, t, mine, kappa[mine], clip)
        if len(mine) == S:
            sums = advance(sums, log_e, tape.elapsed[t], leaks)
        else:
            sums[:, mine] = advance(sums[:, mine], log_e, tape.elapsed[t, mine], leaks[mine])
        for a in np.flatnonzero(sums.reshape(len(level), -1) @ flat >= level):
            found[a].append(t)
            sums[a] = 0.0
    return found


def highest(tape: Tape, streams: NDArray[np.int64], kappa: Floats, clip: float, weights: Floats) -> Floats:
    """The largest value each stream's own sum reaches, all its weight on itself."""
    sums = np.zeros((len(streams), 2, weights.shape[-1]))
    top = np.zeros(len(streams))
    own = weights[streams] / weights[streams].sum((1, 2), keepdims=True)
    leaks = ~tape.rate[streams]
    for t in range(len(tape.z)):
        on = tape.elapsed[t, streams] > 0
        if not on.any():
            continue
        moved = advance(sums, log_bets(tape, t, streams, kappa, clip), tape.elapsed[t, streams], leaks)
        sums = moved if on.all() else np.where(on[:, None, None], moved, sums)
        np.maximum(top, (sums * own).sum((1, 2)), out=top)
    return top


def own_kappa(tape: Tape, clip: float, weights: Floats, limit: float) -> Floats:
    """The least inflation from `GRID` under which a stream's own sum stays below `limit` windows over its own reference.

    A valid stream passes with 1 with probability 1 - T / limit at least.
    """
    S = tape.z.shape[1]
    kappa = np.full(S, 10.0)
    left = np.arange(S)
    for k in GRID:
        if not len(left):
            break
        ok = highest(tape, left, np.full(len(left), k), clip, weights) <= limit
        kappa[left[ok]] = k
        left = left[~ok]
    return kappa
