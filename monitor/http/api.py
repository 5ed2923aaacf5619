"""What machines ask over HTTP: the exposition, health, and the API in JSON."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitor.board import KEPT
from monitor.desk import Desk, ModelView
from monitor.errors import Misconfigured, Transient
from monitor.http.asks import (
    BadRequest,
    answer_ask,
    deployment_ask,
    expected_ask,
    fields_of,
    is_form,
    number_ask,
    query_ask,
    withdrawal_ask,
)
from monitor.http.guard import read_token, refuse_write
from monitor.incident import Incident
from monitor.metrics import CONTENT_TYPE, CONTENT_TYPE_OPENMETRICS

T = TypeVar("T")
DURABLE_S: Final = 15.0  # an answer is on disk with the next turn of the engine; longer than this means that it is stuck


class Api:
    """The endpoints over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self.metrics),
            Route("/-/healthy", self.healthy),
            Route("/-/ready", self.ready),
            Route("/-/reload", self.reload, methods=["POST"]),
            Route("/api/v1/models", self.models),
            Route("/api/v1/models/{model:path}/windows", self.windows),
            Route("/api/v1/models/{model:path}/columns", self.columns),
            Route("/api/v1/models/{model:path}/report", self.report),
            Route("/api/v1/models/{model:path}/deployments", self.deployments, methods=["POST"]),
            Route("/api/v1/models/{model:path}/expected/withdrawn", self.withdrawn, methods=["POST"]),
            Route("/api/v1/models/{model:path}/expected", self.expected, methods=["POST"]),
            Route("/api/v1/models/{model}", self.model),  # no path: what lies below a name and is only written to stays a 405
            Route("/api/v1/incidents", self.incidents),
            Route("/api/v1/incidents/{incident:path}", self.incident),
            Route("/api/v1/incidents/{incident:path}/answer", self.answer, methods=["POST"]),
        ]

    async def metrics(self, request: Request) -> Response:
        openmetrics = wants_openmetrics(request.headers.get("accept", ""))
        gzipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Vary": "Accept, Accept-Encoding"} | ({"Content-Encoding": "gzip"} if gzipped else {})
        body = self._desk.metrics_at_hand(openmetrics, gzipped)  # a thread of its own costs more than the whole answer
        if body is None:
            body = await run_in_threadpool(self._desk.metrics, openmetrics, gzipped)
        return Response(body, headers=headers | {"Content-Type": CONTENT_TYPE_OPENMETRICS if openmetrics else CONTENT_TYPE})

    def healthy(self, _: Request) -> Response:
        """Heartbeats only: a broker that is away is no reason to restart this process."""
        health = self._desk.health()
        beats = {stage: round(age_s, 1) for stage, age_s in health.beats.items()}
        return as_json({"healthy": not health.stalled, "stalled": health.stalled, "beats": beats}, 503 if health.stalled else 200)

    def ready(self, _: Request) -> Response:
        """local: this process can work; full: what it depends on answers, too."""
        health = self._desk.health()
        scope = self._desk.plan.http.readiness
        reasons = health.against(scope)
        return as_json({"ready": not reasons, "scope": scope, "reasons": reasons, "components": health.components}, 503 if reasons else 200)

    async def reload(self, request: Request) -> Response:
        """The configuration is read again: mistakes are listed and change nothing, else the process begins again with it."""
        self.guard(request, {} if is_form(request) else None)  # nothing in its body counts
        try:
            await run_in_threadpool(self._desk.reload)
        except LookupError as error:
            raise BadRequest("path", "/-/reload", str(error.args[0]), 404) from error
        except Misconfigured as error:
            return as_json({"reloading": False, "mistakes": [str(mistake) for mistake in error.mistakes]}, 400)
        return as_json({"reloading": True}, 202)

    def models(self, request: Request) -> Response:
        query_ask(request.query_params)
        return as_json({"models": self._desk.models(), "rejected": self._desk.rejected(), "troubles": self._desk.troubles()})

    def model(self, request: Request) -> Response:
        query_ask(request.query_params)
        return as_json(find_model(self._desk, request.path_params["model"]))

    def windows(self, request: Request) -> Response:
        view = find_model(self._desk, request.path_params["model"])
        query = query_ask(request.query_params, "limit")
        limit = number_ask(query, "limit", 288, 1, KEPT)  # what lies further back is in the state, not at hand
        return as_json({"model": view.name, "windows": self._desk.windows(view.name, limit)})

    def columns(self, request: Request) -> Response:
        """Every column beside the reference: over the last hour, or with `incident` since its onset."""
        view = find_model(self._desk, request.path_params["model"])
        key = query_ask(request.query_params, "incident").get("incident")
        incident = None if key is None else find_incident(self._desk, key)
        if incident is not None and incident.model != view.name:
            raise BadRequest("incident", incident.id, f"an incident of {view.name}; this one is of {incident.model}")
        return as_json(self._desk.columns(view.name, incident))

    def report(self, request: Request) -> Response:
        query_ask(request.query_params)
        view = find_model(self._desk, request.path_params["model"])
        return as_json(self._desk.report(view.name))

    def incidents(self, request: Request) -> Response:
        query = query_ask(request.query_params, "model", "limit")
        model = query.get("model")
        if model is not None:
            find_model(self._desk, model)
        limit = number_ask(query, "limit", 100, 1, 10_000)
        return as_json({"incidents": self._desk.incidents(model)[:limit]})

    def incident(self, request: Request) -> Response:
        query_ask(request.query_params)
        return as_json(find_incident(self._desk, request.path_params["incident"]))

    async def answer(self, request: Request) -> Response:
        body = await self.checked(request)
        incident = find_answerable(self._desk, request.path_params["incident"])
        ask = answer_ask(body, incident.onset_ms, given=len(incident.answers))
        answered = await durable(self._desk.answer(incident.id, ask))
        return as_json(answered)

    async def deployments(self, request: Request) -> Response:
        body = await self.checked(request)
        ask = deployment_ask(body)
        view = find_model(self._desk, request.path_params["model"])
        await durable(self._desk.deployment(view.name, ask.version, ask.who, ask.note))
        return as_json({"model": view.name, "version": ask.version}, 201)

    async def expected(self, request: Request) -> Response:
        body = await self.checked(request)
        view = find_model(self._desk, request.path_params["model"])
        event = expected_ask(body, subjects_of(self._desk, view), known=len(view.outlook.calendar), over=view.outlook.over)
        await durable(self._desk.expected(view.name, event))
        return as_json({"model": view.name, "event": event}, 201)

    async def withdrawn(self, request: Request) -> Response:
        body = await self.checked(request)
        view = find_model(self._desk, request.path_params["model"])
        event = withdrawal_ask(body, view.outlook.calendar)
        await durable(self._desk.expected(view.name, event))
        return as_json({"model": view.name, "withdrawn": event})

    async def checked(self, request: Request) -> dict[str, Any]:
        """The body of a write that may pass; BadRequest where it may not."""
        form = is_form(request)
        body = dict(await fields_of(request))
        self.guard(request, body if form else None)
        return body

    def guard(self, request: Request, form: dict[str, Any] | None) -> None:
        """BadRequest where this write may not pass."""
        refusal = refuse_write(self._desk.plan.http, request.headers, form, read_token(self._desk.plan.http))
        if refusal is not None:
            raise BadRequest(refusal.field, refusal.value, refusal.right, refusal.status)


