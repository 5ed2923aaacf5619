"""A scrape storm against a busy daemon: what ten scrapers in a loop cost its reading, and how long they wait.

One office (codec, engine, SQLite, telemetry) reads the traffic of `raincheck bench ingest` from memory while 20,000 series are exported
beside it. Rounds alternate: left alone, then with scrapers of another process that ask again as soon as they have been answered. The ratio
of their rates is the price; both come from one run, because shared machines make rates a lottery. Where the scrapers and others
want the same cores, the ratio per second of the daemon's own CPU time (`ratio_cpu`) is what scraping takes from it.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import statistics
import threading
import time
from multiprocessing.connection import Connection

NAME = "scrape"
HELP = "what scrapers in a loop over 20,000 series cost the reading of records, and how long they wait"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--series", type=int, default=20_000, help="series exported, which is also the budget (default %(default)s)")
    parser.add_argument("--scrapers", type=int, default=10, help="connections that scrape in a loop (default %(default)s)")
    parser.add_argument("--events", type=int, default=150_000, help="records per round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind; medians are told (default %(default)s)")


def measure(args: argparse.Namespace) -> dict[str, float]:
    from monitor.bench.river import calibrated
    from monitor.bench.storm import Stormy
    from monitor.bench.traffic import polls

    stormy = Stormy(calibrated(polls(11, 40_000, 5000)), polls(7, args.events, 5000), args.series)
    context = multiprocessing.get_context("spawn")
    calm: list[tuple[float, float]] = []
    rough: list[tuple[float, float]] = []
    waits: list[float] = []
    size = 0
    for _ in range(args.rounds):
        with stormy.office() as (office, port):
            calm.append(stormy.rates(office))
        with stormy.office() as (office, port):
            ours, theirs = context.Pipe()
            storm = context.Process(target=_storm, args=(theirs, port, args.scrapers), daemon=True)
            storm.start()
            theirs.close()  # a storm that dies is the end of the pipe, and not a wait for ever
            ours.recv()  # every scraper has been answered once
            rough.append(stormy.rates(office))
            ours.send("enough")
            found, size = ours.recv()
            waits += found
            storm.join(10)
    ratios = [(b[0] / a[0], b[1] / a[1]) for a, b in zip(calm, rough, strict=True)]
    cuts = statistics.quantiles(waits, n=100)
    return {
        "events_per_wall_second_alone": statistics.median(wall for wall, _ in calm),
        "events_per_wall_second_scraped": statistics.median(wall for wall, _ in rough),
        "ratio": statistics.median(wall for wall, _ in ratios),
        "ratio_cpu": statistics.median(cpu for _, cpu in ratios),
        "scrapes": float(len(waits)),
        "scrape_ms_median": statistics.median(waits),
        "scrape_ms_p95": cuts[94],
        "scrape_ms_max": max(waits),
        "scrape_bytes": float(size),
    }


def _storm(pipe: Connection, port: int, scrapers: int) -> None:
    """Scrapes until told that it is enough; sends back how long each answer took, in milliseconds, and its size."""
    waits: list[float] = []
    sizes: list[int] = []
    stop = threading.Event()
    answered = threading.Barrier(scrapers + 1)

    def scrape() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        first = True
        while True:  # at least once after all have begun, however early it is enough
            begun = time.perf_counter()
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            body = connection.getresponse().read()
            if first:
                first = False
                answered.wait(60)
                continue
            waits.append((time.perf_counter() - begun) * 1000)
            sizes.append(len(body))
            if stop.is_set():
                break
        connection.close()

    threads = [threading.Thread(target=scrape, daemon=True) for _ in range(scrapers)]
    for thread in threads:
        thread.start()
    answered.wait(60)
    pipe.send("begun")
    pipe.recv()
    stop.set()
    for thread in threads:
        thread.join(30)
    pipe.send((waits, sizes[-1]))
