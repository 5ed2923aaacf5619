"""Sequential detectors of others, at parameters that no owner can have.

Each sees one number per window and feature: the mean of its events' normal scores, in standard deviations that these means have in
the null month. It watches a few features only, the drifting ones first, which is in its favour: fewer features, fewer
false alarms to be deaf to. Its parameter is the most sensitive one at which it is silent over the whole null month on
all features it watches. Before a drift it is warmed with windows of the null month that end at the same time of day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from detectors.budget.history import History
from detectors.contract import Sequential
from detectors.layout import Column
from detectors.sequential.adwin import Adwin
from detectors.sequential.kswin import Kswin
from detectors.sequential.page_hinkley import PageHinkley

Floats = NDArray[np.float64]
PEERS = ("adwin", "page_hinkley", "page_hinkley, half an sd", "kswin")
WATCHED = 8
DEAR = 2  # features that KSWIN watches: a test costs it a third of a millisecond
WARM = 864  # windows
STEPS = 9  # of the search for a parameter


def inside(column: Column) -> slice:
    """The cells of a column that hold ordinary values."""
    return slice(4, -1) if column.kind == "numeric" else slice(3, None)


@dataclass(frozen=True, slots=True)
class Means:
    """Standardised window means (features, T) of the first columns, NaN where a window has no events."""

    values: Floats
    centre: Floats
    sd: Floats


def means(columns: list[Column], history: History, usual: Mapping[str, Floats], like: Means | None = None) -> Means:
    """Of the first columns with ordinary values, standardised by themselves, or as `like` was."""
    found = []
    for column in [c for c in columns if len(usual[c.name]) > 1][:WATCHED]:
        cells = history.counts[column.name][:, inside(column)].astype(float)
        share = usual[column.name]
        rank = np.clip(np.cumsum(share) - share / 2, 1e-6, 1 - 1e-6)
        n = cells.sum(1)
        found.append(np.where(n > 0, cells @ ndtri(rank) / np.maximum(n, 1), np.nan))
    values = np.stack(found)
    centre = np.nanmean(values, axis=1) if like is None else like.centre
    sd = np.maximum(np.nanstd(values, axis=1), 1e-9) if like is None else like.sd
    return Means((values - centre[:, None]) / sd[:, None], centre, sd)


def alarms(detector: Sequential, values: Floats, above: float = np.inf) -> Iterator[int]:
    """Rows at which a detector alarms over one series, or at which its value is higher than `above`."""
    watch = detector.start()
    for row, value in enumerate(values.tolist()):
        score = watch.step(value)
        if score.detected or (score.value is not None and score.value > above):
            yield row


@dataclass(frozen=True, slots=True)
class Peer:
    """A detector at its oracle's parameter; `above` for one whose value is the evidence; how many features it watches."""

    detector: Sequential
    above: float
    watched: int

    def first(self, before: Means, row: int, stretch: Means, onset: int, features: int) -> int | None:
        """Windows from `onset` to its first alarm on any drifting feature it watches, one at the least; None when there is none."""
        delays = []
        for warm, live in zip(before.values, stretch.values[: min(features, self.watched)], strict=False):
            start = max(0, row - WARM)
            whole = np.concatenate([warm[start:row], live])
            found = (at - (row - start) - onset for at in alarms(self.detector, whole, self.above))
            delays += [d + 1 for d in [next((d for d in found if d >= 0), None)] if d is not None]
        return min(delays, default=None)


def peers(month: Means) -> dict[str, Peer]:
    """Every peer, silent over the null month and as sensitive as that allows."""

    def quiet(detector: Sequential) -> bool:
        return not any(True for series in month.values for _ in alarms(detector, series))

    def searched(make: Callable[[float], Sequential], deaf: float, keen: float) -> Peer:
        """Halving on the log scale between a parameter that never alarms and one that does."""
        for _ in range(STEPS):
            middle = float(np.sqrt(deaf * keen))
            deaf, keen = (middle, keen) if quiet(make(middle)) else (deaf, middle)
        return Peer(make(deaf), np.inf, WATCHED)

    silent = Kswin(alpha=1e-300)
    watch = [silent.start() for _ in range(DEAR)]
    highest = max(s.value or 0.0 for w, series in zip(watch, month.values, strict=False) for s in map(w.step, series.tolist()))
    return {
        "adwin": searched(lambda exponent: Adwin(delta=10.0**-exponent, clock=1), 300.0, 0.3),
        "page_hinkley": searched(lambda threshold: PageHinkley(threshold=threshold), 1e5, 1.0),
        "page_hinkley, half an sd": searched(lambda threshold: PageHinkley(threshold=threshold, delta=0.5), 1e4, 1.0),
        "kswin": Peer(silent, highest, DEAR),
    }
