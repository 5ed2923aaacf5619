"""Everything moved a little: streams made of all features' z of one statistic.

Factors: principal directions of the reference's z over features, where features move together; z along them is one signed
stream. Energies: the sum over features of z^2 over 1, 12 and 72 windows once the factors are taken out, as a chi-square whose scale
and degrees are those of the reference, made normal by Wilson and Hilferty. Both are then calibrated like any other stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detectors.streams.scores import wilson_hilferty
from detectors.streams.shape import Stream

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
SHARE = 0.15  # of the model's weight
OF_FACTORS = 0.4  # of that, where there are factors
LEAST_MEMBERS = 4
MOST_FACTORS = 2
BOUND = 5.0
OUT = 1e9  # spread of a member that is left out
ONE_SIDED = ("shape", "categories")  # below its mean a chi-square is no evidence
STATISTICS = ("location", "scale", "skew", "tails", "shape")


@dataclass(frozen=True, slots=True)
class Pool:
    """M member streams of several families, F factors, J cadences.

    `members` (M,) their numbers, `family` (M,), `raised` (M,) True where only z above zero counts; `basis` (M, F) orthonormal
    directions, `root` (F,) sd along them, `of` (F,) their family; `kappa` (M,); `spread` (J, M) sd of a sum over a block, per root
    window; `scale`, `degrees` (J, families) of the energies; `cadences` (J,).
    """

    members: Ints
    family: Ints
    raised: Flags
    basis: Floats
    root: Floats
    of: Ints
    kappa: Floats
    spread: Floats
    scale: Floats
    degrees: Floats
    cadences: Ints

    @property
    def families(self) -> int:
        return int(self.family.max()) + 1 if len(self.family) else 0

    @property
    def size(self) -> int:
        """Pooled streams: factors first, then the energies of each cadence."""
        return len(self.root) + len(self.cadences) * self.families

    @property
    def cadence(self) -> Ints:
        """Cadence of each pooled stream."""
        out: Ints = np.r_[np.ones(len(self.root), np.int64), np.repeat(self.cadences, self.families)]
        return out

    @property
    def weight(self) -> Floats:
        """Weight of each pooled stream in the model."""
        factors, energies = len(self.root), len(self.cadences) * self.families
        part = OF_FACTORS if factors else 0.0
        out: Floats = SHARE * np.r_[np.full(factors, part / max(factors, 1)), np.full(energies, (1 - part) / max(energies, 1))]
        return out

    @property
    def signed(self) -> Flags:
        return np.arange(self.size) < len(self.root)

    def of_family(self, p: int) -> int:
        """The family of pooled stream p."""
        return int(self.of[p]) if p < len(self.root) else (p - len(self.root)) % self.families


def chosen(streams: Sequence[Stream]) -> tuple[Ints, Ints, Flags]:
    """(members, family, raised): streams of cadence 1 of each statistic that enough columns have."""
    members: list[int] = []
    family: list[int] = []
    number = 0
    for statistic in STATISTICS:
        mine = [i for i, s in enumerate(streams) if s.statistic == statistic and s.cadence == 1]
        if len(mine) >= LEAST_MEMBERS:
            members += mine
            family += [number] * len(mine)
            number += 1
    raised = np.array([streams[i].statistic in ONE_SIDED for i in members], bool)
    return np.array(members, np.int64), np.array(family, np.int64), raised


def learn(streams: Sequence[Stream], z: Floats, seen: Flags, kappa: Floats, v: Floats, cadences: tuple[int, ...], starts: Ints) -> Pool:
    """Directions, scales and degrees from the reference's z (T, S), their inflation `kappa` and variance over cadences `v` (J, S)."""
    members, family, raised = chosen(streams)
    count = int(family.max()) + 1 if len(family) else 0
    x = np.clip(z[:, members] / kappa[members], -BOUND, BOUND) * seen[:, members]
    vectors: list[Floats] = []
    roots: list[float] = []
    of: list[int] = []
    for f in range(count):
        mine = np.flatnonzero(family == f)
        values, found = np.linalg.eigh(_correlation(x[:, mine]))
        edge = 1.3 * (1 + np.sqrt(len(mine) / len(x))) ** 2
        for k in range(len(values) - 1, max(len(values) - 1 - MOST_FACTORS, -1), -1):
            if values[k] > edge:
                vector = np.zeros(len(members))
                vector[mine] = found[:, k] * (1.0 if found[:, k].sum() >= 0 else -1.0)
                vectors.append(vector)
                roots.append(float(np.sqrt(values[k])))
                of.append(f)
    basis = np.stack(vectors, axis=1) if vectors else np.zeros((len(members), 0))
    ones = np.ones((len(cadences), count))
    pool = Pool(
        members, family, raised, basis, np.array(roots), np.array(of, np.int64), kappa[members], np.sqrt(v[:, members]), ones, ones,
        np.array(cadences, np.int64),
    )  # fmt: skip
    scale, degrees = ones.copy(), ones.copy()
    for j, cadence in enumerate(cadences):
        if count:
            at, sums, counts = blocks(z[:, members], seen[:, members], starts, cadence)
            energy = energies(pool, sums, counts, j)
            mean, variance = energy.mean(0), np.maximum(energy.var(0), 1e-9)
            scale[j], degrees[j] = variance / (2 * mean), 2 * mean**2 / variance
            assert len(at) == len(energy)
    return Pool(
        pool.members, family, raised, basis, pool.root, pool.of, pool.kappa, pool.spread, scale, degrees, pool.cadences,
    )  # fmt: skip


