"""The place of a state file: who holds it, and how it is set aside."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from monitor.errors import Misconfigured

SIDES = ("", "-wal", "-shm")  # the file and what SQLite keeps beside it


def refused(path: Path, problem: str, right: str) -> Misconfigured:
    return Misconfigured.of(problem, field="state.path", value=path, right=right)


def hold(path: Path) -> IO[bytes]:
    """An advisory lock beside the file, held for life: it vanishes with the process, however that ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _opened(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise refused(path, f"cannot be written ({error.strerror})", "a path in a directory this user may write to") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise refused(path, "is in use by another raincheck", "a state of its own for each, or stop the other one") from error
    return handle


def _opened(lock: Path) -> IO[bytes]:
    try:
        handle = lock.open("xb")
    except FileExistsError:
        return lock.open("ab")
    give(handle)
    return handle


def give(made: IO[bytes]) -> None:
    """A file that root has made beside a service's state becomes the service's: whoever owns the folder must be able to go on with it.

    Only one that was made just now ("x"): a name that was there may be a link to anything.
    """
    if os.geteuid() == 0:
        owner = Path(str(made.name)).parent.stat()
        os.fchown(made.fileno(), owner.st_uid, owner.st_gid)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock for the length of a command; Misconfigured while a daemon has it."""
    with hold(path):
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Waits for whoever makes a copy of this state just now, the daemon at its minute or a person beside it: both write one name."""
    with _opened(path.with_name(path.name + ".copying.lock")) as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def set_aside(path: str | Path) -> list[Path]:
    """Renames the state file and what SQLite keeps beside it; where they are now. Misconfigured while a daemon uses it."""
    found = Path(path)
    with held(found):
        return moved_aside(found)


def moved_aside(path: Path) -> list[Path]:
    """`set_aside` for whoever holds the lock already."""
    number = 1
    while any(path.with_name(f"{path.name}.aside-{number}{side}").exists() for side in SIDES):
        number += 1
    there = [(path.with_name(path.name + side), path.with_name(f"{path.name}.aside-{number}{side}")) for side in SIDES]
    return [old.rename(new) for old, new in there if old.exists()]


def durable(path: Path) -> None:
    """Makes a file's bytes, or a folder's names, survive a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
