"""The keys of models and owners: what is watched, who answers, and how much may go wrong. Part of `monitor.config.declaration`."""

from __future__ import annotations

from typing import get_args

from detectors.layout import Group
from monitor import plan
from monitor.config import combinations as fit
from monitor.config.kinds import Choice, Flag, KeyPath, Maybe, Text
from monitor.config.measures import Duration, Number, Share
from monitor.config.places import Address, File, Receiver, Timezone
from monitor.config.tables import Key, ListOf, MapOf, Table

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, plan.DAY_MS
KIND_WORDS = {
    **dict.fromkeys(("number", "float", "int", "integer", "double", "real", "continuous"), "numeric"),
    **dict.fromkeys(("string", "category", "text", "enum", "bool", "boolean", "nominal"), "categorical"),
    **dict.fromkeys(("picture", "photo", "frame", "jpeg", "png"), "image"),
    **dict.fromkeys(("vector", "array", "tensor"), "embedding"),
}

BUDGET = Table(
    plan.Budget,
    (
        Key("false_pages", Number(above=0, most=1e6), "how many false pages the owner tolerates in `per`"),
        Key("per", Duration(least_ms=HOUR_MS, right="at least an hour, with its unit: 30d, 4w"), "event time", to="per_ms"),
    ),
    doc="the false pages that the owner tolerates; detectors need no thresholds beside it",
    example="{false_pages: 1, per: 30d}",
)

FEATURE = Table(
    plan.Feature,
    (
        Key("kind", Choice(("numeric", "categorical", "image", "embedding"), KIND_WORDS), "what the values are", required=True),
        Key("path", KeyPath(), "the way to the value in a record; left out: the feature's own name"),
        Key("encoding", Choice(("base64", "raw")), "how a picture's bytes are written"),
    ),
    build=fit.feature,
    check=fit.feature_fits,
    short="kind",
)

PREDICTION = Table(
    plan.Prediction,
    (
        Key("class", KeyPath(), "the predicted class", to="label"),
        Key("probabilities", KeyPath(), "the probability of every class, a list"),
        Key("number", KeyPath(), "the predicted number"),
    ),
    check=fit.prediction_fits,
    example="{class: label, probabilities: scores} or {number: value}",
)

LABEL = Table(
    plan.Label,
    (
        Key("class", KeyPath(), "the true class", to="label"),
        Key("number", KeyPath(), "the true number"),
        Key("within", Duration(least_ms=1000), "how late the truth may come", to="within_ms"),
    ),
    check=fit.label_fits,
    example="{class: label, within: 14d}",
)

SCHEMA = Table(
    plan.Schema,
    (
        Key("features", MapOf(FEATURE, "a feature", free=True), "the model's inputs by name"),
        Key("prediction", PREDICTION, "what the model said"),
        Key("label", LABEL, "the late truth"),
        Key("segments", ListOf(Text("the name of a field"), lone=False), "fields whose values split the traffic, such as camera"),
    ),
    build=fit.schema,
    check=fit.schema_fits,
    doc="the columns that are watched",
)

DETECTOR = Table(
    plan.DetectorUse,
    (
        Key("id", Text("a detector's id; `raincheck detectors` lists them"), "which detector", required=True),
        Key("on", ListOf(Text("a feature's name")), "the columns it looks at; left out: all it can serve"),
        Key("advisory", Number(), "a value from which on it is shown as remarkable; it never pages by itself"),
    ),
    doc="an effect size to export beside the evidence; further keys are the detector's own parameters",
    build=fit.detector,
    short="id",
    rest="parameters",
    example="{id: psi, advisory: 0.2}",
)

RULES = Table(
    plan.Rules,
    (
        Key("silent_for", Maybe(Duration(least_ms=MINUTE_MS)), "page when no event came for so long", to="silent_for_ms"),
        Key("missing", Maybe(Share()), "page when a column is missing in this share of a window"),
        Key("invalid_share", Maybe(Share()), "page when this share of a column cannot be read as its kind"),
    ),
    check=fit.rules_fit,
    doc="what pages at once and outside the budget; null switches a rule off",
)

REFERENCE = Table(
    plan.ReferencePlan,
    (
        Key("learn", Duration(least_ms=HOUR_MS), "learn it from the stream for so long", to="learn_ms"),
        Key("file", File("a Parquet, CSV or JSON-lines file, or a built .reference"), "take it from a file"),
        Key("topic_since", Duration(least_ms=HOUR_MS), "learn it from the topics' past, by the broker's stamps", to="topic_since_ms"),
        Key("recalibrate", Flag(), "learn it again every night while it holds less than 28 days"),
    ),
    build=fit.reference,
    check=fit.reference_fits,
    doc="where normal comes from",
)

MINIMUM_EFFECT = Table(
    plan.MinimumEffect,
    (
        Key("location", Number(least=0), "a shift, in standard deviations"),
        Key("scale", Share("%", unbounded=True), "a change of spread"),
        Key("rate", Share("pp"), "a change of a share, in percentage points"),
        Key("psi", Number(least=0), "a change of shape, as bias-corrected population stability index"),
    ),
    doc="a change below this wakes nobody",
)

MODEL = Table(
    plan.Model,
    (
        Key("owner", Text("the name of one of the owners"), "who is woken; one of `owners`", required=True),
        Key("budget", BUDGET, "how many false pages are tolerated"),
        Key("mode", Choice(("observe", "ticket", "page")), "the most that may happen: a team may look before it is woken"),
        Key("page_on", ListOf(Choice(get_args(Group))), "the groups of columns that may page"),
        Key(
            "window",
            Duration(MINUTE_MS, DAY_MS, divides_day=True, right="1m to 1d that divides a day, such as 1m, 5m, 15m, 1h, 6h, 1d"),
            "how much event time is judged at once",
            to="window_ms",
        ),
        Key(
            "lateness", Duration(least_ms=0, most_ms=DAY_MS), "how far an event may be behind the newest of its partition", to="lateness_ms"
        ),
        Key("timezone", Timezone(), "local time, whose days and weeks the traffic follows"),
        Key("minimum_effect", MINIMUM_EFFECT, "below this a change wakes nobody"),
        Key("runbook", Maybe(Address()), "the page that says what to do"),
        Key("schema", SCHEMA, "the columns", required=True),
        Key("detectors", ListOf(DETECTOR), "advisory detectors"),
        Key("rules", RULES, "what pages at once"),
        Key("reference", REFERENCE, "where normal comes from"),
        Key(
            "max_latch",
            Duration(least_ms=HOUR_MS),
            "send a page that nobody answered again after so long, if it is still true",
            to="max_latch_ms",
        ),
        Key("keep_thumbnails", Flag(), "keep small pictures of the windows that opened an incident"),
    ),
    check=fit.model_fits,
    doc="one watched model",
)

OWNER = Table(
    plan.Owner,
    (
        Key("page", ListOf(Receiver()), "who is woken"),
        Key("ticket", ListOf(Receiver()), "who is told by day"),
        Key("budget", Maybe(BUDGET), "a budget for all models of this owner together; null: each has its own"),
    ),
    doc="a team that answers",
)
