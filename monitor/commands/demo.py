"""A drift to watch: a traffic-light camera, three weeks in about a minute, rain and a new encoder, and the pages they cause.

Nothing to install beside it. The pages stay at http://127.0.0.1:9740/ until Ctrl-C.
"""

from __future__ import annotations

import argparse

NAME = "demo"
HELP = "watch a camera drift: rain, a new encoder, and the pages they cause"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="no pages to look at: play the story to its end and leave")
    parser.add_argument("--port", type=int, default=9740, help="port of the pages (default: %(default)s; 0 takes a free one)")
    parser.add_argument("--seed", type=int, default=0, help="another street, another camera (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    from monitor.demo.show import perform

    return perform(once=args.once, port=args.port, seed=args.seed, as_json=args.json)
