"""From the cells of closed blocks to the raw values of all streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from detectors.streams.expected import FLOOR, cuts_of, steps
from detectors.streams.scores import NAMES, chi_square, smooth_scores, wilson_hilferty
from detectors.streams.shape import DIRECTIONS, MERGED, VALUES, Panel, Shape

Floats = NDArray[np.float64]
TILTS = 4  # Fisher steps to a window's own mix
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Per stream, shape (..., streams): `value` (a score; for rare rates the count), `effect` per event, `events` it rests on (0: none)."""

    value: Floats
    effect: Floats
    events: Floats


def cells_of(panel: Panel, counts: Ints) -> Floats:
    """The panel's cells (..., K, B) out of flat counts (..., width)."""
    padded = np.concatenate([counts, np.zeros((*counts.shape[:-1], 1), counts.dtype)], axis=-1)
    return padded[..., panel.places].astype(float)


def measure(shape: Shape, counts: Ints, shares: Floats) -> Measured:
    """Raw streams of blocks with cells `counts` (..., width) where `shares` (..., K, B) were expected, in the order of `Stream.place`."""
    panel = shape.panel
    cells = cells_of(panel, counts)
    n = cells.sum(-1)
    root = np.sqrt(np.maximum(n, 1.0))[..., None]
    location = smooth_scores(cells, shares, 1)
    moved = np.where(panel.numeric[:, None], at_own_location(panel, cells, shares), shares)
    scores = smooth_scores(cells, moved)
    scores[..., 0] = np.where(panel.numeric, location[..., 0], 0.0)
    mixing = np.flatnonzero(panel.direction.any((0, 2)))
    mix = along(panel.direction[:, mixing], shares[..., mixing, :])
    scores[..., mixing, :DIRECTIONS] = np.moveaxis((cells[..., mixing, :] * mix).sum(-1), 0, -1) / root[..., mixing, :]
    moved[..., mixing, :] = at_own_mix(cells[..., mixing, :], shares[..., mixing, :], mix)
    rest, size = _rest(panel, cells, moved, mixing, mix)
    lead = counts.shape[:-1]
    high, more = _spike(cells, moved)
    value = np.concatenate([scores, rest[..., None], high[..., None]], axis=-1).reshape(*lead, -1)
    effect = np.concatenate([scores / root, size[..., None], more[..., None]], axis=-1).reshape(*lead, -1)
    rates = _rates(shape, counts, shares)
    return Measured(
        np.concatenate([value, rates.value], axis=-1),
        np.concatenate([effect, rates.effect], axis=-1),
        np.concatenate([np.repeat(n, VALUES, axis=-1), rates.events], axis=-1),
    )


def at_own_location(panel: Panel, cells: Floats, shares: Floats) -> Floats:
    """The expected shares moved to where the window itself lies: two Fisher steps for one shift on the probit scale.

    Scale, skew, tails and the rest are taken there, so that a wander of location reaches none of them, whatever its size.
    """
    cuts = cuts_of(shares)
    n = cells.sum(-1)
    floor = FLOOR * panel.shares + 1e-300
    least = floor * (panel.shares > 0)
    moved = shares
    for _ in range(2):
        density = np.multiply(cuts, cuts)
        density *= -0.5
        np.exp(density, out=density)
        density /= np.sqrt(2 * np.pi)
        slope = steps(density, 0.0)
        gain = slope / np.maximum(moved, floor)
        information = n * np.einsum("...b,...b->...", slope, gain)
        # here a positive shift moves mass to lower cells; its sign is of no interest to the shape
        score = np.einsum("...b,...b->...", cells, gain)
        step = np.where(information > 0, score / np.maximum(information, 1e-300), 0.0)
        cuts += np.clip(step, -0.5, 0.5)[..., None]
        moved = steps(ndtr(cuts), 1.0)
        np.maximum(moved, least, out=moved)
        moved /= moved.sum(-1, keepdims=True)
    return moved


def at_own_mix(cells: Floats, shares: Floats, mix: Floats) -> Floats:
    """The expected shares tilted to where the window's own mix lies: p exp(theta d), two Fisher steps along the directions `mix`.

    What lies along a direction must not reach chi-square, curved as it is: a far wander would speak there squared, without a sign.

    >>> shares, direction = np.array([[0.5, 0.3, 0.2]]), along(np.array([[[1.0, 0.0, 0.0]]]), np.array([[0.5, 0.3, 0.2]]))
    >>> at_own_mix(np.array([[80.0, 12.0, 8.0]]), shares, direction).round(2)
    array([[0.8 , 0.12, 0.08]])
    """
    found = cells / np.maximum(cells.sum(-1, keepdims=True), 1.0)
    tilted = shares
    theta = np.zeros(mix.shape[:-1])
    for _ in range(TILTS if len(mix) else 0):
        mean = (tilted * mix).sum(-1)
        spread = (tilted * mix * mix).sum(-1) - mean * mean
        theta = theta + np.clip(((found * mix).sum(-1) - mean) / np.maximum(spread, 0.1), -1.0, 1.0)
        weight = shares * np.exp(np.clip((theta[..., None] * mix).sum(0), -3.0, 3.0))
        tilted = weight / np.maximum(weight.sum(-1, keepdims=True), 1e-300)
    return np.where(cells.sum(-1, keepdims=True) > 0, tilted, shares)


