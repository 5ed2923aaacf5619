"""The listener: uvicorn in a thread of its own, within limits that keep a slow or greedy client from the engine's door."""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from monitor.errors import Misconfigured
from monitor.http.connection import CONNECTIONS, Impatient
from monitor.log import events

log = events("http")
IDLE_SECONDS: Final = 30
STOP_SECONDS: Final = 5


class Server:
    """Serves an application on one address from `start` to `stop`.

    `port` 0 takes a free one. `start` returns the bound port once requests are answered, and raises Misconfigured where
    the address is in use or not ours. `stop` lets requests under way finish for some seconds.
    """

    def __init__(self, app: ASGIApp, bind: str = "127.0.0.1", port: int = 9740) -> None:
        self._bind, self._port = bind, port
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=Impatient,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            backlog=256,
        )
        self._server = _Announcing(config)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def start(self) -> int:
        """Binds, serves and returns the port."""
        if self._thread is not None:
            raise RuntimeError("the server has been started already")
        listener = listen(self._bind, self._port)
        port = int(listener.getsockname()[1])
        self._thread = threading.Thread(target=self._run, args=(listener,), name="http", daemon=True)
        self._thread.start()
        self._server.answering.wait()
        if self._failure is not None:
            raise self._failure
        log.info("http_listening", bind=self._bind, port=port)
        return port

    def stop(self) -> None:
        """Stops listening and joins the thread; a second call does nothing."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS + 5)
        self._thread = None

    def _run(self, listener: socket.socket) -> None:
        try:
            self._server.run(sockets=[listener])
        except BaseException as error:
            self._failure = error
            log.exception("http_stopped")
        finally:
            listener.close()
            self._server.answering.set()


class _Announcing(uvicorn.Server):
    """Says when it has begun to answer, so that nobody has to ask again and again."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answering.set()


def listen(bind: str, port: int) -> socket.socket:
    """A bound socket; Misconfigured says plainly why there is none."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if os.name == "posix":  # a restart must not wait for the last connections to fade; two listeners still refuse each other
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
        listener.listen(256)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _why_not(bind, port, error) from error
    return listener


def _why_not(bind: str, port: int, error: Exception) -> Misconfigured:
    number = error.errno if isinstance(error, OSError) else None
    reasons: dict[int | None, tuple[str, Any, str, str]] = {
        errno.EADDRINUSE: ("http.port", port, "is in use", "a free port, or 0 for any"),
        errno.EACCES: ("http.port", port, "may not be used by this user", "a port from 1024 on"),
        errno.EADDRNOTAVAIL: ("http.bind", bind, "is no address of this machine", "127.0.0.1, 0.0.0.0 or an address of this machine"),
    }
    field, value, problem, right = reasons.get(number, ("http.bind", bind, f"cannot be listened on ({error})", "127.0.0.1"))
    return Misconfigured.of(problem, origin="http", field=field, value=value, right=right)
