"""The command line's commands, one small file each. A file in this folder is a command; there is no list to edit.

A command module holds

- `NAME`: what is typed ("check"),
- `HELP`: one line for `raincheck --help`; the module's docstring is the longer text of `raincheck NAME --help`,
- `configure(parser)`: adds its arguments (and sub-commands of its own: "state check"),
- `run(args) -> int`: does it and returns the exit code (0 is well). Heavy imports belong inside `run`.

Every command has `--json`, `--log-level` and `--log-format` already. With `--json` the last line on stdout is one JSON
object (`show` does that); progress and logs go to stderr. `Misconfigured` and `Corrupt` may simply be raised.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Mapping
from typing import Any, Protocol, cast


class Command(Protocol):
    """What a module in this folder owes."""

    NAME: str
    HELP: str
    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def discover() -> dict[str, Command]:
    """Every command in this folder by its name, in alphabetical order; two with one name are an error."""
    found: dict[str, Command] = {}
    for info in pkgutil.iter_modules(__path__):
        command = cast(Command, importlib.import_module(f"{__name__}.{info.name}"))
        if command.NAME in found:
            raise ValueError(f"two files in monitor/commands are called {command.NAME!r}")
        found[command.NAME] = command
    return dict(sorted(found.items()))


def show(args: argparse.Namespace, payload: Mapping[str, Any], text: str) -> None:
    """The command's answer on stdout: one line of JSON if `--json` was given, otherwise the text for people."""
    sys.stdout.write((json.dumps(payload, ensure_ascii=False, default=str) if args.json else text.rstrip("\n")) + "\n")
    sys.stdout.flush()
