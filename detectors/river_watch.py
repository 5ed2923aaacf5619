"""A river detector whose state can be saved: it is the values it was fed since it last began anew.

River keeps its detectors' state in compiled objects that only pickle can save. Feeding the same values to a new detector
gives the same state through its public interface alone, in any version. So that the list stays short, a detector that has
taken `most` values begins anew with the newest `keep` of them, and one that has alarmed with those since the change; both
are part of its definition, and a watch that was saved and restored is the same as one never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from detectors.contract import Snapshot
from detectors.score import Score, unknown


class RiverDetector(Protocol):
    """The part of river's interface that is used."""

    @property
    def drift_detected(self) -> bool: ...

    def update(self, x: float) -> object: ...


class RiverWatch:
    """Steps a river detector and remembers what it was fed.

    Args:
        make: a new river detector.
        most: values after which it begins anew.
        keep: how many of the newest it then begins with.
        after_alarm: how many of the newest values belong to the time after the change, asked at an alarm.
        score: the value, p-value and evidence of the detector as it is after a step.
        snapshot: an earlier watch to go on from.

    Raises:
        ValueError: for a snapshot that holds something else.
    """

    def __init__(
        self,
        make: Callable[[], RiverDetector],
        *,
        most: int,
        keep: int,
        after_alarm: Callable[[RiverDetector], int],
        score: Callable[[RiverDetector, Sequence[float]], tuple[float, float | None, dict[str, float]]],
        snapshot: Snapshot | None = None,
    ) -> None:
        self._make, self._most, self._keep, self._after_alarm, self._score = make, most, keep, after_alarm, score
        fed, steps = ([], 0) if snapshot is None else self._unpacked(snapshot)
        self._steps = steps
        self._begin(fed)

    def _unpacked(self, snapshot: Snapshot) -> tuple[list[float], int]:
        fed, steps = snapshot.get("fed"), snapshot.get("steps")
        if not isinstance(fed, list) or len(fed) > self._most or not all(map(math.isfinite, fed)) or not isinstance(steps, int):
            raise ValueError("a river watch goes on from {fed: [numbers], steps: a whole number}, not from this snapshot")
        return [float(x) for x in fed], steps

    def _begin(self, fed: list[float]) -> None:
        self._fed = fed
        self._river = self._make()
        for value in fed:
            self._river.update(value)

    def step(self, value: float) -> Score:
        """River's answer to one more value."""
        if not math.isfinite(value):
            return unknown("the window has no number", window_events=self._steps)
        self._steps += 1
        self._river.update(value)
        self._fed.append(value)
        detected = bool(self._river.drift_detected)
        number, p_value, evidence = self._score(self._river, self._fed)
        if detected:
            since = self._after_alarm(self._river)
            self._begin(self._fed[-since:] if since else [])
        elif len(self._fed) >= self._most:
            self._begin(self._fed[-self._keep :])
        return Score(number, p_value, window_events=self._steps, detected=detected, evidence=evidence)

    def snapshot(self) -> Snapshot:
        return {"fed": list(self._fed), "steps": self._steps}
