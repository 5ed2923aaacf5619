"""Rules about what flows through: records that come, are read, are understood, and windows that close."""

from __future__ import annotations

from alerts.row import A, Row, rose, series
from alerts.rule import Case, Fired
from monitor.plan import Plan

# beside the plan's own lateness: a broker's hiccup, a save, a scrape, a rule's evaluation
GRACE_S = 600
LAST, SILENCE = (series(f"raincheck_stream_{name}_seconds", stream="requests") for name in ("last_record_timestamp", "silence_threshold"))
LAG, LAG_1 = (series("raincheck_kafka_lag_records", topic="shop", partition=partition) for partition in "01")
PAUSED = series("raincheck_kafka_paused_partitions", topic="shop")
CONSUMED = series("raincheck_records_consumed_total", stream="requests")
REJECTED = series("raincheck_records_rejected_total", stream="requests", reason="decode")
SKIPPED = series("raincheck_kafka_skipped_offsets_total", topic="shop", reason="retention")
END, INTERVAL = (series(f"raincheck_window_{name}_seconds", model="m") for name in ("last_end_timestamp", "expected_interval"))
STARTED = series("raincheck_config_last_reload_success_timestamp_seconds")
STREAM, TOPIC, MODEL = {"job": "JOB", "stream": "requests"}, {"job": "JOB", "topic": "shop"}, {**A, "model": "m"}
_REJECTED, _CONSUMED = (f"sum by (job, stream) (rate(raincheck_records_{what}_total{{JOB}}[15m]))" for what in ("rejected", "consumed"))
_LAG = "sum by (job, topic) (raincheck_kafka_lag_records{JOB})[15m:1m]"

TRAFFIC: tuple[Row, ...] = (
    Row(
        "RaincheckStreamSilent", "ticket",
        "time() - raincheck_stream_last_record_timestamp_seconds{JOB} > raincheck_stream_silence_threshold_seconds{JOB}", "2m",
        "no record has come from {{ $labels.stream }} for {{ $value | humanizeDuration }}",
        "That is longer than the plan tolerates (rules.silent_for). The models' owners are told by ModelBroken, once windows close empty.",
        (
            Case("nothing for 19 minutes, 15 are tolerated", {LAST: "60x40", SILENCE: "900x40"}, "20m",
                 (Fired({**A, "stream": "requests"}, "19m 0s"),)),
            Case("a record a minute", {LAST: "0+60x40", SILENCE: "900x40"}, "20m"),
            Case("the plan tolerates any silence", {LAST: "60x40"}, "20m"),
        ),
    ),
    Row(
        "RaincheckLagGrowing", "ticket",
        f"(min_over_time({_LAG}) > 1000) > max_over_time({_LAG} offset 45m)", "15m",
        "raincheck falls behind on {{ $labels.topic }}: at least {{ $value | humanize }} records wait",
        "For a quarter of an hour more records have waited than in any minute an hour ago. Verdicts come late, then retention overtakes.",
        (
            Case("two partitions, and an hour ago there was little", {LAG: "50x60 4000x60", LAG_1: "50x60 4000x60"}, "100m",
                 (Fired(TOPIC, "8k"),)),
            Case("a backlog that is being read", {LAG: "100000-500x120"}, "100m"),
            Case("a burst every half hour that is read again", {LAG: "0+900x15 13500-900x14 0+900x15 13500-900x14 0+900x15 13500-900x14"},
                 "80m"),
            Case("a few records more are no trend", {LAG: "0x60 500x60"}, "100m"),
        ),
    ),
    Row(
        "RaincheckPartitionsHeld", "ticket", "min_over_time(raincheck_kafka_paused_partitions{JOB}[30m]) > 0", "2m",
        "{{ $value }} partitions of {{ $labels.topic }} have not been read for half an hour",
        "A damaged batch holds them, or they are far ahead of others in event time and wait for those.",
        (
            Case("one is held", {PAUSED: "0x5 1x60"}, "50m", (Fired({**A, "topic": "shop"}, "1"),)),
            Case("they wait now and then", {PAUSED: "2x20 0 2x20 0 2x20"}, "60m"),
        ),
    ),
    Row(
        "RaincheckRecordsRejected", "ticket", f"{_REJECTED} / {_CONSUMED} > 0.05", "15m",
        "{{ $value | humanizePercentage }} of the records of {{ $labels.stream }} cannot be used",
        "They are not JSON, or lack what tells their model or time. raincheck_records_rejected_total has the reasons.",
        (
            Case("one in ten", {CONSUMED: "0+100x60", REJECTED: "0+10x60"}, "40m", (Fired(STREAM, "10%"),)),
            Case("one in a hundred", {CONSUMED: "0+100x60", REJECTED: "0+1x60"}, "40m"),
            Case("a bad minute", {CONSUMED: "0+100x60", REJECTED: "0x20 90x40"}, "40m"),
        ),
    ),
    Row(
        "RaincheckOffsetsLost", "ticket", f"sum by (job, topic) {rose('raincheck_kafka_skipped_offsets_total', '1h')} > 0", "",
        "records of {{ $labels.topic }} were never read",
        "Retention took them before raincheck came, or a damaged batch was skipped. raincheck_kafka_skipped_offsets_total says how many at "
        "most. Windows lack them; verdicts rest on what was there.",
        (
            Case("the counter appears with what was lost at the start", {SKIPPED: "_x5 500x60"}, "10m", (Fired(TOPIC),)),
            Case("an hour after it was told", {SKIPPED: "_x5 500x200"}, "90m"),
            Case("more are lost", {SKIPPED: "500x90 600x30"}, "100m", (Fired(TOPIC),)),
        ),
    ),
)  # fmt: skip


