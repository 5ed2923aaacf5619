"""A desk with believable models on it: what a fleet looks like on an ordinary Thursday with rain."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, Cuts, learn_numeric
from detectors.summaries.sample import Sample
from monitor.again import deployed, due, refitting
from monitor.desk import Health, ModelView, Series
from monitor.errors import Misconfigured
from monitor.incident import Answer, Incident, incident_id
from monitor.metrics import Metrics
from monitor.outlook import outlook
from monitor.plan import Feature, Http, Model, Owner, Plan, Prediction, Schema
from monitor.portraits import Gallery, normal, portraits
from monitor.reference import Reference, pack_cells
from monitor.report import ModelReport, report_of
from monitor.sinks.prometheus import Exposition
from monitor.standing import Expected, Ledger, Standing
from monitor.verdict import Status, Subject, Verdict, verdict_id
from monitor.wall import monotonic

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
NOW_MS = 1_795_098_600_000  # Thursday, 19 November 2026, 14:30 UTC
WINDOW_MS = 5 * MINUTE_MS
THRESHOLD = math.log10(90 * DAY_MS / WINDOW_MS)  # three budgets of a page in thirty days


@dataclass
class FakeDesk:
    """Answers from its fields; `answer` and `deployment` are done at once, or never while `stuck`."""

    plan: Plan
    views: list[ModelView] = field(default_factory=list)
    verdicts: dict[str, Sequence[Verdict]] = field(default_factory=dict)
    known: list[Incident] = field(default_factory=list)
    lines: dict[str, list[Series]] = field(default_factory=dict)
    state: Health = field(default_factory=lambda: Health({"engine": 0.4, "poll": 0.1, "notify": 2.0}, (), (), {"kafka": True}))
    stuck: bool = False
    deployed: list[tuple[str, str, str, str]] = field(default_factory=list)
    events: list[tuple[str, Expected]] = field(default_factory=list)
    now_ms: int = NOW_MS
    reference: Reference | None = None
    standings: dict[str, Standing] = field(default_factory=dict)
    galleries: dict[str, Gallery] = field(default_factory=dict)

    refused: dict[str, dict[str, int]] = field(default_factory=dict)
    mishaps: dict[str, str] = field(default_factory=dict)
    reloads: int = 0
    unreadable: bool = False

    def __post_init__(self) -> None:
        self.values = Metrics()
        self._exposition = Exposition(self.values, monotonic)

    def models(self) -> Sequence[ModelView]:
        return self.views

    def rejected(self) -> Mapping[str, Mapping[str, int]]:
        return self.refused

    def troubles(self) -> Mapping[str, str]:
        return self.mishaps

    def windows(self, model: str, limit: int) -> Sequence[Verdict]:
        return self.verdicts.get(model, ())[-limit:]

    def incidents(self, model: str | None = None) -> Sequence[Incident]:
        return sorted((i for i in self.known if model in (None, i.model)), key=lambda i: -i.opened_ms)

    def report(self, model: str) -> ModelReport:
        return report_of(self.plan.models[model], self.standing(model), self.reference, self.incidents(model))

    def standing(self, model: str) -> Standing:
        return self.standings.get(model, Standing(ledger=Ledger(60 * DAY_MS, 3, 1)))

    def columns(self, model: str, incident: Incident | None = None) -> Gallery:
        return self.galleries.get(model) or Gallery(
            model, "", 0, 0, 0, why="No reference has been learnt yet: there is nothing to compare with."
        )

    def series(self, model: str) -> Sequence[Series]:
        return self.lines.get(model, [])

    def answer(self, incident: str, answer: Answer) -> Future[Incident]:
        done: Future[Incident] = Future()
        if self.stuck:
            return done
        for index, known in enumerate(self.known):
            if known.id == incident:
                answered = replace(known, answers=(*known.answers, replace(answer, at_ms=self.now_ms)))
                open_still = known.resolved_ms is None
                self.known[index] = replace(answered, resolved_ms=self.now_ms, resolution="answered") if open_still else answered
                done.set_result(self.known[index])
                return done
        done.set_exception(KeyError(incident))
        return done

    def deployment(self, model: str, version: str, who: str, note: str) -> Future[None]:
        done: Future[None] = Future()
        self.deployed.append((model, version, who, note))
        done.set_result(None)
        return done

    def expected(self, model: str, event: Expected) -> Future[None]:
        done: Future[None] = Future()
        self.events.append((model, event))
        done.set_result(None)
        return done

    def reload(self) -> None:
        self.reloads += 1
        if self.unreadable:
            raise Misconfigured.of("is not a duration", field="models.m.window", value="soon", right="5m")

    def metrics(self, openmetrics: bool = False, gzipped: bool = False) -> bytes:
        return self._exposition.body(openmetrics, gzipped)

    def metrics_at_hand(self, openmetrics: bool = False, gzipped: bool = False) -> bytes | None:
        return self._exposition.at_hand(openmetrics, gzipped)

    def health(self) -> Health:
        return self.state


def model(name: str, owner: str, zone: str = "UTC", runbook: str | None = None) -> Model:
    schema = Schema((Feature("frame", "image", ("frame",)), Feature("speed", "numeric", ("speed",))), Prediction(label=("label",)))
    return Model(name, owner, schema, timezone=zone, runbook=runbook)


def wander(seed: int, count: int, drift_at: int | None = None) -> list[float]:
    """Evidence as it looks: low, restless, at times a third of the way; from window `drift_at` on it climbs, and from zero after a page."""
    draw = random.Random(seed)
    level, climb, out = 0.0, 0.0, []
    for index in range(count):
        level = 0.9 * level + draw.gauss(0, 0.28)
        if drift_at is not None and index >= drift_at:
            climb += 1.6
        out.append(max(-0.4, 0.4 + level + climb))
        if out[-1] >= THRESHOLD:
            climb, level = 0.0, -0.4
    return out


@cache
def history(
    name: str, seed: int, days: float, learning_days: float = 0.0, drift_at_ms: int | None = None, now_ms: int = NOW_MS
) -> tuple[Verdict, ...]:
    count = int(days * DAY_MS / WINDOW_MS)
    first = now_ms - count * WINDOW_MS
    learnt = first + int(learning_days * DAY_MS)
    values = wander(seed, count, None if drift_at_ms is None else (drift_at_ms - first) // WINDOW_MS)
    out = []
    for index in range(count):
        start = first + index * WINDOW_MS
        day = 0.5 + 0.5 * math.sin(2 * math.pi * (start % DAY_MS) / DAY_MS - 2.2)
        events = int(120 + 420 * day + 30 * math.sin(index))
        status: Status = "unknown" if start < learnt else "page" if values[index] >= THRESHOLD else "ok"
        known = status != "unknown"
        out.append(
            Verdict(
                verdict_id(name, start),
                name,
                start,
                start + WINDOW_MS,
                status,
                events,
                values[index] if known else 0.0,
                THRESHOLD,
                reason="" if known else "learning",
                reference="7c1f0e92ab" if known else "",
                versions=("14",),
            )
        )
    return tuple(out)


ONSET_MS = NOW_MS - 40 * MINUTE_MS
RAIN = (
    Subject("frame", "images", "noise location", "up", 2.34, "sd", 0.58, ONSET_MS),
    Subject("frame", "images", "contrast location", "down", 1.12, "sd", 0.23, ONSET_MS),
    Subject("prediction", "predictions", "confidence location", "down", 0.81, "sd", 0.12, ONSET_MS + 2 * WINDOW_MS),
    Subject("weather", "inputs", "categories", "changed", 0.31, "psi", 0.04, ONSET_MS + 3 * WINDOW_MS),
)


def gallery(watched: Model, from_ms: int, subjects: Sequence[Subject], events: int = 1241) -> Gallery:
    """Columns before and after: pictures noisier, a category that grew, a value never seen; the others as they were."""
    draw = np.random.default_rng(5)
    cuts: dict[str, Cuts] = {}
    before: dict[str, NDArray[np.int64]] = {}
    after: dict[str, NDArray[np.int64]] = {}
    for column in watched.columns:
        mine = [s for s in subjects if s.name == column.subject and s.statistic.startswith(column.statistic)]
        spoken = bool(mine)
        if column.kind == "numeric":
            values = draw.lognormal(3, 0.4, 4000)
            cells = learn_numeric(Sample.fold(np.arange(4000, dtype=np.uint64), values, k=4000))
            moved = draw.lognormal(3 + (0.5 if mine[0].direction == "up" else -0.5) if mine else 3, 0.4, events)
            cut: Cuts = cells
            before[column.name] = np.bincount(cells.codes(values), minlength=cells.size)
            after[column.name] = np.bincount(cells.codes(moved), minlength=cells.size)
        else:
            cut = CategoricalCuts(("green light", "red light", "a light that the camera saw through heavy snow or fog", "amber"))
            before[column.name] = np.array([4, 0, 0, 0, 2100, 1500, 60, 336])
            after[column.name] = draw.multinomial(
                events, [0.02, 0, 0.01, 0, 0.3, 0.3, 0.22, 0.15] if spoken else [0, 0, 0, 0, 0.53, 0.37, 0.02, 0.08]
            )
        cuts[column.name] = cut
    reference = Reference(watched.name, "", cuts, 0, 0, 0, frame={name: pack_cells(cells) for name, cells in before.items()})
    seen = portraits(watched.columns, reference, normal(reference), after, subjects)
    return Gallery(watched.name, "7c1f0e92ab", from_ms, NOW_MS, max(1, (NOW_MS - from_ms) // WINDOW_MS), seen)


def believable(http: Http | None = None) -> FakeDesk:
    """Five models of three teams: a page open, a ticket open, one quiet, one learning, one without fresh data."""
    plan = Plan(
        models={
            "traffic-light": model("traffic-light", "vision-team", "Europe/Amsterdam", "https://wiki.example/traffic-light"),
            "parking-spots": model("parking-spots", "vision-team", "Europe/Amsterdam"),
            "delivery-times": model("delivery-times", "logistics", "Europe/Amsterdam", "https://wiki.example/delivery"),
            "card-fraud": model("card-fraud", "payments"),
            "route-choice": model("route-choice", "logistics"),
        },
        owners={"vision-team": Owner("vision-team"), "logistics": Owner("logistics"), "payments": Owner("payments")},
        http=http or Http(),
    )
    desk = FakeDesk(plan)
    desk.verdicts = {
        "traffic-light": history("traffic-light", 3, 8, drift_at_ms=ONSET_MS),
        "parking-spots": history("parking-spots", 4, 12, learning_days=12),
        "delivery-times": history("delivery-times", 5, 8),
        "card-fraud": history("card-fraud", 6, 8, learning_days=3),
        "route-choice": history("route-choice", 9, 8, now_ms=NOW_MS - 3 * HOUR_MS),
    }
    opened = next(v.end_ms for v in desk.verdicts["traffic-light"] if v.status == "page")
    page = Incident(
        incident_id("traffic-light", "statistical", opened, "page"), "traffic-light", "vision-team", "page", "statistical",
        opened, ONSET_MS,
        RAIN, 5.1, THRESHOLD, "traffic-light: noise in pictures of `frame` is up by 2.3 sd", 1241,
    )  # fmt: skip
    began = NOW_MS - 5 * HOUR_MS
    ticket = Incident(
        incident_id("delivery-times", "statistical", began + HOUR_MS, "ticket"), "delivery-times", "logistics", "ticket", "statistical",
        began + HOUR_MS, began, (Subject("distance", "inputs", "missing", "up", 4.2, "points", 0.94, began),), 2.6, THRESHOLD,
        "delivery-times: missing values in `distance` are up", 5210,
    )  # fmt: skip
    old = NOW_MS - 3 * DAY_MS
    false_page = Incident(
        incident_id("traffic-light", "statistical", old, "page"), "traffic-light", "vision-team", "page", "statistical",
        old, old - 6 * WINDOW_MS,
        (Subject("speed", "inputs", "scale", "up", 1.41, "ratio", 0.88, old - 6 * WINDOW_MS),), 4.5, THRESHOLD, "speed", 2044,
        resolved_ms=old + 2 * HOUR_MS, resolution="answered",
        answers=(Answer("expected", "Mira", "Marathon through the centre, roads closed until noon.", old + HOUR_MS),),
    )  # fmt: skip
    silent = NOW_MS - 5 * DAY_MS
    rule = Incident(
        incident_id("traffic-light", "rule", silent, "page", "silent"), "traffic-light", "vision-team", "page", "rule",
        silent, silent - 15 * MINUTE_MS,
        (), 0.0, 0.0, "no events for 15 min", 0, "silent", silent + 25 * MINUTE_MS, "recovered",
    )  # fmt: skip
    desk.known = [page, ticket, false_page, rule]
    desk.galleries = {
        "traffic-light": gallery(desk.plan.models["traffic-light"], ONSET_MS, RAIN),
        "card-fraud": gallery(desk.plan.models["card-fraud"], NOW_MS - HOUR_MS, ()),
    }
    draw = random.Random(11)
    accuracy = [
        (v.end_ms, min(1.0, max(0.0, (0.94 if v.end_ms <= ONSET_MS else 0.63) + draw.gauss(0, 0.012))))
        for v in desk.verdicts["traffic-light"]
    ]
    desk.lines = {"traffic-light": [Series("true accuracy of the classifier", "share", tuple(accuracy))]}
    marathon = Expected(old - 6 * WINDOW_MS, old + 3 * HOUR_MS, 7 * DAY_MS, ("speed",), "Mira", "Sunday market, roads closed until noon")
    moving = Expected(NOW_MS + 30 * HOUR_MS, NOW_MS + 34 * HOUR_MS, None, (), "Tomasz", "cameras move to the new masts")
    watched = Standing(stage="judging", next_ms=NOW_MS - WINDOW_MS, ledger=Ledger(60 * DAY_MS, 3, 1), version="13")
    fresh = deployed(desk.plan.models["traffic-light"], watched, "14", NOW_MS - 2 * HOUR_MS)
    _, ahead = due(desk.plan.models["traffic-light"], fresh, Reference("traffic-light", "", {}, 0, 0, 0), (), NOW_MS - WINDOW_MS)
    desk.standings = {
        "traffic-light": replace(ahead, calendar=(marathon, moving)),
        "delivery-times": refitting(watched, NOW_MS - DAY_MS),
    }
    desk.views = [
        view(desk, "card-fraud"),
        view(desk, "delivery-times"),
        view(desk, "parking-spots", stage="learning", learnt=0.43),
        view(desk, "route-choice"),
        view(desk, "traffic-light"),
    ]
    return desk


def view(desk: FakeDesk, name: str, stage: str = "judging", learnt: float = 1.0, mode: str = "page") -> ModelView:
    last = desk.verdicts[name][-1] if desk.verdicts.get(name) else None
    opened = tuple(i for i in desk.incidents(name) if i.resolved_ms is None)
    if last is not None and opened:
        last = replace(last, subjects=opened[0].subjects)
    mark = None if last is None else last.end_ms - 40_000
    return ModelView(
        name, desk.plan.models[name].owner, mode, stage, learnt, last, opened, mark, "7c1f0e92ab" if stage == "judging" else "",
        outlook(desk.plan.models[name], desk.standing(name)),
    )  # fmt: skip
