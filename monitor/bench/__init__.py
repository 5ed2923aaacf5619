"""Benches, one file each: what a machine can do, in figures that any two people measure alike.

A bench module holds `NAME`, `HELP`, `configure(parser)` and `measure(args) -> {figure: number}`; heavy imports belong inside
`measure`. Notes and progress go to stderr. Files without a `NAME` serve the benches.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Protocol, cast


class Bench(Protocol):
    """What a bench module in this folder owes."""

    NAME: str
    HELP: str
    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def measure(self, args: argparse.Namespace) -> dict[str, float]: ...


def discover() -> dict[str, Bench]:
    """Every bench in this folder by its name.

    >>> "ingest" in discover()
    True
    """
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return {module.NAME: cast(Bench, module) for module in modules if hasattr(module, "NAME")}
