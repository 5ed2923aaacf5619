"""What is needed to compute an incident again, as the state keeps it: where to begin, what was recorded, what took effect when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.changes import Checkpoint, InputRow, Snapshot
from monitor.errors import Misconfigured
from monitor.incident import Incident
from monitor.plan import Model, Plan
from monitor.sources.source import partition_number
from monitor.standing import Standing
from monitor.stores.store import Store
from monitor.verdict import Verdict
from monitor.watermark import NOWHERE


@dataclass(frozen=True)
class CaseFile:
    """`plan` watches the incident's model only and reads the streams that may hold its events; `verdicts` by window start.

    `checkpoint` is None where nothing is kept from before the incident.
    """

    incident: Incident
    plan: Plan
    checkpoint: Checkpoint | None
    inputs: Sequence[InputRow]
    verdicts: Mapping[int, Verdict]

    @property
    def model(self) -> Model:
        return self.plan.models[self.incident.model]

    @property
    def decided_ms(self) -> int:
        """Start of the window that opened the incident."""
        return self.incident.opened_ms - self.model.window_ms

    def mine(self, partition: str) -> bool:
        """Does the partition belong to a stream that may hold the model's events?"""
        return partition_number(partition)[0] in self.plan.streams

    def positions(self) -> dict[str, int]:
        """Where each partition is read from: the checkpoint's positions, and where those began that were assigned since."""
        marks = self.checkpoint.snapshot.marks if self.checkpoint else {}
        found = {name: mark.next_offset for name, mark in marks.items() if mark.next_offset != NOWHERE}
        for row in self.inputs:
            if row.kind == "assigned":
                found = {**row.body["starts"], **found}
        return {name: offset for name, offset in found.items() if self.mine(name)}

    def came_from(self, stream: str) -> bool:
        """Did a log that the plan does not read bring the events?"""
        marks = self.checkpoint.snapshot.marks if self.checkpoint else {}
        names = {*marks, *(name for row in self.inputs for name in row.body.get("offsets", {}))}
        return stream not in self.plan.streams and any(partition_number(name)[0] == stream for name in names)

    def restarts(self) -> list[str]:
        """Partitions whose logs were made anew or cut after the checkpoint: the broker has their records no longer."""
        anew = {name for row in self.inputs if row.kind == "restart" for name in row.body["partitions"]}
        cut = {row.body["partition"] for row in self.inputs if row.kind == "torn" and row.body["why"] == "cut"}
        return sorted(name for name in anew | cut if self.mine(name))


def opened(plan: Plan, store: Store, incident_id: str) -> CaseFile:
    """The case of one incident.

    Raises
    ------
    Misconfigured
        for an incident that is not in the state, and for a configuration that judges by other numbers than it was judged by
    """
    incident = next((i for i in store.incidents() if i.id == incident_id), None)
    if incident is None:
        known = ", ".join(i.id for i in list(store.incidents())[:5]) or "none is kept"
        raise Misconfigured.of("is not in the state", origin="raincheck replay", field="--incident", value=incident_id, right=known)
    model = plan.models.get(incident.model)
    if model is None:
        raise Misconfigured.of(
            "is not watched", field=f"models.{incident.model}", right="the configuration that the incident was judged by"
        )
    decided_ms = incident.opened_ms - model.window_ms
    checkpoint = store.checkpoint(model.name, min(incident.onset_ms, decided_ms)) or store.checkpoint(model.name, decided_ms)
    inputs = [row for row in store.inputs() if row.model in ("", model.name)]
    changed = [row for row in inputs if row.kind == "plan_change"]
    if checkpoint is None and inputs and store.inputs()[0].seq == 0 and not changed:
        checkpoint = Checkpoint(model.name, 0, "", Snapshot())  # everything is kept since the first record
    if checkpoint is not None:
        _same_numbers(model, checkpoint)
        inputs = [row for row in inputs if row.seq >= checkpoint.snapshot.next_input]
    begin_ms = checkpoint.at_ms if checkpoint is not None else decided_ms
    verdicts = {row.verdict.start_ms: row.verdict for row in store.windows(model.name, begin_ms, incident.opened_ms)}
    streams = {
        name: stream
        for name, stream in plan.streams.items()
        if stream.role in ("inputs", "predictions") and stream.model in (None, model.name)
    }
    return CaseFile(incident, replace(plan, models={model.name: model}, streams=streams), checkpoint, inputs, verdicts)


def _same_numbers(model: Model, checkpoint: Checkpoint) -> None:
    packed = checkpoint.snapshot.evidence.get(model.name)
    if packed is not None and Standing.unpack(packed).digest != model.digest:
        raise Misconfigured.of(
            "has other numbers than the incident was judged by", field=f"models.{model.name}", value=model.digest,
            right="the schema, window, lateness, time zone and reference of that time",
        )  # fmt: skip
