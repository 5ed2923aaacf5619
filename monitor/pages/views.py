"""What the templates show, computed beforehand: states in words, ages, bars, links that may be followed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from urllib.parse import quote, urlsplit

from monitor.desk import Desk, ModelView
from monitor.incident import Incident
from monitor.judge import latch_of
from monitor.outlook import named
from monitor.pages.chart import sparkline
from monitor.pages.hanging import Wall
from monitor.phrases import DAY_MS, counted, hour, odds, phrase, pieces, span, zone_of
from monitor.plan import Budget, Model, Plan
from monitor.portraits import Gallery
from monitor.verdict import Subject, Verdict

SPARK_ROWS: Final = 100  # a fleet larger than this gets its sparklines on the models' own pages
SPARK_WIDTH, SPARK_HEIGHT = 240.0, 40.0
NOTABLE: Final = 0.15  # share of the threshold, in log10, below which the wander of every day needs no number
LINES: Final = {"ticket": "ticket", "observe": "note"}  # what the page line opens in the modes that page nobody
ORDER: Final = ("page", "ticket", "late", "unknown", "learning", "quiet")


@dataclass(frozen=True, slots=True)
class State:
    """`kind` is one of ORDER and names the colour; `text` says it in words, because colours alone say nothing to some."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One model of the fleet."""

    name: str
    path: str
    owner: str
    mode: str
    state: State
    lead: tuple[str, str, str] | None
    since: str
    fill: float  # evidence over threshold, both log10, from 0 to 1
    reached: str
    unusual: bool
    counted: str  # of which moment that is; empty where nothing is unusual
    limit: str
    behind: str
    closed: str  # how old the last window is, and what would be expected where that is more
    late: bool
    learnt: int
    spark: str
    spark_limit: float | None
    incident: str
    held: str  # who is not judged at the moment, and until when


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One subject of an incident or of the last window."""

    before: str
    name: str
    after: str
    share: int
    told: str
    onset_ms: int


def rows(desk: Desk, now_ms: int) -> list[Row]:
    """The fleet, those who need somebody first."""
    views = desk.models()
    return sorted(
        (_row(desk, view, now_ms, spark=i < SPARK_ROWS) for i, view in enumerate(views)),
        key=lambda row: (ORDER.index(row.state.kind), row.name),
    )


def _row(desk: Desk, view: ModelView, now_ms: int, spark: bool) -> Row:
    model = desk.plan.models.get(view.name)
    window_ms = model.window_ms if model is not None else 300_000
    verdicts = desk.windows(view.name, DAY_MS // window_ms) if spark else ()
    line, limit = sparkline(verdicts, SPARK_WIDTH, SPARK_HEIGHT)
    state = state_of(view, model, now_ms)
    lead = leading(view)
    fill, reached, limit_text = _evidence(view, window_ms)
    zone = zone_in(desk.plan, view.name)
    return Row(
        name=view.name,
        path=model_path(view.name),
        owner=view.owner,
        mode=view.mode,
        state=state,
        lead=headline(lead) if lead is not None else None,
        since=hour(lead.onset_ms, now_ms, zone) if lead is not None else "",
        fill=fill,
        reached=reached,
        unusual=fill >= NOTABLE,
        counted="" if fill < NOTABLE else "now" if latched(view) is None else "when it opened",
        limit=f"{LINES.get(view.mode, 'page')}: {limit_text}",
        behind=behind(view, now_ms),
        closed=closed_text(view, model, now_ms),
        late=is_late(view, model, now_ms),
        learnt=round(100 * min(1.0, max(0.0, view.learnt))),
        spark=line,
        spark_limit=limit,
        incident=incident_path(lead.id) if lead is not None else "",
        held="; ".join(f"{named(h.subjects)} not judged until {hour(h.until_ms, now_ms, zone)}" for h in view.outlook.held),
    )


def state_of(view: ModelView, model: Model | None, now_ms: int) -> State:
    """The one thing to know about a model, most urgent first."""
    severities = {incident.severity for incident in view.open_incidents}
    if "page" in severities:
        return State("page", "page open")
    if "ticket" in severities:
        return State("ticket", "ticket open")
    if is_late(view, model, now_ms):
        return State("late", "no fresh data")
    if view.stage != "judging":
        return State("learning", view.stage)
    if view.last is None:
        return State("unknown", "no window yet")
    if view.last.status == "unknown":
        return State("unknown", "not judged" if view.outlook.held else view.last.reason or "unknown")
    return State("quiet", "quiet")


def leading(view: ModelView) -> Incident | None:
    """The incident that the row names; a note told nobody."""
    return next((i for i in view.open_incidents if i.severity != "note"), None)


def is_late(view: ModelView, model: Model | None, now_ms: int) -> bool:
    """Whether the data has fallen more than three windows behind: the last verdict must not pass for a new one."""
    if model is None or view.watermark_ms is None:
        return False
    return now_ms - view.watermark_ms > allowed_ms(model)


def allowed_ms(model: Model) -> int:
    """How far data may fall behind without being remarkable: three windows and what may come late."""
    return 3 * model.window_ms + model.lateness_ms


def closed_text(view: ModelView, model: Model | None, now_ms: int) -> str:
    """How old the last closed window is, and where data is late, what would be expected."""
    if view.last is None:
        return ""
    text = f"last window {span(max(0, now_ms - view.last.end_ms))} ago"
    return f"{text}; expected: {span(allowed_ms(model))} at most" if model is not None and is_late(view, model, now_ms) else text


def behind(view: ModelView, now_ms: int) -> str:
    return "no data yet" if view.watermark_ms is None else f"{span(max(0, now_ms - view.watermark_ms))} ago"


def latched(view: ModelView) -> Incident | None:
    """The open incident whose evidence was told: since it opened, the running sums count anew."""
    return latch_of([i for i in view.open_incidents if i.severity != "note"])


def _evidence(view: ModelView, window_ms: int) -> tuple[float, str, str]:
    """Share of the page's threshold (both log10), how rarely chance gets there, and where the page is; of the open page, if there is one.

    A page sets the running sums to zero: its own evidence is what the owner was told, not what stands there since. A ticket leaves
    them as they are, and its own threshold is not the page's.
    """
    last = view.last
    told: Incident | Verdict | None = latched(view)
    told = told or (last if last is not None and last.status != "unknown" else None)
    if told is None or told.threshold <= 0:
        return 0.0, "", ""
    fill = min(1.0, max(0.0, told.evidence / told.threshold))
    reached = odds(told.evidence, window_ms) if fill >= NOTABLE else "nothing unusual"
    return fill, reached, line_text(told.threshold, window_ms)


def line_text(threshold: float, window_ms: int) -> str:
    """Where the page is; without a line where the reference is too short for one.

    >>> line_text(4.414, 300_000), line_text(math.inf, 300_000)
    ('once in 90 days', 'not yet')
    """
    return odds(threshold, window_ms) if math.isfinite(threshold) else "not yet"


def line_words(mode: str) -> tuple[str, str]:
    """What stands before and after the page line in a sentence: in another mode than "page" nobody is paged there."""
    if mode not in LINES:
        return "the owner is paged at", ""
    return "what would be a page at", f", is {'a ticket' if mode == 'ticket' else 'a note that nobody is told'} in mode {mode}"


def margin_text(threshold: float, window_ms: int, budget: Budget) -> str:
    """Why the line stands farther out than the budget, in a sentence; empty where it does not.

    >>> margin_text(math.log10(90 * 288), 300_000, Budget(1.0, 30 * 86_400_000))
    'That is 3 times rarer than the budget: a margin for what the reference cannot know, wider after a page answered false.'
    >>> margin_text(math.log10(30 * 288), 300_000, Budget(1.0, 30 * 86_400_000))
    ''
    """
    times = 10.0 ** min(threshold, 300.0) * window_ms / budget.span_ms
    if not math.isfinite(threshold) or times < 1.05:
        return ""
    return (
        f"That is {times:.2g} times rarer than the budget: a margin for what the reference cannot know, wider after a page answered false."
    )


def subject_rows(subjects: Sequence[Subject]) -> list[SubjectRow]:
    return [SubjectRow(*pieces(s), round(100 * part), "under 1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %", s.onset_ms)
            for s in subjects for part in (min(1.0, max(0.0, s.share)),)]  # fmt: skip


def stretch_text(gallery: Gallery, hung: Wall, incident: Incident | None, at: Callable[[int], str]) -> str:
    """Of which windows the drawings are, in a sentence; empty where there are none."""
    if not hung.pictures:
        return ""
    when = f"{at(gallery.from_ms)} to {at(gallery.until_ms)}"
    if incident is None:
        return f"The last hour or window, {when}: {hung.stretch}."
    whose = f"Since this {incident.severity} began" if incident.resolved_ms is None else f"While this {incident.severity} lasted"
    return f"{whose}, {when}: {hung.stretch}{', a part of all' if gallery.cut_short else ''}."


def headline(incident: Incident) -> tuple[str, str, str]:
    """An incident in one line, split around the subject's name."""
    if incident.kind == "statistical" and incident.subjects:
        return pieces(incident.subjects[0])
    before, _, rest = _told(incident).partition("`")
    name, _, after = rest.rpartition("`")
    return before, name, after