def wants_openmetrics(accept: str) -> bool:
    """Whether the scraper names OpenMetrics 1.0.0 and does not like plain text better.

    >>> wants_openmetrics("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    True
    >>> wants_openmetrics("text/plain;version=0.0.4;q=0.7,application/openmetrics-text;version=1.0.0;q=0.3")
    False
    >>> wants_openmetrics("*/*")
    False
    """
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for offer in accept.split(","):
        kind, *parameters = (part.strip() for part in offer.lower().split(";"))
        given = dict(p.split("=", 1) for p in parameters if "=" in p)
        if kind not in best or (kind != "text/plain" and given.get("version", "1.0.0") != "1.0.0"):
            continue
        try:
            best[kind] = max(best[kind], float(given.get("q", "1")))
        except ValueError:
            continue
    return best["application/openmetrics-text"] > 0 and best["application/openmetrics-text"] >= best["text/plain"]


def find_model(desk: Desk, name: str) -> ModelView:
    for view in desk.models():
        if view.name == name:
            return view
    raise BadRequest("model", name, "one of " + (", ".join(sorted(v.name for v in desk.models())) or "none: no model is watched"), 404)


def subjects_of(desk: Desk, view: ModelView) -> list[str]:
    """The subjects of a model, as an announced event may name them."""
    return sorted({column.subject for column in desk.plan.models[view.name].columns})


def find_incident(desk: Desk, key: str) -> Incident:
    for incident in desk.incidents():
        if incident.id == key:
            return incident
    raise BadRequest("incident", key, "an id from /api/v1/incidents", 404)


def find_answerable(desk: Desk, key: str) -> Incident:
    """An incident whose model is still watched: of another nothing is to be learnt."""
    incident = find_incident(desk, key)
    if incident.model not in desk.plan.models:
        raise BadRequest("incident", key, f"one of a model that is watched; {incident.model} has left the configuration", 409)
    return incident


async def durable(future: Future[T]) -> T:
    """Waits until the write is on disk; the write itself goes on when the caller's patience ends."""
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), DURABLE_S)
    except TimeoutError:
        raise BadRequest("request", "not on disk yet", f"ask again: nothing was confirmed within {DURABLE_S:g} s", 503) from None
    except asyncio.CancelledError:
        if not future.cancelled():  # then it is the caller who left
            raise
        raise BadRequest("request", "raincheck is leaving", "ask again once it is back: nothing was written", 503) from None
    except Transient as error:
        raise BadRequest("request", str(error), "ask again once it is back", 503) from None
    except KeyError as error:
        raise BadRequest("incident", error.args[0] if error.args else "", "an id from /api/v1/incidents", 404) from None


def as_json(value: object, status: int = 200) -> Response:
    """JSON by msgspec: dataclasses as objects, NaN and infinities as null."""
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers={"Cache-Control": "no-store"})
