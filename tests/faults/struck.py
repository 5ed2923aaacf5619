"""raincheck that ends itself by SIGKILL at a stated place: `struck.py PLACE[:ARGUMENT] run --config ...`.

| place | dies |
| --- | --- |
| statement:N | at the Nth statement inside the save transactions, before it takes effect |
| commit:N | before the COMMIT of the Nth save |
| saved:N | right after the Nth save, before anybody has been told |
| committing:N | between the Nth save with records and its commit to Kafka |
| learning:STEP,S | S seconds after this step of learning was handed to the pool |
| answered | after the transaction that holds an answer or an announced event, before the reply |
| backup:copied, :checked, :between, :renamed | while a copy of the state is made, which happens at once |
| copying | lives, and makes a copy of the state before it reads |
| seconds:S, reading:S | S seconds after its own beginning, after the beginning of its reading |
| never | lives |
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from monitor.__main__ import main
from monitor.schedule import Schedule
from monitor.sources.kafka import KafkaSource
from monitor.stores import backup
from monitor.stores.sqlite import SqliteStore
from monitor.workshop import Workshop


def die(where: str) -> None:
    os.write(2, json.dumps({"event": "struck", "where": where}).encode() + b"\n")
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def after(owner: Any, name: str, then: Callable[..., object]) -> None:
    """Calls `then` with the arguments of every call, once it has returned."""
    whole = getattr(owner, name)

    def and_then(*args: Any, **more: Any) -> Any:
        found = whole(*args, **more)
        then(*args, **more)
        return found

    setattr(owner, name, and_then)


def before(owner: Any, name: str, first: Callable[..., object]) -> None:
    whole = getattr(owner, name)

    def first_and(*args: Any, **more: Any) -> Any:
        first(*args, **more)
        return whole(*args, **more)

    setattr(owner, name, first_and)


def nth(number: str, where: str) -> Callable[..., None]:
    calls = count(1)
    return lambda *_, **__: die(where) if next(calls) == int(number) else None


def traced(heard: Callable[[str], None]) -> None:
    """Statements of the one who saves; what readers and the beginning do is not traced."""
    after(SqliteStore, "__init__", lambda store, *_, reader=False: None if reader else store._db.set_trace_callback(heard))


def at_statement(number: str) -> None:
    inside, seen = False, 0

    def heard(statement: str) -> None:
        nonlocal inside, seen
        if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            inside = statement.startswith("BEGIN")
        elif inside:
            seen += 1
            if seen == int(number):
                die(f"statement {number}: {statement[:40]}")

    traced(heard)


def at_commit(number: str) -> None:
    strike = nth(number, f"before commit {number}")
    traced(lambda statement: strike() if statement == "COMMIT" else None)


def while_learning(argument: str) -> None:
    step, _, seconds = argument.partition(",")

    def soon(_: Workshop, perform: object, model: object, due: Any, *more: object) -> None:
        if due.step == step:
            threading.Timer(float(seconds), die, [f"while {step} is learnt"]).start()

    after(Workshop, "submit", soon)


def when_answered(_: str) -> None:
    def heard(_: SqliteStore, changes: Any) -> None:
        if any(row.kind in ("answer", "expected") for row in changes.inputs):
            die("answered")

    after(SqliteStore, "save", heard)


def in_backup(place: str) -> None:
    after(Schedule, "start", lambda schedule: threading.Thread(target=schedule.backup, daemon=True).start())
    match place:
        case "copied":
            after(backup, "_copy", lambda *_: die("backup copied"))
        case "checked":
            after(backup, "check", lambda *_: die("backup checked"))
        case "between":  # the older copy has made room, the new one is not there yet
            after(Path, "replace", lambda old, new: die("backup between") if str(new).endswith(".previous") else None)
            before(Path, "replace", lambda old, new: die("backup between") if str(old).endswith(".backup.making") else None)
        case _:
            after(Path, "replace", lambda old, new: die("backup renamed") if str(new).endswith(".backup") else None)


PLACES: dict[str, Callable[[str], object]] = {
    "statement": at_statement,
    "commit": at_commit,
    "saved": lambda number: after(SqliteStore, "save", nth(number, f"after save {number}")),
    "committing": lambda number: before(KafkaSource, "commit", nth(number, f"before commit {number} to Kafka")),
    "learning": while_learning,
    "answered": when_answered,
    "backup": in_backup,
    "copying": lambda _: after(Schedule, "start", Schedule.backup),
    "seconds": lambda seconds: threading.Timer(float(seconds), die, ["any instant"]).start(),
    "reading": lambda seconds: after(Schedule, "start", lambda _: threading.Timer(float(seconds), die, ["any instant"]).start()),
    "never": lambda _: None,
}

if __name__ == "__main__":
    place, _, argument = sys.argv[1].partition(":")
    PLACES[place](argument)
    sys.exit(main(sys.argv[2:]))