def headline_text(incident: Incident) -> str:
    if incident.kind == "statistical" and incident.subjects:
        return phrase(incident.subjects[0])
    return _told(incident)


def _told(incident: Incident) -> str:
    """The message without the model's name, which stands beside it."""
    return incident.message.removeprefix(f"{incident.model}: ")


def budget_text(budget: Budget) -> str:
    """A budget as its owner wrote it.

    >>> budget_text(Budget(1.0, 30 * 86_400_000))
    '1 false page in 30 days'
    """
    count = f"{budget.false_pages:g}"
    return f"{count} false page{'' if count == '1' else 's'} in {span(budget.per_ms)}"


def fleet_sentence(found: Sequence[Row]) -> str:
    """The fleet in one sentence.

    >>> fleet_sentence([])
    'No model is watched.'
    """
    if not found:
        return "No model is watched."
    words = {
        "page": "with a page open",
        "ticket": "with a ticket open",
        "late": "without fresh data",
        "unknown": "not judged",
        "learning": "learning",
        "quiet": "quiet",
    }
    counts = [(sum(row.state.kind == kind for row in found), text) for kind, text in words.items()]
    parts = [f"{count} {text}" for count, text in counts if count]
    return f"{len(found)} model{'' if len(found) == 1 else 's'}: {', '.join(parts)}."


