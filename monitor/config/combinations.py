"""What must fit together inside one section: each a small function from the values read to mistakes or the plan's dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.config.quantities import show_duration
from monitor.config.reading import ABSENT, At
from monitor.plan import Budget, DetectorUse, Feature, Fields, Label, Path, Prediction, ReferencePlan, Schema, Stream

LEAST_WINDOWS = 8  # of history, for a calibration (detectors.budget.calibration)
RESERVED = ("prediction", "probabilities", "label")  # names of columns that are not features


def feature(name: str, kind: Any, path: Path | None = None, **rest: Any) -> Feature:
    """A feature without a path is found under its own name, as one key."""
    return Feature(name=name, kind=kind, path=(name,) if path is None else path, **rest)


def feature_fits(values: dict[str, Any], at: At) -> bool:
    if values["name"] in RESERVED:
        at.mistake(ABSENT, "is the name of a column that is not a feature", f"any name but {', '.join(RESERVED)}")
        return False
    if "encoding" in values and values.get("kind") not in ("image", None):
        (at / "encoding").mistake(values["encoding"], "is for pictures only", "no encoding here")
        return False
    return True


def prediction_fits(values: dict[str, Any], at: At) -> bool:
    if not values and not at.has_mistakes():
        at.mistake(ABSENT, "says nothing", "class: path, probabilities: path, or number: path")
    elif "number" in values and len(values) > 1:
        at.mistake(ABSENT, "is a number and a class at once", "number for a regression; class and probabilities for a classification")
    else:
        return True
    return False


def label_fits(values: dict[str, Any], at: At) -> bool:
    if ("number" in values) == ("label" in values) and not at.has_mistakes():
        at.mistake(ABSENT, "is not one kind of truth", "class: path, or number: path")
        return False
    return True


def schema(features: Mapping[str, Feature] | None = None, **rest: Any) -> Schema:
    return Schema(features=tuple((features or {}).values()), **rest)


def schema_fits(values: dict[str, Any], at: At) -> bool:
    said, truth = values.get("prediction"), values.get("label")
    if isinstance(said, Prediction) and isinstance(truth, Label) and (said.number is None) != (truth.number is None):
        (at / "label").mistake(ABSENT, "is not what the model predicts", "class beside a class, number beside a number")
        return False
    return True


def detector(id: str, parameters: Mapping[str, Any], on: tuple[str, ...] = (), advisory: float | None = None) -> DetectorUse:
    return DetectorUse(id, on, advisory, tuple(parameters.items()))


def reference_fits(values: dict[str, Any], at: At) -> bool:
    if len(values) > 1:
        at.mistake(ABSENT, "comes from more than one place", "one of learn: 28d, file: training.parquet, topic_since: 30d")
        return False
    return True


def reference(**values: Any) -> ReferencePlan:
    """A file or a topic's past takes the place of learning."""
    return ReferencePlan(**({"learn_ms": None} | values)) if values else ReferencePlan()


def rules_fit(values: dict[str, Any], at: At) -> bool:
    for key in ("missing", "invalid_share"):
        if values.get(key) == 0:
            (at / key).mistake("0%", "would page for every window", "more than 0%, or null for never")
            return False
    return True


def stream(name: str, fields: Fields | None = None, event_time: str | None = None, **rest: Any) -> Stream:
    """Without a time field the record's own stamp is the event time."""
    fields = fields or Fields()
    chosen: Any = event_time or ("field" if fields.time is not None else "record")
    return Stream(name=name, fields=fields, event_time=chosen, **rest)


def stream_fits(values: dict[str, Any], at: At) -> bool:
    fields = values.get("fields") or Fields()
    if isinstance(fields, Fields) and values.get("event_time") == "field" and fields.time is None:
        (at / "event_time").mistake("field", "names no field", "fields: {time: path}, or event_time: record")
        return False
    if isinstance(fields, Fields) and values.get("role") == "outcomes" and fields.id is None:
        (at / "fields").mistake(ABSENT, "have no id, which joins an outcome to its prediction", "fields: {id: path, ...}")
        return False
    return True


def security_fits(values: dict[str, Any], at: At) -> bool:
    sasl = str(values.get("protocol", "PLAINTEXT")).startswith("SASL")
    wanted = ("mechanism", "username") if sasl else ()
    missing = [key for key in wanted if key not in values]
    if sasl and not {"password", "password_file"} & values.keys():
        missing.append("password_file")
    if missing and not at.has_mistakes():
        at.mistake(ABSENT, f"has a SASL protocol without {', '.join(missing)}", "mechanism, username and password_file")
        return False
    if {"password", "password_file"} <= values.keys():
        at.mistake(ABSENT, "has two passwords", "password_file, or password: ${NAME}")
        return False
    stray = [key for key in ("mechanism", "username", "password", "password_file") if key in values and not sasl]
    if stray:
        at.mistake(ABSENT, f"has {', '.join(stray)} without a SASL protocol", "protocol: SASL_SSL or SASL_PLAINTEXT")
        return False
    if ("cert_file" in values) != ("key_file" in values):
        at.mistake(ABSENT, "has half of a client certificate", "cert_file together with key_file")
        return False
    return True


def http_fits(values: dict[str, Any], at: At) -> bool:
    if "token" in values and "token_file" in values:
        at.mistake(ABSENT, "has two tokens", "token_file, or token: ${NAME}")
        return False
    return True


def dead_letter_fits(values: dict[str, Any], at: At) -> bool:
    where = {"file": "path", "topic": "topic"}.get(values.get("to", "none"))
    if where and where not in values:
        at.mistake(ABSENT, f"goes to a {values['to']} without {where}", f"{where}: where to")
        return False
    return True


def shard(index: int = 0, count: int = 1) -> tuple[int, int]:
    return (index, count)


def shard_fits(values: dict[str, Any], at: At) -> bool:
    index, count = values.get("index", 0), values.get("count", 1)
    if isinstance(index, int) and isinstance(count, int) and index >= count:
        (at / "index").mistake(index, "is not below count", f"0 to {count - 1}")
        return False
    return True


def model_fits(values: dict[str, Any], at: At) -> bool:
    rules, window, budget = values.get("rules"), values.get("window_ms", 300_000), values.get("budget")
    before = len(at.reading.mistakes)
    if isinstance(budget, Budget) and isinstance(window, int) and budget.span_ms < window:
        most = f"at most {budget.per_ms / window:g} in {show_duration(budget.per_ms)}: one per window of {show_duration(window)}"
        (at / "budget" / "false_pages").mistake(f"{budget.false_pages:g}", "is more than a page per window", most)
    silent = getattr(rules, "silent_for_ms", None)
    if silent is not None and isinstance(window, int) and silent < window:
        limit = f"at least the window, {show_duration(window)}"
        (at / "rules" / "silent_for").mistake(show_duration(silent), "is shorter than one window", limit)
    span = values["reference"].span_ms if isinstance(values.get("reference"), ReferencePlan) else None
    if span is not None and isinstance(window, int) and span < LEAST_WINDOWS * window:
        key = "learn" if values["reference"].learn_ms is not None else "topic_since"
        least = f"at least {LEAST_WINDOWS} windows of {show_duration(window)}: {show_duration(LEAST_WINDOWS * window)}"
        (at / "reference" / key).mistake(show_duration(span), "is too few windows to learn from", least)
    return len(at.reading.mistakes) == before
