"""The listener: ports, addresses in use, stopping, and clients that are slow or greedy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

import monitor.http.connection
import monitor.http.server
from monitor.errors import Misconfigured
from monitor.http import Server
from monitor.http.app import HEADERS, Frame
from tests.web.fake_desk import FakeDesk, believable


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(hello, port=0)
    yield server
    server.stop()


def test_port_zero_takes_a_free_port_and_answers_at_once(server: Server) -> None:
    port = server.start()
    assert port > 0
    assert httpx.get(f"http://127.0.0.1:{port}", trust_env=False).text == "hello"


def test_after_stop_nobody_listens_and_the_port_can_be_taken_again(server: Server) -> None:
    port = server.start()
    httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
    server.stop()
    server.stop()  # a second time does nothing
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}", trust_env=False)
    successor = Server(hello, port=port)
    assert successor.start() == port
    successor.stop()


def test_an_address_in_use_is_said_plainly(server: Server) -> None:
    port = server.start()
    with pytest.raises(Misconfigured) as caught:
        Server(hello, port=port).start()
    (mistake,) = caught.value.mistakes
    assert (mistake.field, mistake.value, mistake.problem) == ("http.port", str(port), "is in use")
    assert "0 for any" in mistake.right


@pytest.mark.parametrize(
    ("bind", "port", "field"), [("192.0.2.1", 0, "http.bind"), ("not a host", 0, "http.bind"), ("127.0.0.1", 70_000, "http.bind")]
)
def test_an_address_that_is_not_ours_is_said_plainly(bind: str, port: int, field: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Server(hello, bind, port).start()
    assert caught.value.mistakes[0].field == field


def test_a_server_is_started_once(server: Server) -> None:
    server.start()
    with pytest.raises(RuntimeError):
        server.start()


@pytest.mark.parametrize("first", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_does_not_come_costs_its_sender_the_connection(server: Server, first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.http.connection, "HEADER_SECONDS", 0.05)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(first)
        assert line.recv(10) == b""  # closed by the server; the socket's own time-out would raise


def test_a_slow_second_request_on_a_kept_connection_is_cut_off_as_well(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.http.connection, "HEADER_SECONDS", 0.2)
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"0\r\n\r\n") and b"hello" not in answer:
            answer += line.recv(4096)
        line.sendall(b"GET / HTTP/1.1\r\nHo")
        rest = b"".join(iter(lambda: line.recv(4096), b""))
        assert b"200" not in rest


def test_a_head_without_end_is_refused(server: Server) -> None:
    port = server.start()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"y" * 40_000)
        assert line.recv(64).startswith(b"HTTP/1.1 400")


def test_a_handler_that_fails_answers_500_and_says_nothing_of_its_insides(
    serve: Callable[[FakeDesk], httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = believable()

    def broken() -> None:
        raise RuntimeError("secret path /var/lib")

    monkeypatch.setattr(desk, "models", broken)
    client = serve(desk)
    answer = client.get("/api/v1/models")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff", "framed like every other answer"
    assert desk.values.value("raincheck_http_requests_total", handler="/api/v1/models", code="500") == 1.0, "and counted"
    assert client.get("/-/healthy").status_code == 200, "on the same connection"


def test_a_header_that_a_route_sets_itself_is_sent_once_and_as_it_says() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"Referrer-Policy", b"no-referrer"), (b"set-cookie", b"a"), (b"set-cookie", b"b")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    server = Server(Frame(answer, None), port=0)
    port = server.start()
    headers = httpx.get(f"http://127.0.0.1:{port}", trust_env=False).headers
    server.stop()
    sent = {name.decode(): headers.get_list(name.decode()) for name, _ in HEADERS}
    assert sent == {name.decode(): [value.decode()] for name, value in HEADERS} | {"referrer-policy": ["no-referrer"]}
    assert headers.get_list("set-cookie") == ["a", "b"], "what a route sends twice is its own affair"
