"""Lists the detectors: what each measures, which columns it serves, and its parameters with their defaults."""

from __future__ import annotations

import argparse
import textwrap

from monitor.commands import show

NAME = "detectors"
HELP = "list the detectors that a model may ask for, with their parameters"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="a Python file with more detectors; may be repeated")


def run(args: argparse.Namespace) -> int:
    from detectors.registry import PluginError, discover
    from monitor.errors import Misconfigured

    try:
        found = discover(tuple(args.plugin))
    except PluginError as error:
        raise Misconfigured.of(error.reason, origin=error.source, right="a Python file with detectors under ids of their own") from error
    payload = {
        registered.id: {
            "family": registered.family,
            "kinds": list(registered.kinds),
            "summary": registered.summary,
            "parameters": {name: {"type": kind.__name__, "default": default} for name, (kind, default) in registered.parameters.items()},
        }
        for registered in found.values()
    }
    lines = ["Advisory: their values are shown beside the evidence and page nobody by themselves.", ""]
    for registered in found.values():
        serves = " and ".join(registered.kinds)
        lines.append(f"{registered.id}  ({registered.family}; {serves})")
        lines += textwrap.wrap(registered.summary, 96, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
        if registered.parameters:
            lines.append("    parameters: " + ", ".join(f"{name}={default}" for name, (_, default) in registered.parameters.items()))
    show(args, {"detectors": payload}, "\n".join(lines))
    return 0
