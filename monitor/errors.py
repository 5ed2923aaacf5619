"""The four ways in which something can go wrong, and what each asks of the one who catches it.

`Poison`: one record cannot be used: count it, set it aside, go on. `Transient`: the world is briefly unkind: hold, back
off, try again. `Misconfigured` and `Corrupt`: a person must act, so the process leaves with exit code 78 (EX_CONFIG of
sysexits.h), which service managers can be told not to restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

EXIT_OK, EXIT_CRASH, EXIT_CONFIG, EXIT_INTERRUPTED = 0, 1, 78, 130


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a configuration: where it is, what stands there, and what would be right.

    >>> print(Mistake("rain.yaml", 7, "models.m.window", "7m", "does not divide a day", "5m, 10m, 15m, 1h"))
    rain.yaml:7: models.m.window: '7m' does not divide a day; right would be: 5m, 10m, 15m, 1h
    """

    origin: str
    line: int | None  # counted from 1; None where the source has no lines
    field: str  # "models.traffic-light.window"; "" is the whole file
    value: str | None  # as written and shortened, secrets masked; None where nothing stands there
    problem: str
    right: str = ""

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        field = f" {self.field}:" if self.field else ""
        value = "" if self.value is None else f" {self.value!r}"
        right = f"; right would be: {self.right}" if self.right else ""
        return f"{place}:{field}{value} {self.problem}{right}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Poison(Exception):  # noqa: N818 - the house's words for the four failures
    """A record that cannot be decoded or identified. `reason` is one of a bounded set, `detail` is for people."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Transient(Exception):  # noqa: N818 - see Poison
    """Broker, disk or receiver failed in a way that may pass: the loop that catches it owns the back-off.

    `after_ms` is how long the other side asked to be left alone (None: it did not say).
    """

    def __init__(self, message: str, after_ms: int | None = None) -> None:
        super().__init__(message)
        self.after_ms = after_ms


class Misconfigured(Exception):  # noqa: N818 - see Poison
    """All mistakes of a configuration at once: nobody should have to mend a file ten times to hear of ten mistakes."""

    exit_code: ClassVar[int] = EXIT_CONFIG

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = tuple(mistakes)
        if not self.mistakes:
            raise ValueError("Misconfigured needs at least one mistake")
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))

    def __reduce__(self) -> tuple[type[Misconfigured], tuple[tuple[Mistake, ...]]]:
        return type(self), (self.mistakes,)  # by its arguments alone, an exception of another process would be read letter by letter

    @classmethod
    def of(cls, problem: str, *, origin: str = "raincheck", field: str = "", value: object = None, right: str = "") -> Misconfigured:
        """One mistake found outside a file: an argument of the command line, a missing topic.

        >>> print(Misconfigured.of("no such file", origin="--config", value="rain.yaml", right="an existing file"))
        --config: 'rain.yaml' no such file; right would be: an existing file
        """
        return cls([Mistake(origin, None, field, None if value is None else str(value), problem, right)])


class Corrupt(Exception):  # noqa: N818 - see Poison
    """Saved state, or a promise about it, is broken. It is never guessed around: `command` is what helps."""

    exit_code: ClassVar[int] = EXIT_CONFIG

    def __init__(self, message: str, command: str) -> None:
        super().__init__(f"{message}; this helps: {command}")
        self.message = message
        self.command = command
