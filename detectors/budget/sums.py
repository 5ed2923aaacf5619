"""Many windows of bets at once: Shiryaev-Roberts sums side by side, only those that can ever be heard.

Streams are set out in blocks of like kind, so that a row is a handful of operations in place: those that bet on both sides, those
that bet on a rise, rare rates; each apart for streams seen at most windows and at few. ln e of lambda z is linear in z and
every lambda of the grid is twice the one before, so e^(lambda z) of all of them are repeated squares of the first.
The numbers are those of `evidence.advance`, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.evidence import LAMBDAS, LARGEST, LEAK, dispersed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
KEPT = np.diag(LEAK)[:, None, None]  # of each sum, and what the next higher lambda hands it
HANDED = np.diag(LEAK, -1)[:, None, None]
CACHED = 40_000  # numbers that are worked on together


@dataclass(frozen=True, slots=True)
class Tape:
    """The reference as the bets see it: `z` (T, S) out of fold, or counts where `rate`; `elapsed` (T, S), 0 where unseen;
    per stream `rate` flags, `dead`, `cost`; of the R rates alone, how many were `due` (T, R) at most and the `size` (T, R) of their law."""

    z: Floats
    elapsed: Floats
    rate: Flags
    dead: Floats
    cost: Floats
    due: Floats
    size: Floats

    def only(self, some: Flags) -> Tape:
        """The tape of some streams alone."""
        rates = some[self.rate]
        return Tape(
            self.z[:, some],
            self.elapsed[:, some],
            self.rate[some],
            self.dead[some],
            self.cost[some],
            self.due[:, rates],
            self.size[:, rates],
        )

    def followed_by(self, z: Floats, elapsed: Floats, dead: Floats, cost: Floats) -> Tape:
        """With more streams after these, none of them a rate."""
        rate = np.r_[self.rate, np.zeros(z.shape[1], bool)]
        return Tape(
            np.c_[self.z, z], np.c_[self.elapsed, elapsed], rate, np.r_[self.dead, dead], np.r_[self.cost, cost], self.due, self.size
        )


@dataclass(frozen=True, slots=True)
class Block:
    """n streams of one kind: their numbers `spot` in what was asked for, the `streams` of the tape, inflation `kappa`, weights of
    their bets `weight` (bets, sides, n), and whether they are rare rates."""

    spot: Ints
    streams: Ints
    kappa: Floats
    weight: Floats
    rate: bool

    def zero(self) -> Floats:
        """Sums (bets, sides, n) that hold nothing yet."""
        return np.zeros_like(self.weight)

    def rows(self, tape: Tape, clip: float) -> Iterator[tuple[int, Floats, Floats, Flags | None]]:
        """(row, e (bets, sides, n), elapsed (n,), who was seen, None for all) of every row at which any was."""
        step = max(1, CACHED // self.weight.size)
        price = np.exp(-(LAMBDAS * tape.dead[self.streams, None] + tape.cost[self.streams])).T[:, None]
        for begin in range(0, len(tape.z), step):
            elapsed = tape.elapsed[begin : begin + step, self.streams]
            seen = elapsed > 0
            some = np.flatnonzero(seen.any(axis=1))
            if not len(some):
                continue
            elapsed, seen = elapsed[some], seen[some]
            every: Flags = np.asarray(seen.all(axis=1))
            e = self._rare(tape, begin + some) if self.rate else self._usual(tape, begin + some, clip, price)
            for i, row in enumerate(some):
                yield begin + int(row), e[i], elapsed[i], None if every[i] else seen[i]

    def _usual(self, tape: Tape, rows: Ints, clip: float, price: Floats) -> Floats:
        """exp(+-lambda z - lambda dead - cost), shape (rows, bets, sides, n)."""
        z = np.clip(tape.z[rows[:, None], self.streams] / self.kappa, -clip, clip)
        sides = self.weight.shape[1]
        out = np.empty((len(rows), *self.weight.shape))
        out[:, 0, 0] = np.exp(LAMBDAS[0] * z)
        if sides == 2:
            np.reciprocal(out[:, 0, 0], out=out[:, 0, 1])
        for i in range(1, len(LAMBDAS)):
            np.square(out[:, i - 1], out=out[:, i])
        out *= price
        return out

    def _rare(self, tape: Tape, rows: Ints) -> Floats:
        at = (rows[:, None], (np.cumsum(tape.rate) - 1)[self.streams])
        log_e = dispersed(tape.z[rows[:, None], self.streams], tape.due[at], tape.size[at], self.kappa).transpose(0, 2, 1)
        out: Floats = np.exp(np.minimum(log_e, 230.0))[:, :, None]
        return out

    def advance(self, sums: Floats, e: Floats, elapsed: Floats, seen: Flags | None, spare: Floats) -> None:
        """R <- (leak(R) + elapsed) e in place; `spare` is of the same shape."""
        before = None if seen is None else sums.copy()
        if not self.rate:
            np.multiply(sums[1:], HANDED, out=spare[1:])
            sums *= KEPT
            sums[:-1] += spare[1:]
        sums += elapsed
        sums *= e
        np.minimum(sums, LARGEST, out=sums)
        if before is not None:
            np.copyto(sums, before, where=~seen)  # type: ignore[operator]  # before is there only with seen


def blocks_of(tape: Tape, streams: Ints, kappa: Floats, weights: Floats) -> list[Block]:
    """The asked `streams` (n,), any of them as often as you like with its own `kappa` (n,), as blocks; `weights` (n, 2, bets)."""
    often = 2 * np.count_nonzero(tape.elapsed, axis=0)[streams] > len(tape.elapsed)
    heard: Flags = np.asarray(weights.any(axis=2))
    rate = tape.rate[streams]
    out = []
    for frequent in (True, False):
        for rare, sides in ((False, 2), (False, 1), (True, 1)):
            spot = np.flatnonzero((often == frequent) & (rate == rare) & (heard[:, 1] if sides == 2 else heard[:, 0] & ~heard[:, 1]))
            if len(spot):
                out.append(Block(spot, streams[spot], kappa[spot], weights[spot, :sides].transpose(2, 1, 0).copy(), rare))
    return out
