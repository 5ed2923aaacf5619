"""Alarms held against true drifts: delay, misses, and false alarms per month with the limit that so few months allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import chi2


@dataclass(frozen=True, slots=True)
class Drift:
    """A true drift from `start` until before `end`, in any unit of time."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Scored:
    """`delays`: per drift the time from its start to the first alarm within it, None where it was missed;
    `false_alarms`: alarms in no drift."""

    delays: tuple[float | None, ...]
    false_alarms: int

    @property
    def missed(self) -> int:
        return sum(delay is None for delay in self.delays)

    @property
    def mean_delay(self) -> float | None:
        """Mean over the drifts that were found; None where none was."""
        found = [delay for delay in self.delays if delay is not None]
        return sum(found) / len(found) if found else None


def score(alarms: Sequence[float], drifts: Sequence[Drift], grace: float = 0.0) -> Scored:
    """Each alarm belongs to the first drift that holds it, up to `grace` after its end (a window closes after its events).

    >>> score([3.0, 12.0], [Drift(2.0, 5.0), Drift(20.0, 30.0)])
    Scored(delays=(1.0, None), false_alarms=1)
    """
    delays: list[float | None] = [None] * len(drifts)
    false_alarms = 0
    for alarm in sorted(alarms):
        held = next((i for i, drift in enumerate(drifts) if drift.start < alarm <= drift.end + grace), None)
        if held is None:
            false_alarms += 1
        elif delays[held] is None:
            delays[held] = alarm - drifts[held].start
    return Scored(tuple(delays), false_alarms)


def rate_upper_limit(count: int, periods: float, confidence: float = 0.95) -> float:
    """Poisson upper limit of a rate after `count` events in `periods`: chi2.ppf(confidence, 2 (count + 1)) / 2 / periods.

    >>> round(rate_upper_limit(0, 30.0), 3)
    0.1
    """
    if periods <= 0:
        raise ValueError(f"periods: {periods} is not positive")
    return float(chi2.ppf(confidence, 2 * (count + 1))) / 2 / periods
