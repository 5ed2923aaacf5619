"""Rules about what leaves raincheck, and about its parts: messages, dead letters, metrics, jobs, learning, detectors."""

from __future__ import annotations

from typing import Final

from alerts.row import A, Row, rose, series
from alerts.rule import Case, Fired

# the steps of learning, as raincheck_detector_errors_total{detector} counts their failures; a test holds them to monitor.learning
LEARNING: Final = ("calibration", "cuts", "nightly", "rebase", "refit", "trend")
_LEARNS, _WATCHES = (f',detector{match}"{"|".join(LEARNING)}"' for match in ("=~", "!~"))
ERRORS = "raincheck_detector_errors_total"
CUTS, PSI = (series(ERRORS, model="m", detector=name) for name in ("cuts", "psi"))
ATTEMPTS, FAILURES = (series(f"raincheck_notification{name}_total", team="team") for name in ("s", "_failures"))
COURIER, ENGINE = (series("raincheck_pipeline_heartbeat_timestamp_seconds", stage=stage) for stage in ("notify", "engine"))
LETTERS = series("raincheck_dead_letter_failures_total", stream="requests")
DROPPED = series("raincheck_exported_series_dropped_total", metric="raincheck_effect")
TASK = series("raincheck_task_failures_total", task="retention")
COPIED, FORGOTTEN = (series("raincheck_task_last_success_timestamp_seconds", task=task) for task in ("backup", "retention"))
# of a daemon that has made none yet, its start counts; a hangup is one, and leaves the process's own start time as it was
STARTED = series("raincheck_config_last_reload_success_timestamp_seconds")
_COPIED = (
    'sum without (task) (raincheck_task_last_success_timestamp_seconds{JOB,task="backup"} '
    "or on (job, instance) raincheck_config_last_reload_success_timestamp_seconds{JOB})"
)
_FAILURES, _ATTEMPTS = (f"sum by (job, team) (increase(raincheck_notification{name}_total{{JOB}}[30m]))" for name in ("_failures", "s"))

DELIVERY: tuple[Row, ...] = (
    Row(
        "RaincheckNotificationFailing", "page", f"{_FAILURES} / {_ATTEMPTS} > 0.5", "10m",
        "messages do not reach {{ $labels.team }}",
        "Most direct messages of the last half hour failed: a page may be open and unread. They are sent again until they come through.",
        (
            Case("every attempt fails", {ATTEMPTS: "0+1x60", FAILURES: "0+1x60"}, "30m", (Fired({"job": "JOB", "team": "team"}),)),
            Case("one failed, the next arrived", {ATTEMPTS: "1x5 2x50", FAILURES: "1x60"}, "30m"),
            Case("nothing to tell", {ATTEMPTS: "7x60", FAILURES: "3x60"}, "30m"),
        ),
    ),
    Row(
        "RaincheckCourierStalled", "page", 'time() - raincheck_pipeline_heartbeat_timestamp_seconds{JOB,stage="notify"} > 300', "2m",
        "raincheck on {{ $labels.instance }} delivers nothing",
        "Its courier hangs since {{ $value | humanizeDuration }}, at a receiver that neither takes a message nor refuses it.",
        (
            Case("the last round was nine minutes ago", {COURIER: "60x20"}, "10m", (Fired({**A, "stage": "notify"}, "9m 0s"),)),
            Case("a round a minute", {COURIER: "0+60x20"}, "10m"),
            Case("the engine is another alert", {ENGINE: "60x20"}, "10m"),
        ),
    ),
    Row(
        "RaincheckDeadLettersFailing", "ticket", f"sum by (job, stream) {rose('raincheck_dead_letter_failures_total', '15m')} > 0", "",
        "rejected records of {{ $labels.stream }} could not be set aside",
        "They are counted and skipped, and their bytes are in the topic only, until retention takes them.",
        (
            Case("the first one", {LETTERS: "_x5 1x20"}, "10m", (Fired({"job": "JOB", "stream": "requests"}),)),
            Case("more of them", {LETTERS: "4x40 9x10"}, "45m", (Fired({"job": "JOB", "stream": "requests"}),)),
            Case("long ago", {LETTERS: "_x5 1x60"}, "45m"),
        ),
    ),
    Row(
        "RaincheckLearningFailed", "ticket", f"sum by (job, model, detector) {rose(ERRORS, '1h', _LEARNS)} > 0", "",
        "{{ $labels.model }}: a step of learning failed ({{ $labels.detector }})",
        "It is tried again later, and the model goes on with the reference that it has; one without any is not judged until then.",
        (
            Case("the first time", {CUTS: "_x5 1x20"}, "10m", (Fired({"job": "JOB", "model": "m", "detector": "cuts"}),)),
            Case("a detector is another alert", {PSI: "_x5 1x20"}, "10m"),
            Case("long ago", {CUTS: "_x5 1x200"}, "90m"),
        ),
    ),
    Row(
        "RaincheckDetectorFailing", "ticket", f"sum by (job, model, detector) {rose(ERRORS, '1h', _WATCHES)} > 0", "15m",
        "{{ $labels.model }}: the detector {{ $labels.detector }} fails",
        "Its own figure is missing. Evidence, pages and the other detectors do not depend on it.",
        (
            Case("it fails", {PSI: "_x5 1x40"}, "30m", (Fired({"job": "JOB", "model": "m", "detector": "psi"}),)),
            Case("learning is another alert", {CUTS: "_x5 1x40"}, "30m"),
        ),
    ),
    Row(
        "RaincheckSeriesDropped", "ticket", f"sum by (job, metric) {rose('raincheck_exported_series_dropped_total', '30m')} > 0", "30m",
        "series of {{ $labels.metric }} are not exported",
        "limits.series is spent: detail is missing on dashboards. Decisions are exported always, and the web pages have everything.",
        (
            Case("more are refused all the time", {DROPPED: "0+3x90"}, "60m", (Fired({"job": "JOB", "metric": "raincheck_effect"}),)),
            Case("none lately", {DROPPED: "12x90"}, "60m"),
        ),
    ),
    Row(
        "RaincheckTaskFailing", "ticket", f"sum by (job, task) {rose('raincheck_task_failures_total', '6h')} > 0", "",
        "the scheduled task {{ $labels.task }} failed",
        "It runs again at its next time. retention: until then the state file grows. backup: its copy gets older by the hour.",
        (
            Case("it failed once", {TASK: "_x5 1x60"}, "30m", (Fired({"job": "JOB", "task": "retention"}),)),
            Case("seven hours ago", {TASK: "_x5 1x400"}, "390m"),
        ),
    ),
    Row(
        "RaincheckCopyOld", "ticket", f"time() - {_COPIED} > 10800", "",
        "the copy of the state on {{ $labels.instance }} is old",
        "No good one for {{ $value | humanizeDuration }}, or since the start: what was answered and announced is lost if the state is.",
        (
            Case("none for three hours and twenty minutes", {COPIED: "0x240", STARTED: "0x240"}, "200m", (Fired(A, "3h 20m 0s"),)),
            Case("none since the start", {STARTED: "60x240"}, "200m", (Fired(A, "3h 19m 0s"),)),
            Case("none yet, started an hour ago", {STARTED: "8400x240"}, "200m"),
            Case("the first ones failed, and then one went well", {STARTED: "0x240", COPIED: "_x120 7200x120"}, "200m"),
            Case("one failed, and the next went well", {COPIED: "0x120 7200x120", STARTED: "0x240"}, "200m"),
            Case("what is forgotten by night is another task", {FORGOTTEN: "0x240"}, "200m"),
        ),
    ),
)  # fmt: skip
