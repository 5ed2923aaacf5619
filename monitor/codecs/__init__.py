"""Codecs: from a stream's raw records to columns. One file with a `FORMAT` and a `build` adds one; nothing else to edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from monitor.batch import Records, Slice
from monitor.errors import Misconfigured
from monitor.plan import Plan, Stream


class Codec(Protocol):
    """Decodes the records of one stream; one bad record costs itself only, and is told with its reason."""

    def decode(self, records: Records) -> Slice: ...


@cache
def formats() -> dict[str, Callable[[Plan, Stream], Codec]]:
    """Every codec in this folder by the word that a stream's `format` uses.

    >>> "json" in formats()
    True
    """
    found: dict[str, Callable[[Plan, Stream], Codec]] = {}
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        if hasattr(module, "FORMAT"):
            found[module.FORMAT] = module.build
    return found


def codec_for(plan: Plan, stream: Stream) -> Codec:
    """The codec of a stream; Misconfigured where its format is not known."""
    if stream.format not in formats():
        known = ", ".join(sorted(formats()))
        raise Misconfigured.of(
            "is no format", origin="configuration", field=f"streams.{stream.name}.format", value=stream.format, right=known
        )
    return formats()[stream.format](plan, stream)
