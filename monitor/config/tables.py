"""Mappings with fixed keys, mappings of names, and lists: what holds the other kinds together.

A `Table` is the one declaration of a section: the reader, the plan's defaults and the editors' schema all come from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from monitor.config.kinds import Json, Kind
from monitor.config.reading import ABSENT, BAD, At, alternatives, nearest
from monitor.secrets import secret_key

MOST_ENTRIES = 1000
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table. `to` is the plan's field where it is called otherwise (`window` -> `window_ms`)."""

    name: str
    kind: Kind
    doc: str
    to: str = ""
    required: bool = False

    @property
    def target(self) -> str:
        return self.to or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with known keys, read into the dataclass `cls`; a key left out has the dataclass's own default.

    `build` makes the value where the dataclass's fields and the keys differ; `check` notes what is wrong with a
    combination and returns False; `short` is the one key that a plain text stands for; `rest` is the field that takes
    keys not declared (a detector's parameters).
    """

    cls: type[Any]
    keys: tuple[Key, ...]
    doc: str = ""
    build: Callable[..., Any] | None = None
    check: Callable[[dict[str, Any], At], bool] | None = None
    short: str = ""
    rest: str = ""
    example: str = ""

    def read(self, value: Any, at: At, **given: Any) -> Any:
        if self.short and isinstance(value, str):
            value = {self.short: value}
        if value is None:
            value = {}  # "team:" with nothing behind it is an empty section
        if not isinstance(value, Mapping):
            return at.mistake(value, "is not a mapping", self.example or "a mapping with " + ", ".join(key.name for key in self.keys[:6]))
        known = {key.name: key for key in self.keys}
        values, rest = dict(given), {}
        guessed: set[str] = set()
        for name, item in value.items():
            key = known.get(name) if isinstance(name, str) else None
            if key is not None:
                read = key.kind.read(item, at / key.name)
                if read is not BAD:  # the rest is still built, so that what depends on it can be checked as well
                    values[key.target] = read
            elif self.rest and isinstance(name, str) and not secret_key(name):
                rest[name] = item
            else:
                guessed.add(self.unknown(name, item, at))
        for key in self.keys:
            if key.required and key.name not in value and key.name not in guessed:
                at.mistake(ABSENT, f"has no {key.name}", f"{key.name}: {key.doc}")
        if self.rest:
            values[self.rest] = rest
        complete = all(key.target in values for key in self.keys if key.required)
        if self.check is not None:
            complete = self.check(values, at) and complete
        return (self.build or self.cls)(**values) if complete else BAD

    def unknown(self, name: object, item: Any, at: At) -> str:
        """Notes a key that does not exist; returns the one that was probably meant, which is then not missed as well."""
        text = str(name)
        words = [key.name for key in self.keys]
        if isinstance(name, str) and secret_key(name) and f"{name}_file" in words:
            (at / text).mistake(item, "is a secret in plain sight", f"{name}_file: the path of a file that holds it")
        else:
            (at / text).mistake(item, "is not a key that exists here", alternatives(words, text))
        return nearest(words, text)

    def json(self) -> Json:
        properties = {}
        for key in self.keys:
            entry = {"description": key.doc, **key.kind.json()}
            default = self.default(key)
            properties[key.name] = entry if default is None else {**entry, "default": default}
        schema: Json = {"type": "object", "properties": properties, "additionalProperties": bool(self.rest)}
        if required := [key.name for key in self.keys if key.required]:
            schema["required"] = required
        if self.doc:
            schema["description"] = self.doc
        return {"anyOf": [schema, {"type": "string"}]} if self.short else schema

    def default(self, key: Key) -> Any:
        """The default of a key as a person would write it; None where there is none or where it is a section of its own."""
        if isinstance(key.kind, Table):
            return None
        value = next((f.default for f in fields(self.cls) if f.name == key.target), MISSING)
        if value is MISSING or value is None or is_dataclass(value) or value == ():
            return None
        return key.kind.show(value)

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class MapOf:
    """Names of the reader's own choosing, each with a table; the name goes into the field `name`. A mistake drops its entry only."""

    table: Table
    what: str
    free: bool = False  # free: any printable text, as in a record's keys; else what fits a label, a URL and a file name

    def read(self, value: Any, at: At) -> Any:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            return at.mistake(value, "is not a mapping", f"names of {self.what}, each with its section")
        found = {}
        for name, item in value.items():
            if not isinstance(name, str) or not self.fits(name):
                right = "a printable text" if self.free else "letters, digits, dots, dashes and underscores, at most 100"
                (at / str(name)).mistake(ABSENT, f"is not a name for {self.what}", right)
                continue
            read = self.table.read(item, at / name, name=name)
            if read is not BAD:
                found[name] = read
        return found

    def fits(self, name: str) -> bool:
        if self.free:
            return 0 < len(name) <= 200 and name.isprintable() and bool(name.strip())
        return re.fullmatch(NAME_PATTERN, name, re.ASCII) is not None

    def json(self) -> Json:
        names = {"minLength": 1} if self.free else {"pattern": NAME_PATTERN}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.table.json()}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one kind as a tuple; entries that are mistakes are dropped. `lone` takes a single value as a list of one."""

    kind: Kind
    least: int = 0
    lone: bool = True
    distinct: bool = True

    def read(self, value: Any, at: At) -> Any:
        if isinstance(value, str) and self.lone:
            value = [value]
        if not isinstance(value, list | tuple):
            return at.mistake(value, "is not a list", "a list: [a, b]")
        if len(value) < self.least:
            return at.mistake(value, "is an empty list", f"at least {self.least}")
        if len(value) > MOST_ENTRIES:
            return at.mistake(value, f"has more than {MOST_ENTRIES} entries", "fewer")
        items = [item for item in (self.kind.read(item, at / index) for index, item in enumerate(value)) if item is not BAD]
        if self.distinct and any(item in items[:index] for index, item in enumerate(items)):
            return at.mistake(value, "names something twice", "each once")
        return tuple(items)

    def json(self) -> Json:
        many = {"type": "array", "items": self.kind.json(), "minItems": self.least}
        return {"anyOf": [many, self.kind.json()]} if self.lone else many

    def show(self, value: Any) -> Any:
        return [self.kind.show(item) for item in value]
