"""Rates too small for a score: their upper limit, and the hours at which they are usually higher.

Per local hour k of working days and weekends the factor f_k = (c_k + s) / (E_k + s) on the overall rate, with c_k hits where E_k
were expected and s the strength of a gamma prior whose spread is what the hours show beyond Poisson noise. Limit: the upper 95 %
confidence limit of the overall rate, times f_k.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta as beta_law

from detectors.budget.calendar import DAY_MS, Zone, local

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
KINDS = 48
STRONGEST = 1e12  # a prior that leaves no room: all hours alike


def hour_of(at_ms: Ints, timezone: Zone, days: float) -> Ints:
    """Local hour, 0 to 23, plus 24 at weekends once two weeks are known; always 0 under a week.

    >>> hour_of(np.array([0, 3 * DAY_MS + 3_600_000]), "UTC", 28).tolist()
    [0, 25]
    """
    wall = local(at_ms, timezone)
    hour = wall % DAY_MS // 3_600_000
    weekend = (wall // DAY_MS + 3) % 7 >= 5
    out: Ints = np.where(days < 6.9, 0, hour + 24 * (weekend & (days >= 13.9))).astype(np.int64)
    return out


def limits(hits: Floats, events: Floats, hour: Ints) -> Floats:
    """Limit of every rate at each hour, shape (KINDS, R), from hits and events (T, R)."""
    n, c = events.sum(0), hits.sum(0)
    upper = np.where(n > 0, beta_law.ppf(0.95, c + 1, np.maximum(n - c, 0) + 1e-9), 1.0)
    rate = c / np.maximum(n, 1)
    member = np.zeros((KINDS, len(hour)))
    member[hour, np.arange(len(hour))] = 1.0
    found, due = member @ hits, member @ events * rate
    spread = ((found - due) ** 2 - due).sum(0) / np.maximum((due**2).sum(0), 1e-300)
    prior = np.where((spread > 0) & (c > 0), 1 / np.maximum(spread, 1 / STRONGEST), STRONGEST)
    factor = (found + prior) / (due + prior)
    out: Floats = np.minimum(upper * factor, 1.0)
    return out


def swell(habit: Floats) -> Floats:
    """The factor that a habit of the clock puts on a rate: its excess as a share, one more, never nothing.

    >>> swell(np.array([0.0, 3.0, -1.5])).tolist()
    [1.0, 4.0, 0.05]
    """
    return np.maximum(1 + habit, 0.05)
