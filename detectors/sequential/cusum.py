"""Two-sided CUSUM around a level learnt from the first windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.contract import Snapshot, Watch
from detectors.registry import detector
from detectors.score import Score, unknown

FIELDS = ("steps", "mean", "squares", "up", "down")


@detector("cusum", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class Cusum:
    """Cumulative sums of standardised deviations upwards and downwards; quickest for a lasting shift of about twice `slack`.

    The first `warmup` windows give mean and sd; from then on, with z = (x - mean) / sd,

        up = max(0, up + z - slack),    down = max(0, down - z - slack),    alarm when the larger exceeds `threshold`

    The value is the larger sum, in standard deviations. After an alarm both sums are 0 again and the level stays, so a shift
    that lasts alarms again and again. Values that never vary have no score.

    Args:
        threshold: the sum that alarms, in standard deviations; above 0.
        slack: half the shift that matters, in standard deviations; from 0 on.
        warmup: windows from which mean and sd are learnt; 2 to 100000.

    Raises:
        ValueError: for a parameter out of its range.

    Examples:
        >>> watch = Cusum(warmup=20).start()
        >>> alarms = [i for i in range(60) if watch.step(i % 2 + (0.0 if i < 40 else 1.0)).detected]
        >>> 40 < alarms[0] < 50
        True

    Source:
        Page, Continuous inspection schemes, Biometrika 41, 1954.
    """

    threshold: float = 5.0
    slack: float = 0.5
    warmup: int = 30

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and self.slack >= 0 and 2 <= self.warmup <= 100_000):
            raise ValueError("of cusum, threshold is above 0, slack from 0 on, warmup 2 to 100000")

    def start(self, snapshot: Snapshot | None = None) -> Watch:
        """A new watch, or one that goes on from a snapshot."""
        return _Watch(self, snapshot)


class _Watch:
    """Welford's mean and sum of squares while warming up, then the two sums."""

    def __init__(self, settings: Cusum, snapshot: Snapshot | None) -> None:
        self._settings = settings
        numbers = [0.0] * len(FIELDS) if snapshot is None else [snapshot.get(name) for name in FIELDS]
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError(f"a cusum goes on from finite numbers for {', '.join(FIELDS)}, not from this snapshot")
        self._steps, self._mean, self._squares, self._up, self._down = (float(number) for number in numbers)  # type: ignore[arg-type]  # checked above

    def step(self, value: float) -> Score:
        settings, steps = self._settings, int(self._steps)
        if not math.isfinite(value) or abs(value) > 1e150:  # its square must be finite as well
            return unknown("the window has no number", window_events=steps)
        self._steps += 1
        if steps < settings.warmup:
            away = value - self._mean
            self._mean += away / self._steps
            self._squares += away * (value - self._mean)
            return unknown("learning its level", window_events=steps + 1)
        deviation = math.sqrt(self._squares / (settings.warmup - 1))
        if deviation <= 1e-12 * abs(self._mean) or deviation == 0:
            return unknown("the first windows did not vary, so there is no scale", window_events=steps + 1)
        z = max(-1e6, min(1e6, (value - self._mean) / deviation))
        self._up = max(0.0, self._up + z - settings.slack)
        self._down = max(0.0, self._down - z - settings.slack)
        value = max(self._up, self._down)
        detected = value > settings.threshold
        evidence = {"up": self._up, "down": self._down, "mean": self._mean, "deviation": deviation}
        if detected:
            self._up = self._down = 0.0
        return Score(value, window_events=steps + 1, detected=detected, evidence=evidence)

    def snapshot(self) -> Snapshot:
        return dict(zip(FIELDS, (self._steps, self._mean, self._squares, self._up, self._down), strict=True))
