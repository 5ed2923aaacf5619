"""How good a detector was, given when it alarmed and when the world truly changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import chi2

MONTH_MS = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Change:
    """A true change of the world over [start_ms, end_ms); an alarm in that time is right."""

    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Scored:
    """`delays_ms` of the changes found, in order; `missed` ones; `false_alarms` and the `months` in which they could happen."""

    delays_ms: tuple[int, ...]
    missed: int
    false_alarms: int
    months: float

    @property
    def per_month(self) -> float:
        """False alarms per month of unchanged time."""
        return self.false_alarms / self.months if self.months > 0 else 0.0

    @property
    def upper_limit(self) -> float:
        """Poisson 95 % upper limit of the false alarms per month."""
        return poisson_upper(self.false_alarms) / self.months if self.months > 0 else float("inf")


def poisson_upper(count: int, confidence: float = 0.95) -> float:
    """Largest mean under which so few events still happen with probability 1 - confidence: chi2inv(confidence, 2 (k + 1)) / 2.

    >>> round(poisson_upper(0), 2), round(poisson_upper(3), 2)
    (3.0, 7.75)
    """
    return float(chi2.ppf(confidence, 2 * (count + 1)) / 2)


def score(alarms_ms: Sequence[int], changes: Sequence[Change], from_ms: int, until_ms: int, settle_ms: int = 0) -> Scored:
    """Match alarms with true changes.

    `alarms_ms` times of alarms, `changes` not overlapping, the watch lasting over [from_ms, until_ms). The first alarm of a change
    is its delay, further ones and those up to `settle_ms` after its end (the return to normal) count neither way; the rest are false.

    >>> day = 86_400_000
    >>> s = score([2 * day, 5 * day + 600_000, 20 * day], [Change(5 * day, 6 * day), Change(8 * day, 9 * day)], 0, 30 * day)
    >>> s.delays_ms, s.missed, s.false_alarms, round(s.per_month, 2)
    ((600000,), 1, 2, 2.14)
    """
    alarms = np.sort(np.asarray(alarms_ms, np.int64))
    ordered = sorted(changes, key=lambda c: c.start_ms)
    for before, after in pairwise(ordered):
        if after.start_ms < before.end_ms:
            raise ValueError(f"changes overlap: one ends at {before.end_ms}, the next begins at {after.start_ms}")
    excused = np.zeros(len(alarms), bool)
    delays: list[int] = []
    changed = 0
    for change in ordered:
        inside = (alarms >= change.start_ms) & (alarms < change.end_ms)
        if inside.any():
            delays.append(int(alarms[inside][0]) - change.start_ms)
        end = min(change.end_ms + settle_ms, until_ms)
        excused |= (alarms >= change.start_ms) & (alarms < end)
        changed += max(0, end - max(change.start_ms, from_ms))
    watched = (alarms >= from_ms) & (alarms < until_ms)
    return Scored(tuple(delays), len(ordered) - len(delays), int((watched & ~excused).sum()), (until_ms - from_ms - changed) / MONTH_MS)
