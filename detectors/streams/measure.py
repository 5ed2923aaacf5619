"""From the cells of closed blocks to the raw values of all streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.streams.scores import chi_square, polynomials, smooth_scores, wilson_hilferty
from detectors.streams.shape import Panel, Shape

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Per stream, shape (..., streams): `value` (a score, or for rare rates the count), `effect` per event, `events` it rests on (0: none)."""

    value: Floats
    effect: Floats
    events: Floats


def measure(shape: Shape, counts: NDArray[np.int64]) -> Measured:
    """Raw streams of blocks with cells `counts`, shape (..., width); the last axis of the answer follows `Stream.place`."""
    padded = np.concatenate([counts, np.zeros((*counts.shape[:-1], 1), counts.dtype)], axis=-1).astype(float)
    parts = [_numeric(shape.numeric, padded), _categorical(shape.categorical, padded), _rates(shape, counts, padded)]
    return Measured(*(np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in ("value", "effect", "events")))


def _rest(panel: Panel, cells: Floats, free: int) -> tuple[Floats, Floats]:
    """Chi-square over merged cells less the first `free` directions: (normal value, effect per event)."""
    merged = np.einsum("...kb,kbg->...kg", cells, panel.merge)
    shares = np.einsum("kb,kbg->kg", panel.shares, panel.merge)
    rest = chi_square(merged, shares)
    live = (shares > 0).sum(-1)
    if free:
        rest = rest - (smooth_scores(merged, shares, polynomials(shares, free)) ** 2).sum(-1)
    df = np.maximum(live - 1 - free, 1).astype(float)
    return wilson_hilferty(rest, df), (rest - df) / np.maximum(cells.sum(-1), 1.0)


def _numeric(panel: Panel, padded: Floats) -> Measured:
    cells = padded[..., panel.places] * (panel.shares > 0)
    n = cells.sum(-1)
    scores = smooth_scores(cells, panel.shares)
    rest, size = _rest(panel, cells, 4)
    value = np.concatenate([scores, rest[..., None]], axis=-1)
    effect = np.concatenate([scores / np.sqrt(np.maximum(n, 1.0))[..., None], size[..., None]], axis=-1)
    lead = padded.shape[:-1]
    return Measured(value.reshape(*lead, -1), effect.reshape(*lead, -1), np.repeat(n, 5, axis=-1))


def _categorical(panel: Panel, padded: Floats) -> Measured:
    cells = padded[..., panel.places] * (panel.shares > 0)
    value, effect = _rest(panel, cells, 0)
    return Measured(value, effect, cells.sum(-1))


def _rates(shape: Shape, counts: NDArray[np.int64], padded: Floats) -> Measured:
    rates = shape.rates
    hits = np.add.reduceat(padded[..., rates.places], rates.bounds, axis=-1)
    n = shape.layout.totals(counts)[..., rates.columns].astype(float)
    q = rates.share
    common = np.zeros(len(q), bool)
    first = 5 * len(shape.numeric.columns) + len(shape.categorical.columns)
    for stream in shape.streams:
        if stream.law == "signed" and stream.place >= first:
            common[stream.place - first] = True
    score = (hits - n * q) / np.sqrt(np.maximum(n * q * (1 - q), 1e-9))
    return Measured(np.where(common, score, hits), hits / np.maximum(n, 1.0) - q, n)
