"""An incident computed again from its records: the same engine, begun at a checkpoint, fed the same records, given the same inputs.

Every recorded input holds the positions at which it took effect. Records beyond them are held back until it has been
applied again (slices are cut there), so that the order of things is that of the live run; between two inputs the order in
which partitions are read changes nothing. At the deciding window evidence and subjects must be those that were recorded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from detectors.budget.chain import Lead
from monitor import wall
from monitor.batch import Records
from monitor.casefile import CaseFile
from monitor.changes import InputRow
from monitor.codecs import codec_for
from monitor.engine import Engine
from monitor.errors import Misconfigured
from monitor.incident import Answer, Incident
from monitor.learning import Learned
from monitor.parting import TOLERANCE, parted
from monitor.plan import Plan
from monitor.reference import Reference
from monitor.sources.source import Absent, Gap, Note, Recreated, Rewound, Source
from monitor.standing import Expected
from monitor.stores.store import Store
from monitor.verdict import Verdict

PATIENCE_S = 60.0  # a broker that brings nothing for so long will not


@dataclass(frozen=True, slots=True)
class Reproduction:
    """`outcome`: "same", "different" (`parts` says where), or "gone" (`missing`: records per partition that nobody has any more,
    `why` in words). `recorded` and `found` are the deciding window's verdicts, `windows` those compared on the way."""

    incident: str
    outcome: Literal["same", "different", "gone"]
    begun_ms: int | None
    records: int = 0
    inputs: int = 0
    windows: int = 0
    recorded: Verdict | None = None
    found: Verdict | None = None
    parts: str = ""
    why: str = ""
    missing: Mapping[str, int] = field(default_factory=dict)


def reproduce(case: CaseFile, store: Store, source: Source, whole: Plan, *, over: Callable[[], bool] | None = None) -> Reproduction:
    """Computes the case's incident again from `source`, which nobody has started yet.

    Parameters
    ----------
    case
        from `monitor.casefile.opened`
    store
        where references are found by name; only read
    whole
        the plan with all models: a record of another model is that also here
    over
        says that the source has no more to bring (a recording); None: asked of the source's own probes (a broker)
    """
    if case.checkpoint is None:
        return Reproduction(case.incident.id, "gone", None, why="no checkpoint from before it is kept (state.keep)")
    if over is None and case.restarts():
        why = f"the log behind {', '.join(case.restarts())} was made anew or cut since"
        return Reproduction(case.incident.id, "gone", case.checkpoint.at_ms, why=why)
    walk = _Walk(case, store, source, whole, over)
    source.start(case.positions(), {} if over is not None else store.identities())
    try:
        walk.run()
    finally:
        source.close()
    return walk.result()


class _Stop(Exception):  # noqa: N818 - the end of a walk, good or bad
    """Nothing more is to be learnt: decided, parted or gone."""


