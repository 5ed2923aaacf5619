"""KSWIN: Kolmogorov-Smirnov between the newest windows and a sample of those before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detectors.contract import Snapshot, Watch
from detectors.registry import detector
from detectors.river_watch import RiverWatch


@detector("kswin", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class Kswin:
    """Compares the newest `recent` values with as many drawn from those before, by the Kolmogorov-Smirnov test.

    Over the last `window` values, alarm when

        p(sup |F_recent - F_drawn|) <= alpha    and the distance is above 0.1

    It notices a changed shape where the mean stays. The value is -log10 of the p-value, 0 until the window is full. It looks
    at every step, so its alpha is a chance per look and not per month.

    Args:
        alpha: the chance of a false alarm that each look may have, 0 to 1.
        window: values compared in all.
        recent: how many of them are the newest; at most half.
        seed: of the drawing, so that the same values have the same answer.

    Raises:
        ValueError: for a parameter out of its range.

    Examples:
        >>> watch = Kswin(window=60, recent=20).start()
        >>> alarms = [i for i in range(200) if watch.step(i * 7 % 10 + (0 if i < 100 else 8)).detected]
        >>> 100 < alarms[0] < 120
        True

    Source:
        Raab, Heusinger and Schleif, Reactive soft prototype computing for concept drift streams, Neurocomputing 416, 2020; the
        implementation is river's.
    """

    alpha: float = 0.005
    window: int = 100
    recent: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha of kswin is above 0 and below 1, not {self.alpha}")
        if not (4 <= self.window <= 2000 and 2 <= self.recent <= self.window // 2):
            raise ValueError("of kswin, window is 4 to 2000 and recent 2 to half of it")

    def start(self, snapshot: Snapshot | None = None) -> Watch:
        """A new watch, or one that goes on from a snapshot."""
        from river.drift import KSWIN

        def score(river: Any, fed: Sequence[float]) -> tuple[float, float | None, dict[str, float]]:
            if len(fed) < self.window:
                return 0.0, None, {}
            p_value = float(river.p_value)
            return -math.log10(max(p_value, 1e-300)) + 0.0, p_value, {}

        return RiverWatch(
            lambda: KSWIN(alpha=self.alpha, window_size=self.window, stat_size=self.recent, seed=self.seed),
            most=2 * self.window,  # every test draws at random, so what is remembered is replayed test by test: keep it short
            keep=self.window - 1,  # the next value makes the window full again
            after_alarm=lambda _: self.recent,
            score=score,
            snapshot=snapshot,
        )
