"""ADWIN: a window that shortens itself when its older part no longer fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors.contract import Snapshot, Watch
from detectors.registry import detector
from detectors.river_watch import RiverWatch


@detector("adwin", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class Adwin:
    """Adaptive windowing: keeps as many of the newest values as have one mean, and alarms when it has to drop the older ones.

    Every split of the window W into an older part of n0 values and a newer one of n1 is tried; the older part is dropped if

        |mean0 - mean1| > sqrt(2/h var(W) ln(2 ln|W| / delta)) + 2/(3 h) ln(2 ln|W| / delta),    h = 1 / (1/n0 + 1/n1)

    The value is the distance between the two means at an alarm, and 0 otherwise. The bound holds for independent values;
    on traffic with a day and a week in it, it alarms on the day and the week.

    Args:
        delta: the chance of a false alarm that each test may have, 0 to 1.
        clock: windows between two tests.
        grace: windows before the first test.
        memory: windows remembered at most; 4096 are two weeks of five minutes.

    Raises:
        ValueError: for a parameter out of its range.

    Examples:
        >>> watch = Adwin(clock=1).start()
        >>> alarms = [i for i in range(120) if watch.step(0.0 if i < 60 else 3.0).detected]
        >>> 60 < alarms[0] < 75
        True

    Source:
        Bifet and Gavalda, Learning from time-changing data with adaptive windowing, SIAM International Conference on Data Mining, 2007;
        the implementation is river's.
    """

    delta: float = 0.002
    clock: int = 32
    grace: int = 10
    memory: int = 4096

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise ValueError(f"delta of adwin is above 0 and below 1, not {self.delta}")
        if not (1 <= self.clock <= 10_000 and 1 <= self.grace <= 10_000 and 64 <= self.memory <= 100_000):
            raise ValueError("of adwin, clock and grace are 1 to 10000, memory 64 to 100000")

    def start(self, snapshot: Snapshot | None = None) -> Watch:
        """A new watch, or one that goes on from a snapshot."""
        from river.drift import ADWIN

        def score(river: Any, fed: Sequence[float]) -> tuple[float, float | None, dict[str, float]]:
            after = fed[len(fed) - int(river.width) :]
            before = fed[: len(fed) - int(river.width)]
            change = abs(sum(after) / len(after) - sum(before) / len(before)) if river.drift_detected and before and after else 0.0
            return change, None, {"mean": float(river.estimation), "width": float(river.width)}

        return RiverWatch(
            lambda: ADWIN(delta=self.delta, clock=self.clock, grace_period=self.grace),  # type: ignore[no-untyped-call]  # river's
            most=self.memory,
            keep=self.memory // 2,
            after_alarm=lambda river: int(river.width),  # type: ignore[attr-defined]  # ADWIN's own
            score=score,
            snapshot=snapshot,
        )
