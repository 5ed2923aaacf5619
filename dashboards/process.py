"""The daemon itself: judging, saving, telling people, tasks, and what it costs."""

from __future__ import annotations

from typing import Final

from dashboards.board import Panel, Query, Row
from dashboards.expression import FLEET, fold, or_zero

_BUILD: Final = FLEET.of("raincheck_build_info")
_MODELS: Final = FLEET.of("raincheck_model_info")
_NONE_DOWN: Final = ((0, "down", "red"), (1, "up", "green"))

JUDGING: Final = Row(
    "Judging and saving",
    (
        Panel(
            "Windows", "Are windows closed, and are they judged? A skipped one is told with its reason.", "none",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_windows_evaluated_total"), "model"), _MODELS, "model"), "{{model}} judged"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_windows_skipped_total"), "model", "reason"), _MODELS, "model"),
                      "{{model}} skipped {{reason}}"),
            ),
            "bars", runbook="RaincheckNothingJudged",
        ),
        Panel(
            "Time to judge a window", "Does judging keep up with the windows?", "s",
            (Query(FLEET.buckets("raincheck_window_evaluation_duration_seconds"), "{{le}}"),), "heatmap",
        ),
        Panel(
            "Failing detectors and learning", "Which detector or step of learning fails? The model is judged without it.", "none",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_detector_errors_total"), "model", "detector"), _MODELS, "model"),
                   "{{model}} {{detector}}"),),
            "bars", runbook="RaincheckDetectorFailing",
        ),
        Panel(
            "Components", "What works, and what does not?", "none",
            (Query(fold("min", FLEET.of("raincheck_component_up"), "component"), "{{component}}"),), "states",
            runbook="RaincheckStalled", steps=((None, "red"), (1, "green")), words=_NONE_DOWN,
        ),
        Panel(
            "Since each stage completed a round", "Does any loop hang?", "s",
            (Query(f"time() - {fold('min', FLEET.of('raincheck_pipeline_heartbeat_timestamp_seconds'), 'stage')}", "{{stage}}"),),
            runbook="RaincheckStalled",
        ),
        Panel(
            "Saves", "Is the state saved, and does saving fail?", "cps",
            (
                Query(fold("sum", FLEET.rate("raincheck_state_snapshots_total")), "tried"),
                Query(fold("sum", FLEET.rate("raincheck_state_snapshot_failures_total")), "failed"),
            ),
            runbook="RaincheckSaveFailing",
        ),
        Panel(
            "Time to save", "Is the disk quick enough?", "s",
            (Query(FLEET.buckets("raincheck_state_snapshot_duration_seconds"), "{{le}}"),), "heatmap",
        ),
        Panel(
            "Age of the last save", "How much would be read again after a crash? Nothing is lost by it.", "s",
            (Query(f"time() - {fold('min', FLEET.of('raincheck_state_last_snapshot_timestamp_seconds'), 'instance')}", "{{instance}}"),),
            width=6, runbook="RaincheckSaveFailing",
        ),
        Panel(
            "Size of the state", "Does it grow?", "bytes",
            (Query(fold("max", FLEET.of("raincheck_state_snapshot_size_bytes"), "instance"), "{{instance}}"),), width=6,
        ),
        Panel(
            "Restores", "What did the daemon find when it started?", "none",
            (Query(fold("sum", FLEET.of("raincheck_state_restores_total"), "instance", "outcome"), "{{instance}} {{outcome}}"),), width=12,
            runbook="RaincheckStateLost",
        ),
    ),
)  # fmt: skip

