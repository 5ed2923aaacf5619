"""Wasserstein (earth mover's) distance, from counts and the cells' means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.counts import Counts, Floats, check_pair
from detectors.registry import detector
from detectors.score import Score, unknown


def positions(means: Floats) -> Floats:
    """Where the mass of each value cell is taken to lie: the reference's means, and one more step beyond each end."""
    if len(means) < 2:
        return np.concatenate((means, means, means))
    return np.concatenate(([2 * means[0] - means[1]], means, [2 * means[-1] - means[-2]]))


@detector("wasserstein", kinds=("numeric",))
@dataclass(frozen=True, slots=True)
class Wasserstein:
    """How far, in standard deviations of the reference, events have to be moved to turn the window into the reference.

        W1 = sum_b |F_b - G_b| (x_(b+1) - x_b),    value = W1 / sd of the reference

    x_b is the reference's mean in cell b. Values beyond the reference's range count as one step beyond its outermost cell,
    so a distance that leaves the range is a lower bound. A pure shift by d standard deviations inside the range gives d.

    Examples:
        >>> means = np.array([-1.5, -0.5, 0.5, 1.5])
        >>> reference = Counts("numeric", np.array([0, 0, 0, 0, 25, 25, 25, 25, 0]), means)
        >>> window = Counts("numeric", np.array([0, 0, 0, 0, 0, 25, 25, 25, 25]), means)
        >>> round(Wasserstein().compare(reference, window).value, 3)  # by one step of 1.0 where the sd is 1.118
        0.894

    Source:
        Vallender, Calculation of the Wasserstein distance between probability distributions on the line, Theory of Probability and Its
        Applications 18(4), 1974.
    """

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The distance of two numeric columns of counts over the same cells; the reference has the cells' means."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        if reference.means is None or not np.isfinite(reference.means).all():
            return unknown("the reference does not know the means of its cells", m, n)
        x = positions(reference.means)
        q = reference.values / m
        deviation = float(np.sqrt((q * (x - q @ x) ** 2).sum()))
        if not np.isfinite(deviation) or deviation <= 1e-12 * float(np.abs(x).max()):
            return unknown("the reference is constant, so it has no scale to measure by", m, n)
        gaps = np.abs(np.cumsum(window.values) / n - np.cumsum(reference.values) / m)
        distance = float((gaps[:-1] * np.diff(x)).sum())
        value = distance / deviation
        if not np.isfinite(value):
            return unknown("the values are too large to measure", m, n)
        return Score(value, reference_events=m, window_events=n, evidence={"distance": distance, "deviation": deviation})
