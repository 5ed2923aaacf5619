"""Checkpoints: one model's state at a moment from where its verdicts can be computed again (`raincheck replay --incident`).

The engine asks for one with the first drain after a day of the model's event time has ended. When that is depends on its
windows alone; what it holds is what a restart at that moment would have gone on from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.changes import Checkpoint, Mark, Snapshot
from monitor.incident import Incident
from monitor.open_windows import OpenWindows
from monitor.plan import Model
from monitor.reference import Reference
from monitor.standing import Standing
from monitor.watermark import Position


def mark_of(position: Position) -> Mark:
    """What a store keeps of a partition's position."""
    return Mark(position.next_offset, position.mark_ms, position.records, position.suspect_ms, position.unreadable, position.tears)


def position_of(mark: Mark) -> Position:
    """A partition as it goes on after a restart."""
    return Position(mark.next_offset, mark.mark_ms, mark.records, mark.suspect_ms, unreadable=mark.unreadable, tears=mark.tears)


def checkpoint(
    model: str, standing: Standing, packed: bytes, reference: Reference | None, windows: OpenWindows, positions: Mapping[str, Position],
    incidents: Iterable[Incident], next_input: int,
) -> Checkpoint:  # fmt: skip
    """The state of `model`; `packed` is its standing with the evidence, `incidents` are all open ones."""
    mine = Snapshot(
        marks={name: mark_of(position) for name, position in positions.items()},
        panes=windows.of(model),
        evidence={model: packed},
        incidents={i.id: i for i in incidents if i.model == model},
        next_input=next_input,
    )
    return Checkpoint(model, standing.next_ms or 0, reference.name if reference is not None else "", mine)


def crosses(models: Iterable[Model], before_ms: int | None, now_ms: int) -> bool:
    """Does a partition that goes from one event time to another pass the end of a window of any of these models?

    Only then does it change what may close or what is late: a release that crosses nothing need not be recorded.

    >>> from monitor.plan import Schema
    >>> hourly = Model("m", "team", Schema(), window_ms=3_600_000, lateness_ms=60_000)
    >>> crosses([hourly], 3_600_000, 3_659_999), crosses([hourly], 3_600_000, 3_660_000), crosses([], 0, 9)
    (False, True, False)
    """
    return any(
        before_ms is None or (before_ms - model.lateness_ms) // model.window_ms != (now_ms - model.lateness_ms) // model.window_ms
        for model in models
    )
