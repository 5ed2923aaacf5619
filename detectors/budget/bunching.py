"""How far the events of one window go together, and what must then not be believed of them.

Pictures of one hour share its weather. With intraclass correlation c = between / (between + within), which the location
stream of a column shows (its wander and white effect against its sampling noise), n events of a window are worth
n / D of independent ones, D = 1 + (n - 1) c (Kish's design effect). Two things follow where the reference is too short to
show them by itself: rare events come in bunches of D, so the bets on their rate are tempered by D; and the third and
fourth moments of a handful of independent events say nothing, so skew, tails and the rest of the
shape are not bet on.

Measured on the demo's camera (24 pictures an hour, 14 days of reference): three of five streets had a page in a clean week
without this, none with it; rain is paged in the first or second hour instead of the first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.budget.innovation import Wander
from detectors.budget.series import Series
from detectors.streams.shape import Stream

Floats = NDArray[np.float64]
ENOUGH = 10.0  # independent events below which a window's skew and tails are anecdotes
FINE = ("skew", "tails", "shape")
DEAF = 10.0  # divides z so far that nothing is heard


def least_kappa(streams: Sequence[Stream], wander: Wander, past: Series) -> Floats:
    """The least that each stream's evidence must be divided by, shape (S,); 1 where nothing speaks against it."""
    together: dict[int, float] = {}
    for i, stream in enumerate(streams):
        if stream.statistic == "location" and stream.cadence == 1:
            between = float(wander.tau2[i] + wander.w[i])
            together[stream.column] = between / max(between + float(wander.a[i]), 1e-12)
    least = np.ones(len(streams))
    for i, stream in enumerate(streams):
        seen = past.events[:, i] > 0
        if stream.column not in together or not seen.any():
            continue
        n = float(np.median(past.events[seen, i]))
        design = 1 + max(n - 1, 0.0) * together[stream.column]
        if stream.statistic == "out of range":
            least[i] = design
        elif stream.statistic in FINE and n / design < ENOUGH:
            least[i] = DEAF
    return least
