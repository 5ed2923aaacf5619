"""The engine: slices in, changes out. Left of the bar it folds and adds up; right of it one judge per model walks closed windows.

Everything that can change a verdict is an input: slices (`absorb`, or `add` for panes folded elsewhere), what is about partitions
(monitor.partitions), `given`, `learned`, `answer`, `expected`, `deployed`. Nothing here reads a clock, a file or the network.
`drain` returns what changed, to be saved in one transaction; `due` what learning waits for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from monitor import again
from monitor.alert import Alert
from monitor.batch import Slice
from monitor.changes import Changes, Outcome, ReferenceRow, Snapshot
from monitor.checkpoint import checkpoint, position_of
from monitor.distribution import beside
from monitor.evidence import Evidence
from monitor.incident import Answer, Incident
from monitor.judge import TREND, judge, latch_of, looked_back
from monitor.learning import Due, FirstStep, Learned, first_step, learnt_share, window_row
from monitor.life import answered, expecting, overtaken
from monitor.open_windows import OpenWindows
from monitor.pane import Folded
from monitor.partitions import Partitions
from monitor.plan import DAY_MS, Model, Plan
from monitor.reference import Reference
from monitor.restoring import restored
from monitor.rules import breaches, with_values
from monitor.standing import Expected, Standing

# One partition may run so many windows ahead of another: bounds what is open, and is far enough that polls do not take turns.
MOST_AHEAD = 48


class Engine(Partitions):
    """One engine judges all models of a plan. Not thread-safe: its owner calls it from one thread."""

    def __init__(self, plan: Plan, snapshot: Snapshot | None = None) -> None:
        super().__init__(plan)
        self.windows = OpenWindows()
        self.references: dict[str, Reference] = {}
        self.incidents: dict[str, Incident] = {}  # open ones
        self._evidence = Evidence()
        self._due: dict[str, Due] = {}
        self._stale: set[str] = set()  # models whose standing has changed since the last drain
        self._day_ended: set[str] = set()  # models of which the next drain takes a checkpoint
        self._restore(snapshot or Snapshot())

    # ---- inputs

    def absorb(self, piece: Slice) -> None:
        """Folds one slice and closes what it lets close."""
        self.add(self.fold.fold(piece), arrival_ms=piece.arrival_ms, records=piece.records)
        self._changes.counts.update({(piece.stream, reason): n for reason, n in piece.counts.items()})
        self._changes.counts.update((piece.stream, rejected.reason) for rejected in piece.rejected)

    def add(self, folded: Folded, *, arrival_ms: int, records: int) -> None:
        """Takes panes that were folded here or by a worker, with the offset that they bring the partition to."""
        # a partition that joined, or came back, after windows were closed without it: counted, never judged
        behind = self.windows.add(folded, {name: s.next_ms for name, s in self.standings.items() if s.next_ms is not None})
        self._changes.counts.update(folded.counts)
        self._changes.counts.update(behind)
        for (model, _), n in folded.late.items():
            self._changes.counts[model, "late"] += n
        self._changes.outcomes += [Outcome(*outcome) for outcome in folded.outcomes]
        if records:
            self.unblocked(folded.partition)
            if self.watermark.torn(folded.partition):
                self._tell(arrival_ms, [folded.partition])
        self.watermark.advance(folded, arrival_ms, records)
        self._mark(folded.partition)
        self.close()

    def lost(self, stream: str, reason: str, n: int) -> None:
        """Records that the source could not hand out, for the account."""
        self._changes.counts[stream, reason] += n

    def learned(self, learned: Learned) -> None:
        """A step of learning is done: the model's waiting windows go on, under the new reference if there is one."""
        due, model = self._due[learned.due.model], self.plan.models[learned.due.model]
        mine = [i for i in self.incidents.values() if i.model == model.name]
        if due.step == "trend":
            self._settle(*looked_back(model, learned.leads, mine, (due.from_ms, due.until_ms)))
        elif learned.reference is not None:
            self.install(learned.reference, learned.chain, due)
            if (page := latch_of(mine)) is not None and self._evidence.leaderless(model.name):
                closed, alerts, self.standings[model.name] = overtaken(self.standings[model.name], page, due)
                self._settle((closed,), alerts)
                self._evidence.release(model.name)
        elif due.step in ("cuts", "calibration"):
            later = due.until_ms + max(model.window_ms, (due.until_ms - due.from_ms) // 4)
            self.standings[model.name] = replace(self.standings[model.name], learn_until_ms=later, reason=learned.reason)
        standing = self.standings[model.name] = again.attended(model, self.standings[model.name], due.step, learned.reference)
        self._stale.add(model.name)
        self._input("learned", model.name, due.until_ms, {
            "step": due.step, "reference": learned.reference.name if learned.reference else "", "reason": learned.reason,
            "leads": msgspec.to_builtins(learned.leads),
        })  # fmt: skip
        del self._due[model.name]
        self._learn(model, standing, due.until_ms)
        self.close()

    def given(self, reference: Reference, chain: bytes) -> None:
        """A reference that the plan names takes effect, before anything is read."""
        self.install(reference, chain)
        self._input("given", reference.model, reference.until_ms, {"reference": reference.name})

    def install(self, reference: Reference, chain: bytes = b"", due: Due | None = None) -> None:
        """Puts a reference in force: frozen cells, and once calibrated the evidence, which goes on where it was learnt again (`due`)."""
        model, standing = self.plan.models[reference.model], self.standings[reference.model]
        if reference.calibration is None:
            standing = replace(standing, stage="learning", reason="", learn_until_ms=None)
        elif due is not None and model.name in self._evidence:
            self._evidence.switch(model, reference, due, chain)
        else:
            self._evidence.begin(model, reference, chain)
            standing = replace(standing, stage="judging", reason="")
        self.references[model.name] = reference
        self._changes.references[model.name] = ReferenceRow(reference.name, model.name, reference.pack(), chain)
        self.fold.set_cuts(model.name, reference.cuts, reference.effective_ms)
        self.windows.set_cuts(model.name, reference.cuts)
        self.standings[model.name] = standing
        self._stale.add(model.name)

    def answer(self, incident: str | Incident, answer: Answer) -> Incident:
        """An owner's answer; KeyError where no such incident is open. One that has closed is given whole: the engine keeps open ones."""
        old = self.incidents.get(incident.id, incident) if isinstance(incident, Incident) else self.incidents[incident]
        model, opened = old.model, [i for i in self.incidents.values() if i.model == old.model]
        over, alerts, self.standings[model] = answered(self.plan.models[model], self.standings[model], old, answer, opened)
        self._settle(over, alerts)
        weighed = any(i.kind == "statistical" and i.rule != TREND for i in over)
        if weighed and old.resolved_ms is None and model in self._evidence:
            self._evidence.release(model, again.muted(self.plan.models[model], self.standings[model], self.standings[model].next_ms or 0))
        self._stale.add(model)
        self._input("answer", model, answer.at_ms, {
            "incident": old.id, "answer": answer.kind, "who": answer.who, "note": answer.note, "until_ms": answer.until_ms,
            "every_ms": answer.every_ms, "closed": None if old.resolved_ms is None else msgspec.to_builtins(old),
        })  # fmt: skip
        if model not in self._due:
            self._learn(self.plan.models[model], self.standings[model], self.standings[model].next_ms or 0)
        return over[0]

    def expected(self, model: str, event: Expected, at_ms: int) -> None:
        """An event that was announced: while it lasts, and when it comes again, its subjects are not judged."""
        self.standings[model] = expecting(self.standings[model], event)
        self._stale.add(model)
        self._input("expected", model, at_ms, msgspec.to_builtins(event))

    def deployed(self, model: str, version: str, who: str, note: str, at_ms: int) -> None:
        """Another version of a watched model serves from that event time on: levels on its prediction side are learnt anew."""
        standing, window_ms = self.standings[model], self.plan.models[model].window_ms
        from_ms = max(standing.next_ms or 0, at_ms // window_ms * window_ms)
        self.standings[model] = again.deployed(self.plan.models[model], standing, version, from_ms)
        self._stale.add(model)
        self._input("deployment", model, at_ms, {"version": version, "who": who, "note": note})

    def demand(self, model: str) -> bool:
        """Asks for the model's next step of learning now, from what has been seen; False where nothing has, or it judges already."""
        standing = self.standings[model]
        if standing.stage == "judging" or standing.origin_ms is None or standing.next_ms is None or model in self._due:
            return False
        step: FirstStep = "cuts" if standing.stage == "gathering" else "calibration"
        self._due[model] = Due(step, model, standing.origin_ms, standing.next_ms)
        return True

    # ---- outputs

    def due(self) -> list[Due]:
        """Steps of learning that models wait for, each until its `learned`."""
        return list(self._due.values())

    def drain(self) -> Changes:
        """Everything that changed since the last drain; the engine keeps nothing of it."""
        changes, self._changes = self._changes, Changes()
        changes.panes = self.windows.drain()
        changes.evidence = {m: replace(self.standings[m], chain=self.state_of(m)).pack() for m in sorted(self._stale)}
        for model in sorted(self._day_ended):
            changes.checkpoints.append(checkpoint(
                model, self.standings[model], changes.evidence[model], self.references.get(model), self.windows,
                self.watermark.positions, self.incidents.values(), self._next_input,
            ))  # fmt: skip
        self._stale.clear()
        self._day_ended.clear()
        return changes

    def closed_since_drain(self) -> bool:
        """Has a window been closed that is not saved yet?"""
        return bool(self._changes.windows)

    def learnt(self, model: str) -> float:
        """Which part of what is to be learnt has been seen: 1 once windows are judged."""
        return learnt_share(self.plan.models[model], self.standings[model])

    def state_of(self, model: str) -> bytes:
        """The packed state of the model's evidence; empty while it learns."""
        return self._evidence.pack(model)

    def low_ms(self, model: str) -> int | None:
        """Event time that all of the model's partitions have passed."""
        return self.watermark.low_ms(self._gates(model))

    def ahead(self) -> set[str]:
        """Partitions to be paused because others are far behind in event time."""
        models = self.plan.models.items()
        return {p for name, m in models for p in self.watermark.ahead(self._gates(name), MOST_AHEAD * m.window_ms + m.lateness_ms)}

    # ---- windows

    def close(self) -> None:
        """Closes every window that all of its partitions have passed, model by model, in order of event time."""
        for name in sorted(self.plan.models):
            if (low := self.low_ms(name)) is not None:
                self._close_until(self.plan.models[name], low - self.plan.models[name].lateness_ms)

    def close_all(self) -> None:
        """Closes every window that has begun, as if all partitions had ended: the end of a recording or of a backtest."""
        for name in sorted(self.plan.models):
            if (last := self.windows.last_start(name)) is not None:
                self._close_until(self.plan.models[name], last + self.plan.models[name].window_ms)

    def _close_until(self, model: Model, end_ms: int) -> None:
        while model.name not in self._due:
            step = self.windows.step(model, self.standings[model.name], end_ms)
            self._changes.counts.update({(model.name, reason): n for reason, n in step.counts.items()})
            if step.start_ms is not None:
                self._close(model, step.standing, step.start_ms)
            elif "windows_jumped" in step.counts:
                self.standings[model.name] = step.standing
                self._stale.add(model.name)
            else:
                return

    def _close(self, model: Model, standing: Standing, start_ms: int) -> None:
        reference = self.references.get(model.name)
        merged = self.windows.close(model, start_ms, self.watermark.lacks(model, self._gates(model.name), start_ms))
        window = merged.window
        judging = standing.stage == "judging" and reference is not None and reference.calibration is not None
        if judging and reference is not None and start_ms < reference.until_ms:
            judging, standing = False, replace(standing, reason="within the reference")
        reading, reason = None, ""
        if judging:
            standing = again.succeeded(model, standing, window.version, start_ms)
            muted = again.muted(model, standing, start_ms)
            reading = self._evidence.step(model.name, start_ms, window.cells, muted)
            if len(muted) == len(model.columns):
                reading, reason = None, "an expected event, or levels that are learnt anew"
        broken = breaches(model, window, standing.seen, standing.last_events_ms)
        mine = [i for i in self.incidents.values() if i.model == model.name]
        judged = judge(model, standing, window, reading, mine, broken, reference=reference.name if reference and judging else "",
                       reason=reason)  # fmt: skip
        if reference is not None and reference.frame and standing.stage == "learning":
            judged = beside(judged, model, reference, window, mine)
        self._settle(judged.incidents, judged.alerts)
        self._evidence.apply(model.name, judged)
        standing = replace(
            again.shunning(judged.standing, *judged.incidents),
            events=standing.events + window.events,
            seen=standing.seen | with_values(model, window),
            last_events_ms=window.end_ms if window.events else standing.last_events_ms,
        )
        self.standings[model.name] = standing
        self._stale.add(model.name)
        if window.end_ms % DAY_MS == 0:
            self._day_ended.add(model.name)
        self._changes.windows.append(window_row(judged.verdict, merged.summaries, window.cells if reference else None))
        self._learn(model, standing, window.end_ms)

    def _learn(self, model: Model, standing: Standing, end_ms: int) -> None:
        """Is a step of learning due at the end of this window?"""
        if standing.stage != "judging":
            step = first_step(model, standing, end_ms)
            if step is not None and standing.origin_ms is not None:
                self._due[model.name] = Due(step, model.name, standing.origin_ms, end_ms)
            return
        mine = [i for i in self.incidents.values() if i.model == model.name]
        due, self.standings[model.name] = again.due(model, standing, self.references[model.name], mine, end_ms)
        if due is not None:
            self._due[model.name] = replace(due, clock=self._evidence.clock(model.name))

    def _settle(self, incidents: Iterable[Incident], alerts: Iterable[Alert]) -> None:
        self._changes.alerts += alerts
        for incident in incidents:
            self._changes.incidents[incident.id] = incident
            if incident.resolved_ms is None:
                self.incidents[incident.id] = incident
            else:
                self.incidents.pop(incident.id, None)

    # ---- restart

    def _restore(self, snapshot: Snapshot) -> None:
        self._next_input = snapshot.next_input
        for partition, mark in snapshot.marks.items():
            self.watermark.positions[partition] = position_of(mark)
            if mark.mark_ms is not None:
                self.fold.resume(partition, mark.mark_ms, mark.suspect_ms)
                self._untold.add(partition)
        found = restored(self.plan, snapshot)
        self.standings, self.incidents = found.standings, found.incidents
        for reference, chain in found.references.values():
            self.install(reference, chain)
        self.windows.restore(found.panes)
        self._stale = set(found.changed)
        self._changes = found.changes()
        for name, before in sorted(found.changed.items()):
            self._input("plan_change", name, 0, {"before": before, "now": self.plan.models[name].digest})
        for name, standing in sorted(self.standings.items()):
            if standing.next_ms is not None:
                self._learn(self.plan.models[name], standing, standing.next_ms)
