"""Chromium without scripts in front of a real server: pages as people get them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from monitor.http import Server, create_app
from monitor.sources.source import Forgotten, Gap
from monitor.troubles import Troubles
from tests.browser.eye import Eye
from tests.browser.shop import shop
from tests.conftest import missing
from tests.web.fake_desk import FakeDesk, believable

ARGUMENTS = (
    "--headless=new", "--no-sandbox",  # the tests may run as root in a container, and open nothing but their own pages
    "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--no-proxy-server", "--disable-dev-shm-usage", "--hide-scrollbars", "--lang=en-GB",
)  # fmt: skip


@pytest.fixture(scope="session")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eye]:
    """One browser for the whole run; pages may run no scripts in it."""
    browser = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing("chromium or chromedriver is missing: tests/services/setup.sh fetches them")
    options = webdriver.ChromeOptions()
    options.binary_location = str(browser)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(executable_path=str(driver)))
    yield Eye(chrome)
    chrome.quit()


@pytest.fixture(scope="session")
def serve_to() -> Iterator[Callable[[FakeDesk], str]]:
    """serve_to(desk) -> the address of a server in front of it, until the run ends."""
    servers: list[Server] = []

    def start(desk: FakeDesk) -> str:
        servers.append(Server(create_app(desk, clock=lambda: desk.now_ms), port=0))
        return f"http://127.0.0.1:{servers[-1].start()}"

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def believed(serve_to: Callable[[FakeDesk], str]) -> str:
    """The address of five believable models, one of which lacks records, under a raincheck that has lost its state."""
    desk = believable()
    troubles = Troubles()
    troubles.another = "spare-rack-17.north.example:4711"
    troubles.noted(Forgotten({"payments/0": 7}, "tower.north.example:12"))
    troubles.noted(Gap("payments", "payments/0", 40, 1_240, "retention"))
    desk.mishaps = dict(troubles.words())
    found = desk.verdicts["card-fraud"]
    lacks = tuple(f"payments/{number}: retention" for number in range(12))
    desk.verdicts["card-fraud"] = [*found[:-30], *(replace(v, partial=True, lacks=lacks) for v in found[-30:])]
    return serve_to(desk)


@pytest.fixture(scope="session")
def shop_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running raincheck with a page that a real shift has opened, and its state in a file."""
    folder: Path = tmp_path_factory.mktemp("shop")
    with shop(folder / "state.db") as office:
        server = Server(create_app(office, clock=lambda: office.board.models()[0].watermark_ms or 0), port=0)
        yield f"http://127.0.0.1:{server.start()}"
        server.stop()
