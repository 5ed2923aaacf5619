"""A page of somebody else in the same browser: what it sends on its visitor's behalf changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from selenium.webdriver.common.keys import Keys
from starlette.types import Receive, Scope, Send

from monitor.http import Server
from tests.browser.eye import Eye
from tests.web.fake_desk import FakeDesk, believable


def test_a_form_on_a_foreign_page_answers_nothing(eye: Eye, serve_to: Callable[[FakeDesk], str]) -> None:
    desk = believable()
    key = next(i.id for i in desk.known if i.severity == "page" and i.resolved_ms is None)
    target = f"{serve_to(desk)}/incidents/{quote(key, safe='')}/answer"
    body = (
        f"<!doctype html><form method=post action='{target}'><input type=hidden name=answer value=false>"
        "<input type=hidden name=who value=mallory><button>You have won</button></form>"
    ).encode()

    async def trap(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": body})

    server = Server(trap, port=0)
    eye.open(f"http://127.0.0.1:{server.start()}/")
    eye.press(Keys.TAB, Keys.ENTER)
    assert eye.headings() == [(1, "Not allowed.")]
    assert all(not i.answers for i in desk.known if i.id == key)
    server.stop()
