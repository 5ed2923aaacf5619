"""How each stream wanders, by likelihood: a grid of autocorrelation and share, then a search around its best point.

The loss is the mean of ln S + min(e^2 / S, 16) over the filter's one-step errors e: a Gaussian likelihood that a glitch cannot
dominate. All candidates of all streams run side by side as one wide array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget.innovation import Wander, innovate

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
RHO = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
SHARE = (0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95)
SWEEPS = 12
CACHED = 4096  # candidates that are followed together
CACHED = 4096  # candidates followed together
GAIN = 5.0  # a wander must win this many units of likelihood over white noise


def loss(r: Floats, inverse: Floats, seen: Flags, steps: Floats, rho: Floats, tau2: Floats, a: Floats, w: Floats) -> Floats:
    """Mean loss per candidate and stream (C, S).

    Residuals `r`, `inverse` 1/n and `seen` are (T, S), `steps` (T,) blocks since the row before; the parameters (C, S).
    """
    out = np.empty_like(rho)
    wide = max(1, CACHED // len(rho))
    for at in range(0, rho.shape[1], wide):
        some = slice(at, at + wide)
        out[:, some] = _loss(r[:, some], inverse[:, some], seen[:, some], steps, rho[:, some], tau2[:, some], a[:, some], w[:, some])
    return out


def _loss(r: Floats, inverse: Floats, seen: Flags, steps: Floats, rho: Floats, tau2: Floats, a: Floats, w: Floats) -> Floats:
    """`loss` of as many streams as stay in the cache: the same arrays are used at every row."""
    level, spread = np.zeros_like(rho), tau2.copy()
    total, product = np.zeros_like(rho), np.ones_like(rho)
    noise, S, e, e2, gain = (np.empty_like(rho) for _ in range(5))
    square, fresh = rho * rho, tau2 * (1 - rho * rho)
    whole: Flags = np.asarray(seen.all(axis=1))
    for t in range(len(r)):
        if steps[t] == 1:
            level *= rho
            spread *= square
            spread += fresh
        else:
            decay = rho ** steps[t]
            level *= decay
            spread = spread * decay**2 + tau2 * (1 - decay**2)
        np.multiply(a, inverse[t], out=noise)
        noise += w
        np.add(spread, noise, out=S)
        np.subtract(r[t], level, out=e)
        np.divide(spread, S, out=gain)
        np.multiply(e, e, out=e2)
        e2 /= S
        if whole[t]:
            np.multiply(gain, noise, out=spread)  # what is left of it: (1 - gain) spread
        else:
            mask = seen[t]
            gain *= mask
            S[:, ~mask] = 1.0
            e2 *= mask
            spread *= 1 - gain
        product *= S
        if t % 8 == 7:
            total += np.log(product, out=product)
            product.fill(1.0)
        if np.maximum.reduce(e2, axis=None) > 16.0:
            e *= np.sqrt(np.minimum(e2, 16.0) / np.maximum(e2, 1e-12))
            np.minimum(e2, 16.0, out=e2)
        total += e2
        e *= gain
        level += e
    mean: Floats = (total + np.log(product)) / np.maximum(seen.sum(0), 1)
    return mean


def fit(r: Floats, inverse: Floats, seen: Flags, steps: Floats, by_n: Flags) -> Wander:
    """The state space of each stream, shape (S,); `by_n` says whose sampling noise goes with 1/n (the others keep it constant)."""
    count = np.maximum(seen.sum(0), 1)
    g0 = np.maximum(np.where(seen, np.minimum(r * r, 25 * _median_square(r, seen)), 0.0).sum(0) / count, 1e-12)
    mean_inverse = np.maximum(np.where(seen, inverse, 0.0).sum(0) / count, 1e-12)

    def noise(rest: Floats) -> tuple[Floats, Floats]:
        a = np.where(by_n, np.minimum(1.0, rest / mean_inverse), rest)
        return np.maximum(a, 1e-9), np.where(by_n, np.maximum(rest - a * mean_inverse, 0.0), 0.0)

    one = np.ones_like(g0)
    points = [(0.9, 0.0), *((rho, f) for rho in RHO for f in SHARE)]
    rho = np.stack([p * one for p, _ in points])
    tau2 = np.stack([f * g0 for _, f in points])
    a, w = noise(g0 - tau2)
    found = loss(r, inverse, seen, steps, rho, tau2, a, w)
    found[1:] += GAIN / count
    best = np.argmin(found, axis=0)
    at = (best, np.arange(len(g0)))
    white = best == 0
    start = np.where(white, 0.9, rho[at]), np.where(white, 0.01 * g0, tau2[at]), a[at], w[at]
    return _search(r, inverse, seen, steps, by_n, g0, start, found[at], np.where(white, GAIN / count, 0.0), white)


def _median_square(r: Floats, seen: Flags) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.array([np.median(x[s] ** 2) if s.any() else 1.0 for x, s in zip(r.T, seen.T, strict=True)]) / 0.455


def _search(
    r: Floats, inverse: Floats, seen: Flags, steps: Floats, by_n: Flags, g0: Floats,
    start: tuple[Floats, Floats, Floats, Floats], found: Floats, price: Floats, white: Flags,
) -> Wander:  # fmt: skip
    """Steps along (logit rho, ln tau2, ln a, ln w), all eight directions tried at once, halved when none helps."""
    rho, tau2, a, w = start
    x = np.stack([np.log(rho / (1 - rho)), np.log(tau2), np.log(a), np.log(np.maximum(w, 1e-4 * g0))])
    step = np.array([0.5, 0.35, 0.12, 0.7])[:, None] * np.ones_like(g0)

    def values(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        scale = np.exp(x[..., 2, :])
        return (
            1 / (1 + np.exp(-np.clip(x[..., 0, :], -1.5, 5.5))), np.exp(x[..., 1, :]),
            np.where(by_n, np.minimum(scale, 1.0), scale), np.where(by_n, np.exp(x[..., 3, :]), 0.0),
        )  # fmt: skip

    now = loss(r, inverse, seen, steps, *(v[None] for v in values(x)))[0]
    for _ in range(SWEEPS):
        moves = np.concatenate([np.eye(4), -np.eye(4)])[:, :, None] * step
        tried = loss(r, inverse, seen, steps, *values(x + moves))
        best = np.argmin(tried, axis=0)
        value = tried[best, np.arange(len(g0))]
        better = value < now
        x = np.where(better, x + moves[best, :, np.arange(len(g0))].T, x)
        now = np.where(better, value, now)
        step = np.where(better, step * 1.1, step * 0.5)
    ok = now + price < found
    rho2, tau22, a2, w2 = values(x)
    one = np.ones_like(g0)
    return Wander(np.where(ok, rho2, rho), np.where(ok, tau22, np.where(white, 0.0, tau2)), np.where(ok, a2, a), np.where(ok, w2, w), one)


def innovations(wander: Wander, r: Floats, inverse: Floats, seen: Flags, steps: Floats) -> Floats:
    """Standardised one-step errors (T, S) of a stretch, zero where nothing was seen; `steps` (T,) or (T, S)."""
    level, spread = np.zeros(r.shape[1]), wander.tau2.copy()
    out = np.zeros_like(r)
    for t in range(len(r)):
        out[t], level, spread = innovate(wander, level, spread, r[t], inverse[t], seen[t], steps[t])
    return out
