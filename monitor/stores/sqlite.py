"""The daemon's state: one SQLite file, one writer, one transaction per turn.

Offsets move in the same transaction as what the records did, so a crash at any instant leaves a state in which every
record counts exactly once. No pickle: MessagePack with format numbers. A file lock refuses a second daemon; a file that
cannot be trusted is refused with the command that helps.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from monitor.alert import Alert
from monitor.changes import Changes, Checkpoint, InputRow, Mark, ReferenceRow, Snapshot, WindowRow
from monitor.errors import Corrupt, Misconfigured
from monitor.incident import Incident
from monitor.pane import PaneKey
from monitor.reference import Reference
from monitor.standing import Standing
from monitor.stores.packing import pack_checkpoint, pack_pane, unpack_checkpoint, unpack_pane
from monitor.stores.store import Delivery
from monitor.verdict import Verdict

FORMAT = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offsets (partition TEXT PRIMARY KEY, next_offset INTEGER NOT NULL, mark_ms INTEGER, records INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS panes (partition TEXT, model TEXT, version TEXT, segment TEXT, role TEXT, start_ms INTEGER, body BLOB NOT NULL,
  PRIMARY KEY (partition, model, version, segment, role, start_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS evidence (model TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS windows (model TEXT, start_ms INTEGER, end_ms INTEGER NOT NULL, status TEXT NOT NULL, verdict BLOB NOT NULL,
  form TEXT NOT NULL, columns BLOB NOT NULL, reference TEXT NOT NULL, PRIMARY KEY (model, start_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incidents (id TEXT PRIMARY KEY, model TEXT NOT NULL, opened_ms INTEGER NOT NULL, resolved_ms INTEGER,
  body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (incident TEXT, at_ms INTEGER, kind TEXT NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL,
  PRIMARY KEY (incident, at_ms)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inputs (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, at_ms INTEGER NOT NULL,
  reference TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, born INTEGER NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '', delivered_ms INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "references" (name TEXT PRIMARY KEY, model TEXT NOT NULL, body BLOB NOT NULL, chain BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS in_force (model TEXT PRIMARY KEY, reference TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoints (model TEXT, at_ms INTEGER, next_input INTEGER NOT NULL, reference TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (model, at_ms));
CREATE TABLE IF NOT EXISTS pairs (model TEXT, id TEXT, time_ms INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (model, id, time_ms))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (name TEXT, reason TEXT, n INTEGER NOT NULL, PRIMARY KEY (name, reason)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS windows_by_time ON windows (end_ms);
CREATE INDEX IF NOT EXISTS pairs_by_time ON pairs (time_ms);
"""
_encode = msgspec.msgpack.encode


