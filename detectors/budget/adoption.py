"""A new calibration takes over from an old one without forgetting: evidence, levels and open blocks of the streams both know."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from detectors.budget.chain import Chain
from detectors.budget.state import State

# per stream or per bet: what goes over for streams that both calibrations have
_CARRIED = ("sums", "trail", "first_ms", "moved", "weighed", "base", "level", "spread", "last_ms")


def adopt(old: Chain, state: State, new: Chain) -> State:
    """The state of `new` at the moment that `state` is the one of `old`; both are calibrations of the same cells.

    A sum of bets that was valid stays valid, whatever law its next factor comes from, so evidence goes on: a slow drift
    does not begin anew every night. Streams are the same when column, statistic, cadence and place among their like agree,
    pooled energies when cadence and family do; factors are directions of one calibration and begin anew.
    """
    fresh = new.zero()
    before, after = _names(old), _names(new)
    place = {name: i for i, name in enumerate(before)}
    pairs = [(place[name], i) for i, name in enumerate(after) if name is not None and name in place]
    source, target = (np.array(side, np.int64) for side in zip(*pairs, strict=True)) if pairs else (np.zeros(0, np.int64),) * 2
    carried: dict[str, Any] = {}
    for field in _CARRIED:
        array = getattr(fresh, field).copy()
        array[target] = getattr(state, field)[source]
        carried[field] = array
    same = state.pending.counts.shape == fresh.pending.counts.shape
    return replace(fresh, **carried, pending=state.pending if same else fresh.pending, end_ms=state.end_ms)


def _names(chain: Chain) -> list[tuple[object, ...] | None]:
    """A name per stream of the chain, pooled ones last; None for what means nothing to another calibration."""
    shape, pool = chain.calibration.shape, chain.calibration.pool
    seen: Counter[tuple[object, ...]] = Counter()
    names: list[tuple[object, ...] | None] = []
    for stream in shape.streams:
        key = (shape.layout.columns[stream.column].name, stream.statistic, stream.cadence)
        names.append((*key, seen[key]))
        seen[key] += 1
    names += [None] * len(pool.root)
    names += [("pooled", int(cadence), family, pool.families) for cadence in pool.cadences for family in range(pool.families)]
    return names
