"""What the reference, replayed, says of its own calibration: bounds on z and inflation, as little as keeps it from paging itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.budget.replay import WIDER, own_kappa, pages
from detectors.budget.sums import Tape

Floats = NDArray[np.float64]
CLIPS = (8.0, 5.0, 4.0)
ALONE = 20.0  # lengths of the reference that a stream's own sum may reach: one valid stream in twenty is widened for nothing
POOLED = 5.0  # the same for the pooled group, whose law is the least certain


@dataclass(frozen=True, slots=True)
class Trial:
    """`budget` and `span` of the reference, in windows."""

    budget: float
    span: float

    @property
    def periods(self) -> float:
        return self.span / self.budget

    def clip(self, tape: Tape, weights: Floats) -> float:
        """The loosest bound under which the plain replay stays near its budget: glitches of one window ask for a tight one."""
        one = np.ones(tape.z.shape[1])
        for clip in CLIPS[:-1]:
            tenth, whole = pages(tape, one, clip, weights, (self.budget / 10, self.budget))
            if len(tenth) <= max(2.0, 12 * self.periods) and len(whole) <= max(1.0, 1.2 * self.periods):
                return clip
        return CLIPS[-1]

    def kappa(self, tape: Tape, weights: Floats, clip: float) -> tuple[Floats, float]:
        """Inflation per stream, and the common part of it that the whole model needed besides."""
        kappa = own_kappa(tape, clip, weights, ALONE * self.span)
        for wider in WIDER:
            if self._calm(self._counts(tape, kappa * wider, clip, weights)):
                return kappa * wider, wider
        return kappa * WIDER[-1], WIDER[-1]

    def pooled(self, tape: Tape, weights: Floats, kappa: Floats, clip: float, first: int) -> tuple[Floats, dict[str, int]]:
        """Inflation of all streams, those from `first` on being pooled ones to be widened, and what the final replay paged."""
        late = np.arange(tape.z.shape[1]) >= first
        alone = weights * late[:, None, None]
        kappa = np.r_[kappa, np.ones(int(late.sum()))]
        if late.any():
            kappa[late] = own_kappa(tape.only(late), clip, weights[late], POOLED * self.span)
        counts, trial = [0, 0, 0], kappa
        for wider in WIDER:
            trial = np.where(late, kappa * wider, kappa)
            counts = self._counts(tape, trial, clip, weights)
            if not late.any() or (self._calm(counts) and self._quiet(self._counts(tape, trial, clip, alone))):
                break
        return trial, dict(zip(("at_tenth", "at_third", "at_budget"), counts, strict=True))

    def _counts(self, tape: Tape, kappa: Floats, clip: float, weights: Floats) -> list[int]:
        return [len(p) for p in pages(tape, kappa, clip, weights, (self.budget / 10, self.budget / 3, self.budget))]

    def _calm(self, counts: list[int]) -> bool:
        return counts[0] <= max(1.0, 6 * self.periods) and counts[1] <= max(1.0, 1.8 * self.periods) and counts[2] == 0

    def _quiet(self, counts: list[int]) -> bool:
        return counts[0] <= max(1.0, 2 * self.periods) and counts[1] == 0
