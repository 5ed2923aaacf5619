"""Pages are drawn one at a time, and where others wait the next one begins after a rest: whoever asks, reading goes on.

Python runs one thread at a time. Forty threads that draw pages would leave the one that reads records a fortieth of it; one that
draws a quarter of the time leaves it the better part. What waits is bounded: beyond MOST_WAITING people are told to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from monitor import wall

MOST_WAITING: Final = 32
REST: Final = 3.0  # times what the last drawing took
LONGEST_REST_S: Final = 0.5


class Turnstile:
    """Lets one drawing through at a time; of one application."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(1)
        self._waiting = 0

    def __call__(self, draw: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """The same endpoint, in turn; 503 where too many wait already."""

        async def in_turn(request: Request) -> Response:
            if self._waiting >= MOST_WAITING:
                return PlainTextResponse("too many pages are asked for at once", 503, {"Retry-After": "5"})
            self._waiting += 1
            try:
                await self._free.acquire()
            finally:
                self._waiting -= 1
            began = wall.monotonic()
            try:
                return await run_in_threadpool(draw, request)
            finally:
                rest_s = min(LONGEST_REST_S, REST * (wall.monotonic() - began)) if self._waiting else 0.0
                asyncio.get_running_loop().call_later(rest_s, self._free.release)

        return in_turn
