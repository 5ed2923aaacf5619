"""Page-Hinkley: a cumulative sum around the running mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors.contract import Snapshot, Watch
from detectors.registry import detector
from detectors.river_watch import RiverWatch


@detector("page_hinkley", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Alarms when the sum of deviations from the running mean has come far away from its lowest or highest point.

    With mean_t the mean so far, for an increase (a decrease mirrors it):

        U_t = alpha U_(t-1) + x_t - mean_t - delta,    alarm when U_t - min U > threshold

    Thresholds are in units of the value, so feed it standardised numbers or set them for your own. The value is 1 at an
    alarm and 0 otherwise: the implementation keeps its sums to itself. After an alarm it begins anew.

    Args:
        threshold: the sum that alarms, in units of the value; above 0.
        delta: a deviation that is tolerated for ever, in units of the value.
        alpha: how much of the sum is kept from window to window, 0 to 1.
        grace: windows before the first alarm.
        memory: windows remembered at most.

    Raises:
        ValueError: for a parameter out of its range.

    Examples:
        >>> watch = PageHinkley(threshold=10.0).start()
        >>> alarms = [i for i in range(120) if watch.step(0.0 if i < 60 else 2.0).detected]
        >>> 60 < alarms[0] < 75
        True

    Source:
        Page, Continuous inspection schemes, Biometrika 41, 1954; Hinkley, Inference about the change-point from cumulative sum tests,
        Biometrika 58, 1971; the implementation is river's.
    """

    threshold: float = 50.0
    delta: float = 0.005
    alpha: float = 0.9999
    grace: int = 30
    memory: int = 4096

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and self.delta >= 0 and 0 < self.alpha <= 1):
            raise ValueError("of page_hinkley, threshold is above 0, delta from 0 on, alpha above 0 and at most 1")
        if not (1 <= self.grace <= 10_000 and 64 <= self.memory <= 100_000):
            raise ValueError("of page_hinkley, grace is 1 to 10000, memory 64 to 100000")

    def start(self, snapshot: Snapshot | None = None) -> Watch:
        """A new watch, or one that goes on from a snapshot."""
        from river.drift import PageHinkley as River

        def score(river: Any, fed: Sequence[float]) -> tuple[float, float | None, dict[str, float]]:
            return float(river.drift_detected), None, {"windows": float(len(fed))}

        return RiverWatch(
            lambda: River(min_instances=self.grace, delta=self.delta, threshold=self.threshold, alpha=self.alpha),
            most=self.memory,
            keep=self.memory // 2,
            after_alarm=lambda _: 0,
            score=score,
            snapshot=snapshot,
        )
