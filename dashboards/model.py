"""The board of one model: how strongly the evidence speaks, what carries it, how fresh and how well-founded it is."""

from __future__ import annotations

from typing import Final

from dashboards.board import Board, Link, Mark, Panel, Query, Row, Variable
from dashboards.expression import MODEL, fold, or_zero

_INFO: Final = MODEL.of("raincheck_model_info")
_END: Final = fold("max", MODEL.of("raincheck_window_last_end_timestamp_seconds"))
_INTERVAL: Final = fold("max", MODEL.of("raincheck_window_expected_interval_seconds"))
_OPEN: Final = {
    severity: or_zero(fold("sum", MODEL.of("raincheck_incident_active", severity=severity)), _INFO) for severity in ("page", "ticket")
}
_CHANGE: Final = ("subject", "statistic")
_SEEN: Final = fold("sum", MODEL.rate("raincheck_feature_values_total"), "feature")

NOW: Final = Row(
    "Now",
    (
        Panel(
            "Owner and mode", "Who is told, and may the model page, or only send tickets, or only be observed?", "none",
            (Query(fold("max", _INFO, "team", "mode"), "{{team}}: {{mode}}"),), "name", 4, 4,
        ),
        Panel(
            "Open pages", "Is somebody awake for this model?", "none", (Query(_OPEN["page"]),), "number", 3, 4, "ModelDrifted",
            ((None, "green"), (1, "red")),
        ),
        Panel(
            "Open tickets", "Is there something to look at by day?", "none", (Query(_OPEN["ticket"]),), "number", 3, 4, "ModelDrifted",
            ((None, "green"), (1, "orange")),
        ),
        Panel(
            "Last window ago", "How old is the last verdict? A verdict stays shown until a newer one comes.", "s",
            (Query(f"time() - {_END}"),), "number", 3, 4, "RaincheckWindowOverdue",
        ),
        Panel(
            "Events in it", "On how many events does it rest?", "short",
            (Query(fold("max", MODEL.of("raincheck_window_events"))),), "number", 3, 4,
        ),
        Panel(
            "Learnt", "How much of the reference is there? Evidence is judged from 100 % on, rules always.", "percentunit",
            (Query(fold("max", MODEL.of("raincheck_model_learning_ratio"))),), "number", 3, 4, "RaincheckNothingJudged",
            ((None, "blue"), (1, "green")),
        ),
        Panel(
            "False pages, upper limit", "Does the promise hold? 95 % limit per budget period; it falls as time passes without one.",
            "short", (Query(fold("max", MODEL.of("raincheck_false_page_rate_upper_limit"))),), "number", 5, 4,
        ),
    ),
)  # fmt: skip

EVIDENCE: Final = Row(
    "Evidence",
    (
        Panel(
            "Evidence against the page line",
            "How strongly do the windows speak against 'nothing has changed'? Powers of ten: at 3 chance gets there about once in 1,000 "
            "windows. The page line is the budget; there is no other threshold. Drawn narrower the higher it goes.",
            "none",
            (
                Query(fold("max", MODEL.of("raincheck_evidence")), "evidence"),
                Query(fold("max", MODEL.of("raincheck_evidence_threshold")), "page line"),
            ),
            width=24, height=9, runbook="ModelDrifted", narrowing=True,
        ),
        Panel(
            "Incidents", "What was open when, by evidence or by a rule?", "none",
            (
                Query(or_zero(fold("max", MODEL.of("raincheck_incident_active", severity="page"), "kind"), _INFO), "page {{kind}}"),
                Query(or_zero(fold("max", MODEL.of("raincheck_incident_active", severity="ticket"), "kind"), _INFO), "ticket {{kind}}"),
            ),
            "states", 24, 5, "ModelBroken", ((None, "green"), (1, "red")), ((0, "none", "green"), (1, "open", "red")),
        ),
        Panel(
            "What carries the evidence", "Which columns speak? Told while the evidence has come to a tenth of the line; else 0.",
            "percentunit",
            (Query(or_zero(fold("max", MODEL.of("raincheck_evidence_share"), "subject"), _INFO), "{{subject}}"),), width=8, stacked=True,
        ),
        Panel(
            "What open incidents are about", "What has changed, and which way? Shares of the evidence, or of the events that break a rule.",
            "percentunit",
            (Query(or_zero(fold("max", MODEL.of("raincheck_incident_subject_ratio"), "severity", *_CHANGE, "direction"), _INFO),
                   "{{severity}}: {{subject}} {{statistic}} {{direction}}"),),
            width=8, runbook="ModelDrifted",
        ),
        Panel(
            "Effects", "By how much has it changed? Advisory: sizes in the statistic's own unit; they wake nobody.", "short",
            (Query(or_zero(fold("max", MODEL.of("raincheck_effect", segment=""), *_CHANGE), _INFO),
                   "{{subject}} {{statistic}}"),),
            width=8,
        ),
    ),
)  # fmt: skip

