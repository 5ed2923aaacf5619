"""Watches the streams of a configuration until it is told to stop: SIGTERM saves and leaves, a second one leaves at once.

SIGHUP reads the configuration again; one with mistakes changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys

NAME = "run"
HELP = "watch the streams of a configuration, judge them, page their owners"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration (raincheck check FILE lists its mistakes)")
    parser.add_argument("--port", type=int, help="the web port instead of the configuration's; 0 takes a free one")


def run(args: argparse.Namespace) -> int:
    from monitor import daemon
    from monitor.config import load

    code = daemon.run(lambda: load(args.config), port=args.port)
    if code == daemon.AGAIN:  # the same process, its number and its place under a supervisor; everything else begins anew
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
    return code
