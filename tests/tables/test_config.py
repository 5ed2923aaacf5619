"""Mistakes in a configuration, one row each: what is written, where the mistake is found, and because of what."""

# ruff: noqa: E501 - a row of the table is a line

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from monitor.config import compile, load
from monitor.config.reader import read_yaml
from monitor.config.reading import At, Reading
from monitor.errors import Misconfigured, Mistake

OWNERS = "owners: {team: {}}\n"
SCHEMA = "schema: {features: {x: numeric, c: categorical}}"


def model(line: str) -> str:
    return OWNERS + "models:\n  m:\n    owner: team\n    " + SCHEMA + "\n    " + line + "\n"


def whole(line: str) -> str:
    return model("mode: page") + line + "\n"


def schema(line: str) -> str:
    return OWNERS + "models: {m: {owner: team, schema: {" + line + "}}}\n"


def stream(line: str) -> str:
    return whole("streams: {s: {topic: t, role: inputs, " + line + "}}")


def kafka(line: str) -> str:
    return whole("kafka: {bootstrap: [broker:9092], security: {" + line + "}}")


def mistakes(text: str, **environment: str) -> list[Mistake]:
    """What is wrong with a text; the empty list if nothing is."""
    reading = Reading("rain.yaml", environment)
    tree, _ = read_yaml(text, At(reading))
    if reading.mistakes:
        return reading.mistakes
    try:
        compile(tree, "rain.yaml", environment=environment)
    except Misconfigured as error:
        return list(error.mistakes)
    return []


class Row(NamedTuple):
    written: str
    field: str
    problem: str
    right: str
    because: str


