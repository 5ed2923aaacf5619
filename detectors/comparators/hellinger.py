"""Hellinger distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.counts import Counts, check_pair, grouped
from detectors.registry import detector
from detectors.score import Score, unknown


@detector("hellinger", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class Hellinger:
    """The Hellinger distance: 0 where two columns have the same shares, 1 where they have no cell in common.

        H^2 = 1/2 sum_b (sqrt(p_b) - sqrt(q_b))^2,    value = H

    If nothing changed, the mean of H^2 is about (B - 1) (1/n + 1/m) / 8; the evidence holds H^2 less that.

    Args:
        cells: groups of about equal reference share that a numeric column is compared over.

    Raises:
        ValueError: for fewer than 2 cells.

    Examples:
        >>> reference = Counts("categorical", np.array([0, 0, 0, 0, 50, 50]))
        >>> window = Counts("categorical", np.array([0, 0, 0, 0, 100, 0]))
        >>> round(Hellinger().compare(reference, window).value, 3)
        0.541

    Source:
        Hellinger, Neue Begründung der Theorie quadratischer Formen, Journal für die reine und angewandte Mathematik 136, 1909.
    """

    cells: int = 30

    def __post_init__(self) -> None:
        if not 2 <= self.cells <= 64:
            raise ValueError(f"cells of hellinger is 2 to 64, not {self.cells}")

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The distance of two columns of counts over the same cells."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        a, b = grouped(reference, window, self.cells)
        squared = min(1.0, float(((np.sqrt(b / n) - np.sqrt(a / m)) ** 2).sum()) / 2)
        corrected = max(0.0, squared - (len(a) - 1) * (1 / n + 1 / m) / 8)
        evidence = {"squared": squared, "corrected": corrected, "cells": float(len(a))}
        return Score(float(np.sqrt(squared)), reference_events=m, window_events=n, evidence=evidence)