def windows(plan: Plan) -> tuple[Row, ...]:
    """What depends on how late the plan lets events be: a window closes that much after its end, and is a window old before the next."""
    slack_s = GRACE_S + max((model.lateness_ms for model in plan.models.values()), default=0) // 1000
    last, interval = "raincheck_window_last_end_timestamp_seconds{JOB}", "raincheck_window_expected_interval_seconds{JOB}"
    late_min = (2 * 300 + slack_s) // 60 + 15  # in the cases, whose windows have five minutes
    old_s = late_min * 60 - 60
    return (
        Row(
            "RaincheckWindowOverdue", "page", f"time() - {last} > 2 * {interval} + {slack_s} unless delta({last}[30m]) > 3600", "10m",
            "{{ $labels.model }} has not been judged for {{ $value | humanizeDuration }}",
            "Its windows do not close. A backlog that is read at twice its own speed or faster is not told: it will be over.",
            (
                Case("the last window ended a minute after the start", {END: f"60x{late_min}", INTERVAL: f"300x{late_min}"},
                     f"{late_min}m", (Fired(MODEL, duration(old_s)),)),
                Case("every window closes at its end", {END: "0+60x120", INTERVAL: "300x120"}, "100m"),
                Case("windows of an hour, one of which has just been missed", {END: "0x70", INTERVAL: "3600x70"}, "60m"),
                Case("a backlog is read fast", {END: "-999999+150x120", INTERVAL: "300x120"}, "100m"),
                Case("a backlog does not get smaller", {END: "-90000+60x120", INTERVAL: "300x120"}, "100m",
                     (Fired(MODEL, duration(90_000)),)),
            ),
        ),
        Row(
            "RaincheckNothingJudged", "ticket",
            f"2 * ({interval} unless {last}) + {slack_s} < on (job, instance) group_left () "
            "(time() - raincheck_config_last_reload_success_timestamp_seconds{JOB})", "30m",
            "{{ $labels.model }} has never been judged since raincheck runs",
            "No window of it has closed: its topics are empty or not there, or none of their records says that it belongs to this model.",
            (
                Case("started long ago", {INTERVAL: f"300x{late_min + 60}", STARTED: f"0x{late_min + 60}"}, f"{late_min + 45}m",
                     (Fired(MODEL),)),
                Case("started just now", {INTERVAL: "300x20", STARTED: "0x20"}, "9m"),
                Case("windows have closed", {INTERVAL: f"300x{late_min + 60}", STARTED: f"0x{late_min + 60}", END: f"0x{late_min + 60}"},
                     f"{late_min + 45}m"),
            ),
        ),
    )  # fmt: skip


def duration(seconds: int) -> str:
    """Seconds as Prometheus' humanizeDuration writes them.

    >>> duration(3540), duration(90_000)
    ('59m 0s', '1d 1h 0m 0s')
    """
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    first = next((i for i, (n, _) in enumerate(parts) if n), len(parts) - 1)
    return " ".join(f"{n}{unit}" for n, unit in parts[first:])
