"""Every metric that raincheck exports, in one table: code, dashboards, alert rules and documents are tested against it.

Names follow the conventions of prometheus.io: one prefix, base units, `_total` on counters, `_timestamp_seconds` for
points in time (the reader subtracts), attempts and failures as two counters. Labels never carry raw values, and none is
called like a target label (job, instance, owner, env): the owner appears as `team` here and as `owner` on alerts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

CounterName: TypeAlias = Literal[
    "raincheck_log_messages_total",
    "raincheck_records_consumed_total",
    "raincheck_consumed_bytes_total",
    "raincheck_records_rejected_total",
    "raincheck_records_adjusted_total",
    "raincheck_dead_letters_total",
    "raincheck_dead_letter_failures_total",
    "raincheck_late_events_total",
    "raincheck_events_skipped_total",
    "raincheck_kafka_errors_total",
    "raincheck_kafka_skipped_offsets_total",
    "raincheck_kafka_commits_total",
    "raincheck_kafka_commit_failures_total",
    "raincheck_kafka_reconnects_total",
    "raincheck_windows_evaluated_total",
    "raincheck_windows_skipped_total",
    "raincheck_detector_errors_total",
    "raincheck_feature_values_total",
    "raincheck_feature_values_missing_total",
    "raincheck_feature_values_invalid_total",
    "raincheck_pages_total",
    "raincheck_tickets_total",
    "raincheck_false_pages_total",
    "raincheck_notifications_total",
    "raincheck_notification_failures_total",
    "raincheck_state_snapshots_total",
    "raincheck_state_snapshot_failures_total",
    "raincheck_state_restores_total",
    "raincheck_task_runs_total",
    "raincheck_task_failures_total",
    "raincheck_task_misfires_total",
    "raincheck_exported_series_dropped_total",
    "raincheck_http_requests_total",
]
GaugeName: TypeAlias = Literal[
    "raincheck_build_info",
    "raincheck_shard_info",
    "raincheck_ready",
    "raincheck_component_up",
    "raincheck_config_last_reload_successful",
    "raincheck_config_last_reload_success_timestamp_seconds",
    "raincheck_model_info",
    "raincheck_model_learning_ratio",
    "raincheck_pipeline_heartbeat_timestamp_seconds",
    "raincheck_stream_last_record_timestamp_seconds",
    "raincheck_stream_watermark_timestamp_seconds",
    "raincheck_stream_silence_threshold_seconds",
    "raincheck_kafka_lag_records",
    "raincheck_kafka_assigned_partitions",
    "raincheck_kafka_paused_partitions",
    "raincheck_kafka_another_daemon",
    "raincheck_kafka_last_contact_timestamp_seconds",
    "raincheck_kafka_last_poll_timestamp_seconds",
    "raincheck_coverage_ratio",
    "raincheck_window_last_end_timestamp_seconds",
    "raincheck_window_expected_interval_seconds",
    "raincheck_window_events",
    "raincheck_evidence",
    "raincheck_evidence_threshold",
    "raincheck_evidence_share",
    "raincheck_effect",
    "raincheck_incident_active",
    "raincheck_incident_onset_timestamp_seconds",
    "raincheck_incident_subject_ratio",
    "raincheck_false_page_rate_upper_limit",
    "raincheck_reference_timestamp_seconds",
    "raincheck_reference_events",
    "raincheck_reference_span_seconds",
    "raincheck_model_muted_ratio",
    "raincheck_outbox_alerts",
    "raincheck_state_snapshot_size_bytes",
    "raincheck_state_last_snapshot_timestamp_seconds",
    "raincheck_task_last_success_timestamp_seconds",
    "raincheck_exported_series",
    "raincheck_exported_series_limit",
    "raincheck_exposition_duration_seconds",
]
HistogramName: TypeAlias = Literal[
    "raincheck_record_event_delay_seconds",
    "raincheck_window_evaluation_duration_seconds",
    "raincheck_state_snapshot_duration_seconds",
    "raincheck_notification_duration_seconds",
]
MetricName: TypeAlias = CounterName | GaugeName | HistogramName


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its label names, its HELP text, bucket bounds in seconds (histograms only).

    `detail` says what goes first when the series budget is spent: 0 is never dropped, 1 is detail per feature, 2 is an
    advisory effect; a series with a segment is one step more dispensable than the same one without.
    """

    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    detail: int = 0


# from a blink to two weeks: events and labels come late by minutes, hours and days
_DELAYS: Final = (0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0, 604800.0, 1209600.0)
_WORK: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

