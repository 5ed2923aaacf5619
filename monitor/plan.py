"""The compiled configuration: frozen values only. `monitor.config` builds it from files, or lists every mistake at once.

Durations are integers in milliseconds (`*_ms`), shares are fractions, paths into a record are tuples of keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any, Literal, TypeAlias

from detectors.layout import Column, Group, Kind, columns_of
from monitor.batch import Role

Path: TypeAlias = tuple[str, ...]
Mode: TypeAlias = Literal["observe", "ticket", "page"]
DAY_MS = 86_400_000
GATING: tuple[Role, ...] = ("inputs", "predictions")  # what windows are made of


@dataclass(frozen=True, slots=True)
class Budget:
    """How many false pages the owner tolerates: `false_pages` in `per_ms` of event time."""

    false_pages: float = 1.0
    per_ms: int = 30 * DAY_MS

    @property
    def span_ms(self) -> float:
        """Event time that one false page may cost: the threshold A at the budget, in milliseconds."""
        return self.per_ms / self.false_pages


@dataclass(frozen=True, slots=True)
class Feature:
    """One schema column of the inputs. `path` leads to it in a record; () means the record's value itself."""

    name: str
    kind: Kind
    path: Path
    encoding: Literal["base64", "raw"] = "base64"


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where the prediction is: a class, class probabilities, a number (each None where there is none)."""

    label: Path | None = None
    probabilities: Path | None = None
    number: Path | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """Where the late truth is, and how long it may take."""

    label: Path | None = None
    number: Path | None = None
    within_ms: int = 14 * DAY_MS


@dataclass(frozen=True, slots=True)
class Schema:
    features: tuple[Feature, ...] = ()
    prediction: Prediction | None = None
    label: Label | None = None
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DetectorUse:
    """One advisory detector asked for by the plan: `id` from the registry, on which columns, with which parameters."""

    id: str
    on: tuple[str, ...] = ()  # () = every column it can serve
    advisory: float | None = None
    parameters: tuple[tuple[str, float | int | str | bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What pages at once and outside the budget: silence, a column missing altogether, too many invalid values."""

    silent_for_ms: int | None = None
    missing: float | None = 1.0
    invalid_share: float | None = 0.2


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """Where normal comes from: learnt from the stream for `learn_ms`, from a file, or from a topic's past.

    `topic_since_ms` lets a topic that was never read before begin so far back (`Plan.since_ms`) and learns that much event time from there.
    """

    learn_ms: int | None = 28 * DAY_MS
    file: str | None = None
    topic_since_ms: int | None = None
    recalibrate: bool = True  # every night, while it holds less than 28 days

    @property
    def span_ms(self) -> int | None:
        """Event time of the stream that is learnt from, past or coming; None where there is no end but the stream's own.

        A file that tells times is learnt from by itself; beside one that does not, a month is learnt live.
        """
        span_ms = self.learn_ms if self.learn_ms is not None else self.topic_since_ms
        return 28 * DAY_MS if span_ms is None and self.file is not None else span_ms


@dataclass(frozen=True, slots=True)
class MinimumEffect:
    """Below this a change wakes nobody: location in sd, scale as a ratio less one, rates in shares, PSI bias-corrected."""

    location: float = 0.1
    scale: float = 0.1
    rate: float = 0.005
    psi: float = 0.02


@dataclass(frozen=True)
class Model:
    """One watched model. `window_ms` divides a day and is aligned to the UTC epoch."""

    name: str
    owner: str
    schema: Schema
    budget: Budget = Budget()
    mode: Mode = "page"
    page_on: tuple[Group, ...] = ("inputs", "predictions", "images", "labels")
    window_ms: int = 300_000
    lateness_ms: int = 60_000  # how far behind its partition's newest event an event may be
    timezone: str = "UTC"
    minimum_effect: MinimumEffect = MinimumEffect()
    runbook: str | None = None
    detectors: tuple[DetectorUse, ...] = ()
    rules: Rules = Rules()
    reference: ReferencePlan = ReferencePlan()
    max_latch_ms: int = DAY_MS  # a page that nobody answers is sent again after so long, if it is still true
    keep_thumbnails: bool = False

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What is folded for this model: each schema column, pictures and vectors expanded into their statistics."""
        out: list[Column] = []
        for feature in self.schema.features:
            out += columns_of(feature.name, feature.kind, "inputs")
        prediction = self.schema.prediction
        if prediction is not None:
            if prediction.number is not None:
                out += columns_of("prediction", "numeric", "predictions")
            if prediction.label is not None:
                out += columns_of("prediction", "categorical", "predictions")
            if prediction.probabilities is not None:
                out += columns_of("probabilities", "probabilities", "predictions")
        return tuple(out)

    @cached_property
    def digest(self) -> str:
        """Hash over what changes numbers only: a new owner address or runbook resets nothing."""
        numbers = {
            "columns": [asdict(column) for column in self.columns],
            "paths": [asdict(feature) for feature in self.schema.features],
            "outputs": asdict(self.schema.prediction) if self.schema.prediction is not None else None,
            "window_ms": self.window_ms,
            "lateness_ms": self.lateness_ms,
            "timezone": self.timezone,
            # its name, not its folder: two copies of a configuration judge alike (the reference itself is named by its content)
            "reference": asdict(self.reference) | {"file": self.reference.file and PurePath(self.reference.file).name},
        }
        return digest(numbers)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is woken: receivers as URLs, or `scheme_file:path` where the URL is kept in a file; a budget for all models together."""

    name: str
    page: tuple[str, ...] = ()
    ticket: tuple[str, ...] = ()
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class Fields:
    """Where a record says who it is. Without `time`, the broker's stamp counts; without `model`, the stream's fixed model."""

    id: Path | None = None
    time: Path | None = None
    model: Path | None = None
    version: Path | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    name: str
    topic: str
    role: Role
    format: str = "json"
    fields: Fields = Fields()
    model: str | None = None  # every record belongs to this model, whatever it says
    event_time: Literal["field", "record", "arrival"] = "field"


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = None  # "${NAME}", never the password itself: monitor.secrets.reveal reads it
    password_file: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Kafka:
    bootstrap: tuple[str, ...]
    security: KafkaSecurity = KafkaSecurity()
    group: str = "raincheck"
    start: Literal["beginning", "end"] = "beginning"  # where a topic without saved offsets begins, unless its models say topic_since
    on_corrupt: Literal["halt", "skip"] = "halt"


