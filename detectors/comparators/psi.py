"""Population stability index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.counts import Counts, check_pair, grouped
from detectors.registry import detector
from detectors.score import Score, unknown


@detector("psi", kinds=("numeric", "categorical"))
@dataclass(frozen=True, slots=True)
class PSI:
    """The population stability index: how far the shares of the cells have moved, weighted by how surprising each move is.

    With shares p_b of the window's n events and q_b of the reference's m, half a count added to every cell so that an
    empty one stays finite:

        PSI = sum_b (p_b - q_b) ln(p_b / q_b)

    If nothing changed, its mean is not 0 but about (B - 1) (1/n + 1/m), so that a fixed limit such as 0.1 or 0.2 alarms on
    nearly every small window and on hardly any large one. `corrected` subtracts that mean; the evidence holds both forms.

    Args:
        cells: groups of about equal reference share that a numeric column is compared over; 10 are the usual deciles.
        corrected: whether the value is the corrected index, never below 0.

    Raises:
        ValueError: for fewer than 2 cells.

    Examples:
        >>> reference = Counts("numeric", np.array([0, 0, 0, 0, 500, 500, 0]))
        >>> window = Counts("numeric", np.array([0, 0, 0, 0, 30, 70, 0]))
        >>> score = PSI().compare(reference, window)
        >>> round(score.value, 2), round(score.evidence["corrected"], 2)
        (0.17, 0.15)

    Source:
        Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model Validation
        14(4), 2020.
    """

    cells: int = 10
    corrected: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.cells <= 64:
            raise ValueError(f"cells of psi is 2 to 64, not {self.cells}")

    def compare(self, reference: Counts, window: Counts) -> Score:
        """The index of two columns of counts over the same cells."""
        m, n = reference.n, window.n
        if reason := check_pair(reference, window):
            return unknown(reason, m, n)
        a, b = grouped(reference, window, self.cells)
        q, p = (a + 0.5) / (m + len(a) / 2), (b + 0.5) / (n + len(b) / 2)
        index = float(((p - q) * np.log(p / q)).sum())
        corrected = max(0.0, index - (len(a) - 1) * (1 / n + 1 / m))
        evidence = {"psi": index, "corrected": corrected, "cells": float(len(a))}
        return Score(corrected if self.corrected else index, reference_events=m, window_events=n, evidence=evidence)
