"""What the hour of the week expects: harmonic regression of every stream, tested on days it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar
from detectors.budget.series import Series
from detectors.streams.shape import Stream

Floats = NDArray[np.float64]


def middle_ms(end_ms: NDArray[np.int64], cadence: int, window_ms: int) -> NDArray[np.int64]:
    """Middle of the block that ends there, in UTC milliseconds."""
    return end_ms - cadence * window_ms // 2


def linear(law: str, value: Floats, events: Floats) -> Floats:
    """The scale on which a stream is modelled: scores per root event (an effect), so that a wander of the level looks the same at any volume."""
    return value / np.sqrt(np.maximum(events, 1.0)) if law == "signed" else value


def fit(past: Series, streams: Sequence[Stream], timezone: str, window_ms: int, days: float) -> tuple[Floats, Floats]:
    """Coefficients (columns, streams) from all days, and residuals (T, streams) of each day under coefficients from the other folds."""
    groups = calendar.groups(days)
    beta = np.zeros((len(groups), len(streams)))
    rest = np.zeros_like(past.value)
    day = (past.end_ms - past.end_ms[0]) // calendar.DAY_MS
    fold = day // (7 if days >= 21 else 2)
    for cadence in {s.cadence for s in streams}:
        X = calendar.columns(middle_ms(past.end_ms, cadence, window_ms), timezone, days)
        for j in [i for i, s in enumerate(streams) if s.cadence == cadence]:
            signed = streams[j].law == "signed"
            y = linear(streams[j].law, past.value[:, j], past.events[:, j])
            weight = past.events[:, j] if signed else (past.events[:, j] > 0).astype(float)
            beta[:, j] = _solve(X, y, weight)
            for f in np.unique(fold):
                inside = fold == f
                rest[inside, j] = y[inside] - X[inside] @ _solve(X[~inside], y[~inside], weight[~inside])
    return beta, rest


def _solve(X: Floats, y: Floats, weight: Floats) -> Floats:
    if weight.sum() <= 0:
        return np.zeros(X.shape[1])
    Xw = X * weight[:, None]
    ridge = np.eye(X.shape[1]) * 1e-3 * weight.sum()
    ridge[0, 0] = 1e-9 * weight.sum()
    out: Floats = np.linalg.solve(Xw.T @ X + ridge, Xw.T @ y)
    return out
