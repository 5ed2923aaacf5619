"""The committed schema for editors is the declaration's, and says yes and no where the reader does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import compile, load
from monitor.config.editors import editor_schema, schema_text
from monitor.config.reader import read_yaml
from monitor.config.reading import At, Reading
from monitor.errors import Misconfigured

COMMITTED = Path(__file__).parents[2] / "deploy" / "raincheck.schema.json"
TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
}  # fmt: skip

SMALL = "owners: {team: {}}\nmodels: {m: {owner: team, window: WINDOW, schema: {features: {x: numeric}}}}\n"


def test_the_committed_schema_is_fresh() -> None:
    assert COMMITTED.read_text() == schema_text(), "stale: raincheck check --schema > deploy/raincheck.schema.json"


def fits(schema: Any, value: Any) -> bool:
    """As much of JSON Schema as ours uses."""
    if isinstance(schema, bool):
        return schema
    if "anyOf" in schema and not any(fits(one, value) for one in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind in ("integer", "number"))):
        return False
    if isinstance(value, dict):
        names, known, rest = schema.get("propertyNames", {}), schema.get("properties", {}), schema.get("additionalProperties", True)
        return (
            all(fits(names, name) and fits(known.get(name, rest), item) for name, item in value.items())
            and set(schema.get("required", [])) <= value.keys()
        )
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(fits(schema.get("items", True), item) for item in value)
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, int | float):
        low, high, above = schema.get("minimum", value), schema.get("maximum", value), schema.get("exclusiveMinimum")
        return low <= value <= high and (above is None or value > above) and not value >= schema.get("exclusiveMaximum", value + 1)
    return True


def reader_accepts(text: str) -> bool:
    reading = Reading("rain.yaml", {"W": "5m"})
    tree, _ = read_yaml(text, At(reading))
    try:
        compile(tree, environment={"W": "5m"})
    except Misconfigured:
        return False
    return True


BOTH = [
    ("", True, "the smallest"),
    ("http: {port: 9740}", True, "a section"),
    ("http: {port: '9740'}", False, "a quoted number"),
    ("http: {port: 0.5}", False, "not whole"),
    ("hppt: {port: 1}", False, "an unknown key"),
    ("http: {prot: 1}", False, "an unknown key further down"),
    ("dead_letter: {to: nowhere}", False, "an unknown word"),
    ("dead_letter: {to: none, max_size: 100MB}", True, "a size"),
    ("dead_letter: {to: none, max_size: much}", False, "no size"),
    ("state: {keep: 30d}", True, "a length of time"),
    ("state: {keep: 30}", False, "no unit"),
    ("kafka: null", True, "nothing on purpose"),
    ("kafka: {}", False, "a required key"),
    ("kafka: {bootstrap: 'a:1'}", True, "one for a list"),
    ("streams: {s: {topic: t, role: inputs, fields: {id: [a.b, c]}}}", True, "a path as a list"),
    ("streams: {'a b': {topic: t, role: inputs}}", False, "a name that is no name"),
]


@pytest.mark.parametrize(("line", "right", "because"), BOTH, ids=[row[2] for row in BOTH])
def test_schema_and_reader_agree(line: str, right: bool, because: str) -> None:
    text = SMALL.replace("WINDOW", "5m") + line + "\n"
    assert reader_accepts(text) is right, because
    assert fits(editor_schema(), yaml.safe_load(text)) is right, because


@pytest.mark.parametrize("path", sorted((COMMITTED.parent / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_right(path: Path) -> None:
    load(path, look_for_files=False)
    assert fits(editor_schema(), read_yaml(path.read_text(), At(Reading(path.name, {})))[0])


def test_a_reference_to_the_environment_may_stand_for_anything() -> None:
    text = SMALL.replace("WINDOW", "'${W}'")
    assert reader_accepts(text)
    assert fits(editor_schema(), yaml.safe_load(text))
