"""The in-memory twin of the SQLite store: backtests and tests use it, under the same contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from monitor.changes import Changes, Checkpoint, InputRow, Mark, ReferenceRow, Snapshot, WindowRow
from monitor.incident import Incident
from monitor.pane import Pane, PaneKey
from monitor.stores.store import Delivery
from monitor.verdict import Verdict


class MemoryStore:
    """Holds everything by value; `load` gives a snapshot that shares no mutable state with later saves."""

    def __init__(self) -> None:
        self._marks: dict[str, Mark] = {}
        self._panes: dict[tuple[str, PaneKey], Pane] = {}
        self._windows: dict[str, dict[int, WindowRow]] = {}
        self._evidence: dict[str, bytes] = {}
        self._references: dict[str, ReferenceRow] = {}  # by name
        self._in_force: dict[str, str] = {}  # model -> name
        self._checkpoints: dict[str, dict[int, Checkpoint]] = {}
        self._incidents: dict[str, Incident] = {}
        self._outbox: dict[str, Delivery] = {}
        self._inputs: list[InputRow] = []
        self._outcomes: dict[tuple[int, str, str], str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._identities: dict[str, str] = {}

    def load(self) -> Snapshot:
        return Snapshot(
            marks=dict(self._marks),
            panes={key: Pane(pane.events, dict(pane.columns)) for key, pane in self._panes.items()},
            evidence=dict(self._evidence),
            references={model: self._references[name].body for model, name in self._in_force.items()},
            incidents={i.id: i for i in self._incidents.values() if i.resolved_ms is None},
            alerts=[d.alert for d in self.pending()],
            next_input=self._inputs[-1].seq + 1 if self._inputs else 0,
            counts=Counter(self._counts),
        )

    def save(self, changes: Changes) -> None:
        for model in changes.forgotten:
            self._forget(model)
        self._marks.update({name: mark for name, mark in changes.marks.items() if mark is not None})
        for name in [name for name, mark in changes.marks.items() if mark is None]:
            self._marks.pop(name, None)
        for key, pane in changes.panes.items():
            if pane is None:
                self._panes.pop(key, None)
            else:
                self._panes[key] = Pane(pane.events, dict(pane.columns))
        for row in changes.windows:
            self._windows.setdefault(row.verdict.model, {})[row.verdict.start_ms] = row
        self._evidence.update(changes.evidence)
        for model, reference in changes.references.items():
            self._references[reference.name] = reference
            self._in_force[model] = reference.name
        for point in changes.checkpoints:
            self._checkpoints.setdefault(point.model, {})[point.at_ms] = point
        self._incidents.update(changes.incidents)
        for alert in changes.alerts:
            self._outbox.setdefault(alert.id, Delivery(alert, 0, "", None))
        self._inputs += changes.inputs
        self._outcomes |= {(o.time_ms, o.model, o.id): o.value for o in changes.outcomes}
        self._counts.update(changes.counts)
        self._identities.update(changes.identities)

    def _forget(self, model: str) -> None:
        self._panes = {k: p for k, p in self._panes.items() if k[1].model != model}
        for table in (self._windows, self._evidence, self._in_force, self._checkpoints):
            table.pop(model, None)
        self._references = {name: row for name, row in self._references.items() if row.model != model}

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        rows = dict(self._windows.get(model, {}))  # pages look at it while another thread saves
        yield from (rows[start] for start in sorted(rows) if from_ms <= start < until_ms)

    def verdicts(self, model: str | None = None, limit: int | None = None) -> Sequence[Verdict]:
        found = [row.verdict for name, rows in self._windows.items() if model in (None, name) for row in rows.values()]
        found.sort(key=lambda v: (v.start_ms, v.model))
        return found if limit is None else found[-limit:] if limit else []

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        return sorted((i for i in self._incidents.values() if model in (None, i.model)), key=lambda i: (-i.opened_ms, i.id))

    def inputs(self) -> Sequence[InputRow]:
        return list(self._inputs)

    def reference(self, name: str) -> ReferenceRow | None:
        return self._references.get(name)

    def checkpoint(self, model: str, until_ms: int) -> Checkpoint | None:
        points = self._checkpoints.get(model, {})
        last = max((at_ms for at_ms in points if at_ms <= until_ms), default=None)
        return None if last is None else points[last]

    def outcomes(self) -> Sequence[tuple[str, str, int, str]]:
        return [(model, key, time_ms, value) for (time_ms, model, key), value in sorted(self._outcomes.items())]

    def pending(self) -> Sequence[Delivery]:
        return [d for d in self._outbox.values() if d.delivered_ms is None]

    def attempted(self, alert: str, at_ms: int, error: str) -> None:
        if (old := self._outbox.get(alert)) is not None:
            self._outbox[alert] = replace(old, attempts=old.attempts + 1, error=error, delivered_ms=None if error else at_ms)

    def prune(self, before_ms: int) -> int:
        count = 0
        for rows in self._windows.values():
            gone = [start for start, row in rows.items() if row.verdict.end_ms < before_ms]
            count += len(gone)
            for start in gone:
                del rows[start]
        old = [i.id for i in self._incidents.values() if i.resolved_ms is not None and i.resolved_ms < before_ms]
        for key in old:
            del self._incidents[key]
        kept = {key: value for key, value in self._outcomes.items() if key[0] >= before_ms}
        sent = [key for key, d in self._outbox.items() if d.delivered_ms is not None and d.delivered_ms < before_ms]
        for key in sent:
            del self._outbox[key]
        count += len(old) + len(sent) + len(self._outcomes) - len(kept)
        self._outcomes = kept
        return count + self._prune_inputs(before_ms)

    def _prune_inputs(self, before_ms: int) -> int:
        before = len(self._inputs) + len(self._references) + sum(map(len, self._checkpoints.values()))
        for model, points in self._checkpoints.items():
            self._checkpoints[model] = {at_ms: point for at_ms, point in points.items() if at_ms >= before_ms}
        left = [point for points in self._checkpoints.values() for point in points.values()]
        first = min((point.snapshot.next_input for point in left), default=None)
        self._inputs = [
            row for i, row in enumerate(self._inputs, 1)
            if row.at_ms >= before_ms or i == len(self._inputs) or (first is not None and row.seq >= first)
        ]  # fmt: skip
        named = {*self._in_force.values(), *(point.reference for point in left)}
        named |= {row.verdict.reference for rows in self._windows.values() for row in rows.values()}
        named |= {row.body.get("reference", "") for row in self._inputs}
        self._references = {name: row for name, row in self._references.items() if name in named}
        return before - len(self._inputs) - len(self._references) - len(left)

    def identities(self) -> dict[str, str]:
        return dict(self._identities)

    def close(self) -> None:
        """Nothing to let go of."""
