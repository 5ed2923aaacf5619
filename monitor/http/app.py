"""The application: routes, one counter, one set of headers, and mistakes answered as they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.desk import Desk
from monitor.errors import Misconfigured
from monitor.http.api import Api, as_json
from monitor.http.asks import BadRequest
from monitor.http.guard import BodyLimit
from monitor.http.pace import Pace
from monitor.http.site import Site
from monitor.http.turnstile import Turnstile
from monitor.log import events

log = events("http")
RETRY_AFTER_S: Final = "10"  # a reload or a restart has come back by then
# nothing but our own style sheet and inline pictures; scripts nowhere, so that a hostile name stays text
POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def create_app(desk: Desk, *, clock: Callable[[], int], count: Callable[[str, int], None] | None = None) -> Starlette:
    """The web application over one desk.

    `clock` gives UTC milliseconds, for ages on pages; `count(handler, status)` is told of every answer, where `handler`
    is the route's pattern and never the path itself. Raises Misconfigured where the plan asks for what is not served.
    """
    if desk.plan.http.web_config is not None:  # to ignore it would leave open what somebody believes to be closed
        raise Misconfigured.of(
            "asks for TLS or users, which are not served here",
            origin="configuration",
            field="http.web_config",
            value=desk.plan.http.web_config,
            right="no http.web_config; a reverse proxy in front serves TLS and users, http.token_file guards writes",
        )
    site = Site(desk, clock)

    async def mistake(request: Request, error: Exception) -> Response:
        assert isinstance(error, BadRequest)
        if request.url.path.startswith(("/api/", "/-/")) or error.status == 415:
            headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
            response = as_json(error.as_json(), error.status)
            response.headers.update(headers)
        else:
            response = site.trouble(error.status, error)
        if error.status == 503:
            response.headers["Retry-After"] = RETRY_AFTER_S
        return response

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return await mistake(request, BadRequest("path", request.url.path, "/ lists the models, /api/v1/models does so in JSON", 404))
        response = as_json({"error": error.detail}, error.status_code)
        response.headers.update(error.headers or {})
        return response

    return Starlette(
        routes=in_turn([*Api(desk).routes(), *site.routes()]),
        middleware=[Middleware(Pace), Middleware(Frame, count=count), Middleware(BodyLimit)],
        exception_handlers={BadRequest: mistake, HTTPException: missing},
    )


def in_turn(routes: list[Route]) -> list[Route]:
    """The same routes with everything that is drawn behind one turnstile; metrics and health wait for no drawing."""
    turnstile = Turnstile()
    return [
        route if asyncio.iscoroutinefunction(route.endpoint) or route.path.startswith(("/-/", "/metrics"))
        else Route(route.path, turnstile(route.endpoint), methods=list(route.methods or ()))
        for route in routes
    ]  # fmt: skip


class Frame:
    """Puts the security headers on every answer, that of a handler which fails too, and tells the counter about it."""

    def __init__(self, app: ASGIApp, count: Callable[[str, int], None] | None) -> None:
        self._app, self._count = app, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def framed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = [*message.get("headers", ())]
                own = {name.lower() for name, _ in headers}  # a route's own word stands; sent twice, each browser would choose
                message["headers"] = headers + [header for header in HEADERS if header[0] not in own]
                if self._count is not None:
                    self._count(pattern_of(scope), message["status"])
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception:
            log.exception("http_handler_failed", method=scope["method"], handler=pattern_of(scope))
            if begun:
                raise
            await as_json({"error": "raincheck failed to answer; its log says why"}, 500)(scope, receive, framed)


def pattern_of(scope: Scope) -> str:
    """The route's pattern rather than the path: a label must not carry what a stranger types."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "none"
