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

# Below this many events a share is an anecdote: one missing value of one would be "100 % missing".
ENOUGH_EVENTS = 20


@dataclass(frozen=True, slots=True)
class Closed:
    """One closed window of one model: events of its leading role and cell counts per column."""

    model: str
    start_ms: int
    end_ms: int
    events: int
    cells: Mapping[str, NDArray[np.int64]]
    versions: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()  # partitions that were not waited for: the window is partial


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
    for column in model.columns:
        cells = window.cells.get(column.name)
        total = int(cells.sum()) if cells is not None else 0
        if cells is None or total < ENOUGH_EVENTS:
            continue
        missing, bad = cells[0] / total, bad_share(column.kind, cells)
        limit = model.rules.missing
        if limit is not None and missing >= limit and column.name in seen:
            text = f"{missing:.0%} of `{column.subject}` is missing ({total} events)"
            found.setdefault(("missing", column.subject), Breach("missing", column.subject, float(missing), text))
        limit = model.rules.invalid_share
        if limit is not None and bad > limit:
            text = f"{bad:.0%} of `{column.subject}` cannot be read as {column.kind} ({total} events): has the schema changed?"
            found.setdefault(("invalid", column.subject), Breach("invalid", column.subject, bad, text))
    for partition in window.unreadable:
        text = f"partition {partition} cannot be read: a batch in it is damaged, and windows close without it"
        found["unreadable", partition] = Breach("unreadable", partition, 1.0, text)
    silent_for = model.rules.silent_for_ms
    if silent_for is not None and window.events == 0 and last_events_ms is not None and window.end_ms - last_events_ms >= silent_for:
        minutes = (window.end_ms - last_events_ms) // 60_000
        found["silent", ""] = Breach("silent", "", 1.0, f"no events for {minutes} min")
    return list(found.values())


def bad_share(kind: str, cells: NDArray[np.int64]) -> float:
    """Share of values that are not what the schema says: not finite or invalid (numeric), invalid (categorical)."""
    bad = cells[1] + cells[2] if kind == "numeric" else cells[1]
    return float(bad / max(1, cells.sum()))


def with_values(model: Model, window: Closed) -> frozenset[str]:
    """Columns in which this window has at least one value that could be read."""
    first = {"numeric": 3, "categorical": 2}
    return frozenset(
        column.name
        for column in model.columns
        if (cells := window.cells.get(column.name)) is not None and cells[first[column.kind] :].any()
    )
