"""The reference as its own judge: replay it, and widen whatever would have paged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.sums import Tape, blocks_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
ASKED = ((1.0,), (1.1, 1.2, 1.35), (1.5, 1.75, 2.0, 2.5), (3.0, 4.0, 6.0))
WIDER = (1.0, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0)


def elapsed(end: Floats, seen: Flags, start: float) -> Floats:
    """Windows since each stream's block before (T, S), zero where none closed."""
    out = np.zeros(seen.shape)
    for s in range(seen.shape[1]):
        at = np.flatnonzero(seen[:, s])
        out[at, s] = np.diff(end[at], prepend=start)
    return out


@dataclass(slots=True)
class _Run:
    """One replay: the thresholds it stands for, its sums and what each block of them comes to. Runs are one until a page parts them."""

    of: list[int]
    sums: list[Floats]
    worth: list[float]


def pages(tape: Tape, kappa: Floats, clip: float, weights: Floats, thresholds: tuple[float, ...]) -> list[list[int]]:
    """Rows at which a replay would page, for each threshold (in windows), with sums starting again after each page."""
    blocks = blocks_of(tape, np.arange(tape.z.shape[1]), kappa, weights)
    walks = [block.rows(tape, clip) for block in blocks]
    heads = [next(walk, None) for walk in walks]
    spare = [block.zero() for block in blocks]
    runs = [_Run(list(range(len(thresholds))), [block.zero() for block in blocks], [0.0] * len(blocks))]
    found: list[list[int]] = [[] for _ in thresholds]
    lowest = min(thresholds)
    for t in range(len(tape.z)):
        for b, (block, head) in enumerate(zip(blocks, heads, strict=True)):
            if head is None or head[0] != t:
                continue
            for run in runs:
                block.advance(run.sums[b], *head[1:], spare[b])
                run.worth[b] = float(np.vdot(run.sums[b], block.weight))
            heads[b] = next(walks[b], None)
        for run in list(runs):
            whole = sum(run.worth)
            if whole < lowest:
                continue
            paged = [a for a in run.of if whole >= thresholds[a]]
            if not paged:
                continue
            for a in paged:
                found[a].append(t)
            run.of = [a for a in run.of if a not in paged]
            runs.append(_Run(paged, [block.zero() for block in blocks], [0.0] * len(blocks)))
        runs = [run for run in runs if run.of]
    return found


def highest(tape: Tape, streams: NDArray[np.int64], kappa: Floats, clip: float, weights: Floats) -> Floats:
    """The largest value each stream's own sum reaches, all its weight on itself; a stream may be asked for with several `kappa` (n,)."""
    own = weights[streams] / weights[streams].sum((1, 2), keepdims=True)
    top = np.zeros(len(streams))
    for block in blocks_of(tape, streams, kappa, own):
        sums, spare, best = block.zero(), block.zero(), np.zeros(len(block.spot))
        for _, e, elapsed, seen in block.rows(tape, clip):
            block.advance(sums, e, elapsed, seen, spare)
            np.multiply(sums, block.weight, out=spare)
            np.maximum(best, np.add.reduce(spare.reshape(-1, len(best)), axis=0), out=best)
        top[block.spot] = best
    return top


def own_kappa(tape: Tape, clip: float, weights: Floats, limit: float) -> Floats:
    """The least inflation from `ASKED` under which a stream's own sum stays below `limit` windows over its own reference.

    A valid stream passes with 1 with probability 1 - T / limit at least.
    """
    S = tape.z.shape[1]
    kappa = np.full(S, 10.0)
    left = np.arange(S)
    for some in ASKED:  # most streams need none; the others are asked several at once
        grid = np.array(some)
        top = highest(tape, np.tile(left, len(grid)), np.repeat(grid, len(left)), clip, weights).reshape(len(grid), len(left))
        ok = top <= limit
        kappa[left] = np.where(ok.any(axis=0), grid[np.argmax(ok, axis=0)], kappa[left])
        left = left[~ok.any(axis=0)]
        if not len(left):
            break
    return kappa
