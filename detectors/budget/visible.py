"""The smallest lasting change that reaches A within an hour and within a day, told in the units of each statistic.

A change of mu (in sd of a stream's innovation) per block, of which f_age is left once the filter has followed it for that many blocks,
needs sum (mu f_age)^2 / 2 = ln(2 A / weight). A rare rate p needs, at the best of its bets r, blocks (n p ln r - n q (r - 1)) / D =
ln(A bets / weight), with q its limit and D its bunching.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detectors.budget.effects import LOCATION_SLOPE, SCALE_SLOPE
from detectors.budget.evidence import RATIOS
from detectors.streams.shape import VALUES

if TYPE_CHECKING:
    from detectors.budget.calibrated import Calibration

Floats = NDArray[np.float64]
SPANS = (("hour", 3_600_000), ("day", 86_400_000))
UNITS = {"location": "sd", "scale": "%", "missing": "points", "level": "points", "unseen": "points", "categories": "psi"}
Visible = dict[str, dict[str, float]]


def visible_shifts(calibration: Calibration, typical: Floats) -> Visible:
    """Smallest lasting shift of each numeric column, in sd; `typical` events per block of each stream."""
    told = visible_changes(calibration, typical)
    return {name: found["location"] for name, found in told.items() if "location" in found}


def visible_changes(calibration: Calibration, typical: Floats) -> dict[str, Visible]:
    """Per column and statistic of `UNITS`, the smallest change visible within an hour and a day; absent where none would be.

    Of several cadences the best counts, of several levels the worst.
    """
    c = calibration
    threshold = c.threshold if math.isfinite(c.threshold) else 10 * c.options.budget_ms / c.options.window_ms
    out: dict[str, Visible] = {}
    for i, s in enumerate(c.shape.streams):
        if s.statistic not in UNITS or typical[i] <= 0:
            continue
        for name, span_ms in SPANS:
            # of windows longer than the span, the first one tells
            blocks = max(span_ms // (s.cadence * c.options.window_ms), int(s.cadence == 1))
            if blocks:
                smallest = _rate if s.law == "rate" else _shift
                size = smallest(c, i, float(typical[i]), int(blocks), threshold)
                old = out.setdefault(c.shape.layout.columns[s.column].name, {}).setdefault(s.statistic, {})
                better = max if s.statistic == "level" else min
                old[name] = better(old.get(name, size), size)
    return {column: {k: {n: round(v, 4) for n, v in sizes.items()} for k, sizes in found.items()} for column, found in out.items()}


def _shift(c: Calibration, i: int, typical: float, blocks: int, threshold: float) -> float:
    """The smallest change of a signed or one-sided stream."""
    s, w = c.shape.streams[i], c.wander
    noise = float(w.a[i] / (typical if s.law == "signed" else 1.0) + w.w[i])
    rho, level = float(w.rho[i]), float(w.tau2[i])
    fresh = level * (1 - rho**2)
    for _ in range(200):  # to the filter's steady state
        ahead = rho**2 * level + fresh
        level = ahead * noise / max(ahead + noise, 1e-300)
    ahead = rho**2 * level + fresh
    fade = rho * (1 - ahead / max(ahead + noise, 1e-300))
    left = (1 - rho) / (1 - fade)
    trace = left + (1 - left) * fade ** np.arange(blocks)
    need = 2 * math.log(max(threshold * 2 / max(s.weight, 1e-12), 1.0))  # a threshold below a bet's stake is reached by any change
    mu = math.sqrt(need / float((trace**2).sum())) + float(c.learnt.dead[i])
    return _told(c, i, mu * math.sqrt(ahead + noise) * float(w.scale[i]) * float(c.learnt.kappa[i]), typical)


def _told(c: Calibration, i: int, effect: float, typical: float) -> float:
    """A change on the scale of the stream's residual, in the unit of its statistic."""
    s = c.shape.streams[i]
    if s.statistic == "location":
        return effect / LOCATION_SLOPE
    if s.statistic == "scale":
        return 100 * (math.exp(min(effect / SCALE_SLOPE, 5.0)) - 1)
    if s.statistic == "categories":  # Wilson and Hilferty's cube root backwards
        df = max(float(c.shape.panel.merge[s.column].max()) - float(c.shape.panel.direction[:, s.column].any(-1).sum()), 1.0)
        spread = 2 / (9 * df)
        return (df * (effect * math.sqrt(spread) + 1 - spread) ** 3 - df) / typical
    q = float(c.shape.rates.share[s.place - VALUES * len(c.shape.layout.columns)])
    return min(100 * effect * math.sqrt(q * (1 - q)), 100.0)


def _rate(c: Calibration, i: int, typical: float, blocks: int, threshold: float) -> float:
    """The smallest rise of a rare rate, in points."""
    s = c.shape.streams[i]
    usual = float(c.shape.rates.share[s.place - VALUES * len(c.shape.layout.columns)])
    limit = float(np.median(c.learnt.upper[:, i]))
    need = math.log(max(threshold * len(RATIOS) / max(s.weight, 1e-12), 1.0)) * float(c.learnt.kappa[i])
    share = float(((need / blocks + typical * limit * (RATIOS - 1)) / (typical * np.log(RATIOS))).min())
    return min(100 * max(share - usual, 0.0), 100.0)
