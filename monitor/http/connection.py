"""One connection of the web side, and what uvicorn does not limit: heads that dribble, answers nobody takes, idlers in a full house.

1. The head of each request has ten seconds, and 16 kB where it does not come at once: uvicorn alone waits for a first one for ever
   (slow-loris), and keeps whatever a head grows to.
2. An answer that its reader does not take within thirty seconds is thrown away with the connection. Closing would not do:
   a transport with something left to send waits for its reader, and a reader that acknowledges and never reads keeps it so for days.
3. Answers that wait for their readers hold at most 64 MB in all; beyond that the one that has waited longest goes.
4. A new connection in a full house takes the place of the one that has been idle longest, or else of the one whose answer has waited
   longest for its reader: a hundred silent connections would lock out Prometheus. Only where all are busy it is told to come back.
5. Requests that are sent ahead of their answers are taken to a number, and nothing is read while one of them waits: a request of
   twenty bytes costs fifty times as much. The body of one, its chunks' frames and its trailers have a megabyte together.
6. An offer to speak another protocol (`Upgrade: h2c`) is not taken up, and the request answered as if it had not been made:
   uvicorn would take what follows the head, the body, for the other protocol's, and drop it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sized
from typing import Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from monitor.http.guard import HEADER_BYTES

CONNECTIONS: Final = 128  # a scrape storm of fifty fits; each costs a socket and some 20 kB
HEADER_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
HELD_BYTES: Final = 64 * 1024 * 1024
AHEAD: Final = 256  # requests that wait for the one before them; no client sends that many
REST_BYTES: Final = 1024 * 1024  # after a head; the largest body takes 400 kB in chunks of one byte


class RefusedError(Exception):
    """Why a request is not taken, said to whoever sent it."""


class Unhurried(FlowControl):
    """Reads nothing more while requests wait; uvicorn alone reads on after each answer, and whenever a request asks for its body."""

    def __init__(self, transport: asyncio.Transport, ahead: Sized) -> None:
        super().__init__(transport)
        self._ahead = ahead

    def resume_reading(self) -> None:
        if not self._ahead:
            super().resume_reading()


class Impatient(HttpToolsProtocol):
    """uvicorn's connection within these limits."""

    _head_bytes = 0  # of a head that has begun to come; while its body comes, what is left of that one's room, below zero

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Unhurried(transport, self.pipeline)
        transport.set_write_buffer_limits(high=0)  # told of whatever is not taken at once, and when all of it has been
        self._taking: asyncio.TimerHandle | None = None
        self._since = self.loop.time()
        self._head_timer = self.loop.call_later(HEADER_SECONDS, self._give_up)
        others = [c for c in self.connections if isinstance(c, Impatient) and c is not self and c.waits_for_them]
        if len(self.connections) >= CONNECTIONS and others:
            min(others, key=lambda c: (c._taking is not None, c._since)).leave()

    @property
    def waits_for_them(self) -> bool:
        """No request is under way: the other side has to ask, or to take what is there."""
        return bool(getattr(self.cycle, "response_complete", True))

    def leave(self) -> None:
        """Lets go of the connection at once, and makes room for another; what is not taken yet is thrown away, the kernel's part too."""
        self.connections.discard(self)
        line = self.transport.get_extra_info("socket")
        if line is not None:  # a socket that is merely closed keeps what it could not send, with its reader's door shut, for many minutes
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def on_headers_complete(self) -> None:
        self._head_timer.cancel()  # idle time until the next head is uvicorn's to limit
        self._head_bytes = -REST_BYTES
        if len(self.pipeline) >= AHEAD:
            raise RefusedError("too many requests at once; wait for answers before sending more")
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []  # trailers would otherwise join the headers, which are looked at before those come
        elif not any(name == b"upgrade" for name, _ in self.headers):
            raise RefusedError("no tunnel is served here; send a plain request")

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        if not self.parser.should_upgrade():  # otherwise what is complete is a head that is read again
            super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        # uvicorn declares `cycle` as always there; before the first request it is None
        if getattr(self.cycle, "response_complete", False) and self._head_timer.cancelled():
            self._head_timer = self.loop.call_later(HEADER_SECONDS, self._give_up)
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        refused = ""
        try:
            self._feed(data)
        except httptools.HttpParserError as error:  # it carries what the callback raised as its context
            refused = str(error.__context__) if isinstance(error.__context__, RefusedError) else "this is no HTTP/1.1 request"
        if self._head_bytes > HEADER_BYTES:
            refused = refused or "the head of the request, or what follows it, is too large"
        if refused and not self.transport.is_closing():
            self.logger.warning("Request refused: %s.", refused)
            self.send_400_response(refused)

    def _feed(self, data: bytes) -> None:
        """Has the parser read; a head that offers an upgrade is read again without the offer, and then what follows it."""
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as offer:
                lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
                lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
                data = b"\r\n".join([*lines, b"", data[offer.args[0] :]])
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own: it answers before it closes

    def on_response_complete(self) -> None:
        self._since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._since = self.loop.time()
        self._taking = self.loop.call_later(ANSWER_SECONDS, self.leave)
        waiting = sorted((c for c in self.connections if isinstance(c, Impatient) and c._taking is not None), key=lambda c: c._since)
        held = sum(c.transport.get_write_buffer_size() for c in waiting)
        for connection in waiting[:-1]:
            if held <= HELD_BYTES:
                break
            held -= connection.transport.get_write_buffer_size()
            connection.leave()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_timer.cancel()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
