"""What a state store owes: one transaction per turn of the wheel, and the whole state back after any crash.

`save` makes all of one `Changes` durable or none of it. Two stores hold the same promise under the same contract tests:
SQLite for the daemon, memory for backtests and tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.alert import Alert
from monitor.changes import Changes, Checkpoint, InputRow, ReferenceRow, Snapshot, WindowRow
from monitor.incident import Incident
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Delivery:
    """An alert of the outbox with what happened to it so far."""

    alert: Alert
    attempts: int
    error: str
    delivered_ms: int | None


class Store(Protocol):
    def load(self) -> Snapshot: ...

    def save(self, changes: Changes) -> None: ...

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        """Windows that start in [from, until), in order."""
        ...

    def verdicts(self, model: str | None = None, limit: int | None = None) -> Sequence[Verdict]:
        """The newest `limit` (None: all), oldest first."""
        ...

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        """Newest first."""
        ...

    def inputs(self) -> Sequence[InputRow]: ...

    def reference(self, name: str) -> ReferenceRow | None:
        """The reference that a verdict or an input names; None where it is kept no longer."""
        ...

    def checkpoint(self, model: str, until_ms: int) -> Checkpoint | None:
        """The model's last checkpoint at or before that event time."""
        ...

    def outcomes(self) -> Sequence[tuple[str, str, int, str]]:
        """(model, id, time_ms, value), oldest first."""
        ...

    def pending(self) -> Sequence[Delivery]:
        """Alerts that have not been delivered, oldest first."""
        ...

    def attempted(self, alert: str, at_ms: int, error: str) -> None:
        """Notes one attempt; `error` "" means delivered. Of an alert that is kept no longer there is nothing to note."""
        ...

    def prune(self, before_ms: int) -> int:
        """Forgets what is older than that: windows, resolved incidents with their answers, delivered alerts, outcomes, checkpoints,
        references that nothing names any more, and inputs that no kept checkpoint needs; how many rows went, answers not counted."""
        ...

    def identities(self) -> dict[str, str]:
        """Topic -> identity, as last saved: a position means nothing without knowing whose it is, so both are in one transaction."""
        ...

    def close(self) -> None: ...
