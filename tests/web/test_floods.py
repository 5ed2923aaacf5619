"""Clients who mean no good: who never read, never speak, speak too much, or ask without end. Everybody else is answered as ever."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from starlette.types import Receive, Scope, Send

import monitor.http.connection
import monitor.http.server
from monitor.desk import ModelView
from monitor.http import Server
from monitor.http.connection import CONNECTIONS
from monitor.http.turnstile import MOST_WAITING
from tests.web.fake_desk import FakeDesk, believable

LARGE = b"x" * (16 * 1024 * 1024)  # more than the buffers of any loopback connection take
PATIENCE_MS = 60_000  # how long a test waits for what must happen before it fails
ASK = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Large:
    """Answers `/` with sixteen megabytes, everything else with a word; `/held` not before `released`."""

    def __init__(self) -> None:
        self.released = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            await asyncio.to_thread(self.released.wait, PATIENCE_MS / 1000)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": LARGE if scope["path"] == "/" else b"word"})


@pytest.fixture
def large() -> Iterator[tuple[Large, str, int]]:
    app = Large()
    server = Server(app, port=0)
    port = server.start()
    yield app, f"http://127.0.0.1:{port}", port
    app.released.set()
    server.stop()


def line_to(port: int) -> socket.socket:
    """A connection whose own side takes next to nothing before it is read."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(PATIENCE_MS / 1000)
    line.connect(("127.0.0.1", port))
    return line


def dropped(line: socket.socket) -> bool:
    """Waits until the other side has thrown the connection away, without reading anything of it."""
    watch = select.poll()
    watch.register(line, 0)  # errors and hang-ups alone
    return bool(watch.poll(PATIENCE_MS))


