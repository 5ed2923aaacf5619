"""Pearson's chi-square of two columns of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from detectors.counts import Counts, Ints, check_pair, grouped
from detectors.registry import detector
from detectors.score import Score, unknown


def pooled(a: Ints, b: Ints, least: float) -> tuple[Ints, Ints]:
    """Both counts with the cells whose expected count in either column is below `least` added up into one."""
    m, n = int(a.sum()), int(b.sum())
    rare = (a + b) * (min(m, n) / (m + n)) < least
    if rare.sum() < 2:
        return a, b
    return np.append(a[~rare], a[rare].sum()), np.append(b[~rare], b[rare].sum())


@detector("chi_square", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class ChiSquare:
    """Pearson's statistic for "window and reference have the same shares", as an effect size and with its p-value.

    Over the 2 x B table of counts O with expected counts E:

        X2 = sum (O - E)^2 / E,    p-value from chi-square(B - 1),    value = sqrt(max(0, X2 - (B - 1)) (n + m) / (n m))

    The value is Cohen's w less what chance alone contributes: it does not grow with the number of events. Cells expected
    to hold fewer than `least` events are added up first, in any order, since the law does not hold for them.

    Args:
        cells: groups of about equal reference share that a numeric column is compared over.
        least: expected events below which cells are added up.

    Raises:
        ValueError: for fewer than 2 cells or a negative `least`.

    Examples:
        >>> reference = Counts("categorical", np.array([0, 0, 0, 0, 500, 500]))
        >>> window = Counts("categorical", np.array([0, 0, 0, 0, 65, 35]))
        >>> score = ChiSquare().compare(reference, window)
        >>> round(score.value, 2), round(score.p_value, 4)
        (0.28, 0.0042)

    Source:
        Pearson, On the criterion that a given system of deviations ..., Philosophical Magazine 50, 1900; Cohen, Statistical Power
        Analysis for the Behavioral Sciences, 1988, chapter 7.
    """

    cells: int = 30
    least: float = 5.0

    def __post_init__(self) -> None:
        if not 2 <= self.cells <= 64:
            raise ValueError(f"cells of chi_square is 2 to 64, not {self.cells}")
        if not 0 <= self.least <= 1e6:
            raise ValueError(f"least of chi_square is a number of events from 0 on, not {self.least}")

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The effect of two columns of counts over the same cells."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        a, b = pooled(*grouped(reference, window, self.cells), self.least)
        freedom = len(a) - 1
        if freedom == 0:
            return Score(0.0, 1.0, m, n, evidence={"chi_square": 0.0, "freedom": 0.0})
        expected = (a + b) / (m + n)
        statistic = float(((a - m * expected) ** 2 / (m * expected)).sum() + ((b - n * expected) ** 2 / (n * expected)).sum())
        effect = float(np.sqrt(max(0.0, statistic - freedom) * (1 / n + 1 / m)))
        return Score(effect, float(chdtrc(freedom, statistic)), m, n, evidence={"chi_square": statistic, "freedom": float(freedom)})
