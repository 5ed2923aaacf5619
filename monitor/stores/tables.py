"""The tables of a state file, each row with a check sum: what a disk has changed is told from what was written.

SQLite finds damage in the structure of its pages, not in what they hold. So every row ends with `crc`, the CRC-32 of all its
other values and of its table's name; whoever reads a row works it out again. Only `windows.columns`, the bulk of the file, has a
sum of its own, so that verdicts can be read without it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from monitor.stores.packing import pack_tears, repacked

FORMAT: Final = 4


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` as SQL, the sum comes after them. `bulk` is where a column stands that has a sum of its own; `rowid`: bodies are large,
    so they are kept out of the tree of keys."""

    columns: str
    key: str
    rowid: bool = False
    bulk: int | None = None

    @property
    def names(self) -> list[str]:
        return [column.split()[0] for column in self.columns.split(",")]

    @property
    def sums(self) -> tuple[str, ...]:
        return ("crc",) if self.bulk is None else ("crc", "bulk_crc")


TABLES: Final = {
    "meta": Table("key TEXT, value TEXT NOT NULL", "key"),
    "offsets": Table(
        "partition TEXT, next_offset INTEGER NOT NULL, mark_ms INTEGER, records INTEGER NOT NULL, suspect_ms INTEGER,"
        " unreadable INTEGER NOT NULL, tears BLOB NOT NULL",
        "partition",
    ),
    "panes": Table(
        "partition TEXT, model TEXT, version TEXT, segment TEXT, role TEXT, start_ms INTEGER, body BLOB NOT NULL",
        "partition, model, version, segment, role, start_ms",
    ),
    "evidence": Table("model TEXT, body BLOB NOT NULL", "model"),
    "windows": Table(
        "model TEXT, start_ms INTEGER, end_ms INTEGER NOT NULL, status TEXT NOT NULL, verdict BLOB NOT NULL, form TEXT NOT NULL,"
        " columns BLOB NOT NULL, reference TEXT NOT NULL",
        "model, start_ms",
        bulk=6,
    ),
    "incidents": Table("id TEXT, model TEXT NOT NULL, opened_ms INTEGER NOT NULL, resolved_ms INTEGER, body BLOB NOT NULL", "id"),
    "answers": Table("incident TEXT, at_ms INTEGER, kind TEXT NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL", "incident, at_ms"),
    "inputs": Table(
        "seq INTEGER, kind TEXT NOT NULL, model TEXT NOT NULL, at_ms INTEGER NOT NULL, reference TEXT NOT NULL, body BLOB NOT NULL",
        "seq",
        rowid=True,
    ),
    "outbox": Table(
        "id TEXT, born INTEGER NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, delivered_ms INTEGER", "id"
    ),
    "references": Table("name TEXT, model TEXT NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL", "name", rowid=True),
    "in_force": Table("model TEXT, reference TEXT NOT NULL", "model"),
    "checkpoints": Table(
        "model TEXT, at_ms INTEGER, next_input INTEGER NOT NULL, reference TEXT NOT NULL, body BLOB NOT NULL", "model, at_ms", rowid=True
    ),
    "pairs": Table("model TEXT, id TEXT, time_ms INTEGER NOT NULL, value TEXT NOT NULL", "model, id, time_ms"),
    "counts": Table("name TEXT, reason TEXT, n INTEGER NOT NULL", "name, reason"),
}
_INDEXES: Final = {
    "windows_by_time": "CREATE INDEX windows_by_time ON windows (end_ms)",
    "pairs_by_time": "CREATE INDEX pairs_by_time ON pairs (time_ms)",
}


def seals(table: str, row: Sequence[Any]) -> tuple[int, ...]:
    """The sums that a row ends with: CRC-32 over the MessagePack of the table's name and the values, the bulk apart.

    >>> seals("counts", ("m", "late", 3)) == seals("counts", ("m", "late", 2))
    False
    """
    bulk = TABLES[table].bulk
    if bulk is None:
        return (_sum(table, row),)
    return _sum(table, (*row[:bulk], *row[bulk + 1 :])), _sum(table, (row[bulk],))


