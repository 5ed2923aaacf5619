"""Every key of a configuration, declared once: its kind, what it means, and where its value goes in the plan.

The reader, the mistakes' suggestions and the editors' schema (deploy/raincheck.schema.json) are all made from this table;
defaults are those of the plan's dataclasses. To add a key, add a line here and a field in monitor/plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from monitor import plan
from monitor.batch import Role
from monitor.config import combinations as fit
from monitor.config.kinds import Choice, Flag, KeyPath, Maybe, Text
from monitor.config.measures import Duration, Number, Size
from monitor.config.places import Address, File, Format, HostPort, NewFile, Secret
from monitor.config.tables import Key, ListOf, MapOf, Table
from monitor.config.watched import MODEL, OWNER

HOUR_MS, DAY_MS = 3_600_000, plan.DAY_MS
ROLE_WORDS = {"features": "inputs", "requests": "inputs", "responses": "predictions", "labels": "outcomes", "truth": "outcomes"}

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
        Key("group", Text("a consumer group's name"), "the name under which lag tools see offsets, and two daemons each other"),
        Key("start", Choice(("beginning", "end")), "where a topic without saved offsets begins, unless its models say topic_since"),
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
