"""What one connection may send: so many requests ahead, so much of each, and offers of other protocols that cost it nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from monitor.http.connection import AHEAD, REST_BYTES, Impatient
from monitor.http.guard import BODY_BYTES, HEADER_BYTES

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = 16 * 1024


class Line(asyncio.Transport):
    """The other end of a connection, which keeps what it is told; it is never in a hurry to be read."""

    def __init__(self) -> None:
        super().__init__()
        self.told = b""
        self.closing = False
        self.resumed_with: list[int] = []  # requests that waited whenever reading went on
        self.protocol: Impatient

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.told += bytes(data)

    def close(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None:
        self.resumed_with.append(len(self.protocol.pipeline))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class Service:
    """Reads each request whole and answers with a word, one after the other; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[bytes, bytes], bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message["body"], message["more_body"]
        self.asked.append((scope["method"] + " " + scope["path"], dict(scope["headers"]), body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"word"})


def converse(pieces: Iterable[bytes], service: Service, watch: Callable[[Impatient, Line], object] = lambda *_: None) -> Line:
    """Gives a connection these pieces until it is closed; `watch` looks at it after each, before anything of it is answered."""

    async def run() -> Line:
        state = ServerState()
        config = uvicorn.Config(service, http=Impatient, ws="none", lifespan="off", log_config=None, access_log=False)
        protocol = Impatient(config, state, {})
        line = Line()
        line.protocol = protocol
        protocol.connection_made(line)
        for piece in pieces:
            if line.closing:
                break
            protocol.data_received(piece)
            watch(protocol, line)
        while state.tasks and not line.closing:
            await asyncio.wait(state.tasks, return_when=asyncio.FIRST_COMPLETED)
        protocol.connection_lost(ConnectionResetError())
        await asyncio.gather(*state.tasks)
        return line

    return asyncio.run(run())


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def test_as_many_as_may_wait_are_all_answered_and_nothing_is_read_meanwhile() -> None:
    service = Service()
    line = converse([GET * (AHEAD + 1)], service)
    assert line.told.count(b"HTTP/1.1 200") == len(service.asked) == AHEAD + 1
    assert set(line.resumed_with) == {0}, "reading went on, and only when no request waited"


def test_a_flood_of_requests_waits_in_a_bounded_queue() -> None:
    waiting: list[int] = []
    line = converse([GET * 10_000], Service(), lambda protocol, _: waiting.append(len(protocol.pipeline)))
    assert waiting == [AHEAD]
    assert b"400 Bad Request" in line.told
    assert b"too many requests at once" in line.told
    assert line.closing


@pytest.mark.parametrize(
    ("start", "more", "room", "because"),
    [
        (GET[:-2], b"X: y\r\n", HEADER_BYTES, "a head in many lines"),
        (GET[:-2] + b"X: ", b"y", HEADER_BYTES, "a head in one line"),
        (GET + GET[:-2], b"X: y\r\n", HEADER_BYTES, "a second head"),
        (CHUNKED + b"0\r\n", b"X: y\r\n", REST_BYTES + HEADER_BYTES, "trailers"),
        (CHUNKED + b"0\r\nX: ", b"y", REST_BYTES + HEADER_BYTES, "one trailer"),
        (CHUNKED + b"1;", b"y", REST_BYTES + HEADER_BYTES, "what may stand beside a chunk's length"),
        (CHUNKED, b"1;y=z\r\n \r\n", REST_BYTES + HEADER_BYTES, "a body that goes on although nobody takes it"),
    ],
)
def test_whatever_comes_without_end_is_ended(start: bytes, more: bytes, room: int, because: str) -> None:
    given = 0

    def watch(protocol: Impatient, line: Line) -> None:
        nonlocal given
        given += PIECE
        assert given <= room + 3 * PIECE, because
        scope = getattr(protocol.cycle, "scope", {"headers": []})  # no cycle before the first head is complete
        assert len(scope["headers"]) <= 2, "what trails is kept nowhere"

    flood = more * (PIECE // len(more))
    line = converse([start, *[flood] * (4 * REST_BYTES // PIECE)], Service(), watch)
    assert line.closing, because
    assert b"too large" in line.told


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_what_fits_is_taken_however_it_is_cut(size: int) -> None:
    head = GET[:-2] + b"X: " + b"y" * (HEADER_BYTES - len(GET) - 10) + b"\r\n\r\n"
    body = CHUNKED + b"1\r\nb\r\n" * BODY_BYTES + b"0\r\n\r\n"
    service = Service()
    line = converse([*in_pieces(head, size), *in_pieces(body, max(size, 50))], service)
    assert not line.closing
    assert [len(body) for _, _, body in service.asked] == [0, BODY_BYTES]


def test_trailers_are_no_headers() -> None:
    service = Service()
    converse([CHUNKED + b"2\r\nhi\r\n0\r\nHost: b\r\nAuthorization: Bearer x\r\n\r\n" + GET], service)
    assert service.asked == [
        ("POST /", {b"host": b"a", b"transfer-encoding": b"chunked"}, b"hi"), ("GET /", {b"host": b"a"}, b""),
    ]  # fmt: skip


OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "websocket": b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: x\r\n",
    "two": b"Upgrade: h2c\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
}  # fmt: skip


def asked(pieces: Sequence[bytes]) -> list[tuple[str, bytes]]:
    service = Service()
    line = converse(pieces, service)
    assert line.told.count(b"HTTP/1.1 200") == len(service.asked)
    assert all(b"upgrade" not in headers and headers[b"host"] == b"a" for _, headers, _ in service.asked)
    return [(what, body) for what, _, body in service.asked]


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_another_protocol_changes_nothing_wherever_the_packets_part(offer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    heads = [
        b"POST /a%%20b?c=d HTTP/1.1\r\nHost: a\r\n%sContent-Length: 5\r\n\r\nhello",
        b"POST /chunks HTTP/1.1\r\n%sHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"GET /e HTTP/1.1\r\nHost: a\r\n%s\r\n",
    ]
    whole = b"".join(head % OFFERS[offer] for head in heads) + GET
    expected = [("POST /a b", b"hello"), ("POST /chunks", b"hello"), ("GET /e", b""), ("GET /", b"")]
    for cut in range(len(whole)):
        assert asked([whole[:cut], whole[cut:]]) == expected, cut
    assert asked(in_pieces(whole, 1)) == expected
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_an_offer_on_a_connection_that_is_to_close_is_answered_before_it_does() -> None:
    offer = GET[:-2] + b"Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n"
    assert asked([offer + GET]) == [("GET /", b"")], "what follows a close is not asked for"


def test_a_flood_of_offers_waits_in_the_same_queue() -> None:
    waiting: list[int] = []
    flood = (GET[:-2] + OFFERS["h2c"] + b"\r\n") * 2000
    line = converse([flood], Service(), lambda protocol, _: waiting.append(len(protocol.pipeline)))
    assert waiting == [AHEAD]
    assert b"too many requests at once" in line.told


@pytest.mark.parametrize("offer", [b"", OFFERS["h2c"]])
def test_a_tunnel_is_refused(offer: bytes) -> None:
    service = Service()
    line = converse([b"CONNECT b:80 HTTP/1.1\r\nHost: a\r\n" + offer + b"\r\n" + GET], service)
    assert line.told.startswith(b"HTTP/1.1 400")
    assert b"no tunnel is served here" in line.told
    assert service.asked == []