@dataclass(frozen=True, slots=True)
class Http:
    bind: str = "127.0.0.1"
    port: int = 9740
    external_url: str | None = None
    token: str | None = None  # "${NAME}", never the token itself: monitor.secrets.reveal reads it
    token_file: str | None = None
    web_config: str | None = None
    readiness: Literal["local", "full"] = "full"


@dataclass(frozen=True, slots=True)
class State:
    path: str = "raincheck.db"
    keep_ms: int = 90 * DAY_MS
    save_every_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    to: Literal["topic", "file", "none"] = "none"
    path: str | None = None
    topic: str | None = None
    max_size_bytes: int = 100_000_000
    payload: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    series: int = 20_000
    max_record_bytes: int = 20_000_000


@dataclass(frozen=True)
class Plan:
    """Everything a runner needs to know, and nothing that changes while it runs."""

    models: Mapping[str, Model]
    owners: Mapping[str, Owner]
    streams: Mapping[str, Stream] = field(default_factory=dict)
    kafka: Kafka | None = None
    http: Http = Http()
    state: State = State()
    dead_letter: DeadLetter = DeadLetter()
    limits: Limits = Limits()
    plugins: tuple[str, ...] = ()
    shard: tuple[int, int] = (0, 1)

    def gating_streams(self, model: str) -> tuple[str, ...]:
        """Streams whose partitions must have passed a window's end before it closes (outcomes come weeks late and gate nothing)."""
        roles = {column.role for column in self.models[model].columns}
        mine = [s for s in self.streams.values() if s.role in GATING and s.model in (None, model)]
        return tuple(s.name for s in mine if s.role in roles) or tuple(s.name for s in mine)

    def since_ms(self, stream: str) -> int | None:
        """How far back a stream begins that was never read before, in milliseconds by the broker's stamps; None: where `Kafka.start` says.

        The largest `topic_since` counts, and all models of the stream must say one: the others need `Kafka.start`. Where a gating stream
        carries any model, the plan's models are watched together, so all streams begin alike: inputs that began earlier than predictions
        would be learnt without them. Raises `KeyError` where the plan has no such stream.

        >>> past = lambda ms: ReferencePlan(learn_ms=None, topic_since_ms=ms)
        >>> models = {n: Model(n, "team", Schema(), reference=past(ms)) for n, ms in (("a", 30), ("b", 60), ("c", None))}
        >>> streams = {n: Stream(n, n, "inputs", model=n) for n in models} | {"labels": Stream("labels", "labels", "outcomes")}
        >>> plan = Plan(models, {}, streams)
        >>> [plan.since_ms(name) for name in ("a", "b", "c", "labels")]
        [30, 60, None, None]
        >>> shared = replace(plan, models={n: models[n] for n in "ab"}, streams=streams | {"all": Stream("all", "all", "predictions")})
        >>> [shared.since_ms(name) for name in ("a", "b", "labels", "all")]
        [60, 60, 60, 60]
        """
        whose = self.streams[stream].model
        together = any(s.model is None for s in self.streams.values() if s.role in GATING)
        ages = [m.reference.topic_since_ms for m in self.models.values() if together or whose in (None, m.name)]
        said = [age for age in ages if age is not None]
        return max(said) if said and len(said) == len(ages) else None


def sharded(plan: Plan) -> Plan:
    """The plan with the models of its shard only: by hash of the model's name, so that every instance agrees without talking."""
    index, count = plan.shard
    mine = {name: model for name, model in plan.models.items() if int(digest(name), 16) % count == index}
    return replace(plan, models=mine)


def digest(value: Any) -> str:
    """Short content hash of anything JSON can say; equal values have equal hashes on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
