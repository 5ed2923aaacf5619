"""Every key of a configuration, declared once: its kind, what it means, and where its value goes in the plan.

The reader, the mistakes' suggestions and the editors' schema (deploy/raincheck.schema.json) are all made from this table;
defaults are those of the plan's dataclasses. To add a key, add a line here and a field in monitor/plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from detectors.layout import Group
from monitor import plan
from monitor.batch import Role
from monitor.config import combinations as fit
from monitor.config.kinds import Choice, Duration, Flag, KeyPath, Maybe, Number, Share, Size, Text
from monitor.config.places import Address, File, Format, HostPort, NewFile, Receiver, Secret, Timezone
from monitor.config.tables import Key, ListOf, MapOf, Table

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, plan.DAY_MS
KIND_WORDS = {
    **dict.fromkeys(("number", "float", "int", "integer", "double", "real", "continuous"), "numeric"),
    **dict.fromkeys(("string", "category", "text", "enum", "bool", "boolean", "nominal"), "categorical"),
    **dict.fromkeys(("picture", "photo", "frame", "jpeg", "png"), "image"),
    **dict.fromkeys(("vector", "array", "tensor"), "embedding"),
}
ROLE_WORDS = {"features": "inputs", "requests": "inputs", "responses": "predictions", "labels": "outcomes", "truth": "outcomes"}

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
        Key("file", File("a Parquet, CSV or JSON-lines file"), "take it from a file"),
        Key("topic_since", Duration(least_ms=HOUR_MS), "read so much of the topics' past first", to="topic_since_ms"),
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

FIELDS = Table(
    plan.Fields,
    (
        Key("id", KeyPath(), "what joins a prediction to its inputs and outcome"),
        Key("time", KeyPath(), "when it happened; left out: the record's own stamp"),
        Key("model", KeyPath(), "which model it belongs to"),
        Key("version", KeyPath(), "which version of the model answered"),
    ),
    doc="where a record says who it is",
)

STREAM = Table(
    plan.Stream,
    (
        Key("topic", Text("a topic's name"), "the topic to read", required=True),
        Key("role", Choice(get_args(Role), ROLE_WORDS), "what its records are", required=True),
        Key("format", Format(), "how a record is written"),
        Key("fields", FIELDS, "where a record says who it is"),
        Key("model", Text("the name of one of the models"), "all its records belong to this model, whatever they say"),
        Key("event_time", Choice(("field", "record", "arrival")), "whose clock counts"),
    ),
    build=fit.stream,
    check=fit.stream_fits,
    doc="one topic",
)

SECURITY = Table(
    plan.KafkaSecurity,
    (
        Key("protocol", Choice(("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")), "how to connect"),
        Key("mechanism", Choice(("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")), "how to log in"),
        Key("username", Text("a user's name"), "who logs in"),
        Key("password", Secret(), "${NAME} of an environment variable"),
        Key("password_file", File("the file that holds the password"), "a file that holds the password"),
        Key("ca_file", File("the certificates of the authority"), "whom to trust"),
        Key("cert_file", File("the client's certificate"), "the client's certificate"),
        Key("key_file", File("the client's key"), "the client's key"),
    ),
    check=fit.security_fits,
)

KAFKA = Table(
    plan.Kafka,
    (
        Key("bootstrap", ListOf(HostPort(), least=1), "brokers to begin with", required=True),
        Key("security", SECURITY, "encryption and log-in"),
        Key("group", Text("a consumer group's name"), "the name under which offsets are shown to lag tools"),
        Key("start", Choice(("beginning", "end")), "where a partition without saved offset begins"),
        Key("on_corrupt", Choice(("halt", "skip")), "what to do with a batch whose checksum fails"),
    ),
    doc="the brokers; left out: files, HTTP or the demo's bus",
)

HTTP = Table(
    plan.Http,
    (
        Key("bind", Text("an address or a host's name"), "the address to listen on"),
        Key("port", Number(least=0, most=65535, whole=True), "the port to listen on; 0 takes a free one"),
        Key("external_url", Maybe(Address()), "how people reach it: the beginning of every link in a page"),
        Key("token", Secret(), "${NAME} of a variable that holds the token for writes"),
        Key("token_file", File("the file that holds the token"), "a file that holds the token for writes"),
        Key("web_config", File("an exporter-toolkit web configuration"), "TLS and users"),
        Key("readiness", Choice(("local", "full")), "full: /-/ready asks for contact with the brokers as well"),
    ),
    check=fit.http_fits,
    doc="metrics, pages and the API",
)

STATE = Table(
    plan.State,
    (
        Key("path", NewFile(), "the file that holds the state"),
        Key("keep", Duration(least_ms=DAY_MS), "how long closed windows are kept", to="keep_ms"),
        Key("save_every", Duration(least_ms=100, most_ms=HOUR_MS), "how often it is saved at least", to="save_every_ms"),
    ),
)

DEAD_LETTER = Table(
    plan.DeadLetter,
    (
        Key("to", Choice(("topic", "file", "none")), "where records go that cannot be used"),
        Key("path", NewFile(), "the file"),
        Key("topic", Text("a topic's name"), "the topic"),
        Key("max_size", Size(least=1000), "when the file is full", to="max_size_bytes"),
        Key("payload", Flag(), "keep the records' bytes as well; they may hold personal data"),
    ),
    check=fit.dead_letter_fits,
)

LIMITS = Table(
    plan.Limits,
    (
        Key("series", Number(least=100, most=10_000_000, whole=True), "time series exported at most; detail by segment goes first"),
        Key("queue_records", Number(least=1, most=100_000_000, whole=True), "records waiting at most"),
        Key("queue_bytes", Size(least=1000), "bytes waiting at most"),
        Key("max_record", Size(least=1000), "the largest record that is decoded", to="max_record_bytes"),
    ),
)


@dataclass(frozen=True, slots=True)
class _Shard:
    index: int = 0
    count: int = 1


SHARD = Table(
    _Shard,
    (
        Key("index", Number(least=0, most=10_000, whole=True), "which part this process watches, from 0"),
        Key("count", Number(least=1, most=10_000, whole=True), "how many processes share the models"),
    ),
    build=fit.shard,
    check=fit.shard_fits,
)

CONFIGURATION = Table(
    plan.Plan,
    (
        Key("kafka", Maybe(KAFKA), "the brokers; left out: files, HTTP or the demo's bus"),
        Key("streams", MapOf(STREAM, "a stream"), "the topics by a name of your own"),
        Key("models", MapOf(MODEL, "a model"), "the watched models by name", required=True),
        Key("owners", MapOf(OWNER, "an owner"), "who answers, by name; one may be empty: {}", required=True),
        Key("http", HTTP, "metrics, pages and the API"),
        Key("state", STATE, "what survives a restart"),
        Key("dead_letter", DEAD_LETTER, "records that cannot be used"),
        Key("limits", LIMITS, "bounds on memory and series"),
        Key("plugins", ListOf(File("a Python file with detectors")), "files that add detectors"),
        Key("shard", SHARD, "one of several processes"),
    ),
    doc="What raincheck watches, and whom it wakes.",
    example="a mapping with owners and models",
)
