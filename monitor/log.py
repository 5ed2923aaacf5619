"""Log lines with stable event names: one JSON object per line, or readable text on a terminal; always on stderr.

`log = events("engine")`, then `log.warning("window_overdue", model="m", behind_ms=90_000)`. The event's name never holds
a value, so that a search for it finds every case; the values are fields beside it. Payloads never reach a line: bytes
are shown by their length, long texts are cut.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from typing import Literal, TextIO, TypeAlias

Style: TypeAlias = Literal["auto", "json", "pretty"]
LEVELS = ("debug", "info", "warning", "error")
STYLES: tuple[Style, ...] = ("auto", "json", "pretty")

LONGEST_TEXT = 300  # a value longer than this is somebody's payload, not a description
BURST = 20  # lines of one event that pass within a period; a broken topic once filled a disk in an hour
PERIOD_S = 60.0
COLOURS = {"DEBUG": "\033[2m", "INFO": "\033[36m", "WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31m"}


class EventLog:
    """A named source of events; made by `events`."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"raincheck.{name}")

    def debug(self, event: str, /, **fields: object) -> None:
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, /, **fields: object) -> None:
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, /, **fields: object) -> None:
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, /, **fields: object) -> None:
        self._logger.error(event, extra={"fields": fields})

    def exception(self, event: str, /, **fields: object) -> None:
        """An error together with the traceback of the exception being handled."""
        self._logger.error(event, extra={"fields": fields}, exc_info=True)


def events(name: str) -> EventLog:
    """The log of one part of the program: "engine", "kafka", "http"."""
    return EventLog(name)


def plain(value: object, depth: int = 2) -> object:
    """What of a value may stand in a log line: numbers as they are, text cut, bytes by their length only.

    >>> plain({"value": b"secret", "n": 3})
    {'value': '<6 bytes>', 'n': 3}
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}... ({len(value)} characters)"
    if depth and isinstance(value, Mapping):
        return {str(key): plain(item, depth - 1) for key, item in list(value.items())[:50]}
    if depth and isinstance(value, list | tuple | Set):
        return [plain(item, depth - 1) for item in list(value)[:50]]
    if isinstance(value, BaseException):
        return plain(f"{type(value).__name__}: {value}")
    return f"<{type(value).__name__}>"


class Throttle(logging.Filter):
    """Lets `burst` lines per event and period through; the first one after that says how many were held back.

    It reads the time from the record itself, so that a test needs no clock.
    """

    def __init__(self, burst: int = BURST, period_s: float = PERIOD_S) -> None:
        super().__init__()
        self._burst, self._period_s = burst, period_s
        self._seen: dict[tuple[str, str], list[float]] = {}  # (start of the period, lines in it)

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.name, str(record.msg)[:120])
        if key not in self._seen and len(self._seen) >= 1000:
            self._seen.clear()  # a library that puts values into its messages must not cost memory for ever
        state = self._seen.setdefault(key, [record.created, 0.0])
        held = 0
        if record.created - state[0] >= self._period_s:
            held = max(0, int(state[1]) - self._burst)
            state[:] = [record.created, 0.0]
        state[1] += 1
        record.held_back = held
        return state[1] <= self._burst


def _parts(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    fields = dict(getattr(record, "fields", {}))
    event = str(record.msg)
    if not hasattr(record, "fields"):  # a line from a library
        event, fields = "library", {"message": record.getMessage()}
    if held := getattr(record, "held_back", 0):
        fields["held_back"] = held
    return event, {key: plain(value) for key, value in fields.items()}


class JsonLines(logging.Formatter):
    """{"at": ..., "level": ..., "log": ..., "event": ..., fields...}, one line each."""

    def format(self, record: logging.LogRecord) -> str:
        event, fields = _parts(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": record.levelname.lower(), "log": record.name.removeprefix("raincheck."), "event": event} | {
            (f"field_{key}" if key in ("at", "level", "log", "event") else key): value for key, value in fields.items()
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Pretty(logging.Formatter):
    """12:03:04 warning engine window_overdue model=m behind_ms=90000; coloured where the terminal can."""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        event, fields = _parts(record)
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        level = f"{record.levelname.lower():<7}"
        if self._colour:
            level = f"{COLOURS.get(record.levelname, '')}{level}\033[0m"
        pairs = " ".join(f"{key}={json.dumps(value, ensure_ascii=False, default=str)}" for key, value in fields.items())
        line = f"{at} {level} {record.name.removeprefix('raincheck.')} {event} {pairs}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Tally(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(record.levelname.lower())


def tallied(tell: Callable[[str], None]) -> Callable[[], None]:
    """From now on `tell` hears the level of every line, also of those that are held back; what is returned ends that."""
    tally, root = _Tally(tell), logging.getLogger()
    root.addHandler(tally)
    return lambda: root.removeHandler(tally)


def setup(level: str = "info", style: Style = "auto", stream: TextIO | None = None) -> None:
    """Sends every log line of the process to one handler; libraries speak from "warning" on. Calling it again replaces the handler."""
    out = stream if stream is not None else sys.stderr
    terminal = out.isatty()
    handler = logging.StreamHandler(out)
    handler.setFormatter(Pretty(terminal) if style == "pretty" or (style == "auto" and terminal) else JsonLines())
    handler.addFilter(Throttle())
    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "raincheck", False)]:
        root.removeHandler(old)
    handler.raincheck = True  # type: ignore[attr-defined]  # marks our own handler: a test runner's handlers stay
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("raincheck").setLevel(level.upper())
