"""A look at the windows of a state that another thread is writing: what pages draw columns from, and another process learns from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from monitor.changes import ReferenceRow, WindowRow
from monitor.errors import Transient
from monitor.plan import DAY_MS
from monitor.stores.lives import looked_into
from monitor.stores.store import Store
from monitor.stores.tables import rows
from monitor.verdict import Verdict

_decode = msgspec.msgpack.decode


class Glance(Protocol):
    """The reading side of a store, from a thread of its own; Transient where the state cannot be read at the moment."""

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]: ...

    def reference(self, name: str) -> ReferenceRow | None: ...


class SqliteGlance:
    """Reads a state file and cannot write it. Each question has a connection of its own, so it holds nothing while nobody asks.

    Unlike a store that is opened it neither takes the lock nor checks the file: the daemon beside it has done both.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        """Windows that start in [from, until), in order, read in one go: an open read would hold back SQLite's checkpoints."""
        tail = "WHERE model = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms"
        for _, _, _, _, verdict, form, columns, _ in self._asked("windows", tail, (model, from_ms, until_ms)):
            yield WindowRow(
                msgspec.msgpack.decode(verdict, type=Verdict), form, msgspec.msgpack.decode(columns, type=dict[str, bytes])
            )  # fmt: skip

    def reference(self, name: str) -> ReferenceRow | None:
        return next((ReferenceRow(*row) for row in self._asked("references", "WHERE name = ?", (name,))), None)

    def _asked(self, table: str, tail: str, arguments: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=1.0)
        except sqlite3.Error as error:
            raise Transient(f"{self._path}: {error}") from error
        try:
            return list(rows(db, table, tail, arguments))
        except (sqlite3.Error, ValueError) as error:  # a damaged row ends the daemon where it is judged by, not where it is drawn
            raise Transient(f"{self._path}: {error}") from error
        finally:
            db.close()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Windows of a model that start in [from, until): what another process is sent in their place, and reads them by.

    A day at a time, as a month of them is larger than all that is made of it.
    """

    glance: Glance
    model: str
    from_ms: int
    until_ms: int

    def __iter__(self) -> Iterator[WindowRow]:
        for start_ms in range(self.from_ms, self.until_ms, DAY_MS):
            yield from self.glance.windows(self.model, start_ms, min(start_ms + DAY_MS, self.until_ms))


def known(path: Path) -> frozenset[str]:
    """The models that a state has learnt of; none where it cannot be read, as `raincheck state check` says."""
    try:
        with looked_into(path) as db:
            return frozenset(model for (model,) in db.execute("SELECT model FROM evidence UNION SELECT model FROM in_force"))
    except sqlite3.Error:
        return frozenset()


def glance_at(store: Store) -> Glance:
    """What looks at the state of `store` from another thread or process: a file is opened anew, memory is looked at as it is."""
    path = getattr(store, "path", None)
    return SqliteGlance(path) if isinstance(path, Path) else store