MISTAKES = [
    Row("- a list", "", "is not a mapping", "owners and models", "the file is one mapping"),
    Row("models: {}\nowners: {}", "models", "names no model", "at least one", "a daemon that watches nothing is a mistake"),
    Row("owners: {team: {}}", "", "has no models", "models:", "models is required"),
    Row(whole("ownerz: {}"), "ownerz", "is not a key", "owners (did you mean", "an unknown key is never silently ignored"),
    Row(model("windw: 5m"), "models.m.windw", "is not a key", "window (did you mean", "a misspelt key would leave the default in force"),
    # quantities
    Row(model("window: 7m"), "models.m.window", "does not divide a day", "5m", "windows are aligned to the epoch and days must be whole"),
    Row(model("window: 30s"), "models.m.window", "is shorter than 1m", "1m to 1d", "a window is at least a minute"),
    Row(model("window: 2d"), "models.m.window", "is longer than 1d", "1m to 1d", "a window is at most a day"),
    Row(model("window: 300"), "models.m.window", "has no unit", "5m", "300 of what?"),
    Row(model("window: -5m"), "models.m.window", "is negative", "5m", "time runs forward"),
    Row(model("window: [5m]"), "models.m.window", "is not a length of time", "5m", "one window per model"),
    Row(model("window:"), "models.m.window", "is not a length of time", "5m", "a key with nothing behind it is unfinished"),
    Row(model("lateness: 2d"), "models.m.lateness", "is longer than 1d", "30s", "lateness holds windows open"),
    Row(model("budget: {false_pages: 0}"), "models.m.budget.false_pages", "is not above 0", "above 0", "no pages at all cannot be promised"),
    Row(model("budget: {false_pages: -1}"), "models.m.budget.false_pages", "is not above 0", "above 0", "a budget is not negative"),
    Row(model("budget: {false_pages: .nan}"), "models.m.budget.false_pages", "is not a finite number", "above 0", "NaN is no budget"),
    Row(model("budget: {false_pages: one}"), "models.m.budget.false_pages", "is not a number", "above 0", "numbers are written as digits"),
    Row(model("budget: {false_pages: true}"), "models.m.budget.false_pages", "is not a number", "above 0", "true is not 1"),
    Row(model("budget: {false_pages: 1000000, per: 1d}"), "models.m.budget.false_pages", "is more than a page per window", "at most 288 in 1d", "no evidence is needed for that"),
    Row(model("window: 1d\n    budget: {false_pages: 1, per: 6h}"), "models.m.budget.false_pages", "is more than a page per window", "at most 0.25 in 6h", "a window longer than the budget"),
    Row(model("budget: 1 per month"), "models.m.budget", "is not a mapping", "{false_pages: 1, per: 30d}", "words are shown the form"),
    Row(model("budget: {per: 1 month}"), "models.m.budget.per", "is not a length of time", "30d", "months have no fixed length"),
    Row(model("budget: {per: 5m}"), "models.m.budget.per", "is shorter than 1h", "30d", "a budget per minutes is a slip of the unit"),
    Row(model("rules: {missing: 1}"), "models.m.rules.missing", "has no unit", "20%", "1 is 100 % to one reader and 1 % to the next"),
    Row(model("rules: {missing: 101%}"), "models.m.rules.missing", "is more than the whole", "20%", "a share is at most the whole"),
    Row(model("rules: {missing: 0%}"), "models.m.rules.missing", "would page for every window", "null", "0 % always holds"),
    Row(model("rules: {silent_for: 2m}"), "models.m.rules.silent_for", "is shorter than one window", "5m", "silence is judged per window"),
    Row(model("minimum_effect: {rate: 0.5}"), "models.m.minimum_effect.rate", "has no unit", "0.5pp", "half, or half a point?"),
    Row(model("minimum_effect: {rate: 0.5%}"), "models.m.minimum_effect.rate", "has the wrong unit", "0.5pp", "of the rate, or of the whole?"),
    Row(model("minimum_effect: {location: -1}"), "models.m.minimum_effect.location", "is out of range", "from 0", "effects have a size, no sign"),
    Row(whole("limits: {max_record: lots}"), "limits.max_record", "is not a size", "64MB", "a size has a number"),
    Row(whole("limits: {series: 1.5}"), "limits.series", "is not a whole number", "whole number", "half a series does not exist"),
    # words
    Row(model("mode: pages"), "models.m.mode", "is not known", "page (did you mean", "modes are three words"),
    Row(model("page_on: [labels, images, imagez]"), "models.m.page_on[2]", "is not known", "images (did you mean", "groups are known words"),
    Row(model("page_on: [labels, labels]"), "models.m.page_on", "names something twice", "each once", "a list of groups is a set"),
    Row(model("timezone: Europe/Amsterdm"), "models.m.timezone", "is no time zone", "perhaps Europe/Amsterdam", "a typing error is shown its neighbour"),
    Row(model("timezone: CEST"), "models.m.timezone", "is no time zone", "Europe/Amsterdam", "abbreviations are ambiguous and hide clock changes"),
    Row(model("keep_thumbnails: yes"), "models.m.keep_thumbnails", "is neither true nor false", "true or false", "yes is a text in YAML 1.2"),
    Row(model("runbook: wiki"), "models.m.runbook", "is not an http address", "https://", "a link in a page must open"),
    # owners
    Row("owners: {a: {}}\nmodels: {m: {" + SCHEMA + "}}", "models.m", "has no owner", "owner", "a model nobody answers for is not watched"),
    Row("owners: {team: {}}\nmodels: {m: {owner: tema, " + SCHEMA + "}}", "models.m.owner", "is not defined", "team", "somebody must be woken"),
    Row("owners: {}\nmodels: {m: {owner: a, " + SCHEMA + "}}", "models.m.owner", "is not defined", "owners: {a: {}}", "the remedy is shown"),
    Row(OWNERS + "models: {a b: {owner: team, " + SCHEMA + "}}", "models.a b", "is not a name", "letters", "names become labels, links and files"),
    # schema
    Row(schema("features: {x: number}"), "models.m.schema.features.x.kind", "is not known", "numeric (did you mean", "people's words are translated"),
    Row(schema("features: {x: {path: a}}"), "models.m.schema.features.x", "has no kind", "kind", "kinds are never guessed"),
    Row(schema("features: {x: {kind: image, path: a..b}}"), "models.m.schema.features.x.path", "has an empty step", "sensors.speed", "a..b leads nowhere"),
    Row(schema("features: {x: {kind: numeric, encoding: raw}}"), "models.m.schema.features.x.encoding", "is for pictures only", "", "a number has no bytes"),
    Row(schema("features: {label: numeric}"), "models.m.schema.features.label", "is the name of a column", "any name", "label is a column of its own"),
    Row(schema("features: {f: image, f.noise: numeric}"), "models.m.schema.features", "names two columns", "another", "a picture has a column f.noise"),
    Row(schema("segments: [camera]"), "models.m.schema", "watches nothing", "features", "a model without columns has no verdict"),
    Row(schema("prediction: {}"), "models.m.schema.prediction", "says nothing", "class", "an empty section is unfinished"),
    Row(schema("prediction: {class: a, number: b}"), "models.m.schema.prediction", "number and a class at once", "number", "one or the other"),
    Row(schema("prediction: {class: a}, label: {within: 3d}"), "models.m.schema.label", "is not one kind of truth", "class", "truth has a place"),
    Row(schema("prediction: {class: a}, label: {number: b}"), "models.m.schema.label", "is not what the model predicts", "class", "classes meet classes"),
    # detectors
    Row(model("detectors: [psy]"), "models.m.detectors[0].id", "is no detector", "psi", "ids come from the registry"),
    Row(model("detectors: [{on: [x]}]"), "models.m.detectors[0]", "has no id", "id", "which one?"),
    Row(model("detectors: [{id: psi, cels: 5}]"), "models.m.detectors[0]", "psi has no parameter 'cels'", "raincheck detectors", "no typo passes as a parameter"),
    Row(model("detectors: [{id: psi, cells: 1}]"), "models.m.detectors[0]", "cells of psi is 2 to 64", "", "the detector's own refusal is shown"),
    Row(model("detectors: [{id: psi, cells: ten}]"), "models.m.detectors[0]", "cells of psi is a whole number", "", "types come from the dataclass"),
    Row(model("detectors: [{id: psi, on: [z]}]"), "models.m.detectors[0].on[0]", "is no column", "c", "it would look at nothing"),
    Row(model("detectors: [{id: wasserstein, on: c}]"), "models.m.detectors[0].on[0]", "is not a column that wasserstein serves", "numeric", "no distance between names"),
    # reference
    Row(model("reference: {learn: 28d, topic_since: 30d}"), "models.m.reference", "more than one place", "one of", "normal comes from one place"),
    Row(model("reference: {learn: 5m}"), "models.m.reference.learn", "is shorter than 1h", "14d", "minutes teach nothing"),
    # streams
    Row(whole("streams: {s: {role: inputs}}"), "streams.s", "has no topic", "topic", "nothing to read"),
    Row(whole("streams: {s: {topic: t, role: labels}}"), "streams.s.role", "is not known", "outcomes (did you mean", "people's words are translated"),
    Row(stream("format: xml"), "streams.s.format", "is not known", "json", "formats are those there are"),
    Row(stream("model: n"), "streams.s.model", "is not defined under models", "m", "records would go nowhere"),
    Row(stream("event_time: field"), "streams.s.event_time", "names no field", "time", "field of what?"),
    Row(stream("fields: {ids: a}"), "streams.s.fields.ids", "is not a key", "id (did you mean", "unknown keys at any depth"),
    Row(whole("streams: {s: {topic: t, role: outcomes}}"), "streams.s.fields", "have no id", "id", "an outcome without id joins nothing"),
    Row(
        OWNERS + "models: {a: {owner: team, " + SCHEMA + "}, b: {owner: team, " + SCHEMA + "}}\nstreams: {s: {topic: t, role: inputs}}",
        "streams.s", "does not say to which of the 2 models", "fields", "with two models a record must say which",
    ),
    # the outside
    Row(whole("kafka: {}"), "kafka", "has no bootstrap", "bootstrap", "no broker to begin with"),
    Row(whole("kafka: {bootstrap: []}"), "kafka.bootstrap", "is an empty list", "at least 1", "no broker to begin with"),
    Row(whole("kafka: {bootstrap: broker}"), "kafka.bootstrap[0]", "is not a broker's address", "broker:9092", "a port is never guessed"),
    Row(whole("kafka: {bootstrap: 'b:99999'}"), "kafka.bootstrap[0]", "is not a broker's address", "broker:9092", "ports end at 65535"),
    Row(kafka("protocol: SASL_SSL"), "kafka.security", "without mechanism, username, password_file", "", "half a log-in"),
    Row(kafka("username: u, password_file: p"), "kafka.security", "without a SASL protocol", "SASL_SSL", "a password that is never sent is a surprise"),
    Row(kafka("cert_file: c"), "kafka.security", "half of a client certificate", "key_file", "both or none"),
    Row(whole("http: {port: 70000}"), "http.port", "is out of range", "65535", "ports end at 65535"),
    Row(whole("dead_letter: {to: file}"), "dead_letter", "without path", "path", "where to?"),
    Row(whole("dead_letter: {to: topic, path: x}"), "dead_letter", "without topic", "topic", "where to?"),
    Row(whole("state: {keep: 90}"), "state.keep", "has no unit", "14d", "90 of what?"),
    Row(whole("shard: {index: 2, count: 2}"), "shard.index", "is not below count", "0 to 1", "shards are counted from 0"),
    # secrets
    Row(kafka("password: hunter2"), "kafka.security.password", "is a secret in plain sight", "${NAME}", "configurations are committed"),
    Row(whole("http: {token: hunter2}"), "http.token", "is a secret in plain sight", "${NAME}", "configurations are committed"),
    Row(whole("http: {api_key: hunter2}"), "http.api_key", "is not a key", "bind", "even an unknown key's secret stays hidden"),
    Row(kafka("password: '${ABSENT}'"), "kafka.security.password", "is not set in the environment", "ABSENT", "found out now, not at night"),
    Row("owners: {team: {page: 'slack://hunter2/b/c'}}\nmodels: {m: {owner: team, " + SCHEMA + "}}",
        "owners.team.page[0]", "is a secret, in plain sight", "slack_file", "the address is the key"),
    Row("owners: {team: {page: 'json://u:hunter2@host/'}}\nmodels: {m: {owner: team, " + SCHEMA + "}}",
        "owners.team.page[0]", "is a secret, in plain sight", "_file", "a password in an address"),
    Row("owners: {team: {page: hunter2}}\nmodels: {m: {owner: team, " + SCHEMA + "}}",
        "owners.team.page[0]", "is not a receiver", "scheme_file", "a bare word may be a key"),
    Row(model("runbook: https://u:hunter2@wiki/"), "models.m.runbook", "holds a password", "https://", "links are shown to everybody"),
    # YAML
    Row("owners: {a: {}}\nowners: {b: {}}", "owners", "stands twice, first in line 1", "one of the two", "the second would silently win"),
    Row("owners: {a: {}\n", "", "cannot be read as YAML", "well-formed", "a missing brace"),
    Row("a: &a [*a]", "", "nested or repeated beyond reason", "anchor", "an anchor inside itself has no end"),
    Row("? [a]\n: b\n", "", "has a key that is not a text", "a word", "keys are words"),
    Row("# all comments", "", "is empty", "owners and models", "an empty file is an unfinished one"),
]  # fmt: skip


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: f"{row.field or 'file'}: {row.because}")
def test_a_mistake_is_found_where_it_is(row: Row) -> None:
    found = mistakes(row.written)
    hits = [m for m in found if m.field == row.field and row.problem in m.problem and row.right in m.right]
    assert hits, f"not among: {[str(m) for m in found]}"
    assert len(found) == 1, f"what follows from a mistake is no second one: {[str(m) for m in found]}"
    assert "hunter2" not in "".join(str(m) for m in found), "a secret is shown"


