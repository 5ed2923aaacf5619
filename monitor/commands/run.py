"""Watches the streams of a configuration until it is told to stop: SIGTERM saves and leaves, a second one leaves at once."""

from __future__ import annotations

import argparse

NAME = "run"
HELP = "watch the streams of a configuration, judge them, page their owners"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration (raincheck check FILE lists its mistakes)")
    parser.add_argument("--port", type=int, help="the web port instead of the configuration's; 0 takes a free one")


def run(args: argparse.Namespace) -> int:
    from monitor import daemon
    from monitor.config import load

    return daemon.run(load(args.config), port=args.port)
