"""Jensen-Shannon distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr

from detectors.counts import Counts, check_pair, grouped
from detectors.registry import detector
from detectors.score import Score, unknown


@detector("jensen_shannon", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class JensenShannon:
    """The Jensen-Shannon distance: 0 where two columns have the same shares, 1 where they have no cell in common.

    With shares p of the window, q of the reference and their mixture r = (p + q) / 2:

        JS = (KL(p || r) + KL(q || r)) / 2,    value = sqrt(JS / ln 2)

    If nothing changed, the mean of JS (in nats) is about (B - 1) (1/n + 1/m) / 8; the evidence holds the divergence less that.

    Args:
        cells: groups of about equal reference share that a numeric column is compared over.

    Raises:
        ValueError: for fewer than 2 cells.

    Examples:
        >>> a = Counts("categorical", np.array([0, 0, 0, 0, 10, 0]))
        >>> b = Counts("categorical", np.array([0, 0, 0, 0, 0, 10]))
        >>> JensenShannon().compare(a, b).value, JensenShannon().compare(a, a).value
        (1.0, 0.0)

    Source:
        Endres and Schindelin, A new metric for probability distributions, IEEE Transactions on Information Theory 49(7), 2003.
    """

    cells: int = 30

    def __post_init__(self) -> None:
        if not 2 <= self.cells <= 64:
            raise ValueError(f"cells of jensen_shannon is 2 to 64, not {self.cells}")

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The distance of two columns of counts over the same cells."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        a, b = grouped(reference, window, self.cells)
        q, p = a / m, b / n
        r = (p + q) / 2
        divergence = max(0.0, float(rel_entr(p, r).sum() + rel_entr(q, r).sum()) / 2)
        corrected = max(0.0, divergence - (len(a) - 1) * (1 / n + 1 / m) / 8)
        evidence = {"divergence": divergence, "corrected": corrected, "cells": float(len(a))}
        return Score(float(np.sqrt(min(1.0, divergence / np.log(2)))), reference_events=m, window_events=n, evidence=evidence)
