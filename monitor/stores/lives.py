"""Which life of a state a file is of: copies of one life never take the place of another's.

A state that begins from nothing begins a life, named by when that was and by chance; saves, copies and restores keep the name. So the
copies beside a state that was lost are told from those of the empty one that followed it, and get names that say whose they are:
`state.db.backup.20260112T101500Z-3f9a1c`. States from before lives had names are all of one, "".
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from monitor.stores.tables import FORMAT, put, rows

_STAMP: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = r"\d{8}T\d{6}Z-[0-9a-f]{6}"
_UNNAMED: Final = "unnamed"  # what the life "" is called in a file's name
_PREVIOUS: Final = ".previous"


@dataclass(frozen=True, slots=True)
class Imprint:
    """What a file says of itself: its life (None: it cannot be read), and when it was copied; where it says nothing, its own time."""

    life: str | None
    made_ms: int


def begun(now_ms: int) -> str:
    """A name for a life that begins now."""
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC).strftime(_STAMP)}-{secrets.token_hex(3)}"


def imprint(path: Path) -> Imprint:
    """Read through a connection of its own, from a file that a daemon may be writing."""
    made_ms = int(path.stat().st_mtime * 1000)
    try:
        with looked_into(path) as db:
            (number,) = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
            said = dict(rows(db, "meta")) if number == str(FORMAT) else {}
    except (sqlite3.Error, TypeError, ValueError):
        return Imprint(None, made_ms)
    life, made = said.get("life", ""), said.get("made_ms", "")
    if life and not re.fullmatch(_NAME, life):  # it becomes a file's name
        return Imprint(None, made_ms)
    return Imprint(life, int(made) if made.isdigit() else made_ms)


@contextlib.contextmanager
def looked_into(path: Path) -> Iterator[sqlite3.Connection]:
    """A file that is there, to be read for a moment. Not `mode=ro`: that leaves behind what SQLite keeps beside a state."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0)) as db:
        db.execute("PRAGMA query_only = ON")
        yield db


def stamp(copy: Path, now_ms: int) -> None:
    """Writes into a copy when it was made: a file's own time is that of whoever copied it last. Older formats have no place for it."""
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
        if db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (str(FORMAT),):
            put(db, "meta", [("made_ms", str(now_ms))])


def revived(db: sqlite3.Connection) -> None:
    """What a daemon goes on with is no copy any more."""
    if db.execute("SELECT 1 FROM meta WHERE key = 'made_ms'").fetchone():
        db.execute("DELETE FROM meta WHERE key = 'made_ms'")


def copies(path: Path) -> list[Path]:
    """Where copies of the state at `path` are kept, the newest first."""
    return [path.with_name(f"{path.name}.backup{which}") for which in ("", _PREVIOUS)]


def formers(path: Path) -> list[Path]:
    """Copies that were set apart, those of the life that was copied last first."""
    shape = re.compile(rf"{re.escape(path.name)}\.backup\.(?:{_NAME}|{_UNNAMED})(?:\.previous)?")
    there = [found for found in path.parent.iterdir() if shape.fullmatch(found.name)] if path.parent.is_dir() else []
    return sorted(there, key=lambda found: (-imprint(found).made_ms, found.name))


def set_apart(path: Path, life: str) -> None:
    """Copies of another life than this one get that life's name; of two former lives they are kept (`kept`).

    One that cannot be read is nobody's: it is pushed out by the next ones as if it were of this life.
    """
    moved = False
    for copy, which in zip(copies(path), ("", _PREVIOUS), strict=True):
        of = imprint(copy).life if copy.exists() else None
        if of is not None and of != life:
            copy.replace(path.with_name(f"{path.name}.backup.{of or _UNNAMED}{which}"))
            moved = True
    if not moved:
        return
    whose = {former: former.name.removeprefix(f"{path.name}.backup.").removesuffix(_PREVIOUS) for former in formers(path)}
    reach: dict[str, int] = {}
    for former, name in whose.items():
        reach[name] = max(reach.get(name, 0), imprint(former).made_ms)
    for former, name in whose.items():
        if name not in kept(reach):
            former.unlink()


def kept(reach: Mapping[str, int]) -> set[str]:
    """Which former lives keep their copies, by when the newest of each was made: the last one, and the longest of the others.

    So a state that is lost again and again, each time after minutes, pushes out nothing but itself.

    >>> hour = 3_600_000
    >>> sorted(kept({"19700101T000000Z-aaaaaa": 900 * hour, "19700207T120000Z-bbbbbb": 901 * hour, "19700207T130000Z-cccccc": 902 * hour}))
    ['19700101T000000Z-aaaaaa', '19700207T130000Z-cccccc']
    """
    if not reach:
        return set()
    last = max(reach, key=lambda name: reach[name])
    rest = reach.keys() - {last}
    return {last} | ({max(rest, key=lambda name: (reach[name] - _began_ms(name), name))} if rest else set())


def _began_ms(name: str) -> int:
    if name == _UNNAMED:
        return 0
    return int(datetime.strptime(name.split("-", maxsplit=1)[0], _STAMP).replace(tzinfo=UTC).timestamp() * 1000)
