"""Panes: summaries of one model, version, segment and role over one window's length of event time, in one partition.

A pane is as long as its model's window; longer cadences are merges of windows. Everything left of the judge adds up:
panes of different partitions, workers and restarts merge in any order to the same counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from detectors.summary import Summary
from monitor.batch import Role


class PaneKey(NamedTuple):
    """Within one partition. `segment` "" is everything, else "camera=north"."""

    model: str
    version: str
    segment: str
    role: Role
    start_ms: int


@dataclass(slots=True)
class Pane:
    """`events` folded here; `columns` by column name (monitor.plan.Model.columns)."""

    events: int = 0
    columns: dict[str, Summary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folded:
    """What folding one slice adds: panes to merge, the partition's new offset and newest event time, and what was left out.

    `mark_ms` is the partition's newest event time so far, None before its first event (lateness is subtracted where it is
    judged); `late` counts events per model and window start that came after their window had been left behind in this
    partition; `counts` everything else worth telling, above all what was not folded, by (model or "", reason); `suspect_ms` an event
    time that waits to be confirmed, `first_ms` the slice's first one that moved the partition on (monitor.lateness).
    """

    partition: str
    next_offset: int
    mark_ms: int | None
    panes: Mapping[PaneKey, Pane]
    late: Mapping[tuple[str, int], int] = field(default_factory=dict)
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    outcomes: tuple[tuple[str, str, int, str], ...] = ()  # (model, id, time_ms, value) of late truths, kept for pairing
    suspect_ms: int | None = None
    first_ms: int | None = None
