"""Rules about the process: whether it is there, goes round, keeps its state and reaches its source."""

from __future__ import annotations

from alerts.row import A, Row, rose, series
from alerts.rule import Case, Fired
from monitor.plan import Plan

UP, READY, COMPONENT = series("up"), series("raincheck_ready"), "raincheck_component_up"
RELOADED = series("raincheck_config_last_reload_successful")
STATE, SOURCE = series(COMPONENT, component="state"), series(COMPONENT, component="source")
ENGINE, COURIER = (series("raincheck_pipeline_heartbeat_timestamp_seconds", stage=stage) for stage in ("engine", "notify"))
ANOTHER = series("raincheck_kafka_another_daemon")
LOST, FRESH = (series("raincheck_state_restores_total", outcome=outcome) for outcome in ("lost", "fresh"))
INTERVAL, INTERVAL_B, OTHER = (
    series("raincheck_window_expected_interval_seconds", instance, model=model)
    for instance, model in (("a:9740", "m"), ("b:9740", "m"), ("a:9740", "other"))
)

PROCESS: tuple[Row, ...] = (
    Row(
        "RaincheckAbsent", "page", "absent(up{JOB})", "2m",
        "nothing called raincheck is scraped",
        "No model is watched, or nobody would hear of it: Prometheus has no target of the job {{ $labels.job }}.",
        (
            Case("no target at all", {}, "10m", (Fired({"job": "JOB"}),)),
            Case("a target that is down is another alert", {UP: "0x20"}, "10m"),
        ),
        scope="all", keep="",
    ),
    Row(
        "RaincheckDown", "page", "up{JOB} == 0", "2m",
        "raincheck on {{ $labels.instance }} does not answer",
        "Its models are not watched. Their alerts are held back, so that silence is not taken for good news.",
        (
            Case("scrapes have failed for four minutes", {UP: "1 0x9"}, "5m", (Fired(A),)),
            Case("a restart takes a minute", {UP: "1 0 1x9"}, "5m"),
        ),
        scope="all", keep="",
    ),
    Row(
        "RaincheckStalled", "page", 'time() - raincheck_pipeline_heartbeat_timestamp_seconds{JOB,stage="engine"} > 120', "1m",
        "raincheck on {{ $labels.instance }} hangs",
        "It answers, but has read and judged nothing for {{ $value | humanizeDuration }}.",
        (
            Case("the last round was nine minutes ago", {ENGINE: "60x20"}, "10m", (Fired({**A, "stage": "engine"}, "9m 0s"),)),
            Case("a round a minute", {ENGINE: "0+60x20"}, "10m"),
            Case("the courier is another alert", {COURIER: "60x20"}, "10m"),
        ),
        scope="all",
    ),
    Row(
        "RaincheckSaveFailing", "page", 'raincheck_component_up{JOB,component="state"} == 0', "2m",
        "raincheck on {{ $labels.instance }} cannot save its state",
        "Reading is held back until it can: nothing is lost, and nothing is judged either.",
        (
            Case("the last save failed", {STATE: "1 0x9"}, "5m", (Fired(A),)),
            Case("one failed, the next went well", {STATE: "1 0 1x9"}, "5m"),
        ),
        scope="all",
    ),
    Row(
        "RaincheckSourceUnreachable", "page", 'raincheck_component_up{JOB,component="source"} == 0', "2m",
        "raincheck on {{ $labels.instance }} does not reach its brokers",
        "What is written meanwhile is read later, as long as the topics keep it. Nothing is judged until then.",
        (
            Case("no contact for four minutes", {SOURCE: "1 0x9"}, "5m", (Fired(A),)),
            Case("a broker restarts", {SOURCE: "1 0 0 1x9"}, "6m"),
        ),
    ),
    Row(
        "RaincheckNotReady", "ticket", "raincheck_ready{JOB} == 0", "10m",
        "raincheck on {{ $labels.instance }} says that it is not ready",
        "A part of it does not work, or it is leaving and does not come to an end. /-/ready names the part.",
        (
            Case("for eleven minutes", {READY: "1 0x19"}, "12m", (Fired(A),)),
            Case("while it starts", {READY: "0x3 1x19"}, "12m"),
        ),
    ),
    Row(
        "RaincheckReloadFailed", "ticket", "raincheck_config_last_reload_successful{JOB} == 0", "",
        "raincheck on {{ $labels.instance }} has refused its new configuration",
        "It goes on with the old one. The next restart would not: a configuration with mistakes starts nothing.",
        (
            Case("the changed file has a mistake", {RELOADED: "1x4 0x10"}, "10m", (Fired(A),)),
            Case("it was mended, and longer ago than an alert is kept", {RELOADED: "1 0 1x30"}, "20m"),
        ),
    ),
    Row(
        "RaincheckJudgedTwice", "ticket", "count by (job, model) (raincheck_window_expected_interval_seconds{JOB}) > 1", "15m",
        "{{ $labels.model }} is judged by {{ $value }} daemons",
        "Each has a state of its own and pages for itself: their false pages add up to more than the budget.",
        (
            Case(
                "two instances with the same plan", {INTERVAL: "300x30", INTERVAL_B: "300x30", OTHER: "300x30"}, "20m",
                (Fired({"job": "JOB", "model": "m"}, "2"),),
            ),
            Case("a rolling update", {INTERVAL: "300x5 _x30", INTERVAL_B: "_x4 300x30"}, "20m"),
        ),
    ),
    Row(
        "RaincheckTwoDaemons", "ticket", "raincheck_kafka_another_daemon{JOB} == 1", "1m",
        "another daemon reads for the same group as {{ $labels.instance }}",
        "Each has a state of its own: what both watch is judged twice and paged twice. The log of {{ $labels.instance }} names the other.",
        (
            Case("it commits in between, and goes on", {ANOTHER: "0x5 1x20"}, "8m", (Fired(A),)),
            Case("alone", {ANOTHER: "0x20"}, "10m"),
            Case("the other was stopped, and longer ago than an alert is kept", {ANOTHER: "1x5 0x30"}, "20m"),
        ),
    ),
    Row(
        "RaincheckStateLost", "ticket",
        f"""sum by (job, instance) {rose("raincheck_state_restores_total", "1h", ',outcome="lost"')} > 0""", "",
        "raincheck on {{ $labels.instance }} has begun with an empty state",
        "Its group remembers an earlier life, its state does not: what was learnt, open incidents and answers are gone unless it is found.",
        (
            Case("an hour has not passed", {LOST: "_x5 1x60"}, "30m", (Fired(A),)),
            Case("it has", {LOST: "_x5 1x200"}, "90m"),
            Case("a first start is none", {FRESH: "_x5 1x60"}, "30m"),
        ),
    ),
)  # fmt: skip


def shards(plan: Plan) -> tuple[Row, ...]:
    """What must be counted where several processes share the models: a part that is not even a target is not down."""
    count = plan.shard[1]
    if count == 1:
        return ()
    infos = [series("raincheck_shard_info", f"{index}:9740", index=str(index)) for index in range(count)]
    return (
        Row(
            "RaincheckShardMissing", "page", f"count(count by (index) (raincheck_shard_info{{JOB}})) < {count}", "2m",
            f"{{{{ $value }}}} of {count} parts of raincheck run",
            "The models of a part that is missing are not watched.",
            (
                Case("one part is not there", dict.fromkeys(infos[1:], "1x20"), "10m", (Fired({}, str(count - 1)),)),
                Case("all are", dict.fromkeys(infos, "1x20"), "10m"),
            ),
        ),
    )  # fmt: skip