class _Walk:
    """One reproduction under way."""

    def __init__(self, case: CaseFile, store: Store, source: Source, whole: Plan, over: Callable[[], bool] | None) -> None:
        assert case.checkpoint is not None
        self.case, self.store, self.source, self._over = case, store, source, over
        snapshot, name = case.checkpoint.snapshot, case.checkpoint.reference
        marks = {partition: mark for partition, mark in snapshot.marks.items() if case.mine(partition)}
        self.missing: dict[str, int] = {}
        self.why = self.parts = ""
        references = {}
        if name:
            kept = store.reference(name)
            references = {case.model.name: kept.body} if kept is not None else {}
            self.why = "" if kept is not None else f"reference {name} is kept no longer"
        self.engine = Engine(case.plan, replace(snapshot, marks=marks, references=references))
        decoding = replace(whole, streams=case.plan.streams)
        self.codecs = {name: codec_for(decoding, stream) for name, stream in case.plan.streams.items()}
        self.held: defaultdict[str, deque[Records]] = defaultdict(deque)
        self.records = self.applied = self.windows = 0
        self.found: Verdict | None = None
        self._moved_at = wall.monotonic()

    def run(self) -> None:
        try:
            if self.why:
                raise _Stop
            self._look()
            for row in self.case.inputs:
                new = row.body.get("starts", ())  # where these begin nobody reads up to: they are read from there on
                self._until({p: offset for p, offset in row.body["offsets"].items() if self.case.mine(p) and p not in new})
                self._apply(row)
                self.applied += 1
                self._look()
            self._until(None)
        except _Stop:
            pass

    def result(self) -> Reproduction:
        recorded = self.case.verdicts.get(self.case.decided_ms)
        parts = self.parts
        if self.found is not None and recorded is None and abs(self.found.evidence - self.case.incident.evidence) > TOLERANCE:
            parts = f"evidence 10^{self.found.evidence:.6f} instead of 10^{self.case.incident.evidence:.6f}"
        outcome: Literal["same", "different", "gone"] = "different" if parts else "same" if self.found is not None else "gone"
        assert self.case.checkpoint is not None
        return Reproduction(
            self.case.incident.id, outcome, self.case.checkpoint.at_ms, self.records, self.applied, self.windows,
            recorded, self.found, parts, self.why if outcome == "gone" else "", self.missing,
        )  # fmt: skip

    # ---- records

    def _until(self, limits: Mapping[str, int] | None) -> None:
        """Reads on until every partition is where it was when the next input took effect; None: until the decision."""
        while True:
            moved = self._take(limits)
            behind = list(self.engine.positions()) if limits is None else [p for p in limits if self._position(p) < limits[p]]
            if not behind:
                return
            if not moved and not self._poll() and self._ended(behind):
                if limits is not None and self._over is not None:
                    return  # markers move positions on without a record: a recording holds none
                self.why = self.why or "the records end before its deciding window"
                raise _Stop

    def _take(self, limits: Mapping[str, int] | None) -> bool:
        """Absorbs what is held and within the limits."""
        moved = False
        for partition, queue in self.held.items():
            if partition not in self.engine.watermark.positions:
                continue  # it joined after the incident, or joins with an input that has not been applied yet
            if limits is None and self.engine.watermark.positions[partition].unreadable:
                continue  # it was mended after the incident: records from it would have been an input
            limit = None if limits is None else limits.get(partition, 0)
            while queue and (limit is None or self._position(partition) < limit):
                head, tail = split(queue.popleft(), limit)
                if tail is not None:
                    queue.appendleft(tail)
                self.engine.absorb(self.codecs[head.stream].decode(head))
                self.records += len(head.offsets)
                moved = True
                self._look()
        return moved

    def _position(self, partition: str) -> int:
        position = self.engine.watermark.positions.get(partition)
        return 0 if position is None else max(0, position.next_offset)

    def _poll(self) -> bool:
        """Fetches more; partitions of which something is held bring no more meanwhile (a recording cannot wait for one)."""
        if self._over is None:
            full = {partition for partition, queue in self.held.items() if queue}
            self.source.resume(set(self.held) - full)
            self.source.pause(full)
        brought = False
        for item in self.source.poll(200):
            if isinstance(item, Records):
                self.held[item.partition].append(item)
                brought = True
            else:
                self._note(item)
        if brought:
            self._moved_at = wall.monotonic()
        elif self._over is None and wall.monotonic() - self._moved_at > PATIENCE_S:
            cause = self.source.status().cause or "nothing came"
            raise Misconfigured.of(
                f"brings nothing for {PATIENCE_S:.0f} s: {cause}", field="kafka.bootstrap", right="a broker that answers, or recordings"
            )
        return brought

    def _note(self, note: Note) -> None:
        match note:
            case Gap() if note.reason == "retention":
                self.missing[note.partition] = self.missing.get(note.partition, 0) + note.stop - note.start
                self.why = "retention has taken records"
            case Rewound():
                self.missing[note.partition] = note.position - note.start
                self.why = "a log was cut"
            case Recreated():
                self.why = f"topic {note.topic} is another one now"
            case Absent() if any(name.rpartition("/")[0] == note.stream for name in self.case.positions()):  # else judged without it
                self.why = f"topic {note.topic} is absent"
            case _:
                return
        if not isinstance(note, Gap):
            raise _Stop
        # one look at the other partitions, so that all that is missing is told at once
        for item in self.source.poll(200):
            if isinstance(item, Gap) and item.reason == "retention":
                self.missing[item.partition] = self.missing.get(item.partition, 0) + item.stop - item.start
        raise _Stop

    def _ended(self, behind: list[str]) -> bool:
        if self._over is not None:
            return self._over()
        reached, parts = self.source.caught_up(), self.source.status().partitions
        return all((p in reached and reached[p].position >= reached[p].end) or (p in parts and parts[p].halted) for p in behind)

    # ---- inputs

    def _apply(self, row: InputRow) -> None:
        """Lets one recorded input take effect again."""
        body, engine, model = row.body, self.engine, self.case.model.name
        match row.kind:
            case "assigned" | "tick" | "blocked" | "unblocked" | "torn" | "restart":
                self._place(row)
            case "answer":
                closed = body["closed"] and msgspec.convert(body["closed"], Incident)
                if not closed and body["incident"] not in engine.incidents:
                    self._part(f"incident {body['incident']}, which was answered, is not open")
                answer = Answer(body["answer"], body["who"], body["note"], row.at_ms, body["until_ms"], body["every_ms"])
                engine.answer(closed or body["incident"], answer)
            case "expected":
                engine.expected(model, msgspec.convert(body, Expected), row.at_ms)
            case "deployment":
                engine.deployed(model, body["version"], body["who"], body["note"], row.at_ms)
            case "given":
                engine.given(*self._reference(body["reference"]))
            case "learned":
                due = next((due for due in engine.due() if due.model == model), None)
                if due is None:
                    self._part(f"the step of learning ({body['step']}) is not due")
                    return
                reference, chain = self._reference(body["reference"]) if body["reference"] else (None, b"")
                leads = msgspec.convert(body["leads"], tuple[Lead, ...])
                engine.learned(Learned(due, reference, body["reason"], chain, leads))

    def _place(self, row: InputRow) -> None:
        """Those that are about partitions."""
        body, engine = row.body, self.engine
        known = engine.watermark.positions
        match row.kind:
            case "assigned":
                engine.assign({p: start for p, start in body["starts"].items() if self.case.mine(p)})
            case "tick":
                engine.release({p: mark_ms for p, mark_ms in body["released"].items() if p in known})
            case "blocked" if self.case.mine(body["partition"]):
                engine.blocked(body["partition"], body["why"], row.at_ms)
            case "unblocked" if body["partition"] in known:
                engine.unblocked(body["partition"])
            case "torn" if body["partition"] in known:
                engine.torn(body["partition"], body["next_offset"], body["why"], row.at_ms)
            case "restart" if self.case.mine(body["partitions"][0]):  # all of them are of one stream
                engine.restart(body["partitions"], body["why"], row.at_ms)

    def _reference(self, name: str) -> tuple[Reference, bytes]:
        kept = self.store.reference(name)
        if kept is None:
            self.why = f"reference {name} is kept no longer"
            raise _Stop
        return Reference.unpack(kept.body), kept.chain

    # ---- verdicts

    def _look(self) -> None:
        """Compares the windows that have closed since the last look."""
        for row in self.engine.drain().windows:
            verdict = row.verdict
            recorded = self.case.verdicts.get(verdict.start_ms)
            if recorded is not None and verdict.start_ms <= self.case.decided_ms:
                self.windows += 1
                self.parts = self.parts or parted(recorded, verdict)
            if verdict.start_ms == self.case.decided_ms:
                self.found = verdict
        if self.found is not None:
            raise _Stop

    def _part(self, why: str) -> None:
        self.parts = self.parts or why
        raise _Stop


def split(records: Records, limit: int | None) -> tuple[Records, Records | None]:
    """What lies below an offset and, if anything, what does not; a hole up to the limit belongs to the first.

    >>> head, tail = split(Records("s", "s/0", [3, 4, 7], [0, 0, 0], [b"a", b"b", b"c"], 8, 0), 6)
    >>> head.offsets, head.next_offset, tail.offsets, tail.next_offset
    ([3, 4], 6, [7], 8)
    """
    if limit is None or records.next_offset <= limit:
        return records, None
    n = bisect_left(records.offsets, limit)
    head = replace(records, offsets=records.offsets[:n], stamps_ms=records.stamps_ms[:n], values=records.values[:n], next_offset=limit)
    return head, replace(records, offsets=records.offsets[n:], stamps_ms=records.stamps_ms[n:], values=records.values[n:])
