"""Kinds of value that are quantities: numbers, lengths of time, sizes, shares."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from monitor.config.kinds import Json, plain
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
from monitor.config.reading import BAD, At


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
        if isinstance(expanded, bool) or not isinstance(expanded, int | float | Integral):
            return at.mistake(value, "is not a number", self.wanted())
        if not isinstance(expanded, int | float):
            expanded = int(expanded)  # numpy's own: configurations are made in notebooks, too
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