def rows(
    db: sqlite3.Connection, table: str, tail: str = "", arguments: Sequence[Any] = (), *, bulk: bool = True
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table without their sums; ValueError at the first one whose sums do not fit. `bulk=False`: None stands in its place.

    A damaged value may hide a row from a condition in `tail`: what must not be missed is asked for whole.
    """
    apart = TABLES[table].bulk if not bulk else None
    names = ["NULL" if i == apart else name for i, name in enumerate(TABLES[table].names)]
    width = len(names)
    asked = f'SELECT {", ".join([*names, *TABLES[table].sums])} FROM "{table}" {tail}'  # noqa: S608 - names from the table above, tails from our own files
    for row in db.execute(asked, arguments):
        found = row[:width]
        wanted = (_sum(table, [v for i, v in enumerate(found) if i != apart]),) if apart is not None else seals(table, found)
        if row[width : width + len(wanted)] != wanted:
            raise ValueError(f"a row of {table} differs from what was written (its check sum does not fit)")
        yield found


def put(db: sqlite3.Connection, table: str, values: Iterable[Sequence[Any]], how: str = "INSERT OR REPLACE") -> None:
    """Writes rows with their sums."""
    marks = ", ".join("?" * (len(TABLES[table].names) + len(TABLES[table].sums)))
    db.executemany(f'{how} INTO "{table}" VALUES ({marks})', [(*row, *seals(table, row)) for row in values])


def create(db: sqlite3.Connection, life: str) -> None:
    """Makes all tables in an empty file, in one transaction: the life of that name begins."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in _schema().values():
            db.execute(statement)
        put(db, "meta", [("format", str(FORMAT)), ("life", life)])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def misshapen(db: sqlite3.Connection) -> list[str]:
    """Tables and indexes that are not as this release makes them: a damaged name would else look like an empty table."""
    found = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    return sorted(name for name in found.keys() | _schema().keys() if found.get(name) != _schema().get(name))


@dataclass(frozen=True, slots=True)
class Older:
    """A format that is migrated: whether its rows had sums, and how rows of the tables that were otherwise become today's."""

    sums: bool
    rows: dict[str, Callable[[tuple[Any, ...]], tuple[Any, ...]]]


def _checkpoint(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return *row[:4], repacked(row[4])


OLDER: Final = {
    ("2",): Older(sums=False, rows={"offsets": lambda row: (*row, None, 0, pack_tears(())), "checkpoints": _checkpoint}),
    ("3",): Older(sums=True, rows={"offsets": lambda row: (*row, 0, pack_tears(())), "checkpoints": _checkpoint}),
}


def migrate(db: sqlite3.Connection, older: Older) -> None:
    """An older format becomes this one: all of it in one transaction, or nothing. ValueError where a row differs from what was written."""
    names = [name for name in TABLES if name in older.rows or not older.sums]  # the others are as they were
    db.execute("BEGIN IMMEDIATE")
    try:
        for index in _INDEXES:
            db.execute(f"DROP INDEX {index}")
        for name in names:
            db.execute(f'ALTER TABLE "{name}" RENAME TO before')
            db.execute(_schema()[name])
            put(db, name, map(older.rows.get(name, tuple), _before(db, name, older)))
            db.execute("DROP TABLE before")
        for index in _INDEXES:
            db.execute(_INDEXES[index])
        put(db, "meta", [("format", str(FORMAT))])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _before(db: sqlite3.Connection, name: str, older: Older) -> Iterator[tuple[Any, ...]]:
    """The rows that an older format wrote, without their sums."""
    for row in db.execute("SELECT * FROM before"):
        if older.sums and row[-1] != _sum(name, row[:-1]):
            raise ValueError(f"a row of {name} differs from what was written (its check sum does not fit)")
        yield row[:-1] if older.sums else row


def _sum(table: str, values: Sequence[Any]) -> int:
    return zlib.crc32(msgspec.msgpack.encode((table, *values)))


def _schema() -> dict[str, str]:
    made = {
        name: f'CREATE TABLE "{name}" ({t.columns}, {" INTEGER NOT NULL, ".join(t.sums)} INTEGER NOT NULL, PRIMARY KEY ({t.key}))'
        + ("" if t.rowid else " WITHOUT ROWID")
        for name, t in TABLES.items()
    }
    return made | _INDEXES
