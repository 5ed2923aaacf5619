"""The kinds of value a key can have: how one is read, what would be right, and how an editor's schema says it.

A kind reads a value at a place and returns what the plan holds, or notes a mistake and returns BAD. It is a frozen
value itself: the declaration is data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from monitor.config.quantities import (
    DAY_MS,
    DURATION_PATTERN,
    POINTS_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    duration_ms,
    share,
    show_duration,
    show_share,
    show_size,
    size_bytes,
)  # fmt: skip
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
class Number:
    """A finite number above `above`, or from `least` to `most`; `whole` asks for an integer."""

    above: float | None = None
    least: float | None = None
    most: float | None = None
    whole: bool = False
    right: str = ""

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        if isinstance(expanded, bool) or not isinstance(expanded, int | float):
            return at.mistake(value, "is not a number", self.wanted())
        if isinstance(expanded, float) and not math.isfinite(expanded):
            return at.mistake(value, "is not a finite number", self.wanted())
        if self.whole and (abs(expanded) > 2**53 or expanded != int(expanded)):
            return at.mistake(value, "is not a whole number", self.wanted())
        if self.above is not None and expanded <= self.above:
            return at.mistake(value, f"is not above {self.above:g}", self.wanted())
        if (self.least is not None and expanded < self.least) or (self.most is not None and expanded > self.most):
            return at.mistake(value, "is out of range", self.wanted())
        if abs(expanded) > 1e300:
            return at.mistake(value, "is too large", self.wanted())
        return int(expanded) if self.whole else float(expanded)

    def wanted(self) -> str:
        if self.right:
            return self.right
        what = "a whole number" if self.whole else "a number"
        if self.above is not None:
            return f"{what} above {self.above:g}"
        if self.least is not None and self.most is not None:
            return f"{what} from {self.least:.15g} to {self.most:.15g}"
        return what if self.least is None else f"{what} from {self.least:.15g} on"

    def json(self) -> Json:
        limits = {"exclusiveMinimum": self.above, "minimum": self.least, "maximum": self.most}
        return {"type": "integer" if self.whole else "number"} | {key: limit for key, limit in limits.items() if limit is not None}

    def show(self, value: Any) -> Any:
        return int(value) if float(value).is_integer() else value


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time with its unit; `divides_day` asks that whole windows make up a day."""

    least_ms: int = 1
    most_ms: int | None = None
    divides_day: bool = False
    right: str = "a number with its unit, such as 30s, 5m, 2h, 14d"

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        try:
            length = duration_ms(expanded)
        except ValueError as error:
            return at.mistake(value, str(error), self.right)
        if length < self.least_ms or (self.most_ms is not None and length > self.most_ms):
            short = length < self.least_ms
            limit = show_duration(self.least_ms if short or self.most_ms is None else self.most_ms)
            return at.mistake(value, f"is {'shorter' if short else 'longer'} than {limit}", self.right)
        if self.divides_day and DAY_MS % length:
            return at.mistake(value, "does not divide a day into whole windows", self.right)
        return length

    def json(self) -> Json:
        return {"type": "string", "pattern": DURATION_PATTERN}

    def show(self, value: Any) -> Any:
        return show_duration(value)


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes."""

    least: int = 1
    right: str = "a number with its unit, such as 64MB or 1GiB"

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        try:
            size = size_bytes(expanded)
        except ValueError as error:
            return at.mistake(value, str(error), self.right)
        return size if size >= self.least else at.mistake(value, f"is smaller than {show_size(self.least)}", self.right)

    def json(self) -> Json:
        return {"anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": self.least}]}

    def show(self, value: Any) -> Any:
        return show_size(value)


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a whole in "%", or a difference of shares in percentage points, "pp"; at most 100 unless `unbounded`."""

    unit: str = "%"
    unbounded: bool = False

    def read(self, value: Any, at: At) -> Any:
        expanded = plain(value, at)
        if expanded is BAD:
            return BAD
        right = "a share such as 20%" if self.unit == "%" else "percentage points such as 0.5pp"
        try:
            fraction = share(expanded, self.unit)
        except ValueError as error:
            return at.mistake(value, str(error), right)
        return fraction if fraction <= 1 or self.unbounded else at.mistake(value, "is more than the whole", right)

    def json(self) -> Json:
        if self.unit == "pp":
            return {"type": "string", "pattern": POINTS_PATTERN}
        return {"anyOf": [{"type": "string", "pattern": SHARE_PATTERN}, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]}

    def show(self, value: Any) -> Any:
        return show_share(value, self.unit)


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