def along(direction: Floats, shares: Floats) -> Floats:
    """Directions (D, K, B) made orthonormal under the expected shares (..., K, B), and of mean zero: (D, ..., K, B).

    Zero where there is none, or none that the ones before leave.

    >>> along(np.array([[[1.0, 0.0, 0.0]], [[1.0, 1.0, 0.0]]]), np.array([[0.5, 0.25, 0.25]])).round(2)[:, 0]
    array([[ 1.  , -1.  , -1.  ],
           [ 0.  ,  1.41, -1.41]])
    """
    out = np.zeros((len(direction), *shares.shape))
    for d, raw in enumerate(direction):
        new = (raw - (shares * raw).sum(-1, keepdims=True)) * (shares > 0)
        for before in out[:d]:
            new -= (shares * before * new).sum(-1, keepdims=True) * before
        size = (shares * new * new).sum(-1, keepdims=True)
        out[d] = np.where(size > 1e-9, new / np.sqrt(np.maximum(size, 1e-9)), 0.0)
    return out


def _rest(panel: Panel, cells: Floats, shares: Floats, mixing: Ints, mix: Floats) -> tuple[Floats, Floats]:
    """Chi-square over merged cells less the directions that have streams of their own: (normal value, effect per event)."""
    merged, of = _merged(panel.merge, np.stack([cells, shares]))
    rest = chi_square(merged, of)
    gone = np.where(panel.numeric, (smooth_scores(merged, of) ** 2).sum(-1), 0.0)
    if len(mixing):
        usual, some = of[..., mixing, :], merged[..., mixing, :]
        own = _merged(
            panel.merge[mixing], shares[..., mixing, :] * mix
        )  # in merged cells; other cells than a direction was learnt in lose a part
        kept = along(np.divide(own, usual, out=np.zeros_like(own), where=usual > 0), usual)
        gone[..., mixing] = ((some * kept).sum(-1) ** 2).sum(0) / np.maximum(some.sum(-1), 1.0)
    rest = rest - gone
    free = np.where(panel.numeric, len(NAMES), panel.direction.any(-1).sum(0))
    df = np.maximum(panel.merge.max(-1, initial=0) - free, 1).astype(float)
    return wilson_hilferty(rest, df), (rest - df) / np.maximum(cells.sum(-1), 1.0)


def _spike(cells: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """The highest single cell: (its excess in sd, on the scale of square roots where counts are nearly normal; and as a share).

    A value that suddenly repeats is lost among the other cells of a chi-square, and stands out alone.
    """
    n = cells.sum(-1)
    due = n[..., None] * shares
    due += 0.375
    excess = cells + 0.375
    np.sqrt(excess, out=excess)
    excess -= np.sqrt(due)
    top = np.argmax(excess, axis=-1)[..., None]
    found, usual, high = (np.take_along_axis(x, top, axis=-1)[..., 0] for x in (cells, due, excess))
    return 2 * high, (found - (usual - 0.375)) / np.maximum(n, 1.0)


def _merged(merge: Ints, cells: Floats) -> Floats:
    rows, width = merge.shape
    key = (np.arange(rows)[:, None] * MERGED + merge).ravel()  # ascending: merged cells are runs of neighbours
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    flat = cells.reshape(-1, rows * width)
    out = np.zeros((len(flat), rows * MERGED))
    out[:, key[starts]] = np.add.reduceat(flat, starts, axis=-1)
    return out.reshape(*cells.shape[:-2], rows, MERGED)


def _rates(shape: Shape, counts: Ints, shares: Floats) -> Measured:
    rates = shape.rates
    hits = np.add.reduceat(counts[..., rates.places], rates.bounds, axis=-1).astype(float)
    n = shape.layout.totals(counts)[..., rates.columns].astype(float)
    seasonal = shares.reshape(*shares.shape[:-2], -1)[..., np.maximum(rates.spot, 0)]
    q = np.where(rates.spot >= 0, seasonal * _inside(shape), rates.share)
    score = (hits - n * q) / np.sqrt(np.maximum(n * q * (1 - q), 1e-9))
    return Measured(np.where(rates.common, score, hits), hits / np.maximum(n, 1.0) - q, n)


def _inside(shape: Shape) -> Floats:
    """For each level: the share of its column's events that fall in any live level at all."""
    total = np.zeros(len(shape.layout.columns))
    level = shape.rates.spot >= 0
    for column in np.unique(shape.rates.columns[level]):
        mine = level & (shape.rates.columns == column)
        within = shape.panel.shares.ravel()[shape.rates.spot[mine]]
        total[column] = shape.rates.share[mine].sum() / max(within.sum(), 1e-300)
    return total[shape.rates.columns]
