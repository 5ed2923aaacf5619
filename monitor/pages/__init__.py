"""The pages: what is watched, how strongly something speaks against "nothing changed", and what to answer. No script needed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitor.board import KEPT
from monitor.desk import Desk, ModelView
from monitor.incident import Incident
from monitor.outlook import lines
from monitor.pages import views
from monitor.pages.chart import Chart, chart
from monitor.pages.hanging import wall
from monitor.pages.trail import choices, dated, trail
from monitor.phrases import DAY_MS, HOUR_MS, UNITS, hour, moment, odds, span, units
from monitor.report import ledger_words, replay_words
from monitor.wording import evidence_text

HERE: Final = Path(__file__).parent
SPANS: Final = {"6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS}
# a chart is drawn for desks, for what lies between, and for telephones of 360 pixels: letters that were shrunk cannot be read
WIDE, MIDDLE, NARROW = 950.0, 700.0, 328.0
BESIDE: Final = 560.0  # next to the answer form


def spans_of(window_ms: int) -> dict[str, int]:
    """The spans that windows in memory can fill; of those that they cannot, one remains that reaches as far back as they do.

    >>> list(spans_of(300_000)), list(spans_of(60_000)), list(spans_of(HOUR_MS))
    (['6h', '24h', '7d', '13d'], ['6h', '24h', '2d'], ['6h', '24h', '7d', '30d'])
    """
    days = KEPT * window_ms // DAY_MS
    fit = {name: span_ms for name, span_ms in SPANS.items() if span_ms <= days * DAY_MS}
    return fit if len(fit) == len(SPANS) else fit | {f"{days}d": days * DAY_MS}


def default_span(window_ms: int, fresh: bool) -> str:
    """The shortest span with some seventy windows; six hours will do for what began just now, which is a sliver of a day.

    >>> default_span(300_000, fresh=False), default_span(300_000, fresh=True), default_span(HOUR_MS, fresh=True)
    ('24h', '6h', '7d')
    """
    spans = spans_of(window_ms)
    enough = [name for name, span_ms in spans.items() if span_ms // window_ms >= 70 and (fresh or span_ms >= DAY_MS)]
    return enough[0] if enough else list(spans)[-1]


class Pages:
    """Renders pages from a desk; holds templates and the style sheet, and nothing that changes."""

    def __init__(self) -> None:
        self._jinja = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self.style = (HERE / "raincheck.css").read_text(encoding="utf-8")
        self._jinja.globals["UNITS"] = UNITS
        self._jinja.globals["style"] = f"/raincheck.css?v={hashlib.sha256(self.style.encode()).hexdigest()[:10]}"

    def fleet(self, desk: Desk, now_ms: int) -> str:
        """Every model in one table, those who need somebody first."""
        found = views.rows(desk, now_ms)
        return self._render(
            "fleet.html",
            rows=found,
            rejected=views.rejected_words(desk.rejected()),
            troubles=[(name.replace("_", " ").capitalize(), words) for name, words in desk.troubles().items()],
            sentence=views.fleet_sentence(found),
            units=units(s for view in desk.models() if (lead := views.leading(view)) is not None for s in lead.subjects[:1]),
            now=moment(now_ms),
            wide=views.SPARK_WIDTH,
        )

    def model(
        self, desk: Desk, view: ModelView, now_ms: int, asked: str, subjects: Sequence[str] = (), needs_token: bool | None = None
    ) -> str:
        """One model: its evidence over the asked span (one of `spans_of`, else a day), what is known ahead, its incidents.

        The forms are unfolded, and nothing is refreshed, where `needs_token` says whether they ask for one.
        """
        model = desk.plan.models.get(view.name)
        window_ms = model.window_ms if model is not None else 300_000
        zone = views.zone_in(desk.plan, view.name)
        fresh = any(now_ms - i.onset_ms < 3 * HOUR_MS for i in view.open_incidents)
        spans = spans_of(window_ms)
        chosen = asked if asked in spans else list(spans)[-1] if asked in SPANS else default_span(window_ms, fresh)
        verdicts = desk.windows(view.name, spans[chosen] // window_ms)
        incidents = desk.incidents(view.name)
        end_ms = verdicts[-1].end_ms if verdicts else now_ms
        start_ms = max(end_ms - spans[chosen], verdicts[0].start_ms) if verdicts else end_ms - spans[chosen]
        lay_out = partial(
            chart, verdicts, incidents, desk.series(view.name), window_ms, zone, min(start_ms, end_ms - 12 * window_ms), end_ms
        )
        last = view.last
        latched = views.latched(view)
        gallery = desk.columns(view.name, latched)
        hung = wall(gallery, window_ms)
        return self._render(
            "model.html",
            hung_wall=hung,
            whose=views.stretch_text(gallery, hung, latched, lambda time_ms: hour(time_ms, now_ms, zone)),
            view=view,
            model=model,
            state=views.state_of(view, model, now_ms),
            behind=views.behind(view, now_ms),
            closed=views.closed_text(view, model, now_ms),
            budget=views.budget_text(model.budget) if model is not None else "",
            window=span(window_ms),
            zone=views.zone_name(zone),
            spans=[(name, name == chosen) for name in spans],
            charts=[("wide", lay_out(WIDE)), ("middle", lay_out(MIDDLE)), ("narrow", lay_out(NARROW, tall=180.0))],
            reached=odds(max(0.0, last.evidence), window_ms) if last is not None and last.status != "unknown" else "",
            limit=odds(last.threshold, window_ms) if last is not None and isfinite(last.threshold) else "",
            line=views.line_words(view.mode),
            opened=odds(latched.evidence, window_ms) if latched is not None else "",
            severity=latched.severity if latched is not None else "",
            margin=views.margin_text(last.threshold, window_ms, model.budget) if last is not None and model is not None else "",
            subjects=views.subject_rows(last.subjects) if last is not None else [],
            open=[(i, views.headline(i)) for i in view.open_incidents if i.severity != "note"],
            incidents=[(i, views.headline(i)) for i in incidents[:50]],
            units=units([*(last.subjects if last is not None else ()), *(s for i in incidents[:50] for s in i.subjects[:1])]),
            ahead=lines(view.outlook, lambda time_ms: hour(time_ms, now_ms, zone)),
            unfolded=needs_token is not None,
            needs_token=needs_token,
            named=subjects,
            iso=lambda time_ms: datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            at=lambda time_ms: hour(time_ms, now_ms, zone),
        )

    def report(self, desk: Desk, view: ModelView, now_ms: int) -> str:
        """What one model's reference allows and how its promise was kept."""
        zone = views.zone_in(desk.plan, view.name)
        found = desk.report(view.name)
        return self._render(
            "report.html",
            view=view,
            report=found,
            ledger=ledger_words(found.ledger),
            replay=replay_words(found.replay),
            open=[(i, views.headline(i)) for i in found.open_incidents if i.severity != "note"],
            at=lambda time_ms: hour(time_ms, now_ms, zone),
            full=lambda time_ms: moment(time_ms, zone),
        )

    def incident(self, desk: Desk, incident: Incident, now_ms: int, needs_token: bool) -> str:
        """One incident: what has changed, on how much evidence, what was answered, and the form to answer it."""
        model = desk.plan.models.get(incident.model)
        window_ms = model.window_ms if model is not None else 300_000
        zone = views.zone_in(desk.plan, incident.model)
        runbook, is_link = views.runbook_of(desk.plan, incident)
        gallery = desk.columns(incident.model, incident) if model is not None else None
        hung = wall(gallery, window_ms) if gallery is not None else None
        return self._render(
            "incident.html",
            incident=incident,
            hung_wall=hung,
            whose=views.stretch_text(gallery, hung, incident, lambda time_ms: hour(time_ms, now_ms, zone)) if gallery and hung else "",
            headline=views.headline(incident),
            headline_text=views.headline_text(incident),
            subjects=views.subject_rows(incident.subjects),
            units=units(incident.subjects),
            charts=self._around(desk, incident, window_ms, now_ms),
            evidence=evidence_text(incident, window_ms),
            answers=choices(incident) if model is not None else [],
            latch=span(model.max_latch_ms) if model is not None else "a day",
            ago=span(now_ms - incident.onset_ms) if incident.resolved_ms is None and now_ms > incident.onset_ms else "",
            trail=(marks := trail(incident, lambda time_ms: hour(time_ms, now_ms, zone))),
            when=dated(marks, now_ms, zone),
            runbook=runbook,
            runbook_is_link=is_link,
            needs_token=needs_token,
            zone=views.zone_name(zone),
            at=lambda time_ms: hour(time_ms, now_ms, zone),
            full=lambda time_ms: moment(time_ms, zone),
        )

    def trouble(self, status: int, field: str, value: str, right: str) -> str:
        """What was wrong with a request, for a browser."""
        return self._render("trouble.html", status=status, field=field, value=value, right=right)

    def zone(self, desk: Desk, model: str) -> tzinfo:
        """The zone of a model's times, as its page tells them and its forms take them."""
        return views.zone_in(desk.plan, model)

    def model_path(self, name: str) -> str:
        return views.model_path(name)

    def incident_path(self, key: str) -> str:
        return views.incident_path(key)

    def _around(self, desk: Desk, incident: Incident, window_ms: int, now_ms: int) -> list[tuple[str, Chart]]:
        """The evidence from some hours before the onset to some after the opening, as far as windows are kept."""
        margin = max(6 * HOUR_MS, 36 * window_ms)
        start_ms, end_ms = incident.onset_ms - margin, min(incident.opened_ms + margin, now_ms)
        reach = max(1, (now_ms - start_ms) // window_ms + 2)
        verdicts = desk.windows(incident.model, min(reach, 30 * DAY_MS // window_ms))
        if not any(start_ms < v.end_ms <= end_ms for v in verdicts):
            return []
        zone = views.zone_in(desk.plan, incident.model)
        last_ms = min(end_ms, verdicts[-1].end_ms)
        lay_out = partial(chart, verdicts, [incident], (), window_ms, zone, start_ms, last_ms)
        return [("wide", lay_out(BESIDE, tall=150.0)), ("middle", lay_out(MIDDLE, tall=150.0)), ("narrow", lay_out(NARROW, tall=140.0))]

    def _render(self, template: str, **values: object) -> str:
        return self._jinja.get_template(template).render(model_path=views.model_path, incident_path=views.incident_path, **values)