TEN = """\
owner: {team: {}}
owners:
  team: {page: ["slack://hunter2"]}
models:
  m:
    owner: nobody
    window: 7m
    budget: {false_pages: 0, per: a month}
    timezone: Mars/Olympus
    schema: {features: {x: number}}
    detectors: [psy]
http: {port: http}
colour: blue
"""


def test_ten_mistakes_are_all_listed_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "rain.yaml"
    path.write_text(TEN)
    with pytest.raises(Misconfigured) as caught:
        load(path)
    assert [(m.line, m.field) for m in caught.value.mistakes] == [
        (1, "owner"),
        (3, "owners.team.page[0]"),
        (6, "models.m.owner"),
        (7, "models.m.window"),
        (8, "models.m.budget.false_pages"),
        (8, "models.m.budget.per"),
        (9, "models.m.timezone"),
        (10, "models.m.schema.features.x.kind"),
        (11, "models.m.detectors[0].id"),
        (12, "http.port"),
        (13, "colour"),
    ]
    assert "hunter2" not in str(caught.value)


ACCEPTED = [
    (model("window: 1d"), "a window may be a whole day"),
    (model("window: 1m30s"), "90 s divide a day"),
    (model("timezone: auto"), "the zone may be found out"),
    (model("budget:"), "an empty section is all defaults"),
    (model("rules: {missing: null, invalid_share: null}"), "rules can be switched off"),
    (model("detectors: psi"), "one detector needs no list"),
    (model("detectors: [{id: psi, on: x, cells: 20, advisory: 0.2}]"), "parameters stand beside the id"),
    (schema("features: {frame: {kind: image, path: .}}"), "the record's value itself"),
    (schema("features: {x: {kind: numeric, path: [a.b, c]}}"), "a list of keys where a key holds a dot"),
    (schema("features: {'größe in m': numeric}"), "features carry the data's own names"),
    (stream("fields: {time: ts}"), "one model needs no model field"),
    (whole("kafka: null"), "no brokers"),
    (OWNERS.replace("{}", "") + "models: {m: {owner: team, " + SCHEMA + "}}", "an owner may have nothing behind it"),
    (whole("streams: {s: {topic: t, role: outcomes, fields: {id: i}}}"), "outcomes with an id"),
]


@pytest.mark.parametrize(("written", "because"), ACCEPTED, ids=[because for _, because in ACCEPTED])
def test_accepted(written: str, because: str) -> None:
    assert mistakes(written) == [], because
