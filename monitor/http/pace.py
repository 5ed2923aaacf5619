"""How much of the process the web side may take: whoever asks faster than that waits its turn.

Records are read by one thread, requests are answered by another, and only one of them runs Python at a time. Ten scrapers in a
loop once left the reading three tenths of its speed (`raincheck bench scrape`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

# Asked for without end they cost the reading thread a seventh of its rate (`raincheck bench scrape`: 0.85 of it stays): little of that is
# the answers' own time, most is two threads taking turns. Ten who ask so wait 50 ms each; Prometheus asks once in fifteen seconds.
PER_SECOND: Final = 200
BURST: Final = 20  # a page and what belongs to it, and everybody who has just been restarted


class Pace:
    """ASGI middleware: the first `burst` requests pass at once, then `per_second` of them, each in its turn (GCRA).

    Connections are capped (monitor.http.server), so nobody waits longer than that many turns.
    """

    def __init__(
        self, app: ASGIApp, per_second: int = PER_SECOND, burst: int = BURST, wait: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._app, self._turn_s, self._wait = app, 1 / per_second, wait
        self._ahead_s = burst * self._turn_s
        self._free_s = float("-inf")  # when the next turn is free; only the event loop's thread comes here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            wait_s = self.turn(asyncio.get_running_loop().time())
            if wait_s > 0:
                await self._wait(wait_s)
        await self._app(scope, receive, send)

    def turn(self, now_s: float) -> float:
        """Takes the next turn for a request that comes now; how long it has to wait for it.

        >>> pace = Pace(Pace, per_second=100, burst=2)
        >>> [round(pace.turn(now_s), 3) for now_s in (0.0, 0.0, 0.0, 0.0, 60.0)]
        [0.0, 0.0, 0.01, 0.02, 0.0]
        """
        self._free_s = max(self._free_s, now_s - self._ahead_s) + self._turn_s
        return max(0.0, self._free_s - now_s)
