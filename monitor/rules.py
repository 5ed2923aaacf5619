"""Rules, not statistics: what is broken rather than drifted pages at once and outside the budget.

A rule speaks about one closed window. It needs no reference: a column counts as missing altogether only when earlier
windows had values in it, and silence is measured from the last window that had events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.plan import Model
from monitor.watermark import UNREADABLE

# Below this many events a share is an anecdote: one missing value of one would be "100 % missing".
ENOUGH_EVENTS = 20


@dataclass(frozen=True, slots=True)
class Closed:
    """One closed window of one model: events of its leading role and cell counts per column; `version` is the one with most events."""

    model: str
    start_ms: int
    end_ms: int
    events: int
    cells: Mapping[str, NDArray[np.int64]]
    versions: tuple[str, ...] = ()
    lacks: tuple[tuple[str, str], ...] = ()  # partitions of which events may be missing, each with why: the window is partial
    version: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """`rule` is "missing", "invalid", "unreadable" or "silent"; `subject` the column or partition (silent: ""); `share` of events."""

    rule: str
    subject: str
    share: float
    text: str


def breaches(model: Model, window: Closed, seen: frozenset[str], last_events_ms: int | None) -> list[Breach]:
    """What this window breaks, by the limits of the model's `rules`.

    `seen`: columns that had a value in an earlier window; `last_events_ms`: end of the last window with events before this one.
    """
    found: dict[tuple[str, str], Breach] = {}
    for subject, shares in _shares(model, window, seen).items():
        limit = model.rules.missing
        if limit is not None and shares.missing >= limit:
            text = f"{shares.missing:.0%} of `{subject}` is missing ({shares.events} events)"
            found["missing", subject] = Breach("missing", subject, shares.missing, text)
        limit = model.rules.invalid_share
        if limit is not None and shares.bad > limit:
            text = f"{shares.bad:.0%} of `{subject}` cannot be read as {shares.kind} ({shares.events} events): has the schema changed?"
            found["invalid", subject] = Breach("invalid", subject, shares.bad, text)
    for partition in (name for name, why in window.lacks if why == UNREADABLE):
        text = f"partition {partition} cannot be read (a damaged batch, or a topic that does not exist), and windows close without it"
        found["unreadable", partition] = Breach("unreadable", partition, 1.0, text)
    silent_for = model.rules.silent_for_ms
    if silent_for is not None and window.events == 0 and last_events_ms is not None and window.end_ms - last_events_ms >= silent_for:
        minutes = (window.end_ms - last_events_ms) // 60_000
        found["silent", ""] = Breach("silent", "", 1.0, f"no events for {minutes} min")
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Shares:
    events: int
    kind: str
    missing: float
    bad: float


def _shares(model: Model, window: Closed, seen: frozenset[str]) -> dict[str, _Shares]:
    """Per schema column the least of its columns' shares: a picture without a JPEG quality is still a picture."""
    found: dict[str, _Shares] = {}
    for column in model.columns:
        cells = window.cells.get(column.name)
        total = int(cells.sum()) if cells is not None else 0
        if cells is None or total < ENOUGH_EVENTS:
            continue
        bad = int(cells[1] + cells[2]) if column.kind == "numeric" else int(cells[1])
        missing = float(cells[0] / total) if column.name in seen else 0.0
        kind = {"images": "a picture", "embeddings": "a vector"}.get(column.group, f"a {column.kind} value")
        old = found.get(column.subject)
        least = (missing, bad / total) if old is None else (min(old.missing, missing), min(old.bad, bad / total))
        found[column.subject] = _Shares(total, kind, *least)
    return found


def with_values(model: Model, window: Closed) -> frozenset[str]:
    """Columns in which this window has at least one value that could be read."""
    first = {"numeric": 3, "categorical": 2}
    return frozenset(
        column.name
        for column in model.columns
        if (cells := window.cells.get(column.name)) is not None and cells[first[column.kind] :].any()
    )
