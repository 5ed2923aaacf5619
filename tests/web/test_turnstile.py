"""Whoever draws lets the reading go on: a rest in proportion where others wait, none where nobody does, and a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import Response

from monitor import wall
from monitor.http.turnstile import LONGEST_REST_S, MOST_WAITING, REST, Turnstile


def asked(crowd: int, took_s: float, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], list[float]]:
    """So many ask at once for what takes so long to draw: their statuses, and how long the turnstile rests after each drawing."""
    now_s, rests = [0.0], []

    def draw(_: Request) -> Response:
        now_s[0] += took_s
        return Response()

    async def ask() -> list[int]:
        loop = asyncio.get_running_loop()
        later = loop.call_later

        def at_once(delay_s: float, done: Callable[[], object]) -> asyncio.TimerHandle:
            if done.__name__ != "release":
                return later(delay_s, done)
            rests.append(delay_s)
            return later(0, done)

        monkeypatch.setattr(loop, "call_later", at_once)
        endpoint = Turnstile()(draw)
        answers = await asyncio.gather(*(endpoint(Request({"type": "http"})) for _ in range(crowd)))
        return [answer.status_code for answer in answers]

    monkeypatch.setattr(wall, "monotonic", lambda: now_s[0])
    return asyncio.run(ask()), rests


@pytest.mark.parametrize(
    ("took_s", "rest_s", "because"),
    [
        (0.01, 0.01 * REST, "drawing takes a quarter of the time"),
        (60.0, LONGEST_REST_S, "what takes long must not keep the others waiting for ever"),
    ],
)
def test_the_next_drawing_begins_after_a_rest(took_s: float, rest_s: float, because: str, monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, rests = asked(3, took_s, monkeypatch)
    assert statuses == [200] * 3
    assert rests == [pytest.approx(rest_s), pytest.approx(rest_s), 0.0], f"{because}; whom nobody follows leaves no rest"


def test_who_finds_the_queue_full_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, _ = asked(MOST_WAITING + 5, 0.01, monkeypatch)
    assert (statuses.count(200), statuses.count(503)) == (MOST_WAITING + 1, 4), "one draws, so many wait"
