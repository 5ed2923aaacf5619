"""Whoever asks faster than the web side may answer waits its turn; nobody is refused, and a lone scraper never waits."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from monitor.http.pace import Pace


async def nothing(scope: Scope, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize(
    ("arrivals_s", "expected", "because"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.01, 0.02], "a burst passes, then one each turn"),
        ([0.0, 15.0, 30.0], [0.0, 0.0, 0.0], "a scraper of every day never waits"),
        ([0.0] * 4 + [0.02] * 2, [0.0, 0.0, 0.0, 0.01, 0.0, 0.01], "time that passes gives turns back"),
        ([0.0] * 4 + [60.0] * 4, [0.0, 0.0, 0.0, 0.01] * 2, "but never more than the burst"),
    ],
)
def test_who_waits_and_how_long(arrivals_s: list[float], expected: list[float], because: str) -> None:
    pace = Pace(nothing, per_second=100, burst=3)
    assert [round(pace.turn(now_s), 6) for now_s in arrivals_s] == expected, because


def test_a_request_waits_for_its_turn_before_it_is_answered() -> None:
    told: list[str] = []

    async def wait(seconds: float) -> None:
        told.append("waits" if seconds > 0 else "passes")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        told.append("is answered")

    async def ask() -> None:
        pace = Pace(answer, per_second=1, burst=2, wait=wait)
        for _ in range(3):
            await pace({"type": "http"}, None, None)  # type: ignore[arg-type] # neither is asked for anything

    asyncio.run(ask())
    assert told == ["is answered", "is answered", "waits", "is answered"]
