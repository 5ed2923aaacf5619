"""The board of everything: does raincheck work, and which model needs somebody."""

from __future__ import annotations

from typing import Final

from dashboards.board import Board, Link, Mark, Panel, Query, Row, Variable
from dashboards.expression import FLEET, fold, or_zero
from dashboards.process import PROCESS
from dashboards.traffic import KAFKA, STREAMS

MODELS: Final = FLEET.of("raincheck_model_info")
_BUILD: Final = FLEET.of("raincheck_build_info")
_END: Final = fold("max", FLEET.of("raincheck_window_last_end_timestamp_seconds"), "model")
_INTERVAL: Final = fold("max", FLEET.of("raincheck_window_expected_interval_seconds"), "model")
_EVIDENCE: Final = fold("max", FLEET.of("raincheck_evidence"), "model")
_LINE: Final = fold("max", FLEET.of("raincheck_evidence_threshold"), "model")
_PAGES: Final = fold("sum", FLEET.of("raincheck_incident_active", severity="page"), "model")
_TICKETS: Final = fold("sum", FLEET.of("raincheck_incident_active", severity="ticket"), "model")
_OVERDUE: Final = f"time() - {_END} > 3 * {_INTERVAL}"

NOW: Final = Row(
    "Now",
    (
        Panel(
            "Daemons up", "How many scrapes of raincheck succeed? None is told as 0, also where no target is left.", "none",
            (Query(f"sum({FLEET.of('up')}) or vector(0)"),), "number", 3, 4, "RaincheckDown", ((None, "red"), (1, "green")),
        ),
        Panel(
            "Ready", "Does every daemon pass its readiness checks? The worst of them is shown.", "none",
            (Query(fold("min", FLEET.of("raincheck_ready"))),), "number", 3, 4, "RaincheckNotReady",
            ((None, "red"), (1, "green")), ((0, "not ready", "red"), (1, "ready", "green")),
        ),
        Panel(
            "Records waiting", "How far is raincheck behind the end of its topics, all partitions together?", "short",
            (Query(fold("sum", FLEET.of("raincheck_kafka_lag_records"))),), "number", 3, 4, "RaincheckLagGrowing",
        ),
        Panel(
            "Watermark age", "How old is the event time up to which every stream is complete? The oldest stream is shown.", "s",
            (Query(f"time() - {fold('min', FLEET.of('raincheck_stream_watermark_timestamp_seconds'))}"),), "number", 3, 4,
            "RaincheckLagGrowing",
        ),
        Panel(
            "Models with an open page", "How many models have somebody awake?", "none",
            (Query(or_zero(f"count({_PAGES} > 0)", MODELS)),), "number", 3, 4, "ModelDrifted", ((None, "green"), (1, "red")),
        ),
        Panel(
            "Models with an open ticket", "How many models wait to be looked at by day?", "none",
            (Query(or_zero(f"count({_TICKETS} > 0)", MODELS)),), "number", 3, 4, "ModelDrifted", ((None, "green"), (1, "orange")),
        ),
        Panel(
            "Models overdue", "How many models have closed no window for three of their intervals?", "none",
            (Query(or_zero(f"count({_OVERDUE})", MODELS)),), "number", 3, 4, "RaincheckWindowOverdue", ((None, "green"), (1, "orange")),
        ),
        Panel(
            "Models that learn", "How many models still gather their reference? Until then only their rules page.", "none",
            (Query(or_zero(f"count({fold('max', FLEET.of('raincheck_model_learning_ratio'), 'model')} < 1)", MODELS)),),
            "number", 3, 4, "RaincheckNothingJudged", ((None, "green"), (1, "blue")),
        ),
    ),
)  # fmt: skip

WATCHED: Final = Row(
    "What is watched",
    (
        Panel(
            "Models", "Which models are watched, for whom, and how does each stand? A model's name leads to its own board.", "none",
            (
                Query(fold("max", MODELS, "model", "mode", "team"), "watched"),
                Query(or_zero(_PAGES, MODELS, "model"), "open pages"),
                Query(or_zero(_TICKETS, MODELS, "model"), "open tickets"),
                Query(_EVIDENCE, "evidence"),
                Query(_LINE, "page line"),
                Query(f"time() - {_END}", "last window ago", "s"),
                Query(fold("max", FLEET.of("raincheck_window_events"), "model"), "events in it", "short"),
                Query(fold("max", FLEET.of("raincheck_model_learning_ratio"), "model"), "learnt", "percentunit"),
                Query(f"time() - {fold('max', FLEET.of('raincheck_reference_timestamp_seconds'), 'model')}", "reference's age", "s"),
                Query(fold("max", FLEET.of("raincheck_false_page_rate_upper_limit"), "model"), "false pages, upper limit"),
            ),
            "table", 24, 9, key="model",
        ),
        Panel(
            "Evidence as a share of the page line",
            "Which model comes near its page line? Both are logarithms, and 150 % is told for all above.",
            "percentunit", (Query(f"clamp({_EVIDENCE} / {_LINE}, 0, 1.5)", "{{model}}"),),
        ),
        Panel(
            "Open incidents", "Since when has which model had something open, and what?", "none",
            (
                Query(or_zero(_PAGES, MODELS, "model"), "{{model}}: pages"),
                Query(or_zero(_TICKETS, MODELS, "model"), "{{model}}: tickets"),
            ),
            "states", runbook="ModelDrifted", steps=((None, "green"), (1, "red")),
            words=((0, "none", "green"), (1, "open", "red"), (2, "two kinds open", "red")),
        ),
        Panel(
            "Pages and tickets opened", "When was somebody told, by evidence or by a rule?", "none",
            (
                Query(or_zero(fold("sum", FLEET.rise("raincheck_pages_total"), "kind"), _BUILD), "page: {{kind}}"),
                Query(or_zero(fold("sum", FLEET.rise("raincheck_tickets_total"), "kind"), _BUILD), "ticket: {{kind}}"),
            ),
            "bars",
        ),
        Panel(
            "Age of the last verdict, in windows", "Is every model judged in time? About 1 is well; a climbing line has stopped.", "short",
            (Query(f"(time() - {_END}) / {_INTERVAL}", "{{model}}"),), runbook="RaincheckWindowOverdue",
        ),
    ),
)  # fmt: skip

FLEET_BOARD: Final = Board(
    "raincheck-fleet",
    "raincheck: fleet",
    "Does raincheck work, and which model needs somebody? Its own pages show the same with answers beside it.",
    (NOW, WATCHED, STREAMS, KAFKA, *PROCESS),
    (
        Variable("job", "Job", "raincheck_build_info", "job", several=True),
        Variable("instance", "Instance", 'raincheck_build_info{job=~"$job"}', "instance", several=True),
    ),
    (
        Mark(
            "Incidents", FLEET.of("raincheck_incident_onset_timestamp_seconds"),
            "{{model}}: {{severity}} ({{kind}}) since here", "red",
        ),
        Mark("Starts", FLEET.of("process_start_time_seconds"), "{{instance}} started", "blue"),
    ),
    (Link("raincheck's pages", "${pages:raw}/"), Link("One model", "/d/raincheck-model", keep=True)),
)  # fmt: skip
