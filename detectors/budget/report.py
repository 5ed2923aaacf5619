"""What people are told about a calibration: above all, how small a shift of each feature can be seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.budget.clock import Clock, words
from detectors.budget.visible import visible_changes, visible_shifts

if TYPE_CHECKING:
    from detectors.budget.calibrated import Calibration

__all__ = ["report", "visible_shifts"]


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
        "visible_changes": visible_changes(c, typical),
    }  # fmt: skip
