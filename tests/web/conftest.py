"""A real server on a free loopback port in front of fake desks, and clients for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.http import Server, create_app
from tests.web.fake_desk import FakeDesk, believable


class Door:
    """One listener for the whole run, with an application of its own for each test behind it."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.server = Server(self, port=0)
        self.port = self.server.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def door() -> Iterator[Door]:
    door = Door()
    yield door
    door.server.stop()


@pytest.fixture
def serve(door: Door) -> Iterator[Callable[[FakeDesk], httpx.Client]]:
    """serve(desk) -> a client of a server that answers from that desk until the test ends."""
    with httpx.Client(base_url=f"http://127.0.0.1:{door.port}", trust_env=False) as client:

        def start(desk: FakeDesk) -> httpx.Client:
            def count(handler: str, status: int) -> None:
                desk.values.inc("raincheck_http_requests_total", handler=handler, code=str(status))

            door.app = create_app(desk, clock=lambda: desk.now_ms, count=count)
            return client

        yield start


@pytest.fixture
def desk() -> FakeDesk:
    return believable()


@pytest.fixture
def client(serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk) -> httpx.Client:
    return serve(desk)
