"""Sizes in units a person knows, and the least size that may wake somebody.

A score's effect is its sum per event. For a normal feature a shift of d sd moves the location score by sqrt(3/pi) d, and a
spread r times as wide moves the scale score by (sqrt(15)/pi) ln r (both slopes at no change).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.streams.shape import VALUES, Shape

LOCATION_SLOPE = math.sqrt(3 / math.pi)
SCALE_SLOPE = math.sqrt(15) / math.pi
UNITS = {
    "location": "sd",
    "scale": "ratio",
    "skew": "sd",
    "tails": "sd",
    "shape": "psi",
    "categories": "psi",
    "mix": "psi",
    "all together": "sd",
}


def unit_of(statistic: str) -> str:
    """Shares of events count in points, everything else by its statistic."""
    return UNITS.get(statistic, "points")


def size_of(statistic: str, effect: float) -> float:
    """An effect per event in the unit of `unit_of`.

    >>> round(size_of("location", 0.5), 2), round(size_of("scale", 0.25), 2), size_of("missing", 0.03)
    (0.51, 1.22, 3.0)
    """
    unit = unit_of(statistic)
    if unit == "points":
        return 100 * effect
    if statistic == "location":
        return effect / LOCATION_SLOPE
    if unit == "ratio":
        return math.exp(max(min(effect / SCALE_SLOPE, 5.0), -5.0))
    return effect * abs(effect) if statistic == "mix" else effect


def effect_of(statistic: str, size: float) -> float:
    """The effect per event of a size, without its sign where the unit has none: the inverse of `size_of`.

    >>> [round(size_of(s, effect_of(s, 1.5)), 9) for s in ("location", "scale", "missing", "mix", "shape")]
    [1.5, 1.5, 1.5, 1.5, 1.5]
    """
    unit = unit_of(statistic)
    if unit == "points":
        return size / 100
    if statistic == "location":
        return size * LOCATION_SLOPE
    if unit == "ratio":
        return math.log(max(size, 1e-3)) * SCALE_SLOPE
    return math.copysign(math.sqrt(abs(size)), size) if statistic == "mix" else size


def least_effect(statistic: str, location: float, scale: float, rate: float, psi: float) -> float:
    """The owner's minimum for one statistic, as an effect per event."""
    return {
        "location": location * LOCATION_SLOPE,
        "skew": location * LOCATION_SLOPE,
        "tails": location * LOCATION_SLOPE,
        "scale": math.log1p(scale) * SCALE_SLOPE,
        "shape": psi,
        "categories": psi,
        "mix": math.sqrt(psi),
        "all together": location * LOCATION_SLOPE,
    }.get(statistic, rate)


def per_score(shape: Shape) -> NDArray[np.float64]:
    """What one of a score per event is worth as an effect, shape (S,): sqrt(q (1 - q)) for shares common enough to have scores, else 1."""
    out = np.ones(len(shape.streams))
    first = VALUES * len(shape.layout.columns)
    for i, stream in enumerate(shape.streams):
        if stream.law == "signed" and stream.place >= first:
            q = float(shape.rates.share[stream.place - first])
            out[i] = math.sqrt(max(q * (1 - q), 0.0))
    return out
