"""What comes in: streams, whatever they come from, and Kafka."""

from __future__ import annotations

from typing import Final

from dashboards.board import Panel, Query, Row
from dashboards.expression import FLEET, fold, or_zero

_STREAMS: Final = FLEET.of("raincheck_stream_last_record_timestamp_seconds")
_BUILD: Final = FLEET.of("raincheck_build_info")
_MODELS: Final = FLEET.of("raincheck_model_info")
_TOPICS: Final = FLEET.of("raincheck_kafka_assigned_partitions")

STREAMS: Final = Row(
    "Streams",
    (
        Panel(
            "Records read", "Does traffic come, and as much as ever?", "cps",
            (Query(fold("sum", FLEET.rate("raincheck_records_consumed_total"), "stream"), "{{stream}}"),),
        ),
        Panel(
            "Bytes read", "How heavy is it? Values only, as decompressed.", "Bps",
            (Query(fold("sum", FLEET.rate("raincheck_consumed_bytes_total"), "stream"), "{{stream}}"),),
        ),
        Panel(
            "Records refused", "What could not be decoded or identified, and why? Refused records are dead-lettered.", "short",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_records_rejected_total"), "stream", "reason"), _STREAMS, "stream"),
                   "{{stream}} {{reason}}"),),
            "bars", runbook="RaincheckRecordsRejected",
        ),
        Panel(
            "Records corrected, events left out", "What was used after a correction, and what was decoded and not counted?", "short",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_records_adjusted_total"), "stream", "reason"), _STREAMS, "stream"),
                      "{{stream}} corrected {{reason}}"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_events_skipped_total"), "model", "reason"), _MODELS, "model"),
                      "{{model}} left out {{reason}}"),
            ),
            "bars",
        ),
        Panel(
            "Late events", "What comes after its window has been left behind, and counts nowhere?", "short",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_late_events_total"), "model"), _MODELS, "model"), "{{model}}"),),
            "bars",
        ),
        Panel(
            "Dead letters", "Are refused records kept, and does keeping them fail?", "short",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_dead_letters_total"), "stream"), _STREAMS, "stream"), "{{stream}} kept"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_dead_letter_failures_total"), "stream"), _STREAMS, "stream"),
                      "{{stream}} lost"),
            ),
            "bars", runbook="RaincheckDeadLettersFailing",
        ),
        Panel(
            "Delay of events", "How long after it happened does a record arrive? One observation a batch.", "s",
            (Query(FLEET.buckets("raincheck_record_event_delay_seconds"), "{{le}}"),), "heatmap",
        ),
        Panel(
            "Watermark age and silence", "How old is the newest complete event time, and how long has nothing come?", "s",
            (
                Query(f"time() - {fold('min', FLEET.of('raincheck_stream_watermark_timestamp_seconds'), 'stream')}",
                      "{{stream}} watermark"),
                Query(f"time() - {fold('max', FLEET.of('raincheck_stream_last_record_timestamp_seconds'), 'stream')}",
                      "{{stream}} silent"),
            ),
            runbook="RaincheckStreamSilent",
        ),
    ),
)  # fmt: skip

KAFKA: Final = Row(
    "Kafka",
    (
        Panel(
            "Records waiting", "Does raincheck keep up? A line that falls is a backlog being read.", "short",
            (Query(fold("sum", FLEET.of("raincheck_kafka_lag_records"), "topic"), "{{topic}}"),), runbook="RaincheckLagGrowing",
        ),
        Panel(
            "Records waiting by partition", "Is it one partition, a hot key or a damaged batch, or all of them?", "short",
            (Query(fold("max", FLEET.of("raincheck_kafka_lag_records"), "topic", "partition"), "{{topic}}/{{partition}}"),),
            runbook="RaincheckLagGrowing",
        ),
        Panel(
            "Partitions", "How many are read, and how many held back by an error or because they are far ahead?", "none",
            (
                Query(fold("sum", FLEET.of("raincheck_kafka_assigned_partitions"), "topic"), "{{topic}} read"),
                Query(fold("sum", FLEET.of("raincheck_kafka_paused_partitions"), "topic"), "{{topic}} held"),
            ),
            runbook="RaincheckPartitionsHeld",
        ),
        Panel(
            "Since the broker was heard", "Is the broker there, and is it asked? A dead broker is silent, not an error.", "s",
            (
                Query(f"time() - {fold('min', FLEET.of('raincheck_kafka_last_contact_timestamp_seconds'), 'instance')}",
                      "{{instance}} answered"),
                Query(f"time() - {fold('min', FLEET.of('raincheck_kafka_last_poll_timestamp_seconds'), 'instance')}", "{{instance}} asked"),
            ),
            runbook="RaincheckSourceUnreachable",
        ),
        Panel(
            "Errors and new consumers", "What does the client complain of, and how often was it built anew?", "short",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_kafka_errors_total"), "error"), _BUILD), "{{error}}"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_kafka_reconnects_total"), "reason"), _BUILD), "new consumer {{reason}}"),
            ),
            "bars", runbook="RaincheckSourceUnreachable",
        ),
        Panel(
            "Offsets never read", "Was anything lost to retention, or skipped as damaged? These records are in no verdict.", "short",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_kafka_skipped_offsets_total"), "topic", "reason"), _TOPICS, "topic"),
                   "{{topic}} {{reason}}"),),
            "bars", runbook="RaincheckOffsetsLost",
        ),
        Panel(
            "Commits", "Are positions told to the broker? For lag tools and other daemons: raincheck's own are in its state file.", "cps",
            (
                Query(fold("sum", FLEET.rate("raincheck_kafka_commits_total")), "attempted"),
                Query(fold("sum", FLEET.rate("raincheck_kafka_commit_failures_total")), "failed"),
            ),
        ),
        Panel(
            "Alone in its group", "Does another daemon commit under the same group? Then all is judged and paged twice.", "none",
            (Query(fold("max", FLEET.of("raincheck_kafka_another_daemon"), "instance"), "{{instance}}"),), "states",
            runbook="RaincheckTwoDaemons", steps=((None, "green"), (1, "red")), words=((0, "alone", "green"), (1, "two", "red")),
        ),
    ),
)  # fmt: skip