def _correlation(x: Floats) -> Floats:
    covariance = np.cov(x.T)
    sd = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    out: Floats = covariance / np.outer(sd, sd)
    return out


def factors(pool: Pool, z: Floats) -> Floats:
    """z along each direction (..., F), from z of the members (..., M)."""
    out: Floats = np.clip(z / pool.kappa, -BOUND, BOUND) @ pool.basis / pool.root
    return out


def energies(pool: Pool, sums: Floats, counts: Floats, j: int) -> Floats:
    """Sum of squares per family (..., families) of block sums (..., M) of z over `counts` windows each, without the factors."""
    x = sums / (pool.kappa * pool.spread[j] * np.sqrt(np.maximum(counts, 1)))
    x = x - (x @ pool.basis) @ pool.basis.T
    x = np.where(pool.raised, np.maximum(x, 0.0), x)
    square = np.minimum(x * x, BOUND**2) * (counts > 0)
    member = (pool.family[:, None] == np.arange(pool.families)).astype(float)
    present = (counts > 0) @ member
    out: Floats = square @ member * member.sum(0) / np.maximum(present, 1)
    return out


def left_out(pool: Pool, gone: Flags) -> Pool:
    """The pool without the members `gone` (J, M) in the energies of each cadence; the others count as before.

    A member is left out by an immense spread, which makes its part of every sum nothing, and by taking its share of the degrees of
    freedom; a member that is out already stays so at no further cost.
    """
    fresh = gone & (pool.spread < OUT)
    member = (pool.family[:, None] == np.arange(pool.families)).astype(float)
    left = (pool.spread < OUT) @ member
    part = np.where(left > 0, 1 - (fresh @ member) / np.maximum(left, 1.0), 1.0) if pool.families else np.ones_like(pool.degrees)
    # where nobody is left there is no energy: one degree, and a sum that is always nothing
    degrees = np.where(part > 0, pool.degrees * part, 1.0)
    return replace(pool, spread=np.where(fresh, OUT, pool.spread), degrees=degrees)


def normal(pool: Pool, energy: Floats, j: int) -> Floats:
    """Energies (..., families) of cadence j as nearly normal values."""
    return wilson_hilferty(energy / pool.scale[j], pool.degrees[j])


def blocks(z: Floats, seen: Flags, starts: Ints, cadence: int) -> tuple[Ints, Floats, Floats]:
    """Rows at which a block of `cadence` windows closes, and its sums and counts (blocks, M); `starts` (T,) count from the epoch."""
    number: Ints = np.asarray(starts // cadence)
    rows = np.flatnonzero(seen.any(axis=1))
    if not len(rows):
        return rows, np.zeros((0, z.shape[1])), np.zeros((0, z.shape[1]))
    # a block closes with its last window, or with the first window after it, which then belongs to it
    at: list[int] = []
    sums, counts = [], []
    total, n, first = np.zeros(z.shape[1]), np.zeros(z.shape[1]), -1
    for t in rows:
        total, n = total + z[t] * seen[t], n + seen[t]
        first = int(number[t]) if first < 0 else first
        if (starts[t] + 1) // cadence > first:
            at.append(int(t))
            sums.append(total)
            counts.append(n)
            total, n, first = np.zeros(z.shape[1]), np.zeros(z.shape[1]), -1
    return np.array(at, np.int64), np.array(sums).reshape(-1, z.shape[1]), np.array(counts).reshape(-1, z.shape[1])


def values(pool: Pool, z: Floats, seen: Flags, starts: Ints) -> tuple[Floats, Flags]:
    """Raw values and whether they were seen (T, P), of a whole stretch."""
    T = len(z)
    out: Floats = np.zeros((T, pool.size))
    there: Flags = np.zeros((T, pool.size), bool)
    F = len(pool.root)
    zm, sm = z[:, pool.members] * seen[:, pool.members], seen[:, pool.members]
    out[:, :F], there[:, :F] = factors(pool, zm), np.any(sm, axis=1, keepdims=True)
    for j, cadence in enumerate(pool.cadences):
        if not pool.families:
            break
        at, sums, counts = blocks(zm, sm, starts, int(cadence))
        mine = slice(F + j * pool.families, F + (j + 1) * pool.families)
        out[at, mine], there[at, mine] = normal(pool, energies(pool, sums, counts, j), j), True
    return out, there