TELLING: Final = Row(
    "Telling people, and tasks",
    (
        Panel(
            "Direct notifications", "Do messages reach their receivers? A failed one is tried again.", "none",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_notifications_total"), "team"), _BUILD), "{{team}} tried"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_notification_failures_total"), "team"), _BUILD), "{{team}} failed"),
            ),
            "bars", runbook="RaincheckNotificationFailing",
        ),
        Panel(
            "Alerts that wait", "Does anything wait to be delivered?", "none",
            (Query(fold("max", FLEET.of("raincheck_outbox_alerts"), "instance"), "{{instance}}"),), runbook="RaincheckCourierStalled",
        ),
        Panel(
            "Scheduled tasks", "Do backups, retention and the nightly learning run, fail, or start late?", "none",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_task_runs_total"), "task"), _BUILD), "{{task}} run"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_task_failures_total"), "task"), _BUILD), "{{task}} failed"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_task_misfires_total"), "task"), _BUILD), "{{task}} late"),
            ),
            "bars", runbook="RaincheckTaskFailing",
        ),
        Panel(
            "Log", "Does it complain more than usual?", "short",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_log_messages_total"), "level"), _BUILD), "{{level}}"),), "bars",
        ),
    ),
)  # fmt: skip

COST: Final = Row(
    "What it costs",
    (
        Panel(
            "Memory", "Does memory stay where it was?", "bytes",
            (Query(fold("max", FLEET.of("process_resident_memory_bytes"), "instance"), "{{instance}}"),), width=8,
        ),
        Panel(
            "Processor", "How much of a core does it take?", "percentunit",
            (Query(f"sum by (instance) (rate({FLEET.of('process_cpu_seconds_total')}[$__rate_interval]))", "{{instance}}"),), width=8,
        ),
        Panel(
            "Open files", "Does it leak any?", "none",
            (Query(fold("max", FLEET.of("process_open_fds"), "instance"), "{{instance}}"),), width=8,
        ),
        Panel(
            "Series exported", "How near is the series budget? Detail is dropped first, decisions never.", "none",
            (
                Query(fold("max", FLEET.of("raincheck_exported_series"), "instance"), "{{instance}} exported"),
                Query(fold("max", FLEET.of("raincheck_exported_series_limit"), "instance"), "{{instance}} limit"),
            ),
            runbook="RaincheckSeriesDropped",
        ),
        Panel(
            "Series dropped", "Which metric lost detail to the budget?", "none",
            (Query(or_zero(fold("sum", FLEET.rise("raincheck_exported_series_dropped_total"), "metric"), _BUILD), "{{metric}}"),),
            "bars", runbook="RaincheckSeriesDropped",
        ),
        Panel(
            "Time to render and to scrape", "Does being watched cost much?", "s",
            (
                Query(fold("max", FLEET.of("raincheck_exposition_duration_seconds"), "instance"), "{{instance}} rendered"),
                Query(fold("max", FLEET.of("scrape_duration_seconds"), "instance"), "{{instance}} scraped"),
            ),
        ),
        Panel(
            "Requests", "Who asks for pages and metrics, and are they refused?", "reqps",
            (Query(or_zero(fold("sum", FLEET.rate("raincheck_http_requests_total"), "handler", "code"), _BUILD), "{{handler}} {{code}}"),),
        ),
        Panel(
            "Configuration", "Was the last configuration good? Its age is the time since it was loaded.", "none",
            (Query(fold("min", FLEET.of("raincheck_config_last_reload_successful")), "configuration"),), "number", 6,
            steps=((None, "red"), (1, "green")), words=((0, "refused", "red"), (1, "good", "green")),
        ),
        Panel(
            "Configuration's age", "When was it loaded?", "s",
            (Query(f"time() - {fold('max', FLEET.of('raincheck_config_last_reload_success_timestamp_seconds'))}", "age"),), "number", 6,
        ),
        Panel(
            "Builds", "Which build runs where?", "none",
            (Query(fold("max", _BUILD, "instance", "version", "python_version"), "{{instance}}: {{version}}, Python {{python_version}}"),),
            "name", 12,
        ),
    ),
)  # fmt: skip

PROCESS: Final = (JUDGING, TELLING, COST)
