"""Tickets against a distribution without time, while the season of the live traffic is still learnt.

A training set says how values were spread, and nothing of hours or moods: whatever it is held against must be pooled. Two blocks are
open at any time, twelve windows and a day of UTC; where one of them ends, each column's effect (location in sd, scale as a
ratio, shares, PSI) is taken against the reference's counts. It is told where

    |effect| > gate + 4 sd of its sampling error,   gate = minimum effect (a day), 5 x minimum effect (twelve windows)

since an hour may lie that far from the day's mean by its season alone. At most one ticket a day; never a page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from detectors.comparators.psi import PSI
from detectors.counts import Counts
from detectors.layout import Column
from monitor.alert import Alert
from monitor.incident import Incident, incident_id
from monitor.judge import Judged
from monitor.phrases import phrase
from monitor.plan import DAY_MS, MinimumEffect, Model
from monitor.reference import Reference, pack_cells, unpack_cells
from monitor.rules import Closed
from monitor.verdict import Subject
from monitor.wording import when

Ints: TypeAlias = NDArray[np.int64]
RULE = "distribution"
SHORT = 12  # windows
STRICTER = 5.0  # times the minimum effect, for the short block
SURE = 4.0  # standard errors beyond the gate
LEAST_EVENTS = 50


@dataclass(frozen=True, slots=True)
class Block:
    """Counts per column, packed, of the windows that started in [from_ms, until_ms) so far."""

    from_ms: int
    until_ms: int
    events: int
    cells: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Pooled:
    """The open blocks, the short one first, and when the last ticket was sent."""

    blocks: tuple[Block | None, Block | None] = (None, None)
    ticket_ms: int | None = None

    def pack(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def unpack(cls, data: bytes) -> Pooled:
        """Inverse of `pack`; nothing pooled for no bytes."""
        return msgspec.msgpack.decode(data, type=cls) if data else cls()


@dataclass(frozen=True, slots=True)
class Told:
    """What a closed window leads to: the state after it, and the incidents and notices that it opens or closes."""

    pooled: Pooled
    incidents: tuple[Incident, ...] = ()
    alerts: tuple[Alert, ...] = ()


def besides(model: Model, reference: Reference, pooled: Pooled, window: Closed, ticket: Incident | None) -> Told:
    """Takes one closed window of a model that is still learning; `reference` holds counts without time (`Reference.frame`).

    `ticket` is the open one that an earlier window has opened: it is closed by the first whole day that shows nothing any more.
    """
    blocks: list[Block | None] = []
    found: tuple[Subject, ...] = ()
    settled = False
    for old, span_ms, strictness in zip(pooled.blocks, (SHORT * model.window_ms, DAY_MS), (STRICTER, 1.0), strict=True):
        block = _added(old, window, span_ms)
        if window.end_ms >= block.until_ms:
            subjects = moved(model, reference, block, strictness)
            found = found if len(found) > len(subjects) else subjects
            settled = settled or (span_ms == DAY_MS and not subjects and block.events >= LEAST_EVENTS)
            blocks.append(None)
        else:
            blocks.append(block)
    after = replace(pooled, blocks=(blocks[0], blocks[1]))
    if ticket is not None:
        if not settled or found:
            return Told(after)
        closed = replace(ticket, resolved_ms=window.end_ms, resolution="recovered")
        return Told(after, (closed,), (Alert(f"{closed.id}:resolved", "resolved", closed),))
    lately = pooled.ticket_ms is not None and window.end_ms - pooled.ticket_ms < DAY_MS
    if not found or lately or model.mode == "observe":
        return Told(after)
    opened = _opened(model, window, found)
    return Told(replace(after, ticket_ms=window.end_ms), (opened,), (Alert(f"{opened.id}:opened", "opened", opened),))


def beside(judged: Judged, model: Model, reference: Reference, window: Closed, open_incidents: Sequence[Incident]) -> Judged:
    """What the judge concluded of a window without evidence, and besides it what its distribution says."""
    ticket = next((i for i in open_incidents if i.rule == RULE), None)
    told = besides(model, reference, Pooled.unpack(judged.standing.pooled), window, ticket)
    standing = replace(judged.standing, pooled=told.pooled.pack())
    return replace(judged, standing=standing, incidents=(*judged.incidents, *told.incidents), alerts=(*judged.alerts, *told.alerts))


def _added(block: Block | None, window: Closed, span_ms: int) -> Block:
    from_ms = window.start_ms // span_ms * span_ms
    if block is None or block.from_ms != from_ms:  # windows may be jumped over: what was open then is too little to be judged
        block = Block(from_ms, from_ms + span_ms, 0, {})
    cells = {
        name: pack_cells(counts + unpack_cells(block.cells[name]) if name in block.cells else counts)
        for name, counts in window.cells.items()
    }  # fmt: skip
    return replace(block, events=block.events + window.events, cells=cells)


def moved(model: Model, reference: Reference, block: Block, strictness: float) -> tuple[Subject, ...]:
    """Subjects whose pooled counts lie beyond the gate, the farthest first; one entry each, its own farthest effect."""
    best: dict[str, tuple[float, Subject]] = {}
    for column in model.columns:
        if column.name not in block.cells or column.name not in reference.frame:
            continue
        a, b = unpack_cells(reference.frame[column.name]), unpack_cells(block.cells[column.name])
        if a.sum() < LEAST_EVENTS or b.sum() < LEAST_EVENTS:
            continue
        for statistic, size, unit, ratio in effects(column, a, b, model.minimum_effect, strictness):
            name = f"{column.statistic} {statistic}".strip()
            subject = Subject(column.subject, column.group, name, _direction(size, unit), size, unit, 0.0, block.from_ms)
            if ratio > 1 and ratio > best.get(column.subject, (0.0, subject))[0]:
                best[column.subject] = (ratio, subject)
    whole = sum(ratio for ratio, _ in best.values())
    ordered = sorted(best.values(), key=lambda pair: (-pair[0], pair[1].name))
    return tuple(replace(subject, share=ratio / whole) for ratio, subject in ordered)


def _direction(size: float, unit: str) -> Literal["up", "down", "changed"]:
    if unit == "psi":
        return "changed"
    return "up" if size > (1 if unit == "ratio" else 0) else "down"


def effects(column: Column, a: Ints, b: Ints, least: MinimumEffect, strictness: float) -> list[tuple[str, float, str, float]]:
    """(statistic, size, unit, how many times the gate) of a block's counts `b` against the reference's `a`, over the same cells."""
    m, n = int(a.sum()), int(b.sum())
    out = [_share("missing", int(a[0]), int(b[0]), m, n, least.rate * strictness)]
    if column.kind == "numeric":
        ends = (int(a[3] + a[-1]), int(b[3] + b[-1]))
        out.append(_share("out of range", *ends, m, n, least.rate * strictness))
        out += _numbers(a[3:], b[3:], least, strictness)
    else:
        out.append(_share("unseen", int(a[2]), int(b[2]), m, n, least.rate * strictness))
    if len(a) > 6:
        score = PSI(corrected=True).compare(Counts(column.kind, a), Counts(column.kind, b))
        if score.value is not None:
            cells = min(10, len(a) - 4)
            gate = least.psi * strictness + SURE * math.sqrt(2 * cells) * (1 / m + 1 / n)
            out.append(("shape" if column.kind == "numeric" else "categories", float(score.value), "psi", float(score.value) / gate))
    return out


def _share(word: str, a: int, b: int, m: int, n: int, gate: float) -> tuple[str, float, str, float]:
    p, q = b / n, a / m
    error = math.sqrt((a + b + 1) / (m + n) * (1 / m + 1 / n))
    return word, 100 * (p - q), "points", abs(p - q) / (gate + SURE * error)


def _numbers(a: Ints, b: Ints, least: MinimumEffect, strictness: float) -> list[tuple[str, float, str, float]]:
    """Location and scale on the reference's normal scores."""
    m, n = int(a.sum()), int(b.sum())
    if min(m, n) < LEAST_EVENTS:
        return []
    shares = a / m
    score = ndtri(np.clip(np.cumsum(shares) - shares / 2, 1e-4, 1 - 1e-4))
    mean, sd = _moments(score, a / m)
    now, spread = _moments(score, b / n)
    if sd <= 0 or spread <= 0:
        return []
    shift, ratio = (now - mean) / sd, spread / sd
    error = math.sqrt(1 / m + 1 / n)
    wide = math.log(1 + least.scale * strictness) + SURE * error
    return [
        ("location", shift, "sd", abs(shift) / (least.location * strictness + SURE * error)),
        ("scale", ratio, "ratio", abs(math.log(ratio)) / wide),
    ]


def _moments(score: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[float, float]:
    mean = float(shares @ score)
    return mean, math.sqrt(max(float(shares @ (score - mean) ** 2), 0.0))


def _opened(model: Model, window: Closed, found: tuple[Subject, ...]) -> Incident:
    onset_ms = found[0].onset_ms
    what = "; ".join(phrase(subject) for subject in found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    return Incident(
        id=incident_id(model.name, "statistical", window.end_ms, "ticket", RULE), model=model.name, owner=model.owner,
        severity="ticket", kind="statistical", opened_ms=window.end_ms, onset_ms=onset_ms, subjects=found, evidence=0.0, threshold=0.0,
        message=f"{model.name}: against the reference, which has no time, {what}, since {when(onset_ms)}; the season is still learnt",
        events=window.events, rule=RULE,
    )  # fmt: skip
