"""Incidents inside a reference: stretches unlike anything else in it, which must not become the law of "nothing changed".

Hourly values per column (location and spread on normal scores, shares of missing, unreadable, out-of-range values and of levels on the
arcsine scale) are held against the median of the same hour of day, apart for weekends:

    z = (y - median) / sqrt(s^2 + c / n),   s = max(1.48 MAD, q95 / 1.96) of what is left

An episode is where both halves of an hour (windows taken in turn, so that a glitch of one window is in one half only) lie beyond 6
on the same side, with its neighbours beyond 3. It is a habit, and stays, when there are three of its kind, or one of half the size at
that time of another day: weekly and nightly jobs are normal. Six hours of +3 sd left in 28 days of reference made that column deaf
for good: its inflation went to 4 and a repetition was missed for a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from detectors.budget.calendar import DAY_MS, HOUR_MS, Zone, local
from detectors.budget.history import History
from detectors.layout import Column

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
CORE, EDGE = 6.0, 3.0
LEAST = {"location": 0.25, "spread": 0.2}  # of a residual, in sd and ln ratio; smaller ones do not deafen
LEAST_SHARE = 0.07  # on the arcsine scale: half a point from nothing, seven points around a half
TOGETHER_MS = 6 * HOUR_MS
LONGEST_MS = 3 * DAY_MS
MOST = 0.1  # of the windows: more than that is no exception
ENOUGH_DAYS = 13.9  # before that nobody can tell an incident from a job that runs once a week
LEVELS = 8


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch [from_ms, until_ms) in which `statistic` of `column` went `up` or down; `left_out` of the calibration, or only told."""

    column: str
    statistic: str
    up: bool
    from_ms: int
    until_ms: int
    left_out: bool


