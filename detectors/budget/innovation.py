"""Slow wander: a scalar Kalman filter per stream, whose standardised innovations are what the world adds from window to window.

    level_t = rho level_(t-1) + wander,  y_t = level_t + noise,  noise variance a / n + w
    P' = rho^2 P + tau2 (1 - rho^2),  S = P' + a / n + w,  u = (y - level') / sqrt(S),  K = P' / S

The filter's own update is clipped at four standard deviations, so that an incident does not become the new level at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Wander:
    """Per stream: autocorrelation `rho` from block to block, stationary variance `tau2` of the level, factor `a` of 1/n, white variance
    `w`, and the sd of u that divides it, `scale`."""

    rho: Floats
    tau2: Floats
    a: Floats
    w: Floats
    scale: Floats

    def split(self, at: int) -> tuple[Wander, Wander]:
        """The first `at` streams, and the others."""
        first, second = (Wander(*(getattr(self, k)[part] for k in Wander.__slots__)) for part in (slice(at), slice(at, None)))
        return first, second

    def followed_by(self, other: Wander) -> Wander:
        """These streams, then the others."""
        return Wander(*(np.r_[getattr(self, k), getattr(other, k)] for k in Wander.__slots__))


def innovate(
    wander: Wander,
    level: Floats,
    spread: Floats,
    value: Floats,
    inverse: Floats,
    seen: Flags,
    steps: Floats | float,
    held: Flags | None = None,
) -> tuple[Floats, Floats, Floats]:
    """One step for all streams: (u, new level, new spread).

    `value` is the seasonal residual, `inverse` 1/n (1 where the law does not depend on n), `seen` whether a block closed, `steps`
    blocks of the stream's cadence since the last call. Streams that are not
    `seen`, or are `held` because of an open incident, predict but do not learn.
    """
    decay = wander.rho**steps
    level = decay * level
    spread = decay**2 * spread + wander.tau2 * (1 - decay**2)
    total = spread + wander.a * inverse + wander.w
    sd = np.sqrt(total)
    u = np.where(seen, (value - level) / sd, 0.0)
    learn = seen if held is None else seen & ~held
    gain = np.where(learn, spread / total, 0.0)
    return u / wander.scale, level + gain * sd * np.clip(u, -4, 4), (1 - gain) * spread