def rejected_words(found: Mapping[str, Mapping[str, int]]) -> list[tuple[str, str]]:
    """Each stream with what of it could not be read.

    >>> rejected_words({"requests": {"no_time": 2, "not_json": 1}})
    [('requests', '3 records could not be read since the start (2 no_time, 1 not_json)')]
    """
    return [
        (
            stream,
            f"{counted(sum(by.values()), 'record')} could not be read since the start ({', '.join(f'{n:,} {r}' for r, n in by.items())})",
        )
        for stream, by in found.items()
    ]


def runbook_of(plan: Plan, incident: Incident) -> tuple[str, bool]:
    """The runbook and whether it may be a link: a plan could hold any text, and only http(s) is followed."""
    model = plan.models.get(incident.model)
    text = (model.runbook or "") if model is not None else ""
    return text, urlsplit(text).scheme in ("http", "https")


def model_path(name: str) -> str:
    return f"/models/{quote(name, safe='')}"


def incident_path(key: str) -> str:
    return f"/incidents/{quote(key, safe='')}"


def zone_in(plan: Plan, name: str) -> tzinfo:
    """The zone of a model's times; UTC for one that has left the plan."""
    return zone_of(plan.models[name].timezone if name in plan.models else "UTC")


def zone_name(zone: tzinfo) -> str:
    return str(getattr(zone, "key", "UTC"))
