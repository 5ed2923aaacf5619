"""Records are read to the end while the web side is flooded: nothing is lost, judged differently, or waits for a page."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from monitor.board import KEPT
from monitor.http import Server, create_app
from tests.browser.shop import HOURS, QUIET, Shop
from tests.river.world import HOUR_MS, START_MS

DRIFTING = range(QUIET, HOURS)
PATHS = ("/", "/models/shop", "/api/v1/models/shop/columns", f"/api/v1/models/shop/windows?limit={KEPT}", "/metrics")


def test_reading_goes_on_while_pages_are_asked_for_without_end(tmp_path: Path) -> None:
    shops = quiet, flooded = Shop(tmp_path / "quiet.db"), Shop(tmp_path / "flooded.db")
    server = Server(create_app(flooded.office, clock=lambda: START_MS + HOURS * HOUR_MS), port=0)
    address = f"http://127.0.0.1:{server.start()}"
    read = threading.Event()
    threads = threading.active_count()
    most: list[int] = []

    def ask(number: int) -> set[int]:
        statuses: set[int] = set()
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            while not read.is_set():
                statuses.add(client.get(PATHS[number % len(PATHS)]).status_code)
                most.append(threading.active_count())
                number += 1
        return statuses

    with ThreadPoolExecutor(20) as crowd:
        asked = [crowd.submit(ask, number) for number in range(20)]
        try:
            flooded.feed(DRIFTING, shifted=3)
        finally:
            read.set()
        statuses = {status for one in asked for status in one.result()}
    quiet.feed(DRIFTING, shifted=3)
    assert statuses <= {200, 503}
    assert 200 in statuses
    assert max(most) <= threads + 20 + 40, "the crowd's own threads, and those that answer"
    assert flooded.office.windows("shop", 10_000) == quiet.office.windows("shop", 10_000)
    assert flooded.office.incidents() == quiet.office.incidents() != []
    server.stop()
    for shop in shops:
        shop.office.stop(5.0)
