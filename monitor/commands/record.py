"""Writes what the streams of a configuration bring to a file, with partitions and offsets, for `raincheck replay`."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "record"
HELP = "write the records of the configured streams to a file, to be replayed"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("--out", required=True, metavar="FILE", help="recording to write: .jsonl or .jsonl.gz")
    parser.add_argument("--records", type=int, help="stop after so many records")
    parser.add_argument("--until-end", action="store_true", help="stop where the topics end now, instead of following them")


def run(args: argparse.Namespace) -> int:
    from monitor.batch import Records
    from monitor.commands import show
    from monitor.config import load
    from monitor.daemon import source_of
    from monitor.log import events
    from monitor.sources.recording import Recorder
    from monitor.sources.source import Assigned

    plan = load(args.config)
    source = source_of(plan)
    source.start({}, {})
    count, awaited, ends = 0, set(plan.streams), dict[str, int]()
    positions: dict[str, int] = {}
    try:
        with Recorder(Path(args.out)) as recorder:
            while args.records is None or count < args.records:
                for item in source.poll(500):
                    if isinstance(item, Records):
                        count += recorder.write(item)
                        positions[item.partition] = item.next_offset
                    elif isinstance(item, Assigned):
                        awaited.discard(item.stream)
                        positions |= item.starts
                for name, reached in source.caught_up().items():
                    ends.setdefault(name, reached.end)
                if args.until_end and not awaited and ends.keys() >= positions.keys() and all(positions[p] >= ends[p] for p in positions):
                    break
    except KeyboardInterrupt:
        events("record").info("stopped", records=count)
    finally:
        source.close()
    show(args, {"records": count, "file": args.out}, f"{count} records in {args.out}")
    return 0
