"""The calibration report: what a model's reference allows, and how its promise has been kept so far.

The promise shown to the owner is a measured limit. With k pages answered "false" in m months of judging, the true rate lies
with 95 % confidence below

    upper = chi2(0.95; 2 k + 2) / (2 m)    per month of 30 days

Pages that nobody has answered are counted beside it: each may be one more.

Source: Garwood, Fiducial limits for the Poisson distribution, Biometrika 28, 1936.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detectors.scoring import poisson_upper
from monitor.check import budget_words
from monitor.findings import change_lines, findings
from monitor.incident import Incident
from monitor.outlook import Outlook, lines, outlook
from monitor.phrases import counted
from monitor.plan import DAY_MS, Budget, Model, Schema
from monitor.reference import Reference
from monitor.reference_words import stage_words, visible_lines
from monitor.standing import Standing
from monitor.wording import when

MONTH_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class Kept:
    """The ledger: `months` judged, `pages` sent, `false_pages` answered so, `unanswered` pages; `upper` false pages a month at
    95 % confidence (None before anything was judged)."""

    months: float
    pages: int
    false_pages: int
    unanswered: int
    upper: float | None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """`stage` is the row of the honesty table (None: not calibrated), `inflated` streams with their factor, `clock` the time
    zone that the seasons follow or the clock changes that were found, `replay` the pages that the reference itself would have sent,
    `visible` the smallest shift per numeric column in sd, within an hour and a day."""

    model: str
    owner: str
    standing: str
    reason: str
    budget: str
    reference: str
    from_ms: int | None
    until_ms: int | None
    days: float | None
    stage: Mapping[str, Any] | None
    allows: str
    streams: int
    inflated: Sequence[Mapping[str, Any]]
    inflated_share: float
    clock: str
    replay: Mapping[str, int]
    visible: Mapping[str, Mapping[str, float]]
    changes: Mapping[str, Mapping[str, Mapping[str, float]]]
    findings: Sequence[str]
    ledger: Kept
    open_incidents: tuple[Incident, ...]
    outlook: Outlook


def upper_limit(false_pages: int, months: float) -> float | None:
    """95 % upper limit of the rate of false pages a month; None where nothing was observed.

    >>> round(upper_limit(0, 1.0), 2), round(upper_limit(2, 12.0), 2), upper_limit(0, 0.0)
    (3.0, 0.52, None)
    """
    return poisson_upper(false_pages) / months if months > 0 else None


def unplanned(name: str, reference: Reference | None) -> Model:
    """A stand-in for a model whose configuration is not at hand: its budget is the one that it was calibrated for."""
    calibration = reference.calibration if reference is not None else None
    per_ms = int(calibration.options.budget_ms) if calibration is not None else Budget().per_ms
    return Model(name, "", Schema(), Budget(1.0, per_ms))


def report_of(model: Model, standing: Standing, reference: Reference | None, incidents: Sequence[Incident]) -> ModelReport:
    """The report of one model from its standing, the reference in force and its incidents, resolved ones too."""
    calibrated = dict(reference.calibration.report) if reference is not None and reference.calibration is not None else {}
    pages = [i for i in incidents if i.model == model.name and i.severity == "page" and i.kind == "statistical"]
    months = standing.ledger.judged_ms / MONTH_MS
    false_pages = standing.ledger.false_pages
    return ModelReport(
        model=model.name, owner=model.owner, standing=standing.stage, reason=standing.reason, budget=budget_words(model.budget),
        reference=reference.name if reference is not None else "",
        from_ms=reference.from_ms if reference is not None else None, until_ms=reference.until_ms if reference is not None else None,
        days=calibrated.get("days"), stage=calibrated.get("stage"), allows=stage_words(calibrated.get("stage")),
        streams=calibrated.get("streams", 0), inflated=tuple(calibrated.get("inflated", ())),
        inflated_share=calibrated.get("inflated_share", 0.0), clock=calibrated.get("clock", ""),
        replay=calibrated.get("replay", {}), visible=calibrated.get("visible", {}),
        changes=calibrated.get("visible_changes", {}), findings=tuple(findings(calibrated)),
        ledger=Kept(
            round(months, 3), standing.ledger.pages, false_pages, sum(not i.answers for i in pages), upper_limit(false_pages, months)
        ),
        open_incidents=tuple(i for i in incidents if i.model == model.name and i.resolved_ms is None),
        outlook=outlook(model, standing),
    )  # fmt: skip


def as_json(report: ModelReport) -> dict[str, Any]:
    """The report in JSON's types."""
    return asdict(report)


def ledger_words(ledger: Kept) -> str:
    """The promise as it was kept, in one sentence.

    >>> ledger_words(Kept(2.0, 3, 1, 1, 2.37))
    '3 pages in 2.0 months, 1 answered "false", 1 not answered: at most 2.37 false pages a month (95 %)'
    """
    if ledger.upper is None:
        return "nothing judged yet"
    counts = f'{counted(ledger.pages, "page")} in {ledger.months:.1f} months, {ledger.false_pages} answered "false"'
    unanswered = f", {ledger.unanswered} not answered" if ledger.unanswered else ""
    return f"{counts}{unanswered}: at most {ledger.upper:.2f} false pages a month (95 %)"


def replay_words(replay: Mapping[str, int]) -> str:
    """Pages of the reference, judged by itself, at parts of the budget.

    >>> replay_words({"at_tenth": 1, "at_third": 0, "at_budget": 0})
    '0 pages at the whole budget, 0 at a third, 1 at a tenth of it'
    """
    if not replay:
        return "not replayed"
    first = counted(replay["at_budget"], "page")
    return f"{first} at the whole budget, {replay['at_third']} at a third, {replay['at_tenth']} at a tenth of it"


def told(report: ModelReport) -> str:
    """The report as text."""
    text = [
        f"{report.model}{report.owner and f' ({report.owner})'}: {report.standing}{report.reason and ', ' + report.reason}",
        f"  budget     {report.budget}",
    ]
    if report.from_ms is not None and report.until_ms is not None:
        text.append(f"  reference  {report.reference}, {when(report.from_ms)} to {when(report.until_ms)}")
    text += [f"  allows     {report.allows}", f"  ledger     {ledger_words(report.ledger)}"]
    if report.stage is not None:
        text.append(f"  clock      {report.clock}")
        text.append(f"  replay     {replay_words(report.replay)}")
        text.append(f"  inflated   {report.inflated_share:.1%} of {report.streams} streams")
        text += [f"             {s['column']} {s['statistic']}, every {s['cadence']} windows: x {s['kappa']}" for s in report.inflated[:10]]
        text += [f"  finding    {finding}" for finding in report.findings]
    text += [f"  {about:<10} {at}: {what}" for about, at, what in lines(report.outlook)]
    text += [f"  open       {i.severity} since {when(i.onset_ms)}: {i.message}" for i in report.open_incidents] or ["  open       nothing"]
    return "\n".join(text + visible_lines(report.visible) + change_lines(report.changes))
