"""What people are told about a calibration: above all, how small a shift of each feature can be seen."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.budget.clock import Clock, words
from detectors.budget.effects import LOCATION_SLOPE

if TYPE_CHECKING:
    from detectors.budget.calibrated import Calibration

HOUR_MS = 3_600_000


def report(
    calibration: Calibration, typical: np.ndarray[Any, np.dtype[np.float64]], wider: float, replayed: dict[str, int]
) -> dict[str, Any]:
    """What holds of a reference and what it allows, as JSON: length and stage, inflated streams, replay pages, visible shifts.

    `typical` events per block of each stream, `wider` the common inflation, `replayed` pages at tenths of the budget.
    """
    c = calibration
    kappa = c.learnt.kappa[: len(c.shape.streams)] / (c.stage.inflation * wider)
    widened = [i for i in np.argsort(-kappa, kind="stable") if kappa[i] > 1.001]
    return {
        "days": round(c.days, 3), "stage": asdict(c.stage), "streams": len(c.shape.streams), "pooled": c.pool.size,
        "factors": len(c.pool.root), "cadences": list(c.cadences), "clip": c.clip, "wider": wider, "replay": replayed,
        "inflated": [
            {
                "column": c.shape.layout.columns[c.shape.streams[i].column].name, "statistic": c.shape.streams[i].statistic,
                "cadence": c.shape.streams[i].cadence, "kappa": round(float(c.learnt.kappa[i]), 2),
            }
            for i in widened[:50]
        ],
        "inflated_share": round(len(widened) / max(len(kappa), 1), 4), "sharp": len(c.learnt.sharp),
        "clock": words(c.clock) if isinstance(c.zone, Clock) else c.zone, "visible": visible_shifts(c, typical),
    }  # fmt: skip


def visible_shifts(calibration: Calibration, typical: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, dict[str, float]]:
    """Smallest lasting shift of each numeric column, in sd, that reaches A within an hour and within a day.

    A shift of mu per window, of which f_age is left once the filter has followed it for that many windows, needs
    sum (mu f_age)^2 / 2 = ln(A / weight). `typical` events per block of each stream.
    """
    c = calibration
    window = c.options.window_ms
    threshold = c.threshold if math.isfinite(c.threshold) else 10 * c.options.budget_ms / window
    out: dict[str, dict[str, float]] = {}
    for i, s in enumerate(c.shape.streams):
        if s.statistic != "location" or typical[i] <= 0:
            continue
        w, kappa = c.wander, float(c.learnt.kappa[i])
        noise = float(w.a[i] / typical[i] + w.w[i])
        fresh = float(w.tau2[i] * (1 - w.rho[i] ** 2))
        level = float(w.tau2[i])
        for _ in range(200):  # to the filter's steady state
            ahead = w.rho[i] ** 2 * level + fresh
            level = ahead * noise / (ahead + noise)
        ahead = w.rho[i] ** 2 * level + fresh
        gain = ahead / (ahead + noise)
        fade = float(w.rho[i] * (1 - gain))
        left = (1 - float(w.rho[i])) / (1 - fade)
        sd = math.sqrt(ahead + noise) * float(w.scale[i]) * kappa
        need = 2 * math.log(threshold * 2 / max(s.weight, 1e-12))
        found = {}
        for name, span in (("hour", HOUR_MS), ("day", 24 * HOUR_MS)):
            windows = max(1, span // window)
            trace = left + (1 - left) * fade ** np.arange(windows)
            mu = math.sqrt(need / float((trace**2).sum())) + float(c.learnt.dead[i])
            found[name] = round(mu * sd / LOCATION_SLOPE, 4)
        out[c.shape.layout.columns[s.column].name] = found
    return out