COUNTERS: Final[dict[CounterName, Family]] = {
    "raincheck_log_messages_total": Family(("level",), "Log records emitted."),
    "raincheck_records_consumed_total": Family(("stream",), "Records read from the stream."),
    "raincheck_consumed_bytes_total": Family(("stream",), "Value bytes read from the stream."),
    "raincheck_records_rejected_total": Family(("stream", "reason"), "Records that could not be decoded or identified."),
    "raincheck_records_adjusted_total": Family(("stream", "reason"), "Records used after a correction, such as a clamped time stamp."),
    "raincheck_dead_letters_total": Family(("stream",), "Rejected records written to the dead-letter destination."),
    "raincheck_dead_letter_failures_total": Family(("stream",), "Rejected records that could not be written to it."),
    "raincheck_late_events_total": Family(("model",), "Events that came after their window had been left behind."),
    "raincheck_events_skipped_total": Family(("model", "reason"), "Decoded events that were not folded."),
    "raincheck_kafka_errors_total": Family(("error",), "Client errors by class."),
    "raincheck_kafka_skipped_offsets_total": Family(("topic", "reason"), "Offsets never read: lost to retention, or skipped as corrupt."),
    "raincheck_kafka_commits_total": Family((), "Offset commits attempted, for lag tools and other daemons to see."),
    "raincheck_kafka_commit_failures_total": Family((), "Offset commits that failed."),
    "raincheck_kafka_reconnects_total": Family(("reason",), "Consumers built anew, by what ended the last one."),
    "raincheck_windows_evaluated_total": Family(("model",), "Windows closed and judged."),
    "raincheck_windows_skipped_total": Family(("model", "reason"), "Windows closed without a judgement."),
    "raincheck_detector_errors_total": Family(("model", "detector"), "Detector failures; the window counts as unknown for that detector."),
    "raincheck_feature_values_total": Family(("model", "feature"), "Feature values seen.", detail=1),
    "raincheck_feature_values_missing_total": Family(("model", "feature"), "Missing feature values.", detail=1),
    "raincheck_feature_values_invalid_total": Family(
        ("model", "feature"), "Feature values that cannot be read as the schema says.", detail=1
    ),
    "raincheck_pages_total": Family(("model", "kind"), "Pages opened; kind is statistical (within the budget) or rule."),
    "raincheck_tickets_total": Family(("model", "kind"), "Tickets opened."),
    "raincheck_false_pages_total": Family(("model",), "Pages that their owner answered as false."),
    "raincheck_notifications_total": Family(("team",), "Direct notifications attempted, one per receiver."),
    "raincheck_notification_failures_total": Family(("team",), "Direct notifications that failed and will be tried again."),
    "raincheck_state_snapshots_total": Family((), "State transactions attempted."),
    "raincheck_state_snapshot_failures_total": Family((), "State transactions that failed."),
    "raincheck_state_restores_total": Family(("outcome",), "State restores at start, by what was found; lost: its group had read before."),
    "raincheck_task_runs_total": Family(("task",), "Scheduled task runs."),
    "raincheck_task_failures_total": Family(("task",), "Scheduled task failures."),
    "raincheck_task_misfires_total": Family(("task",), "Scheduled runs skipped or late."),
    "raincheck_exported_series_dropped_total": Family(
        ("metric",), "Updates refused and series removed because the series budget was spent."
    ),
    "raincheck_http_requests_total": Family(("handler", "code"), "Requests answered by this endpoint."),
}
GAUGES: Final[dict[GaugeName, Family]] = {
    "raincheck_build_info": Family(("version", "revision", "python_version"), "Constant 1; which build is running."),
    "raincheck_shard_info": Family(("index", "count"), "Constant 1; which part of the models this instance judges."),
    "raincheck_ready": Family((), "1 when the readiness checks pass."),
    "raincheck_component_up": Family(("component",), "1 when the component works."),
    "raincheck_config_last_reload_successful": Family((), "1 when the last configuration load succeeded."),
    "raincheck_config_last_reload_success_timestamp_seconds": Family((), "Time of the last successful configuration load."),
    "raincheck_model_info": Family(
        ("model", "model_version", "mode", "team"), "Constant 1; a watched model, a version seen in its last window, who owns it."
    ),
    "raincheck_model_learning_ratio": Family(("model",), "How much of the reference has been learnt; 1 when windows are judged."),
    "raincheck_pipeline_heartbeat_timestamp_seconds": Family(("stage",), "Last time the loop of the stage completed a round."),
    "raincheck_stream_last_record_timestamp_seconds": Family(
        ("stream",), "Arrival time of the newest record; of a stream that was read before, the start, until one comes."
    ),
    "raincheck_stream_watermark_timestamp_seconds": Family(("stream",), "Event time up to which the stream is complete."),
    "raincheck_stream_silence_threshold_seconds": Family(("stream",), "Longest gap that the configuration tolerates."),
    "raincheck_kafka_lag_records": Family(("topic", "partition"), "End offset minus position."),
    "raincheck_kafka_assigned_partitions": Family(("topic",), "Partitions that this instance reads."),
    "raincheck_kafka_paused_partitions": Family(("topic",), "Partitions paused by backpressure or an error."),
    "raincheck_kafka_another_daemon": Family(
        (), "1 while another daemon commits under the same group: all is judged twice. As of the last commit: kept while nothing is read."
    ),
    "raincheck_kafka_last_contact_timestamp_seconds": Family((), "Last successful round trip to a broker."),
    "raincheck_kafka_last_poll_timestamp_seconds": Family((), "Last return of a poll."),
    "raincheck_coverage_ratio": Family(("model",), "Inputs seen per prediction over the last window, at most 1."),
    "raincheck_window_last_end_timestamp_seconds": Family(("model",), "Event-time end of the last closed window."),
    "raincheck_window_expected_interval_seconds": Family(("model",), "Configured time between window closes."),
    "raincheck_window_events": Family(("model",), "Events in the last closed window."),
    "raincheck_evidence": Family(("model",), "Evidence that the world has moved: log10 of M, in windows."),
    "raincheck_evidence_threshold": Family(("model",), "Evidence at which the owner is paged: log10 of A, in windows."),
    "raincheck_evidence_share": Family(
        ("model", "subject"),
        "Share of the evidence that a subject carries, while the evidence is above a tenth of the threshold.",
        detail=1,
    ),
    "raincheck_effect": Family(
        ("model", "subject", "statistic", "segment"), "Advisory effect size over the last window; wakes nobody by itself.", detail=2
    ),
    "raincheck_incident_active": Family(("model", "severity", "kind"), "1 while an incident is open."),
    "raincheck_incident_onset_timestamp_seconds": Family(
        ("model", "severity", "kind"), "Start of the first bad window of the open incident."
    ),
    "raincheck_incident_subject_ratio": Family(
        ("model", "severity", "kind", "subject", "statistic", "direction"),
        "What an open incident is about, in its own words: the share of its evidence, or of the events that break its rule.",
        detail=1,
    ),
    "raincheck_false_page_rate_upper_limit": Family(
        ("model",), "Upper 95 % limit of false pages per budget period, from the pages answered so far."
    ),
    "raincheck_reference_timestamp_seconds": Family(("model",), "When the reference in use was built."),
    "raincheck_reference_events": Family(("model",), "Events in the reference in use."),
    "raincheck_reference_span_seconds": Family(("model",), "Length of the windows in the reference in use; by night it grows to 28 days."),
    "raincheck_model_muted_ratio": Family(
        ("model",), "Share of the model's columns not judged at the moment: an event was announced, or their level is learnt anew."
    ),
    "raincheck_outbox_alerts": Family((), "Alerts that wait to be delivered."),
    "raincheck_state_snapshot_size_bytes": Family((), "Size of the state file."),
    "raincheck_state_last_snapshot_timestamp_seconds": Family((), "Last durable state transaction."),
    "raincheck_task_last_success_timestamp_seconds": Family(("task",), "Last success of the task."),
    "raincheck_exported_series": Family((), "Labelled series on this endpoint, each bucket of a histogram among them."),
    "raincheck_exported_series_limit": Family((), "Configured bound of that number."),
    "raincheck_exposition_duration_seconds": Family(
        (), "Time to render the exposition before this one; it is rendered at most once a second."
    ),
}
HISTOGRAMS: Final[dict[HistogramName, Family]] = {
    "raincheck_record_event_delay_seconds": Family(("stream",), "Arrival time minus event time.", _DELAYS),
    "raincheck_window_evaluation_duration_seconds": Family((), "Time spent on folding and judging, per window closed.", _WORK),
    "raincheck_state_snapshot_duration_seconds": Family((), "Time to write one state transaction.", _WORK),
    "raincheck_notification_duration_seconds": Family(("team",), "Time that one receiver took.", _WORK),
}
CATALOGUE: Final[dict[MetricName, Family]] = dict([*COUNTERS.items(), *GAUGES.items(), *HISTOGRAMS.items()])

# Labels whose values come from code rather than from the plan. Their sets are small; whoever lets one grow meets OTHER.
BOUNDED: Final = frozenset({"reason", "error", "stage", "outcome", "level", "code", "handler", "component", "task"})
OTHER: Final = "other"