def episodes(columns: Sequence[Column], history: History, zone: Zone = "UTC") -> list[Episode]:
    """Incident-like stretches of a reference, oldest first; none where it has fewer than three days.

    >>> from detectors.testing.traffic import stationary
    >>> columns, history = stationary(features=1, windows=288 * 14, events=100, seed=1)
    >>> episodes(columns, history)
    []
    >>> history.counts["f0"][3000:3036, 0] += 50  # three hours in which a third of the values is missing, and the hours around
    >>> [(e.column, e.statistic, (e.until_ms - e.from_ms) // 3_600_000, e.left_out) for e in episodes(columns, history)]
    [('f0', 'missing', 5, True)]
    """
    if history.days < 3:
        return []
    block_ms = max(HOUR_MS, history.window_ms)
    halves = 2 if 2 * history.window_ms <= block_ms else 1
    number = history.start_ms // block_ms
    part = history.start_ms // history.window_ms % 2 if halves == 2 else np.zeros(len(number), np.int64)
    order = np.lexsort((number, part))
    starts = np.flatnonzero(np.diff(number[order] * 2 + part[order], prepend=-1))
    at, side = number[order][starts], part[order][starts]
    blocks = np.unique(at)
    slots = _slots((blocks * block_ms) + block_ms // 2, zone)
    found: list[Episode] = []
    for column in columns:
        cells = np.add.reduceat(history.counts[column.name][order], starts, axis=0)
        names, value, n = _values(column, cells, history.counts[column.name].sum(0))
        z = np.full((halves, len(blocks), len(names)), np.nan)
        for h in range(halves):
            mine = side == h
            z[h, np.searchsorted(blocks, at[mine])] = _z(names, value[mine], n[mine], slots[np.searchsorted(blocks, at[mine])])
        with np.errstate(invalid="ignore"):
            both = np.where((np.sign(z) == np.sign(z[0])).all(0), np.abs(z).min(0) * np.sign(z[0]), 0.0)
        both = np.nan_to_num(both)
        for j, name in enumerate(names):
            for up in (True, False):
                one = both[:, j] if up else -both[:, j]
                stretches = _lasting(one, blocks, block_ms, _stretches(one, blocks, block_ms, halves))
                found += [Episode(column.name, name, up, a, b, False) for a, b in stretches]
    return _decided(sorted(found, key=lambda e: (e.from_ms, e.column, e.statistic)), history)


def without(history: History, found: Sequence[Episode]) -> History:
    """The history without the windows of the episodes that are left out."""
    keep = np.ones(len(history.start_ms), bool)
    for e in found:
        if e.left_out:
            keep &= (history.start_ms >= e.until_ms) | (history.start_ms + history.window_ms <= e.from_ms)
    if keep.all():
        return history
    return replace(history, start_ms=history.start_ms[keep], counts={name: table[keep] for name, table in history.counts.items()})


def learnt(history: History, report: Mapping[str, Any]) -> History:
    """The windows that a calibration was learnt from: without the episodes that its report says were left out."""
    spans = [Episode("", "", True, e["from_ms"], e["until_ms"], e["left_out"]) for e in report.get("episodes", ())]
    return without(history, spans)


def as_json(found: Sequence[Episode], history: History) -> list[dict[str, Any]]:
    """For the calibration report: each stretch once, with all columns that it shows in and how many `windows` of the reference it holds."""
    spans: dict[tuple[int, int, bool], list[Episode]] = {}
    for e in found:
        near = [key for key in spans if key[2] == e.left_out and e.from_ms <= key[1] and key[0] <= e.until_ms]
        members = [e, *(other for key in near for other in spans.pop(key))]
        spans[min(m.from_ms for m in members), max(m.until_ms for m in members), e.left_out] = members
    out = []
    begin, end = int(history.start_ms[0]), int(history.start_ms[-1]) + history.window_ms
    for (first, last, left_out), members in sorted(spans.items()):
        a, b = max(first, begin), min(last, end)
        inside = (history.start_ms >= a) & (history.start_ms < b)
        shows = sorted({(m.column, m.statistic, m.up) for m in members})
        out.append({
            "from_ms": a, "until_ms": b, "windows": int(inside.sum()), "left_out": left_out,
            "shows": [{"column": c, "statistic": s, "direction": "up" if up else "down"} for c, s, up in shows],
        })  # fmt: skip
    return out


def _values(column: Column, cells: Ints, totals: Ints) -> tuple[list[str], Floats, Floats]:
    """Names of the statistics, their values (blocks, stats), and events per block (blocks,)."""
    n = cells.sum(1).astype(float)
    whole = np.maximum(n, 1.0)

    def share(count: Ints) -> Floats:
        return np.asarray(np.arcsin(np.sqrt(count / whole)))

    if column.kind == "categorical":
        top = 4 + np.argsort(-totals[4:], kind="stable")[:LEVELS]
        names = ["missing", "invalid", "unseen", *("level" for _ in top)]
        return names, np.stack([share(cells[:, i]) for i in (0, 1, 2, *top)], axis=1), n
    inside = cells[:, 3:]
    mass = totals[3:] / max(int(totals[3:].sum()), 1)
    score = ndtri(np.clip(np.cumsum(mass) - mass / 2, 1e-6, 1 - 1e-6))
    there = np.maximum(inside.sum(1), 1).astype(float)
    mean = inside @ score / there
    spread = np.log(np.maximum(inside @ score**2 / there - mean**2, 1e-3)) / 2
    absent = inside.sum(1) < 5
    mean[absent], spread[absent] = np.nan, np.nan
    rates = [share(cells[:, 0]), share(cells[:, 1] + cells[:, 2]), share(cells[:, 3] + cells[:, -1])]
    return ["location", "spread", "missing", "invalid", "out of range"], np.stack([mean, spread, *rates], axis=1), n


def _slots(at_ms: Ints, zone: Zone) -> Ints:
    """Hour of the local day, apart for weekends."""
    wall = local(at_ms, zone)
    weekend = (wall // DAY_MS + 3) % 7 >= 5
    return np.asarray(wall % DAY_MS // HOUR_MS + 24 * weekend, np.int64)


def _z(names: Sequence[str], value: Floats, n: Floats, slot: Ints) -> Floats:
    value = np.where(n[:, None] > 0, value, np.nan)
    seen = ~np.isnan(value)
    centre = np.where(seen.any(0), _median(value), 0.0)[None].repeat(len(value), 0)
    for s in np.unique(slot):
        mine = slot == s
        enough = seen[mine].sum(0) >= 3
        centre[np.ix_(mine, enough)] = _median(value[np.ix_(mine, enough)])
    rest = value - centre
    size = np.abs(rest)
    spread = np.maximum(1.48 * _median(size), _quantile(size, 0.95) / 1.96)
    least = np.array([LEAST.get(name, LEAST_SHARE) for name in names])
    noise = np.where(np.isin(names, list(LEAST)), 1.0, 0.25)
    z = rest / np.sqrt(spread**2 + noise / np.maximum(n, 1.0)[:, None])
    return np.asarray(np.where(size >= least, z, np.clip(z, -EDGE, EDGE)))


def _median(values: Floats) -> Floats:
    return _quantile(values, 0.5)


def _quantile(values: Floats, q: float) -> Floats:
    """Along the first axis, of what is there; 0 where nothing is."""
    ordered = np.sort(values, axis=0)  # NaN last
    n = (~np.isnan(values)).sum(0)
    at = np.maximum(np.ceil(q * n).astype(np.int64) - 1, 0)
    return np.where(n > 0, np.nan_to_num(np.take_along_axis(ordered, at[None], 0)[0]), 0.0) if len(values) else np.zeros(values.shape[1])


def _stretches(z: Floats, blocks: Ints, block_ms: int, halves: int) -> list[tuple[int, int]]:
    """[from, until) of blocks beyond the core with their neighbours beyond the edge; stretches of one kind close to each other are one."""
    near = np.flatnonzero(z >= EDGE)
    if not (z >= CORE).any():
        return []
    runs = np.split(near, np.flatnonzero(np.diff(near) > 1) + 1)
    spans = [(int(blocks[r[0]]) * block_ms, (int(blocks[r[-1]]) + 1) * block_ms) for r in runs if (z[r] >= CORE).any()]
    joined = spans[:1]
    for a, b in spans[1:]:
        if a - joined[-1][1] <= TOGETHER_MS:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
    # one long window alone is a glitch; a change begins and ends somewhere within an hour, so that the hours around go, too
    return [(a - block_ms, b + block_ms) for a, b in joined if halves == 2 or b - a > block_ms]


def _lasting(z: Floats, blocks: Ints, block_ms: int, stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches without those that are a habit: three of a kind, or an echo of half the size at that time of another day."""
    if len(stretches) >= 3:
        return []
    out = []
    for a, b in stretches:
        inside = (blocks * block_ms >= a) & (blocks * block_ms < b)
        near = (blocks * block_ms >= a - TOGETHER_MS) & (blocks * block_ms < b + TOGETHER_MS)
        into = (blocks * block_ms - a + HOUR_MS) % DAY_MS
        echo = ~near & (into < b - a + 2 * HOUR_MS)
        if not (z[echo] >= max(EDGE, z[inside].max() / 2)).any():
            out.append((a, b))
    return out


def _decided(found: list[Episode], history: History) -> list[Episode]:
    """Which of them are left out: short ones, as long as they are few, in a reference of two weeks at least."""
    if history.days < ENOUGH_DAYS:
        return found
    chosen = [replace(e, left_out=e.until_ms - e.from_ms <= LONGEST_MS) for e in found]
    gone = 1 - len(without(history, chosen).start_ms) / max(len(history.start_ms), 1)
    return chosen if gone <= MOST else found
