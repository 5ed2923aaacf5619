"""A TCP proxy on the loopback between a daemon and its broker, whose line can be made bad while connections stand."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Literal, TypeAlias

from tests.services.broker import free_port

Line: TypeAlias = Literal["pass", "stall", "cut"]
# an abortive close: the other side gets a RST, as from a firewall that has forgotten the connection
ABORT = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on `port` and carries bytes to `target`; three threads per connection at most, all ended by `close`.

    `stall` is a half-open line: connections stand, new ones are accepted, and what is sent is swallowed, in both directions.
    `cut` closes everything and refuses. `reset` aborts the connections that stand. `delay_s` is waited before each piece is passed on.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.target = 0
        self.delay_s = 0.0
        self.accepted = 0
        self._line: Line = "pass"
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closing = threading.Event()
        self._listener = self._listen()

    def _listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64, reuse_port=False)
        threading.Thread(target=self._accept, args=(listener,), name="proxy-accept", daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # closed under us: the line was cut
            self.accepted += 1
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), name="proxy-carry", daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self.delay_s:
                    self._closing.wait(self.delay_s)
                if self._line == "pass":
                    sink.sendall(piece)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def line(self, state: Line) -> None:
        """From now on the line is like this. A stalled line that passes again has lost bytes, so its connections are aborted."""
        before, self._line = self._line, state
        if state == "cut":
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
            self._listener.close()
            self.reset()
        elif before == "cut":
            self._listener = self._listen()
        elif before == "stall" and state == "pass":
            self.reset()

    def reset(self) -> int:
        """Aborts every connection that stands; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                    end.close()
        return len(pairs)

    def close(self) -> None:
        self._closing.set()
        self.line("cut")
