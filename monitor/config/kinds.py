"""The kinds of value a key can have: how one is read, what would be right, and how an editor's schema says it.

A kind reads a value at a place and returns what the plan holds, or notes a mistake and returns BAD. It is a frozen
value itself: the declaration is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from monitor.config.reader import scalar
from monitor.config.reading import BAD, At, alternatives
from monitor.secrets import REFERENCE

Json = dict[str, Any]


class Kind(Protocol):
    """What a kind of value owes. `show` writes a plan's value the way a person would write it in the file."""

    def read(self, value: Any, at: At) -> Any: ...

    def json(self) -> Json: ...

    def show(self, value: Any) -> Any: ...


def plain(value: Any, at: At) -> Any:
    """The value with references to the environment replaced; one that is a reference and nothing else may stand for a number."""
    if not isinstance(value, str) or "${" not in value:
        return value
    expanded = at.expand(value)
    return scalar(expanded) if isinstance(expanded, str) and REFERENCE.fullmatch(value) else expanded


def blank(value: Any) -> str:
    """What is wrong with a value that is nothing or a container where one text or number belongs."""
    if value is None:
        return "is empty"
    return "is a mapping" if isinstance(value, Mapping) else "is a list" if isinstance(value, list | tuple) else "is not a text"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that is not empty. A number is taken as its digits: a version or a topic may look like one."""

    right: str = "a text"
    longest: int = 1000
    format: str | None = None

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        if isinstance(expanded, int) and not isinstance(expanded, bool) and expanded.bit_length() < 200:
            expanded = str(expanded)
        if not isinstance(expanded, str):
            return at.mistake(value, blank(expanded), self.right)
        if not expanded.strip() or len(expanded) > self.longest:
            return at.mistake(value, "is empty" if not expanded.strip() else "is too long", self.right)
        if not expanded.isprintable():
            return at.mistake(value, "holds characters that cannot be printed", self.right)
        return expanded

    def json(self) -> Json:
        return {"type": "string", "minLength": 1} | ({"format": self.format} if self.format else {})

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words; `aliases` are words people try, with the right one for each."""

    words: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD or expanded in self.words:
            return expanded
        if not isinstance(expanded, str):
            return at.mistake(value, blank(expanded), alternatives(self.words))
        alias = self.aliases.get(expanded.strip().lower())
        return at.mistake(value, "is not known", alternatives(self.words, alias or expanded))

    def json(self) -> Json:
        return {"enum": list(self.words)}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD or isinstance(expanded, bool):
            return expanded
        return at.mistake(value, "is neither true nor false", "true or false")

    def json(self) -> Json:
        return {"type": "boolean"}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class KeyPath:
    """The way to a value inside a record: "sensors.speed", or a list of keys where a key holds a dot itself; "." is the record's value."""

    def read(self, value: Any, at: At) -> Any:
        right = 'keys joined by dots such as sensors.speed, a list of keys, or "." for the whole value'
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        if expanded == ".":
            return ()
        steps = expanded.split(".") if isinstance(expanded, str) else expanded
        if not isinstance(steps, list | tuple):
            return at.mistake(value, blank(expanded), right)
        if not all(isinstance(step, str) and step for step in steps):
            return at.mistake(value, "has an empty step, or one that is not a text", right)
        if len(steps) > 32:
            return at.mistake(value, "has more than 32 steps", right)
        return tuple(steps)

    def json(self) -> Json:
        return {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string", "minLength": 1}}]}

    def show(self, value: Any) -> Any:
        return ".".join(value) or "."


@dataclass(frozen=True, slots=True)
class Maybe:
    """A kind, or nothing (null) for "none"."""

    kind: Kind

    def read(self, value: Any, at: At) -> Any:
        return None if value is None else self.kind.read(value, at)

    def json(self) -> Json:
        return {"anyOf": [self.kind.json(), {"type": "null"}]}

    def show(self, value: Any) -> Any:
        return None if value is None else self.kind.show(value)
