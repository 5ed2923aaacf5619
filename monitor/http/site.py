"""What people ask over HTTP: the pages, their style sheet, and the answer form."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from monitor.desk import Desk
from monitor.http.api import Api, durable, find_answerable, find_incident, find_model, subjects_of
from monitor.http.asks import BadRequest, answer_ask, deployment_ask, expected_ask, withdrawal_ask
from monitor.http.guard import needs_token
from monitor.pages import Pages


class Site:
    """Pages over one desk; `clock` gives UTC milliseconds."""

    def __init__(self, desk: Desk, clock: Callable[[], int]) -> None:
        self._desk, self._clock = desk, clock
        self._api = Api(desk)
        self._pages = Pages()

    def routes(self) -> list[Route]:
        return [
            Route("/", self.fleet),
            Route("/models/{model:path}/report", self.report),
            Route("/models/{model:path}/expected/withdrawn", self.withdrawn, methods=["POST"]),
            Route("/models/{model:path}/expected", self.expected, methods=["POST"]),
            Route("/models/{model:path}/deployments", self.deployments, methods=["POST"]),
            Route("/models/{model:path}", self.model),
            Route("/incidents/{incident:path}", self.incident),
            Route("/incidents/{incident:path}/answer", self.answer, methods=["POST"]),
            Route("/raincheck.css", self.style),
        ]

    def fleet(self, _: Request) -> Response:
        return html(self._pages.fleet(self._desk, self._clock()))

    def model(self, request: Request) -> Response:
        view = find_model(self._desk, request.path_params["model"])
        query = request.query_params
        token = needs_token(self._desk.plan.http) if "announce" in query else None
        return html(self._pages.model(self._desk, view, self._clock(), query.get("span", ""), subjects_of(self._desk, view), token))

    def report(self, request: Request) -> Response:
        view = find_model(self._desk, request.path_params["model"])
        return html(self._pages.report(self._desk, view, self._clock()))

    def incident(self, request: Request) -> Response:
        incident = find_incident(self._desk, request.path_params["incident"])
        return html(self._pages.incident(self._desk, incident, self._clock(), needs_token(self._desk.plan.http)))

    async def answer(self, request: Request) -> Response:
        """The form's way to answer: afterwards the browser is sent back to the page, so that a reload answers nothing twice."""
        body = await self._api.checked(request)
        incident = find_answerable(self._desk, request.path_params["incident"])
        ask = answer_ask(body, incident.onset_ms, self._pages.zone(self._desk, incident.model), len(incident.answers))
        await durable(self._desk.answer(incident.id, ask))
        return RedirectResponse(self._pages.incident_path(incident.id), 303)

    async def expected(self, request: Request) -> Response:
        """The form that announces an event; its times are the model's own where they name no zone."""
        body = await self._api.checked(request)
        view = find_model(self._desk, request.path_params["model"])
        zone, ahead = self._pages.zone(self._desk, view.name), view.outlook
        event = expected_ask(body, subjects_of(self._desk, view), zone, len(ahead.calendar), ahead.over)
        await durable(self._desk.expected(view.name, event))
        return RedirectResponse(self._pages.model_path(view.name), 303)

    async def withdrawn(self, request: Request) -> Response:
        body = await self._api.checked(request)
        view = find_model(self._desk, request.path_params["model"])
        await durable(self._desk.expected(view.name, withdrawal_ask(body, view.outlook.calendar)))
        return RedirectResponse(self._pages.model_path(view.name), 303)

    async def deployments(self, request: Request) -> Response:
        ask = deployment_ask(await self._api.checked(request))
        view = find_model(self._desk, request.path_params["model"])
        await durable(self._desk.deployment(view.name, ask.version, ask.who, ask.note))
        return RedirectResponse(self._pages.model_path(view.name), 303)

    async def style(self, _: Request) -> Response:
        """At hand, and therefore in nobody's turn: a page that was drawn is not left without it."""
        return Response(self._pages.style, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})

    def trouble(self, status: int, error: BadRequest) -> Response:
        return html(self._pages.trouble(status, error.field, error.value, error.right), status)


def html(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})
