"""Checked copies of a state file beside it, and the way back.

`state.db.backup` is the newest copy, `state.db.backup.previous` the one before it. A copy is made under another name, read from
its first row to its last, and only then takes the newest one's place: whatever fails on the way (a full disk, a damaged state,
the end of the process), the older copies stay as they were. Those of a former life of the state are set apart
(monitor.stores.lives), and the way back finds them, too.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monitor import wall
from monitor.errors import Corrupt, Misconfigured, Transient
from monitor.standing import Standing
from monitor.stores.export import iso
from monitor.stores.holding import durable, give, held, in_turn, moved_aside, refused
from monitor.stores.lives import copies, formers, imprint, set_apart, stamp
from monitor.stores.sqlite import SqliteStore, check


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `reaches`: per model the end of its last closed window (event time, ms; None: none yet)."""

    source: Path
    made_ms: int
    reaches: dict[str, int | None]
    offsets: dict[str, int]
    set_aside: tuple[Path, ...]


def back_up(path: str | Path) -> Path:
    """Copies the state at `path`, which a daemon may be writing, and checks the copy; where it is now.

    SQLite's own backup reads one moment of the write-ahead log through a connection of its own: the writer waits for nothing.
    Transient where it cannot be written (the disk is full), Corrupt where the copy cannot be trusted, hence the state neither.
    """
    state = Path(path)
    newest, previous = copies(state)
    making = state.with_name(state.name + ".backup.making")
    try:
        with in_turn(state):
            _gone(making)
            try:
                with making.open("xb") as empty:  # root's copy must be the service's to read
                    give(empty)
                _copy(state, making)
                stamp(making, wall.now_ms())
                problems = check(making)
                if problems:
                    raise Corrupt(f"the copy of {state} cannot be trusted: {problems[0]}", remedy(state))
                durable(making)
                set_apart(state, imprint(making).life or "")
                if newest.exists():
                    newest.replace(previous)
                making.replace(newest)
                durable(state.parent)
            finally:
                _gone(making)
    except (OSError, sqlite3.OperationalError) as error:
        raise Transient(f"{newest} could not be written: {error}") from error
    return newest


@dataclass(frozen=True, slots=True)
class Beside:
    """A copy that lies beside a state: when it was made, what is wrong with it (nothing: it is whole), and whether it is known to be
    of another life than the state; without a state it is of none."""

    path: Path
    made_ms: int
    problems: tuple[str, ...]
    former: bool

    @property
    def made(self) -> str:
        return iso(self.made_ms // 1000 * 1000)

    def command(self, state: Path) -> str:
        """What goes back to this copy, also when younger ones have come since."""
        return f"raincheck state restore {state} --from {self.path}"


def beside(path: Path) -> Iterator[Beside]:
    """The copies of the state at `path`, each read from its first row to its last, those of its own life first and then the newest."""
    life = imprint(path).life if path.exists() else None
    for copy in _sought(path):
        found = imprint(copy)
        yield Beside(copy, found.made_ms, tuple(check(copy)), None not in (life, found.life) and life != found.life)


def left_behind(path: Path) -> Beside | None:
    """The newest whole copy of what a state that knows nothing, or is not there, would have gone on from."""
    return next((copy for copy in beside(path) if not copy.problems and (copy.former or not path.exists())), None)


def _sought(path: Path) -> list[Path]:
    """A state that is damaged wants its own past and not that of the one before it; where its life cannot be read, the newest."""
    life = imprint(path).life if path.exists() else None
    there = [copy for copy in copies(path) if copy.exists()] + formers(path)
    return there if life is None else sorted(there, key=lambda copy: imprint(copy).life not in (None, life))


def restore(path: str | Path, source: str | Path | None = None) -> Restored:
    """Puts a checked copy in the place of the state, which is set aside; by default the newest copy that is whole.

    Misconfigured while a daemon holds the state or where there is no copy, Corrupt where none can be trusted. Cut off half way,
    it leaves `state.db.restoring`: no daemon starts beside that, and the next restore goes on from it.
    """
    state = Path(path)
    with held(state):
        found = _whole(state, Path(source) if source is not None else None)
        made_ms = imprint(found).made_ms
        restoring = unfinished(state)
        try:
            _gone(restoring)
            with found.open("rb") as whole, restoring.open("xb") as copy:
                shutil.copyfileobj(whole, copy)
                give(copy)
            durable(restoring)
        except OSError as error:
            if state.exists():  # else what is half there must keep a daemon from a fresh start
                restoring.unlink(missing_ok=True)
            raise refused(state, f"cannot be restored ({error.strerror})", "a disk that takes writes and has space for the copy") from error
        aside = moved_aside(state)
        restoring.replace(state)
        durable(state.parent)
    store = SqliteStore(state, reader=True)
    try:
        snapshot = store.load()
    finally:
        store.close()
    reaches = {model: Standing.unpack(body).next_ms for model, body in snapshot.evidence.items()}
    return Restored(found, made_ms, reaches, {p: mark.next_offset for p, mark in snapshot.marks.items()}, tuple(aside))


def unfinished(path: Path) -> Path:
    """What a restore that was cut off leaves beside the state."""
    return path.with_name(path.name + ".restoring")


def remedy(path: Path) -> str:
    """The command that helps against a state that cannot be trusted: back to a copy where one is whole, else a fresh start."""
    checked = f"raincheck state check {path}"
    if any(not check(copy) for copy in _sought(path)):
        return f"{checked}, then raincheck state restore {path}"
    return f"{checked}, then raincheck state reset {path}"


def _whole(state: Path, source: Path | None) -> Path:
    there = _sought(state) if source is None else [source] if source.exists() else []
    if not there:
        looked = source or copies(state)[0]
        raise Misconfigured.of("no such copy", origin="raincheck state restore", field="--from", value=looked, right="an existing copy")
    problems = []
    for copy in there:
        if not (wrong := check(copy)):
            return copy
        problems += wrong
    raise Corrupt("no copy can be trusted: " + "; ".join(problems), f"raincheck state reset {state}, which starts from nothing")


def _copy(state: Path, to: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro", uri=True)) as origin, contextlib.closing(
        sqlite3.connect(to, isolation_level=None)
    ) as copy:  # fmt: skip
        origin.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it


def _gone(path: Path) -> None:
    for side in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + side).unlink(missing_ok=True)