class SqliteStore:
    """State at `path`, opened for one owner, who uses it from one thread at a time.

    A `reader` needs no lock and may look at the state of a running daemon (WAL gives it one consistent moment); it must
    not save. Misconfigured where the path cannot be used or is in use, Corrupt where the file cannot be trusted.
    """

    def __init__(self, path: str | Path, *, reader: bool = False) -> None:
        self.path = Path(path)
        if reader and not self.path.exists():
            raise _refused(self.path, "does not exist", "the path of an existing state file")
        self._lock = None if reader else _lock(self.path)
        try:
            self._db = _open(self.path)
        except BaseException:
            if self._lock is not None:
                self._lock.close()
            raise
        self._born = int(self._db.execute("SELECT coalesce(max(born), 0) FROM outbox").fetchone()[0])

    def load(self) -> Snapshot:
        db = self._db
        try:
            return Snapshot(
                marks={p: Mark(n, m, r) for p, n, m, r in db.execute("SELECT partition, next_offset, mark_ms, records FROM offsets")},
                panes={
                    (p, PaneKey(model, version, segment, role, start)): unpack_pane(body)
                    for p, model, version, segment, role, start, body in db.execute("SELECT * FROM panes")
                },
                evidence=dict(db.execute("SELECT model, body FROM evidence")),
                references=dict(db.execute('SELECT f.model, r.body FROM in_force f JOIN "references" r ON r.name = f.reference')),
                incidents={i.id: i for i in self._incidents("WHERE resolved_ms IS NULL")},
                alerts=[d.alert for d in self.pending()],
                next_input=int(db.execute("SELECT coalesce(max(seq), -1) + 1 FROM inputs").fetchone()[0]),
                counts=Counter({(name, reason): n for name, reason, n in db.execute("SELECT name, reason, n FROM counts")}),
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
            db.execute("ROLLBACK")
            raise

    def _write(self, changes: Changes) -> None:
        many = self._db.executemany
        for table in ("panes", "windows", "evidence", '"references"', "in_force", "checkpoints"):
            many(f"DELETE FROM {table} WHERE model = ?", [(model,) for model in changes.forgotten])  # noqa: S608 - names from the line above
        many("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)",
             [(p, m.next_offset, m.mark_ms, m.records) for p, m in changes.marks.items() if m is not None])  # fmt: skip
        many("DELETE FROM offsets WHERE partition = ?", [(p,) for p, m in changes.marks.items() if m is None])
        many("DELETE FROM panes WHERE partition = ? AND model = ? AND version = ? AND segment = ? AND role = ? AND start_ms = ?",
             [(p, *key) for (p, key), pane in changes.panes.items() if pane is None])  # fmt: skip
        many("INSERT OR REPLACE INTO panes VALUES (?, ?, ?, ?, ?, ?, ?)",
             [(p, *key, pack_pane(pane)) for (p, key), pane in changes.panes.items() if pane is not None])  # fmt: skip
        many("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
             [(v.model, v.start_ms, v.end_ms, v.status, _encode(v), row.form, _encode(row.columns), v.reference)
              for row in changes.windows for v in (row.verdict,)])  # fmt: skip
        many("INSERT OR REPLACE INTO evidence VALUES (?, ?)", list(changes.evidence.items()))
        many('INSERT OR REPLACE INTO "references" VALUES (?, ?, ?, ?)',
             [(r.name, r.model, r.body, r.chain) for r in changes.references.values()])  # fmt: skip
        many("INSERT OR REPLACE INTO in_force VALUES (?, ?)", [(model, r.name) for model, r in changes.references.items()])
        many("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?)",
             [(c.model, c.at_ms, c.snapshot.next_input, c.reference, pack_checkpoint(c.snapshot, c.unreadable))
              for c in changes.checkpoints])  # fmt: skip
        many("INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?)",
             [(i.id, i.model, i.opened_ms, i.resolved_ms, _encode(i)) for i in changes.incidents.values()])  # fmt: skip
        many("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
             [(i.id, a.at_ms, a.kind, a.who, a.note) for i in changes.incidents.values() for a in i.answers])  # fmt: skip
        many("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)",
             [(i.seq, i.kind, i.model, i.at_ms, i.body.get("reference", ""), _encode(i.body)) for i in changes.inputs])  # fmt: skip
        for alert in changes.alerts:
            self._born += 1
            self._db.execute("INSERT OR IGNORE INTO outbox (id, born, body) VALUES (?, ?, ?)", (alert.id, self._born, _encode(alert)))
        many("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)", [(o.model, o.id, o.time_ms, o.value) for o in changes.outcomes])
        many("INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (name, reason) DO UPDATE SET n = n + excluded.n",
             [(name, reason, n) for (name, reason), n in changes.counts.items()])  # fmt: skip
        many("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(f"topic:{topic}", identity) for topic, identity in changes.identities.items()])

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        rows = self._db.execute(
            "SELECT verdict, form, columns FROM windows WHERE model = ? AND start_ms >= ? AND start_ms < ? ORDER BY start_ms",
            (model, from_ms, until_ms),
        )
        for verdict, form, columns in rows:
            yield WindowRow(_decode(verdict, Verdict), form, _decode(columns, dict[str, bytes]))

    def verdicts(self, model: str | None = None, limit: int | None = None) -> Sequence[Verdict]:
        rows = self._db.execute(
            "SELECT verdict FROM windows WHERE ? IS NULL OR model = ? ORDER BY start_ms DESC, model DESC LIMIT ?",
            (model, model, -1 if limit is None else limit),
        ).fetchall()
        return [_decode(body, Verdict) for (body,) in reversed(rows)]

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        return self._incidents("WHERE ? IS NULL OR model = ?", (model, model))

    def _incidents(self, where: str, arguments: tuple[Any, ...] = ()) -> list[Incident]:
        query = f"SELECT body FROM incidents {where} ORDER BY opened_ms DESC, id"  # noqa: S608 - `where` is one of two constants above
        return [_decode(body, Incident) for (body,) in self._db.execute(query, arguments)]

    def inputs(self) -> Sequence[InputRow]:
        rows = self._db.execute("SELECT seq, kind, model, at_ms, body FROM inputs ORDER BY seq")
        return [InputRow(seq, kind, model, at_ms, msgspec.msgpack.decode(body)) for seq, kind, model, at_ms, body in rows]

    def reference(self, name: str) -> ReferenceRow | None:
        row = self._db.execute('SELECT name, model, body, chain FROM "references" WHERE name = ?', (name,)).fetchone()
        return None if row is None else ReferenceRow(*row)

    def checkpoint(self, model: str, until_ms: int) -> Checkpoint | None:
        row = self._db.execute(
            "SELECT at_ms, next_input, reference, body FROM checkpoints WHERE model = ? AND at_ms <= ? ORDER BY at_ms DESC LIMIT 1",
            (model, until_ms),
        ).fetchone()
        if row is None:
            return None
        try:
            snapshot, unreadable = unpack_checkpoint(row[3], row[1])
        except (ValueError, msgspec.DecodeError) as error:
            raise _corrupt(self.path, str(error)) from error
        return Checkpoint(model, row[0], row[2], snapshot, unreadable)

    def outcomes(self) -> Sequence[tuple[str, str, int, str]]:
        return self._db.execute("SELECT model, id, time_ms, value FROM pairs ORDER BY time_ms, model, id").fetchall()

    def pending(self) -> Sequence[Delivery]:
        rows = self._db.execute("SELECT body, attempts, error, delivered_ms FROM outbox WHERE delivered_ms IS NULL ORDER BY born")
        return [Delivery(_decode(body, Alert), attempts, error, done) for body, attempts, error, done in rows]

    def attempted(self, alert: str, at_ms: int, error: str) -> None:
        done = None if error else at_ms
        self._db.execute("UPDATE outbox SET attempts = attempts + 1, error = ?, delivered_ms = ? WHERE id = ?", (error, done, alert))

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
        named = " UNION ".join(f"SELECT reference FROM {table}" for table in ("in_force", "windows", "checkpoints", "inputs"))  # noqa: S608 - our own tables
        return count + self._db.execute(f'DELETE FROM "references" WHERE name NOT IN ({named})').rowcount  # noqa: S608 - as above

    def identities(self) -> dict[str, str]:
        rows = self._db.execute("SELECT key, value FROM meta WHERE key LIKE 'topic:%'")
        return {key.removeprefix("topic:"): value for key, value in rows}

    def close(self) -> None:
        self._db.close()
        if self._lock is not None:
            self._lock.close()


def check(path: str | Path) -> list[str]:
    """What is wrong with the state at `path`, in words; empty when it can be trusted. Reads everything once."""
    try:
        store = SqliteStore(path, reader=True)
    except (Corrupt, Misconfigured) as error:
        return [str(error)]
    try:
        snapshot = store.load()
        for packed in snapshot.evidence.values():
            Standing.unpack(packed)
        for packed in snapshot.references.values():
            Reference.unpack(packed)
        for _ in store.verdicts():
            pass
        for body, next_input in store._db.execute("SELECT body, next_input FROM checkpoints"):
            unpack_checkpoint(body, next_input)
    except (Corrupt, sqlite3.DatabaseError, msgspec.DecodeError, ValueError) as error:
        return [f"{path}: {error}"]
    finally:
        store.close()
    return []


def set_aside(path: str | Path) -> list[Path]:
    """Renames the state file and what SQLite keeps beside it; where they are now. Misconfigured while a daemon uses it."""
    found = Path(path)
    lock = _lock(found)
    try:
        number = 1
        while found.with_name(f"{found.name}.aside-{number}").exists():
            number += 1
        moved = []
        for suffix in ("", "-wal", "-shm"):
            old = found.with_name(found.name + suffix)
            if old.exists():
                moved.append(old.rename(found.with_name(f"{found.name}.aside-{number}{suffix}")))
        return moved
    finally:
        lock.close()


def _decode(body: bytes, kind: Any) -> Any:
    return msgspec.msgpack.decode(body, type=kind)


def _corrupt(path: Path, why: str) -> Corrupt:
    return Corrupt(f"{path}: the state cannot be trusted: {why}", f"raincheck state check {path}, then raincheck state reset {path}")


def _refused(path: Path, problem: str, right: str) -> Misconfigured:
    return Misconfigured.of(problem, field="state.path", value=path, right=right)


def _lock(path: Path) -> IO[bytes]:
    """An advisory lock beside the file, held for life: it vanishes with the process, however that ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.with_name(path.name + ".lock").open("ab")
    except OSError as error:
        raise _refused(path, f"cannot be written ({error.strerror})", "a path in a directory this user may write to") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise _refused(path, "is in use by another raincheck", "a state of its own for each, or stop the other one") from error
    return handle


def _open(path: Path) -> sqlite3.Connection:
    fresh = not path.exists() or path.stat().st_size == 0
    if not fresh and not os.access(path, os.W_OK):
        raise _refused(path, "is not writable by this user", "a file this user may write to")
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if not fresh:
            problems = [row[0] for row in db.execute("PRAGMA quick_check")]
            if problems != ["ok"]:
                raise _corrupt(path, "; ".join(problems[:3]))
            found = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
            if found is None or found[0] != str(FORMAT):
                raise _corrupt(path, f"format {found[0] if found else 'unknown'}, this release reads {FORMAT}")
        db.executescript(_TABLES)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
    except sqlite3.DatabaseError as error:
        db.close()
        raise _corrupt(path, str(error)) from error
    except BaseException:
        db.close()
        raise
    return db
