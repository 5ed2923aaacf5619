"""Judges recorded records with the engine that runs live, and prints one verdict per window as a JSON line.

Recordings (`raincheck record`) hold records with their partitions and offsets, so their verdicts are those of the live
run; windows that the recording does not pass are left open as they were there, unless --to-end closes them. Parquet and
CSV hold frames: one row an event, columns under their schema names.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = "replay"
HELP = "judge recorded records or frames, print verdicts as JSON lines"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings (.jsonl, .jsonl.gz) or frames (.parquet, .csv), in time order")
    parser.add_argument("--to-end", action="store_true", help="close every window that has begun when the files end")
    parser.add_argument("--state", metavar="FILE", help="keep the state in this new file (default: in memory)")


def run(args: argparse.Namespace) -> int:
    import msgspec

    from monitor.config import load
    from monitor.errors import Misconfigured
    from monitor.frame_files import frames_of, is_frame_file
    from monitor.frames import plan_for_frames, slices
    from monitor.log import events
    from monitor.offline import Walk, recorded
    from monitor.stores.export import plain
    from monitor.stores.sqlite import SqliteStore

    plan = load(args.config)
    paths = [Path(name) for name in args.files]
    frames = [path for path in paths if is_frame_file(path)]
    if frames and len(frames) < len(paths):
        raise Misconfigured.of("mixes recordings and frames", origin="raincheck replay", field="FILE", right="files of one kind")
    store = SqliteStore(args.state) if args.state else None
    shown = 0
    encode = msgspec.json.Encoder(order="sorted").encode

    def show(walk: Walk) -> None:
        nonlocal shown
        for verdict in walk.closed():
            sys.stdout.buffer.write(encode(plain(verdict)) + b"\n")
            shown += 1

    try:
        if frames:
            walk = Walk(plan_for_frames(plan), store)
            parts = (frame for path in frames for frame in frames_of(path))
            pieces = slices(walk.plan, parts, origin=", ".join(path.name for path in frames))
        else:
            walk = Walk(plan, store)
            partitions, pieces = recorded(plan, paths)
            walk.engine.assign(partitions)
        for piece in pieces:
            walk.feed([piece])
            show(walk)
        if args.to_end or frames:
            walk.finish()
            show(walk)
    finally:
        if store is not None:
            store.close()
    sys.stdout.buffer.flush()
    events("replay").info("replayed", records=walk.records, verdicts=shown)
    return 0
