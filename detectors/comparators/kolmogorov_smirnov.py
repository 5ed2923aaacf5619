"""Two-sample Kolmogorov-Smirnov distance, from counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import kolmogorov

from detectors.counts import Counts, check_pair
from detectors.registry import detector
from detectors.score import Score, unknown


@detector("kolmogorov_smirnov", kinds=("numeric",))
@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """The largest gap between the cumulative shares of window and reference.

        D = max_b |F_b - G_b|,    P(sqrt(n m / (n + m)) D > x) about 2 sum_k (-1)^(k-1) exp(-2 k^2 x^2)

    Cells hide what happens inside them, so D from counts is at most the D of the raw values, and the p-value errs on the
    quiet side. It is the p-value of one look at independent events: whoever looks at every window will see small ones.

    Examples:
        >>> reference = Counts("numeric", np.array([0, 0, 0, 0, 25, 25, 25, 25, 0]))
        >>> window = Counts("numeric", np.array([0, 0, 0, 0, 0, 0, 50, 50, 0]))
        >>> score = KolmogorovSmirnov().compare(reference, window)
        >>> score.value, score.p_value < 1e-9
        (0.5, True)

    Source:
        Smirnov, Table for estimating the goodness of fit of empirical distributions, Annals of Mathematical Statistics 19(2), 1948.
    """

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The distance of two numeric columns of counts over the same cells."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        gaps = np.abs(np.cumsum(window.values) / n - np.cumsum(reference.values) / m)
        distance = float(gaps.max())
        p_value = float(kolmogorov(distance * np.sqrt(n / (n + m) * m)))
        return Score(distance, p_value, reference_events=m, window_events=n, evidence={"cell": float(gaps.argmax())})
