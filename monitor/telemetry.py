"""From rounds to metrics: everything the daemon tells about itself and its models, in the catalogue's words."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from detectors.counts import NO_VALUE
from detectors.scoring import poisson_upper
from monitor import wall
from monitor.advice import Advisor
from monitor.again import muted
from monitor.batch import Records, Slice
from monitor.changes import Changes, WindowRow
from monitor.engine import Engine
from monitor.incident import Incident
from monitor.learning import Due
from monitor.log import events
from monitor.metrics import Metrics
from monitor.plan import DAY_MS, Plan
from monitor.reference import unpack_cells
from monitor.rejections import Rejections
from monitor.sources.source import Forgotten, Gap, Note, Source
from monitor.standing import Ledger
from monitor.troubles import ONE, TWICE, Troubles
from monitor.verdict import Verdict

log = events("telemetry")
VERSIONS = 8  # of a model, exported at most: a release train shows two


class Telemetry:
    """A listener of `monitor.rounds`; `beats` holds when each stage last completed a round (monotonic seconds)."""

    def __init__(self, plan: Plan, metrics: Metrics) -> None:
        self.plan, self.metrics = plan, metrics
        self.beats: dict[str, float] = {}
        self.rejections, self.troubles = Rejections(), Troubles()
        self.components: dict[str, bool] = {"state": True}
        self._told: dict[tuple[str, ...], int] = {}
        self._source: tuple[bool, str | None] | None = None  # what was last told of it: is it up, and why not
        self._advisor = Advisor(plan)
        self._versions: dict[str, tuple[str, ...]] = {}
        self._folded: set[str] = set()
        self._about: dict[tuple[str, ...], set[tuple[str, str, str]]] = {}
        self._sizes: dict[str, set[tuple[str, str]]] = {}  # of the subjects of a model's last verdict: subject and statistic
        metrics.set("raincheck_build_info", 1, version=version("raincheck"), revision=os.environ.get("RAINCHECK_REVISION", ""),
                    python_version=platform.python_version())  # fmt: skip
        index, count = plan.shard
        metrics.set("raincheck_shard_info", 1, index=str(index), count=str(count))
        metrics.set("raincheck_config_last_reload_successful", 1)
        metrics.set("raincheck_config_last_reload_success_timestamp_seconds", wall.now_ms() / 1000)
        for name, model in plan.models.items():
            metrics.set("raincheck_window_expected_interval_seconds", model.window_ms / 1000, model=name)
            if model.rules.silent_for_ms is not None:
                for stream in plan.gating_streams(name):
                    metrics.set("raincheck_stream_silence_threshold_seconds", model.rules.silent_for_ms / 1000, stream=stream)

    def beat(self, stage: str) -> None:
        """The stage has completed a round."""
        self.beats[stage] = wall.monotonic()
        self.metrics.set("raincheck_pipeline_heartbeat_timestamp_seconds", wall.now_ms() / 1000, stage=stage)

    def component(self, name: str, up: bool) -> None:
        self.components[name] = up
        self.metrics.set("raincheck_component_up", float(up), component=name)

    # ---- what happens in a round

    def decoded(self, records: Records, piece: Slice) -> None:
        m, stream = self.metrics, records.stream
        if not records.offsets:
            return
        m.inc("raincheck_records_consumed_total", len(records.offsets), stream=stream)
        m.inc("raincheck_consumed_bytes_total", piece.size_bytes, stream=stream)
        m.set("raincheck_stream_last_record_timestamp_seconds", records.arrival_ms / 1000, stream=stream)
        self.rejections.add(stream, (rejected.reason for rejected in piece.rejected))
        for rejected in piece.rejected:
            m.inc("raincheck_records_rejected_total", stream=stream, reason=rejected.reason)
        for reason, n in piece.counts.items():
            m.inc("raincheck_records_adjusted_total", n, stream=stream, reason=reason)
        for batch in piece.batches:
            if len(batch):
                delay = max(0.0, (piece.arrival_ms - int(batch.time_ms[-1])) / 1000)
                m.observe("raincheck_record_event_delay_seconds", delay, stream=stream)

    def noted(self, note: Note) -> None:
        self.troubles.noted(note)
        if isinstance(note, Gap):
            topic = self.plan.streams[note.stream].topic
            self.metrics.inc("raincheck_kafka_skipped_offsets_total", note.stop - note.start, topic=topic, reason=note.reason)
        elif isinstance(note, Forgotten):
            self.metrics.inc("raincheck_state_restores_total", outcome="lost")

    def saved(self, changes: Changes, engine: Engine, seconds: float, worked_s: float = 0.0) -> None:
        m = self.metrics
        m.inc("raincheck_state_snapshots_total")
        m.observe("raincheck_state_snapshot_duration_seconds", seconds)
        m.set("raincheck_state_last_snapshot_timestamp_seconds", wall.now_ms() / 1000)
        self.component("state", True)
        for (name, reason), n in changes.counts.items():
            if name in self.plan.models and reason == "late":
                m.inc("raincheck_late_events_total", n, model=name)
            elif name in self.plan.models:
                m.inc("raincheck_events_skipped_total", n, model=name, reason=reason)
        for row in changes.windows:
            m.observe("raincheck_window_evaluation_duration_seconds", worked_s / len(changes.windows))
            self.judged(row.verdict)
            self.advised(row, engine)
            self._values(row)
            known = row.verdict.status != "unknown"
            m.inc("raincheck_windows_evaluated_total", model=row.verdict.model) if known else m.inc(
                "raincheck_windows_skipped_total", model=row.verdict.model, reason=row.verdict.reason or "unknown"
            )
        for incident in changes.incidents.values():
            if incident.model in self.plan.models:  # one that has left the plan takes its series with it; its incidents are closed
                self._incident(incident, engine)
        for name in changes.evidence:
            self._promise(name, engine)
        for alert in changes.alerts:
            if alert.event == "opened":
                counter = "raincheck_pages_total" if alert.incident.severity == "page" else "raincheck_tickets_total"
                m.inc(counter, model=alert.incident.model, kind=alert.incident.kind)  # type: ignore[arg-type] # one of two literals

    def save_failed(self, error: Exception) -> None:
        del error  # the loop that catches it tells it
        self.metrics.inc("raincheck_state_snapshots_total")
        self.metrics.inc("raincheck_state_snapshot_failures_total")
        self.component("state", False)

    def learning_failed(self, due: Due, error: Exception) -> None:
        del error  # told in the log
        self.metrics.inc("raincheck_detector_errors_total", model=due.model, detector=due.step)

    def ticked(self, engine: Engine, source: Source) -> None:
        m, status = self.metrics, source.status()
        for stream, reasons in self.rejections.due(wall.monotonic()):
            log.warning("records_rejected", stream=stream, n=sum(reasons.values()), reasons=reasons)
        if (status.connected, status.cause) != self._source:  # a better cause may be known only after some attempts
            self._source = status.connected, status.cause
            told = log.info if status.connected else log.warning
            told("source_up" if status.connected else "source_down", cause=status.cause, contact_age_ms=status.contact_age_ms)
        self._alone(status.another)
        self.component("source", status.connected)
        if status.contact_age_ms is not None:
            m.set("raincheck_kafka_last_contact_timestamp_seconds", (wall.now_ms() - status.contact_age_ms) / 1000)
        m.set("raincheck_kafka_last_poll_timestamp_seconds", wall.now_ms() / 1000)
        assigned = dict.fromkeys((stream.topic for stream in self.plan.streams.values()), 0)
        paused = dict(assigned)
        for name, partition in status.partitions.items():
            stream, _, number = name.rpartition("/")
            topic = self.plan.streams[stream].topic
            if topic in status.absent:  # its positions are kept until it is known what comes after it
                m.remove("raincheck_kafka_lag_records", topic=topic, partition=number)
                continue
            assigned[topic] += 1
            paused[topic] += partition.paused or partition.halted
            if partition.lag is not None:
                m.set("raincheck_kafka_lag_records", partition.lag, topic=topic, partition=number)
        for topic, n in assigned.items():
            m.set("raincheck_kafka_assigned_partitions", n, topic=topic)
            m.set("raincheck_kafka_paused_partitions", paused[topic], topic=topic)
        self._totals("raincheck_kafka_errors_total", "error", status.errors)
        self._totals("raincheck_kafka_reconnects_total", "reason", status.rebuilds)
        self._total("raincheck_kafka_commits_total", status.commits)
        self._total("raincheck_kafka_commit_failures_total", status.commit_failures)
        size = state_bytes(self.plan.state.path)
        if size is not None:
            m.set("raincheck_state_snapshot_size_bytes", size)
        for stream in self.plan.streams:
            low = engine.watermark.low_ms(p for p in engine.watermark.positions if p.rpartition("/")[0] == stream)
            if low is not None:
                m.set("raincheck_stream_watermark_timestamp_seconds", low / 1000, stream=stream)

    def _alone(self, another: str | None) -> None:
        """Whether somebody else reads for our group."""
        self.metrics.set("raincheck_kafka_another_daemon", float(another is not None))
        if another != self.troubles.another:
            self.troubles.another = another
            if another is None:
                log.info("another_daemon_gone")
            else:
                log.error("another_daemon", who=another, means=TWICE, right=ONE)

    # ---- what is known of a model

    def judged(self, verdict: Verdict) -> None:
        """The last verdict stays exported; how fresh it is is a metric of its own."""
        m, model = self.metrics, verdict.model
        m.set("raincheck_window_last_end_timestamp_seconds", verdict.end_ms / 1000, model=model)
        m.set("raincheck_window_events", verdict.events, model=model)
        m.remove("raincheck_evidence_share", model=model)
        self._versions[model] = verdict.versions[:VERSIONS] or self._versions.get(model, ("",))
        if verdict.status == "unknown":
            return
        m.set("raincheck_evidence", verdict.evidence, model=model)
        m.set("raincheck_evidence_threshold", verdict.threshold, model=model)
        if verdict.evidence >= verdict.threshold - 1:
            for subject in verdict.subjects:
                m.set("raincheck_evidence_share", subject.share, model=model, subject=subject.name)
        sizes = {(subject.name, subject.statistic): subject.size for subject in verdict.subjects}
        for name, statistic in self._sizes.get(model, set()) - set(sizes):  # an old figure must not pass for a new one
            m.remove("raincheck_effect", model=model, subject=name, statistic=statistic, segment="")
        for (name, statistic), size in sizes.items():
            m.set("raincheck_effect", size, model=model, subject=name, statistic=statistic, segment="")
        self._sizes[model] = set(sizes)

    def _values(self, row: WindowRow) -> None:
        """What the columns of a window held, and how many of its predictions came with inputs."""
        if row.form != "cells":
            return
        m, name = self.metrics, row.verdict.model
        events = {column.role: 0 for column in self.plan.models[name].columns}
        for column in self.plan.models[name].columns:
            packed = row.columns.get(column.name)
            if packed is None:
                continue
            cells = unpack_cells(packed)
            n, missing = int(cells.sum()), int(cells[0])
            invalid = int(cells[1 : NO_VALUE[column.kind]].sum())
            events[column.role] = max(events[column.role], n)
            m.inc("raincheck_feature_values_total", n, model=name, feature=column.name)
            if missing or name not in self._folded:
                m.inc("raincheck_feature_values_missing_total", missing, model=name, feature=column.name)
            if invalid or name not in self._folded:
                m.inc("raincheck_feature_values_invalid_total", invalid, model=name, feature=column.name)
        self._folded.add(name)
        if "inputs" in events and events.get("predictions"):  # of a model whose inputs nobody watches there is nothing to cover
            m.set("raincheck_coverage_ratio", min(1.0, events["inputs"] / events["predictions"]), model=name)

    def advised(self, row: WindowRow, engine: Engine) -> None:
        """What the plan's own detectors say about the window: `subject` is the column, `statistic` the detector's id."""
        model = row.verdict.model
        for effect in self._advisor.see(row, engine.references.get(model), engine.standings[model].events):
            labels = {"model": model, "subject": effect.column, "statistic": effect.detector, "segment": ""}
            if effect.failed:
                self.metrics.inc("raincheck_detector_errors_total", model=model, detector=effect.detector)
            if effect.score.value is None:
                self.metrics.remove("raincheck_effect", **labels)
            else:
                self.metrics.set("raincheck_effect", effect.score.value, **labels)

    def restored(self, engine: Engine, last: Mapping[str, Verdict | None]) -> None:
        """After a start: what the saved state says, before anything new has come."""
        self.metrics.inc("raincheck_state_restores_total", outcome="snapshot" if any(last.values()) else "fresh")
        for partition, position in engine.watermark.positions.items():
            stream = partition.rpartition("/")[0]
            if position.mark_ms is not None and stream in self.plan.streams:
                # how long it was silent before is not known: silence counts from here, else a restart would end it
                self.metrics.set("raincheck_stream_last_record_timestamp_seconds", wall.now_ms() / 1000, stream=stream)
        for verdict in last.values():
            if verdict is not None:
                self.judged(verdict)
        for incident in engine.incidents.values():
            self._incident(incident, engine)
        for name in self.plan.models:
            self._promise(name, engine)

    def _incident(self, incident: Incident, engine: Engine) -> None:
        """Several incidents share a series (two rules of one model): it says whether any of them is open, and since when."""
        labels = {"model": incident.model, "severity": incident.severity, "kind": incident.kind}
        alike = [i for i in engine.incidents.values() if (i.model, i.severity, i.kind) == tuple(labels.values())]
        self.metrics.set("raincheck_incident_active", float(bool(alike)), **labels)
        if alike:
            self.metrics.set("raincheck_incident_onset_timestamp_seconds", min(i.onset_ms for i in alike) / 1000, **labels)
        else:
            self.metrics.remove("raincheck_incident_onset_timestamp_seconds", **labels)
        about = {what: share for i in alike for what, share in subjects_of(i).items()}
        for (subject, statistic, direction), share in about.items():
            self.metrics.set("raincheck_incident_subject_ratio", share, subject=subject, statistic=statistic, direction=direction, **labels)
        for subject, statistic, direction in self._about.get(tuple(labels.values()), set()) - set(about):
            self.metrics.remove("raincheck_incident_subject_ratio", subject=subject, statistic=statistic, direction=direction, **labels)
        self._about[tuple(labels.values())] = set(about)

    def _promise(self, name: str, engine: Engine) -> None:
        m, model, standing = self.metrics, self.plan.models[name], engine.standings[name]
        m.set("raincheck_model_learning_ratio", engine.learnt(name), model=name)
        m.remove("raincheck_model_info", model=name)
        for seen in self._versions.get(name, ("",)):
            m.set("raincheck_model_info", 1, model=name, model_version=seen, mode=model.mode, team=model.owner)
        limit = upper_limit(standing.ledger, model.budget.per_ms)
        if limit is not None:
            m.set("raincheck_false_page_rate_upper_limit", limit, model=name)
        reference = engine.references.get(name)
        if reference is not None:
            m.set("raincheck_reference_timestamp_seconds", reference.until_ms / 1000, model=name)
            m.set("raincheck_reference_events", standing.events, model=name)
            if reference.calibration is not None:
                m.set("raincheck_reference_span_seconds", reference.calibration.days * DAY_MS / 1000, model=name)
        # from the ledger: an incident that is answered again comes along with its older answers
        self._total("raincheck_false_pages_total", standing.ledger.false_pages, model=name)
        silent = muted(model, standing, standing.next_ms or 0)
        m.set("raincheck_model_muted_ratio", len(silent) / max(1, len(model.columns)), model=name)

    def _totals(self, name: str, label: str, totals: Mapping[str, int]) -> None:
        """Counters whose totals are kept elsewhere: adds what has come since the last look."""
        for value, total in totals.items():
            self._total(name, total, **{label: value})

    def _total(self, name: str, total: int, **labels: str) -> None:
        told = (name, *labels.values())
        before = self._told.get(told, 0)
        if total > before:
            self.metrics.inc(name, total - before, **labels)  # type: ignore[arg-type] # names of the catalogue
            self._told[told] = total


def subjects_of(incident: Incident) -> dict[tuple[str, str, str], float]:
    """What an incident is about as (subject, statistic, direction) with its share: of the evidence, of a rule's events.

    >>> subjects_of(Incident("i", "m", "team", "page", "rule", 0, 0, (), 0.0, 0.0, "", rule="silent"))
    {('', 'silent', ''): 1.0}
    """
    if incident.kind == "rule":
        return {(s.name, s.statistic, ""): s.size / 100 for s in incident.subjects} or {("", incident.rule, ""): 1.0}
    return {(s.name, s.statistic, s.direction): s.share for s in incident.subjects}


def state_bytes(path: str) -> int | None:
    """What the state file and its log take on disk; None where there is no file."""
    sizes = []
    for name in (path, f"{path}-wal"):
        try:
            sizes.append(Path(name).stat().st_size)
        except OSError:
            continue
    return sum(sizes) if sizes else None


def upper_limit(ledger: Ledger, per_ms: int) -> float | None:
    """Poisson upper 95 % limit of acknowledged false pages per budget period; None before anything was judged.

    >>> round(upper_limit(Ledger(judged_ms=100, false_pages=0), 100), 2)
    3.0
    """
    if ledger.judged_ms <= 0:
        return None
    return poisson_upper(ledger.false_pages) / (ledger.judged_ms / per_ms)
