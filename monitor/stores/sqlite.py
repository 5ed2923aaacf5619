"""The daemon's state: one SQLite file, one writer, one transaction per turn.

Offsets move in the same transaction as what the records did, so a crash at any instant leaves a state in which every
record counts exactly once. No pickle: MessagePack with format numbers, a check sum on every row (monitor.stores.tables). A file
lock refuses a second daemon; a file that cannot be trusted is refused with the command that helps.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from monitor import wall
from monitor.alert import Alert
from monitor.changes import Changes, Checkpoint, InputRow, Mark, ReferenceRow, Snapshot, WindowRow
from monitor.errors import Corrupt, Misconfigured
from monitor.incident import Incident
from monitor.pane import PaneKey
from monitor.reference import Reference
from monitor.standing import Standing
from monitor.stores.holding import durable, hold, moved_aside, refused
from monitor.stores.lives import begun, revived, set_apart
from monitor.stores.packing import pack_checkpoint, pack_pane, pack_tears, unpack_checkpoint, unpack_pane, unpack_tears
from monitor.stores.store import Delivery
from monitor.stores.tables import FORMAT, OLDER, TABLES, create, migrate, misshapen, put, rows
from monitor.verdict import Verdict

_encode = msgspec.msgpack.encode
# what is wrong is the disk or the place, not what the file holds
_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class SqliteStore:
    """State at `path`, opened for one owner, who uses it from one thread at a time.

    A `reader` needs no lock and may look at the state of a running daemon (WAL gives it one consistent moment); it must
    not save. Misconfigured where the path cannot be used or is in use, Corrupt where the file cannot be trusted.
    """

    def __init__(self, path: str | Path, *, reader: bool = False) -> None:
        self.path = Path(path)
        if reader and not self.path.exists():
            raise refused(self.path, "does not exist", "the path of an existing state file")
        self._lock = None if reader else hold(self.path)
        try:
            self._db = _open(self.path, reader)
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise
        self._born = max((row[1] for row in self._rows("outbox")), default=0)

    def load(self) -> Snapshot:
        try:
            return Snapshot(
                marks={
                    p: Mark(next_offset, mark_ms, records, suspect_ms, bool(unreadable), unpack_tears(tears))
                    for p, next_offset, mark_ms, records, suspect_ms, unreadable, tears in self._rows("offsets")
                },
                panes={
                    (p, PaneKey(model, version, segment, role, start)): unpack_pane(body)
                    for p, model, version, segment, role, start, body in self._rows("panes")
                },
                evidence={model: body for model, body in self._rows("evidence")},  # noqa: C416 - a dict of an iterator of tuples has no type
                references={model: self._in_force(name) for model, name in self._rows("in_force")},
                incidents={i.id: i for i in self.incidents() if i.resolved_ms is None},
                alerts=[d.alert for d in self.pending()],
                next_input=max((row[0] for row in self._rows("inputs")), default=-1) + 1,
                counts=Counter({(name, reason): n for name, reason, n in self._rows("counts")}),
            )
        except (sqlite3.DatabaseError, msgspec.DecodeError, ValueError, KeyError) as error:
            raise _corrupt(self.path, str(error)) from error

    def save(self, changes: Changes) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._write(changes)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk has rolled it back already, and its error is the one to tell
                db.execute("ROLLBACK")
            raise

    def _write(self, changes: Changes) -> None:
        many = self._db.executemany
        for table in ("panes", "windows", "evidence", '"references"', "in_force", "checkpoints"):
            many(f"DELETE FROM {table} WHERE model = ?", [(model,) for model in changes.forgotten])  # noqa: S608 - names from the line above
        marks = {p: m for p, m in changes.marks.items() if m is not None}
        put(self._db, "offsets", [(p, m.next_offset, m.mark_ms, m.records, m.suspect_ms, int(m.unreadable), pack_tears(m.tears))
                                  for p, m in marks.items()])  # fmt: skip
        many("DELETE FROM offsets WHERE partition = ?", [(p,) for p in changes.marks.keys() - marks.keys()])
        many("DELETE FROM panes WHERE partition = ? AND model = ? AND version = ? AND segment = ? AND role = ? AND start_ms = ?",
             [(p, *key) for (p, key), pane in changes.panes.items() if pane is None])  # fmt: skip
        put(self._db, "panes", [(p, *key, pack_pane(pane)) for (p, key), pane in changes.panes.items() if pane is not None])
        put(self._db, "windows", [(v.model, v.start_ms, v.end_ms, v.status, _encode(v), row.form, _encode(row.columns), v.reference)
                                  for row in changes.windows for v in (row.verdict,)])  # fmt: skip
        put(self._db, "evidence", list(changes.evidence.items()))
        put(self._db, "references", [(r.name, r.model, r.body, r.chain) for r in changes.references.values()])
        put(self._db, "in_force", [(model, r.name) for model, r in changes.references.items()])
        put(self._db, "checkpoints", [(c.model, c.at_ms, c.snapshot.next_input, c.reference, pack_checkpoint(c.snapshot))
                                      for c in changes.checkpoints])  # fmt: skip
        put(self._db, "incidents", [(i.id, i.model, i.opened_ms, i.resolved_ms, _encode(i)) for i in changes.incidents.values()])
        put(self._db, "answers", [(i.id, a.at_ms, a.kind, a.who, a.note) for i in changes.incidents.values() for a in i.answers])
        put(self._db, "inputs", [(i.seq, i.kind, i.model, i.at_ms, i.body.get("reference", ""), _encode(i.body)) for i in changes.inputs],
            how="INSERT")  # fmt: skip
        for alert in changes.alerts:
            self._born += 1
            put(self._db, "outbox", [(alert.id, self._born, _encode(alert), 0, "", None)], how="INSERT OR IGNORE")
        put(self._db, "pairs", [(o.model, o.id, o.time_ms, o.value) for o in changes.outcomes])
        for (name, reason), n in changes.counts.items():
            before = sum(row[2] for row in self._rows("counts", "WHERE name = ? AND reason = ?", (name, reason)))
            put(self._db, "counts", [(name, reason, before + n)])
        put(self._db, "meta", [(f"topic:{topic}", identity) for topic, identity in changes.identities.items()])

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        found = self._rows("windows", "WHERE model = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms", (model, from_ms, until_ms))
        for _, _, _, _, verdict, form, columns, _ in found:
            yield WindowRow(self._decoded(verdict, Verdict), form, self._decoded(columns, dict[str, bytes]))

    def verdicts(self, model: str | None = None, limit: int | None = None) -> Sequence[Verdict]:
        newest = "WHERE ? IS NULL OR model = ? ORDER BY start_ms DESC, model DESC LIMIT ?"
        found = list(self._rows("windows", newest, (model, model, -1 if limit is None else limit), bulk=False))
        return [self._decoded(row[4], Verdict) for row in reversed(found)]

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        return [
            self._decoded(body, Incident)
            for _, name, _, _, body in self._rows("incidents", "ORDER BY opened_ms DESC, id")
            if model in (None, name)
        ]

    def inputs(self) -> Sequence[InputRow]:
        return [
            InputRow(seq, kind, model, at_ms, self._decoded(body, dict[str, Any]))
            for seq, kind, model, at_ms, _, body in self._rows("inputs", "ORDER BY seq")
        ]

    def reference(self, name: str) -> ReferenceRow | None:
        return next((ReferenceRow(*row) for row in self._rows("references", "WHERE name = ?", (name,))), None)

    def _in_force(self, name: str) -> bytes:
        found = self.reference(name)
        if found is None:
            raise ValueError(f"reference {name} is in force, and is not there")
        return found.body

    def checkpoint(self, model: str, until_ms: int) -> Checkpoint | None:
        found = list(self._rows("checkpoints", "WHERE model = ? AND at_ms <= ? ORDER BY at_ms DESC LIMIT 1", (model, until_ms)))
        if not found:
            return None
        _, at_ms, next_input, reference, body = found[0]
        try:
            return Checkpoint(model, at_ms, reference, unpack_checkpoint(body, next_input))
        except (ValueError, msgspec.DecodeError) as error:
            raise _corrupt(self.path, str(error)) from error

    def outcomes(self) -> Sequence[tuple[str, str, int, str]]:
        return [(model, key, time_ms, value) for model, key, time_ms, value in self._rows("pairs", "ORDER BY time_ms, model, id")]

    def pending(self) -> Sequence[Delivery]:
        return [
            Delivery(self._decoded(body, Alert), attempts, error, done)
            for _, _, body, attempts, error, done in self._rows("outbox", "ORDER BY born")
            if done is None  # not left to SQL: a damaged mark of delivery would hide its row from the check
        ]

    def attempted(self, alert: str, at_ms: int, error: str) -> None:
        done = None if error else at_ms
        found = [(key, born, body, n + 1, error, done) for key, born, body, n, _, _ in self._rows("outbox", "WHERE id = ?", (alert,))]
        put(self._db, "outbox", found)

    def prune(self, before_ms: int) -> int:
        statements = (
            "DELETE FROM windows WHERE end_ms < ?",
            "DELETE FROM incidents WHERE resolved_ms IS NOT NULL AND resolved_ms < ?",
            "DELETE FROM pairs WHERE time_ms < ?",
            "DELETE FROM outbox WHERE delivered_ms IS NOT NULL AND delivered_ms < ?",
            "DELETE FROM checkpoints WHERE at_ms < ?",
            # the last input stays whatever its age: the next one is numbered after it
            "DELETE FROM inputs WHERE at_ms < ? AND seq < (SELECT max(seq) FROM inputs)"
            " AND seq < coalesce((SELECT min(next_input) FROM checkpoints), 9e18)",
        )
        count = sum(self._db.execute(statement, (before_ms,)).rowcount for statement in statements)
        # they name people, and go with what they answer
        self._db.execute("DELETE FROM answers WHERE incident NOT IN (SELECT id FROM incidents)")
        named = " UNION ".join(f"SELECT reference FROM {table}" for table in ("in_force", "windows", "checkpoints", "inputs"))  # noqa: S608 - our own tables
        return count + self._db.execute(f'DELETE FROM "references" WHERE name NOT IN ({named})').rowcount  # noqa: S608 - as above

    def identities(self) -> dict[str, str]:
        return {key.removeprefix("topic:"): value for key, value in self._rows("meta") if key.startswith("topic:")}

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            self._lock.close()

    def _rows(self, table: str, tail: str = "", arguments: Sequence[Any] = (), *, bulk: bool = True) -> Iterator[tuple[Any, ...]]:
        try:
            yield from rows(self._db, table, tail, arguments, bulk=bulk)
        except sqlite3.OperationalError:
            raise  # the disk, not what is on it: it may pass
        except (sqlite3.DatabaseError, ValueError) as error:
            raise _corrupt(self.path, str(error)) from error

    def _decoded(self, body: bytes, kind: Any) -> Any:
        try:
            return msgspec.msgpack.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise _corrupt(self.path, str(error)) from error


def check(path: str | Path) -> list[str]:
    """What is wrong with the state at `path`, in words; empty when it can be trusted. Reads everything once."""
    try:
        store = SqliteStore(path, reader=True)
    except Corrupt as error:
        return [error.message]
    except Misconfigured as error:
        return [str(error)]
    try:
        for table in TABLES:
            for _ in rows(store._db, table):
                pass
        snapshot = store.load()
        for packed in snapshot.evidence.values():
            Standing.unpack(packed)
        for packed in snapshot.references.values():
            Reference.unpack(packed)
        for _ in store.verdicts():
            pass
        for _, _, next_input, _, body in rows(store._db, "checkpoints"):
            unpack_checkpoint(body, next_input)
    except Corrupt as error:
        return [error.message]
    except (sqlite3.DatabaseError, msgspec.DecodeError, ValueError) as error:
        return [_corrupt(store.path, str(error)).message]
    finally:
        store.close()
    return []


def _corrupt(path: Path, why: str) -> Corrupt:
    from monitor.stores.backup import remedy  # it opens copies with what is above

    return Corrupt(f"{path}: the state cannot be trusted: {why}", remedy(path))


def _open(path: Path, reader: bool) -> sqlite3.Connection:
    _made(path)
    if not reader and not os.access(path, os.W_OK):
        raise refused(path, "is not writable by this user", "a file this user may write to")
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.text_factory = _text
    try:
        if not reader:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
        # not quick_check: a damaged index hides rows from a reader, and only the whole check compares it with its table
        problems = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
        if problems != ["ok"]:
            raise _corrupt(path, "; ".join(problems))
        found = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
        if found in OLDER:
            db = _copied(db) if reader else _kept(db, path.with_name(f"{path.name}.format-{found[0]}"))
            migrate(db, OLDER[found])
        elif found != (str(FORMAT),):
            raise _corrupt(path, f"format {found[0] if found else 'unknown'}, this release reads {FORMAT}")
        if wrong := misshapen(db):
            raise _corrupt(path, f"{', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not as written")
        if reader:
            db.execute("PRAGMA query_only = ON")
        else:
            revived(db)
    except (sqlite3.DatabaseError, ValueError) as error:
        db.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK:  # nobody should be told to give up a state because its disk is full
            raise refused(path, f"cannot be used ({error})", "a disk that takes writes and has space") from error
        raise _corrupt(path, str(error)) from error
    except BaseException:
        db.close()
        raise
    return db


def _made(path: Path) -> None:
    """Sees to it that there is a file: a new one gets its name once it is whole, so an empty file is never the beginning of ours."""
    from monitor.stores.backup import unfinished

    if path.exists():
        if path.stat().st_size == 0:
            raise _corrupt(path, "it is empty")
        return
    if unfinished(path).exists():
        raise Corrupt(f"{path}: a restore was cut off half way", f"raincheck state restore {path}, once more")
    making, life = path.with_name(path.name + ".making"), begun(wall.now_ms())
    try:
        moved_aside(path)  # the log of a file that somebody removed would be read into the new one
        for leftover in (making, making.with_name(making.name + "-journal")):
            leftover.unlink(missing_ok=True)
        db = sqlite3.connect(making, isolation_level=None)
        try:
            create(db, life)
        finally:
            db.close()
        durable(making)
        set_apart(path, life)  # before the life begins: whatever ends this process here, the copies have a name that stays
        making.replace(path)
        durable(path.parent)
    except (OSError, sqlite3.OperationalError) as error:
        raise refused(path, f"cannot be written ({error})", "a path in a directory this user may write to") from error


def _copied(db: sqlite3.Connection) -> sqlite3.Connection:
    """The same in memory: a reader changes nothing on disk, also where this release keeps things otherwise."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    copy.text_factory = _text
    db.backup(copy)
    db.close()
    return copy


def _kept(db: sqlite3.Connection, copy: Path) -> sqlite3.Connection:
    """The connection that was given, once the older release could go on from `copy`."""
    with contextlib.closing(sqlite3.connect(copy)) as older:
        db.backup(older)
    return db


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")  # damaged text fails its row's sum, not the reading of it
