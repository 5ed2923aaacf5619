"""Configuration: a file or a mapping becomes a `monitor.plan.Plan`, or one `Misconfigured` that lists every mistake.

`load(path)` reads YAML (or JSON, by the file's ending) and checks that the files it names are there; `compile(mapping)`
takes values that are already in memory: a test's, a notebook's, a backtest's, which need only `models` and `owners`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.config.declaration import CONFIGURATION
from monitor.config.reader import read_file
from monitor.config.reading import ABSENT, At, Reading
from monitor.config.whole import check_plan
from monitor.errors import Misconfigured
from monitor.plan import Plan


def load(path: str | Path, *, environment: Mapping[str, str] | None = None, look_for_files: bool = True) -> Plan:
    """The plan in a file, whose relative paths start at the file's folder.

    Args:
        path: a YAML file, or a JSON file if its name ends in .json.
        environment: where ${NAME} is looked up; the process's own by default.
        look_for_files: False to accept files that are not there, where a configuration is checked on another machine.

    Raises:
        Misconfigured: with every mistake, each with its line; an unreadable file is one of them.
    """
    path = Path(path)
    reading = Reading(str(path), os.environ if environment is None else environment, path.parent if look_for_files else None)
    tree, lines = read_file(path, At(reading))
    if tree is None and reading.mistakes:
        raise Misconfigured(reading.mistakes)
    reading.lines = lines
    return _compile(tree, reading)


def compile(
    mapping: Any, origin: str = "configuration", *, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Plan:
    """The plan in a mapping as a YAML file would give it: texts, numbers, lists and mappings of texts.

    Args:
        mapping: the configuration. Anything else is a mistake, never another exception.
        origin: what mistakes call it.
        environment: where ${NAME} is looked up; the process's own by default.
        folder: where relative paths start and named files must be found; None to take paths as they are, unchecked.

    Raises:
        Misconfigured: with every mistake.

    >>> plan = compile({"owners": {"team": {}}, "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}}})
    >>> plan.models["m"].window_ms
    300000
    """
    return _compile(mapping, Reading(origin, os.environ if environment is None else environment, folder))


def _compile(tree: Any, reading: Reading) -> Plan:
    if tree is None:
        At(reading).mistake(ABSENT, "is empty", CONFIGURATION.example)
        raise Misconfigured(reading.mistakes)
    # across sections even where one could not be read: all mistakes at once
    table = replace(CONFIGURATION, check=lambda values, here: check_plan(values, tree, here))
    plan: Plan = table.read(tree, At(reading))
    if reading.mistakes:
        raise Misconfigured(sorted(reading.mistakes, key=lambda mistake: mistake.line or 0))
    return plan