def test_an_answer_that_nobody_reads_is_thrown_away(large: tuple[Large, str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.http.connection, "ANSWER_SECONDS", 0.3)
    _, address, port = large
    with line_to(port) as line:
        line.sendall(ASK)
        assert httpx.get(f"{address}/word", trust_env=False).text == "word", "others are answered meanwhile"
        assert dropped(line)


def test_a_reader_who_takes_his_time_gets_all_of_it(large: tuple[Large, str, int]) -> None:
    _, _, port = large
    with line_to(port) as line:
        line.sendall(ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        read = sum(len(part) for part in iter(lambda: line.recv(65_536), b""))
        assert read > len(LARGE)


def test_answers_that_wait_for_their_readers_hold_a_bounded_amount(large: tuple[Large, str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.http.connection, "HELD_BYTES", len(LARGE))  # less than what two of them leave waiting
    _, address, port = large
    with ExitStack() as lines:
        held = [lines.enter_context(line_to(port)) for _ in range(4)]
        for line in held:
            line.sendall(ASK)
        assert all(dropped(line) for line in held[:2]), "those who have kept theirs waiting longest go first"
        assert httpx.get(f"{address}/word", trust_env=False).text == "word"


def test_five_hundred_who_say_nothing_lock_nobody_out(client: httpx.Client) -> None:
    port = client.base_url.port
    assert port is not None
    with ExitStack() as lines:
        for _ in range(500):
            lines.enter_context(line_to(port))
            if _ % 100 == 99:
                assert client.get("/metrics", headers={"Connection": "close"}).status_code == 200
                assert client.get("/-/healthy", headers={"Connection": "close"}).status_code == 200


def test_the_house_is_never_fuller_than_its_limit() -> None:
    server = Server(Large(), port=0)
    port = server.start()
    with ExitStack() as lines:
        for _ in range(CONNECTIONS + 40):
            lines.enter_context(line_to(port))
        assert httpx.get(f"http://127.0.0.1:{port}/word", trust_env=False).status_code == 200
        assert len(server._server.server_state.connections) <= CONNECTIONS
    server.stop()


def test_where_all_are_busy_a_newcomer_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (monitor.http.server, monitor.http.connection):
        monkeypatch.setattr(module, "CONNECTIONS", 4)
    app = Large()
    server = Server(app, port=0)
    port = server.start()
    with ExitStack() as lines:
        held = [lines.enter_context(line_to(port)) for _ in range(3)]
        for line in held:
            line.sendall(ASK.replace(b"GET /", b"GET /held"))
        answered = [httpx.get(f"http://127.0.0.1:{port}/word", trust_env=False).status_code for _ in range(3)]
        assert answered[-1] == 503, "the three that are asked for and the newcomer are four"
        app.released.set()
        for line in held:
            assert line.recv(12) == b"HTTP/1.1 200", "those who came before him are answered"
    server.stop()


def test_pipelined_requests_are_answered_one_after_the_other(client: httpx.Client) -> None:
    with line_to(client.base_url.port or 0) as line:
        ask = b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        line.sendall(ask * 200 + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        whole = b"".join(iter(lambda: line.recv(65_536), b""))
    assert whole.count(b"HTTP/1.1 200") == 201


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n", b"\x00" * 5000, b"GET / HTTX/1.1\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"],
)  # fmt: skip
def test_garbage_after_a_request_ends_the_connection_and_nothing_else(client: httpx.Client, garbage: bytes) -> None:
    with line_to(client.base_url.port or 0) as line:
        line.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + garbage)
        whole = b"".join(iter(lambda: line.recv(65_536), b""))
    assert b"HTTP/1.1 400" in whole, "what came before it in the same piece may have been answered, or not"
    assert b"HTTP/1.1 5" not in whole
    assert client.get("/-/healthy").status_code == 200


@pytest.mark.parametrize("path", ["/", "/models/traffic-light", "/api/v1/incidents", "/metrics"])
@pytest.mark.parametrize("size", [17_000, 200_000, 2_000_000])
def test_a_huge_query_is_refused(client: httpx.Client, path: str, size: int) -> None:
    with line_to(client.base_url.port or 0) as line:
        head = f"GET {path}?span={'7d&limit=' * (size // 9)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        try:
            line.sendall(head)
            answer = line.recv(32)
        except ConnectionError:  # closed while it was still being told
            answer = b"HTTP/1.1 4"
    assert answer.startswith(b"HTTP/1.1 4")
    assert client.get("/-/healthy").status_code == 200


class Crowded(FakeDesk):
    """Knows how many are drawing at once."""

    drawing = 0
    most = 0
    lock = threading.Lock()

    def models(self) -> list[ModelView]:
        with Crowded.lock:
            Crowded.drawing += 1
            Crowded.most = max(Crowded.most, Crowded.drawing)
        try:
            return list(super().models())
        finally:
            with Crowded.lock:
                Crowded.drawing -= 1


def test_a_flood_of_pages_is_drawn_one_at_a_time_and_metrics_wait_for_none(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable()
    desk.__class__ = Crowded
    address = str(serve(desk).base_url)
    threads = threading.active_count()
    paths = ["/", "/models/traffic-light", "/api/v1/models", "/models/traffic-light/report"]

    def ask(number: int) -> list[int]:
        with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_MS / 1000) as mine:
            return [mine.get(paths[(number + turn) % len(paths)]).status_code for turn in range(4)]

    with ThreadPoolExecutor(48) as crowd:
        asked = [crowd.submit(ask, number) for number in range(48)]
        with httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE_MS / 1000) as scraper:
            assert {scraper.get("/metrics").status_code for _ in range(20)} == {200}
            assert {scraper.get("/-/ready").status_code for _ in range(5)} == {200}
        statuses = {status for one in asked for status in one.result()}
    assert statuses <= {200, 503}
    assert 200 in statuses
    assert Crowded.most == 1, "nobody draws beside another"
    assert threading.active_count() <= threads + 40, "the threads that answer are kept, and are few"
    assert MOST_WAITING < 48, "some of the crowd are told to come back, so the test is a flood"


class Held(FakeDesk):
    """Draws nothing before `go`; `begun` once somebody has asked."""

    begun = threading.Event()
    go = threading.Event()

    def models(self) -> list[ModelView]:
        Held.begun.set()
        Held.go.wait(PATIENCE_MS / 1000)
        return list(super().models())


def test_what_is_at_hand_waits_for_no_drawing(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable()
    desk.__class__ = Held
    client = serve(desk)
    with ThreadPoolExecutor(1) as other:
        drawn = other.submit(httpx.get, client.base_url, trust_env=False, timeout=PATIENCE_MS / 1000)
        try:
            assert Held.begun.wait(PATIENCE_MS / 1000)
            assert {path: client.get(path).status_code for path in ("/raincheck.css", "/metrics", "/-/healthy", "/-/ready")} == {
                "/raincheck.css": 200, "/metrics": 200, "/-/healthy": 200, "/-/ready": 200,
            }  # fmt: skip
        finally:
            Held.go.set()
        assert drawn.result().status_code == 200
