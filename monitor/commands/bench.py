"""Measures raincheck itself on this machine. `bench NAME --json` prints {"bench": NAME, "figures": {name: number, ...}} as its last line.

A file in monitor/bench with a `NAME` is a bench.
"""

from __future__ import annotations

import argparse

from monitor.commands import show

NAME = "bench"
HELP = "measure throughput or detection on this machine"


def configure(parser: argparse.ArgumentParser) -> None:
    from monitor.bench import discover

    benches = parser.add_subparsers(dest="bench", metavar="NAME", required=True)
    for name, bench in discover().items():
        one = benches.add_parser(name, help=bench.HELP, description=bench.__doc__)
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="figures as one line of JSON at the end")
        bench.configure(one)


def run(args: argparse.Namespace) -> int:
    from monitor.bench import discover

    figures = discover()[args.bench].measure(args)
    width = max(map(len, figures), default=0)
    show(args, {"bench": args.bench, "figures": figures}, "\n".join(f"{name:{width}}  {value:,.6g}" for name, value in figures.items()))
    return 0
