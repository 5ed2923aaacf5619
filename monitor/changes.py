"""What the engine hands to a store: changes since the last turn of the wheel, to be saved in one transaction.

The engine returns changes, never one big blob; a store that replays them onto an empty file has the whole state.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from monitor.alert import Alert
from monitor.incident import Incident
from monitor.pane import Pane, PaneKey
from monitor.tears import Tear
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one partition has been read: where it goes on (-1: its topic has never been there), its newest event time (None: nothing
    yet), records so far, the event time that waits to be confirmed (monitor.lateness), whether it cannot be read on, and where records
    of it were lost unread."""

    next_offset: int
    mark_ms: int | None
    records: int = 0
    suspect_ms: int | None = None
    unreadable: bool = False
    tears: tuple[Tear, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One closed window for the record: its verdict, and per column either cell counts or, before cuts were frozen, a summary."""

    verdict: Verdict
    form: Literal["cells", "summaries"]
    columns: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class InputRow:
    """An input other than a slice (learnt reference, answer, deployment, assignment), numbered in the order it took effect."""

    seq: int
    kind: str
    model: str
    at_ms: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A late truth, kept for pairing with its prediction."""

    model: str
    id: str
    time_ms: int
    value: str


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A reference as it was put in force, by the content hash that verdicts carry; `chain` is the evidence it began with."""

    name: str
    model: str
    body: bytes = field(repr=False)
    chain: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Changes:
    """Everything here takes effect together with `marks`, or not at all."""

    marks: dict[str, Mark | None] = field(default_factory=dict)  # None: the partition is no more
    panes: dict[tuple[str, PaneKey], Pane | None] = field(default_factory=dict)  # None: closed, delete
    windows: list[WindowRow] = field(default_factory=list)
    evidence: dict[str, bytes] = field(default_factory=dict)  # model -> packed judge state
    references: dict[str, ReferenceRow] = field(default_factory=dict)  # model -> the one now in force
    checkpoints: list[Checkpoint] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    inputs: list[InputRow] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # (model or stream, reason), to be added
    identities: dict[str, str] = field(default_factory=dict)  # whose offsets `marks` are (`Source.identities`)
    forgotten: list[str] = field(default_factory=list)  # models whose state is void: forgotten before anything else is written

    def __bool__(self) -> bool:
        return bool(self.marks or self.panes or self.windows or self.evidence or self.references or self.incidents
                    or self.checkpoints or self.alerts or self.inputs or self.outcomes or self.counts or self.identities
                    or self.forgotten)  # fmt: skip


@dataclass(slots=True)
class Snapshot:
    """What a store gives back at start."""

    marks: dict[str, Mark] = field(default_factory=dict)
    panes: dict[tuple[str, PaneKey], Pane] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    references: dict[str, bytes] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)  # open ones
    alerts: list[Alert] = field(default_factory=list)  # not yet delivered
    next_input: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """From where one model's verdicts can be computed again: the state just before its window at `at_ms` is closed.

    `snapshot` holds that model's panes, evidence and open incidents, and the positions of all partitions; of references
    only the name (`reference`, "" before there is one), since the store keeps them by name.
    """

    model: str
    at_ms: int
    reference: str
    snapshot: Snapshot
