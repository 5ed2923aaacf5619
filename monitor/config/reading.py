"""What one reading of a configuration collects: every mistake, with the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from monitor.errors import Mistake
from monitor.secrets import REFERENCE, masked, secret_key

Place = tuple[str | int, ...]


class _Bad:
    """What a kind returns after noting a mistake, so that the reading goes on to the next one."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()
ABSENT: Final = _Bad()
LONGEST_SHOWN = 60


def one_line(text: str) -> str:
    """The text without line breaks, and with what cannot be printed escaped: a mistake must not move a terminal's cursor."""
    text = re.sub(r"\s+", " ", text)
    return text if text.isprintable() else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object) -> str:
    """A value as a mistake may show it: one line, short, credentials masked; never what is inside a container.

    >>> shown("x" * 100)
    'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'
    >>> shown({"password": "hunter2"})
    'a mapping'
    """
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    text = masked(one_line(str(value)))
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."


def nearest(words: Iterable[str], written: str) -> str:
    """The word that was probably meant, or ""."""
    by_lower = {word.lower(): word for word in words}
    near = get_close_matches(written[:100].lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else ""


def alternatives(words: Iterable[str], written: str = "") -> str:
    """The words that would be right, the nearest one first where there is one.

    >>> alternatives(["inputs", "outcomes"], "input")
    'inputs (did you mean that?), or one of inputs, outcomes'
    """
    words = list(words)
    guess = nearest(words, written)
    listed = ", ".join(words) if len(words) <= 15 else ", ".join(words[:15]) + ", ..."
    every = f"one of {listed}" if len(words) > 1 else listed
    return f"{guess} (did you mean that?), or {every}" if guess and len(words) > 1 else every


@dataclass(slots=True)
class Reading:
    """The state of one reading. `folder` is where relative paths start, None where files are not looked for."""

    origin: str
    environment: Mapping[str, str]
    folder: Path | None = None
    lines: Mapping[Place, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, place: Place) -> int | None:
        """The line of a place, or of the nearest thing around it that has one."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None


@dataclass(frozen=True, slots=True)
class At:
    """A place in the configuration being read."""

    reading: Reading
    place: Place = ()
    secret: bool = False  # below a key whose values are never shown

    def __truediv__(self, step: str | int) -> At:
        return At(self.reading, (*self.place, step), self.secret or (isinstance(step, str) and secret_key(step)))

    def has_mistakes(self) -> bool:
        """Whether something at or below this place is wrong already: what is only incomplete because of it is no news."""
        here = self.field
        return any(
            not here or mistake.field == here or mistake.field.startswith((f"{here}.", f"{here}[")) for mistake in self.reading.mistakes
        )

    @property
    def field(self) -> str:
        text = ""
        for step in self.place:
            text += f"[{step}]" if isinstance(step, int) else f".{shown(step)}"
        return text.removeprefix(".")

    def mistake(self, value: object, problem: str, right: str = "") -> Any:
        """Notes a mistake at this place and returns BAD; `value` ABSENT means that nothing stands here."""
        written = None if value is ABSENT else "***" if self.secret and value is not None else shown(value)
        reading = self.reading
        reading.mistakes.append(Mistake(reading.origin, reading.line(self.place), self.field, written, one_line(problem), one_line(right)))
        return BAD

    def expand(self, value: str) -> str | _Bad:
        """The text with each ${NAME} replaced from the environment; an unset one is a mistake."""
        missing = [name for name in REFERENCE.findall(value) if name not in self.reading.environment]
        for name in missing:
            self.mistake("${" + name + "}", "is not set in the environment", f"a variable {name}, or the value itself")
        return BAD if missing else REFERENCE.sub(lambda match: self.reading.environment[match[1]], value)

    def resolve(self, path: str) -> str:
        """A path as the plan keeps it: relative ones start at the configuration's folder."""
        folder = self.reading.folder
        return path if folder is None else str(folder / Path(path).expanduser())
