"""Throughput from JSON bytes to judged windows: events per CPU second of this process on one core, and where the time goes.

20 features (15 numeric, 5 categorical), records of some 500 bytes, 5-minute windows, four partitions, cells frozen and a
calibrated chain judging every closed window. `memory` starts from bytes in memory; `kafka` reads a real broker through
monitor/sources/kafka.py. CPU seconds, because shared machines make wall time a lottery.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from contextlib import ExitStack

NAME = "ingest"
HELP = "events per CPU second from JSON bytes, in memory and from Kafka, to judged windows"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", type=int, default=100_000, help="records per round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median is told (default %(default)s)")
    parser.add_argument("--per-window", type=int, default=5000, help="events per 5-minute window (default %(default)s)")
    parser.add_argument(
        "--bootstrap",
        metavar="HOST:PORT",
        help="a Kafka broker to read from; left out: one is started for the bench where `make services` has put its jars",
    )
    parser.add_argument("--memory-only", action="store_true", help="measure nothing from Kafka")


def measure(args: argparse.Namespace) -> dict[str, float]:
    import resource

    from monitor.bench.river import River, calibrated
    from monitor.bench.traffic import polls

    traffic = polls(7, args.events, args.per_window)
    partitions = sorted({records.partition for records in traffic})
    reference = calibrated(polls(11, 40_000, 5000))
    rounds = [River(reference).run(traffic, partitions) for _ in range(args.rounds)]
    last = rounds[-1]
    figures = {
        "events_per_second_memory": statistics.median(r.events / r.total_s for r in rounds),
        "windows_judged": float(last.windows),
        "bytes_per_record": sum(len(value or b"") for records in traffic for value in records.values) / args.events,
        **last.shares(),
    }
    with ExitStack() as stack:
        bootstrap = None if args.memory_only else args.bootstrap or _own_broker(stack)
        if bootstrap is not None:
            from monitor.bench.kafka_feed import through_kafka

            read = through_kafka(bootstrap, traffic, River(reference))
            figures["events_per_second_kafka"] = read.events / read.total_s
            figures["events_per_wall_second_kafka"] = read.events / read.wall_s
            figures |= read.shares()  # of the whole way, fetching included
    figures["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def _own_broker(stack: ExitStack) -> str | None:
    from monitor.bench import broker

    if not broker.available():
        sys.stderr.write(
            "no --bootstrap HOST:PORT, and no java or no jars in .cache/kafka/libs (make services): nothing measured from Kafka\n"
        )
        return None
    return stack.enter_context(broker.running())