WINDOWS: Final = Row(
    "Windows",
    (
        Panel(
            "Events per window", "Is there as much traffic as ever? Few events make evidence slow.", "short",
            (Query(fold("max", MODEL.of("raincheck_window_events")), "events"),),
        ),
        Panel(
            "Age of the last verdict", "Is the model judged in time? Beside it the configured time between windows.", "s",
            (Query(f"time() - {_END}", "age"), Query(_INTERVAL, "interval")), runbook="RaincheckWindowOverdue",
        ),
        Panel(
            "Windows judged and skipped", "Why was a window not judged?", "none",
            (
                Query(or_zero(fold("sum", MODEL.rise("raincheck_windows_evaluated_total")), _INFO), "judged"),
                Query(or_zero(fold("sum", MODEL.rise("raincheck_windows_skipped_total"), "reason"), _INFO), "skipped {{reason}}"),
            ),
            "bars", runbook="RaincheckNothingJudged",
        ),
        Panel(
            "Events left out", "What counts nowhere, because it came late or could not be placed?", "short",
            (
                Query(or_zero(fold("sum", MODEL.rise("raincheck_late_events_total")), _INFO), "late"),
                Query(or_zero(fold("sum", MODEL.rise("raincheck_events_skipped_total"), "reason"), _INFO), "{{reason}}"),
            ),
            "bars",
        ),
    ),
)  # fmt: skip

QUALITY: Final = Row(
    "Quality of the data",
    (
        Panel(
            "Missing values", "Which column is empty more often than usual? A column missing altogether pages by a rule.", "percentunit",
            (Query(f"{fold('sum', MODEL.rate('raincheck_feature_values_missing_total'), 'feature')} / {_SEEN}", "{{feature}}"),),
            runbook="ModelBroken",
        ),
        Panel(
            "Invalid values", "Which column cannot be read as the schema says?", "percentunit",
            (Query(f"{fold('sum', MODEL.rate('raincheck_feature_values_invalid_total'), 'feature')} / {_SEEN}", "{{feature}}"),),
            runbook="ModelBroken",
        ),
        Panel(
            "Predictions whose inputs were seen", "Do inputs and predictions come together?", "percentunit",
            (Query(fold("max", MODEL.of("raincheck_coverage_ratio")), "seen"),),
        ),
        Panel(
            "Failing detectors and learning", "Which detector or step of learning fails? The model is judged without it.", "none",
            (Query(or_zero(fold("sum", MODEL.rise("raincheck_detector_errors_total"), "detector"), _INFO), "{{detector}}"),),
            "bars", runbook="RaincheckDetectorFailing",
        ),
    ),
)  # fmt: skip

PROMISE: Final = Row(
    "What is known, and whether the promise holds",
    (
        Panel(
            "Reference", "How long is what was learnt? It grows by night to 28 days, if it may.", "s",
            (Query(fold("max", MODEL.of("raincheck_reference_span_seconds")), "length"),), width=8,
        ),
        Panel(
            "Events in the reference", "On how many events does 'normal' rest?", "short",
            (Query(fold("max", MODEL.of("raincheck_reference_events")), "events"),), width=8,
        ),
        Panel(
            "Reference's age", "How long ago was it built?", "s",
            (Query(f"time() - {fold('max', MODEL.of('raincheck_reference_timestamp_seconds'))}", "age"),), width=8,
        ),
        Panel(
            "Columns not judged at the moment", "Is all of it judged? Not while an announced event lasts, or a level is learnt anew.",
            "percentunit", (Query(fold("max", MODEL.of("raincheck_model_muted_ratio")), "not judged"),), width=8,
        ),
        Panel(
            "Pages, tickets, false pages", "How often was somebody told since the daemon started, and how often for nothing?", "none",
            (
                Query(or_zero(fold("sum", MODEL.of("raincheck_pages_total"), "kind"), _INFO), "pages {{kind}}"),
                Query(or_zero(fold("sum", MODEL.of("raincheck_tickets_total"), "kind"), _INFO), "tickets {{kind}}"),
                Query(or_zero(fold("sum", MODEL.of("raincheck_false_pages_total")), _INFO), "answered false"),
            ),
            width=8,
        ),
        Panel(
            "False pages against the budget", "Upper 95 % limit of false pages per budget period, from answers: is it the budget?",
            "short", (Query(fold("max", MODEL.of("raincheck_false_page_rate_upper_limit")), "upper limit"),), width=8,
        ),
    ),
)  # fmt: skip

MODEL_BOARD: Final = Board(
    "raincheck-model",
    "raincheck: model",
    "One model: how strongly the evidence speaks, what carries it, how fresh and how well-founded it is.",
    (NOW, EVIDENCE, WINDOWS, QUALITY, PROMISE),
    (
        Variable("job", "Job", "raincheck_build_info", "job", several=True),
        Variable("model", "Model", 'raincheck_model_info{job=~"$job"}', "model"),
    ),
    (
        Mark("Incidents", MODEL.of("raincheck_incident_onset_timestamp_seconds"), "{{severity}} ({{kind}}) since here", "red"),
        Mark("References", MODEL.of("raincheck_reference_timestamp_seconds"), "what was learnt ends here", "blue"),
    ),
    (
        Link("The model's page", "${pages:raw}/models/${model:percentencode}"),
        Link("Its incidents", "${pages:raw}/models/${model:percentencode}#incidents"),
        Link("Its reference's report", "${pages:raw}/models/${model:percentencode}/report"),
        Link("All models", "/d/raincheck-fleet", keep=True),
    ),
)  # fmt: skip
