"""A YAML or JSON file as plain values, together with the line of everything in it.

PyYAML's own resolvers are those of YAML 1.1, where `on` and `no` are booleans and `12:30` is a number. A configuration
has a key called `on` and countries called no, so this reader knows the words of YAML 1.2 only.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from monitor.config.reading import ABSENT, At, Place, Reading

LARGEST_FILE = 10_000_000  # bytes
MOST_VALUES = 200_000  # anchors of anchors can stand for more values than there are atoms
DEEPEST = 60


class _Loader(yaml.SafeLoader):
    """Scalars by the core schema of YAML 1.2."""


_FLOAT = r"^([-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN))$"
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]{1,30}$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789")),
    ("tag:yaml.org,2002:merge", r"^<<$", ["<"]),
):  # fmt: skip
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern, re.ASCII), _first)


class _TooMuchError(Exception):
    """The file stands for more than a configuration can hold."""


class _Builder:
    """Turns the parser's nodes into values, noting lines and repeated keys on the way."""

    def __init__(self, reading: Reading, lines: dict[Place, int]) -> None:
        self.reading, self.lines, self.count = reading, lines, 0

    def build(self, node: yaml.Node, at: At) -> Any:
        self.count += 1
        if self.count > MOST_VALUES or len(at.place) > DEEPEST:
            raise _TooMuchError
        self.lines.setdefault(at.place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, at / index) for index, child in enumerate(node.value)]
        return scalar(node.value, node.tag)

    def mapping(self, node: yaml.MappingNode, at: At) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, child in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                self.lines[at.place] = key.start_mark.line + 1
                at.mistake(None, "has a key that is not a text", "a word before the colon")
            elif key.tag == "tag:yaml.org,2002:merge":
                for source in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                    value = self.build(source, at)
                    if isinstance(value, dict):
                        merged = {**value, **merged}
                    else:
                        at.mistake("<<", "merges something that is not a mapping", "an anchor of a mapping: <<: *name")
            else:
                here = at / name
                first = self.lines.get(here.place) if name in own else None
                self.lines[here.place] = key.start_mark.line + 1
                if name in own:
                    here.mistake(None, f"stands twice, first in line {first}", "one of the two")
                own[name] = self.build(child, here)
        return {**merged, **own}


def scalar(text: str, tag: str | None = None) -> Any:
    """The value of a plain scalar: a number, true, false, nothing or a text.

    >>> scalar("9740"), scalar("true"), scalar("on"), scalar("12:30")
    (9740, True, 'on', '12:30')
    """
    if tag is None:
        tag = _Loader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
    match str(tag).rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read_file(path: Path, at: At) -> tuple[Any, dict[Place, int]]:
    """The values in a file and their lines; what cannot be read at all is noted as a mistake, and None returned."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        reason = {FileNotFoundError: "does not exist", IsADirectoryError: "is a folder", PermissionError: "may not be read"}
        at.mistake(ABSENT, f"the file {reason.get(type(error), f'cannot be read ({type(error).__name__})')}", "a YAML or JSON file")
        return None, {}
    if len(data) > LARGEST_FILE:
        at.mistake(ABSENT, "the file is larger than 10 MB", "a configuration")
        return None, {}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at.mistake(ABSENT, f"is not UTF-8 text (byte {error.start})", "a text file")
        return None, {}
    return read_json(text, at) if path.suffix == ".json" else read_yaml(text, at)


def read_yaml(text: str, at: At) -> tuple[Any, dict[Place, int]]:
    """The values of a YAML text and their lines."""
    lines: dict[Place, int] = {}
    at.reading.lines = lines
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        return (None if node is None else _Builder(at.reading, lines).build(node, at)), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is not None:
            lines[()] = mark.line + 1
        at.mistake(ABSENT, f"cannot be read as YAML: {error.problem or error.context}", "well-formed YAML")
    except (yaml.YAMLError, ValueError) as error:
        at.mistake(ABSENT, f"cannot be read as YAML: {str(error).splitlines()[0][:100]}", "well-formed YAML")
    except (_TooMuchError, RecursionError):
        at.mistake(ABSENT, "is nested or repeated beyond reason", "fewer levels, and no anchor inside itself")
    finally:
        if loader is not None:
            loader.dispose()
    return None, lines


def read_json(text: str, at: At) -> tuple[Any, dict[Place, int]]:
    """The values of a JSON text; a key that stands twice is a mistake there as well, though without its line."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in items:
            if key in seen:
                (at / key).mistake(None, "stands twice in one mapping", "one of the two")
            seen[key] = value
        return seen

    try:
        return json.loads(text, object_pairs_hook=pairs), {}
    except json.JSONDecodeError as error:
        at.reading.lines = {(): error.lineno}
        at.mistake(
            ABSENT, f"cannot be read as JSON: {error.msg.removesuffix(' starting at')} at character {error.colno}", "well-formed JSON"
        )
    except (RecursionError, ValueError):
        at.mistake(ABSENT, "is nested beyond reason, or holds a number of thousands of digits", "a configuration")
    return None, {}
