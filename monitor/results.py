"""What a backtest returns: pages, tickets and windows as frames, the calibration report, and a picture for notebooks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import pandas as pd

from detectors.budget.stage import stage_of
from monitor.engine import Engine
from monitor.findings import findings
from monitor.frames import STREAM
from monitor.incident import Incident
from monitor.learning import OF_REFERENCE
from monitor.plan import Plan
from monitor.stores.store import Store
from monitor.verdict import Subject, Verdict

_INCIDENTS = ("model", "time", "onset", "resolved", "kind", "subjects", "details", "evidence", "threshold", "message")
_WINDOWS = ("model", "time", "events", "evidence", "threshold", "status")
_TYPES = {
    "model": "str", "kind": "str", "subjects": "object", "details": "object", "evidence": "float64", "threshold": "float64",
    "message": "str", "events": "int64", "status": "str", "reason": "str",
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """`pages`, `tickets`: one row per incident; `windows`: one row per model and window, empty ones too; times in UTC.

    A window's `status` is that of the evidence at its end. A page sets the evidence to zero, so the windows after it may be ok while
    it is open still: open it is from its `time` to `resolved` in `pages` (NaT: to the end of the events).

    `time` is the end of the (deciding) window; `evidence` and `threshold` are log10 in windows; `details` holds per
    subject statistic, direction, size with its unit, and share. `report`: the calibration of each model (`days`, `stage`,
    `visible`, `findings`, ...; `why` is empty, or says why it has none). `scores` (on
    request): the evidence share of each subject in windows that were not ok. `counts`: events that were not judged, with
    the reason (late: after their window had closed; unknown_model: of no model of the plan), and pictures that could not be read.
    """

    pages: pd.DataFrame
    tickets: pd.DataFrame
    windows: pd.DataFrame
    report: Mapping[str, dict[str, Any]]
    scores: pd.DataFrame | None = None
    counts: pd.DataFrame = field(default_factory=lambda: _counts({}))

    def _repr_html_(self) -> str:
        """Evidence over time per model as one SVG each, with the pages as a table below."""
        parts = [_picture(str(model), rows) for model, rows in self.windows.groupby("model", sort=True)]
        table = (
            self.pages[["model", "time", "onset", "resolved", "message"]].to_html(index=False) if len(self.pages) else "<p>No pages.</p>"
        )
        lost = f"<p>{escape(self.losses)}</p>" if self.losses else ""
        return f"<div>{''.join(parts)}{table}{lost}</div>"

    @property
    def losses(self) -> str:
        """What was not judged or not read, in words; empty where everything was."""
        rows = zip(*(self.counts[name].tolist() for name in ("model", "reason", "events")), strict=True)
        return "; ".join(f"{n} x {reason.replace('_', ' ')}{model and f' ({model})'}" for model, reason, n in rows)


def collect(plan: Plan, store: Store, engine: Engine, *, scores: bool) -> Result:
    """The frames of one walk."""
    verdicts = [v for v in store.verdicts() if v.reason != OF_REFERENCE]
    incidents = sorted(store.incidents(), key=lambda i: (i.opened_ms, i.id))
    report: dict[str, dict[str, Any]] = {}
    for name in plan.models:
        reference, standing = engine.references.get(name), engine.standings[name]
        if reference is not None and reference.calibration is not None:
            report[name] = reported(reference.calibration.report)
        else:
            report[name] = unlearnt(standing.reason or "the events ended before enough had been learnt")
    return Result(
        pages=_incidents([i for i in incidents if i.severity == "page"]),
        tickets=_incidents([i for i in incidents if i.severity != "page"]),
        windows=_windows(verdicts),
        report=report,
        scores=_scores(verdicts) if scores else None,
        counts=_counts(store.load().counts),
    )


def reported(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """A calibration's report with its findings in sentences."""
    return dict(calibration) | {"why": "", "findings": findings(calibration)}


def unlearnt(why: str) -> dict[str, Any]:
    """The report where nothing is calibrated, in the shape of one that is: the stage of no days, and why.

    >>> found = unlearnt("too little")
    >>> found["stage"]["pages"], found["why"], found["findings"], found["visible"]
    (False, 'too little', [], {})
    """
    return {"days": 0.0, "stage": asdict(stage_of(0.0)), "visible": {}, "visible_changes": {}, "why": why, "findings": []}


def _time(values: Sequence[int | None]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime(pd.array(values, dtype="Int64"), unit="ms", utc=True))


def _windows(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "model": [v.model for v in verdicts],
            "events": [v.events for v in verdicts],
            "evidence": [v.evidence if math.isfinite(v.evidence) else math.nan for v in verdicts],
            "threshold": [v.threshold if math.isfinite(v.threshold) else math.nan for v in verdicts],
            "status": [v.status for v in verdicts],
        }
    )
    frame["time"] = _time([v.end_ms for v in verdicts])
    return _typed(frame[list(_WINDOWS)]).sort_values(["model", "time"], ignore_index=True)


def _incidents(incidents: Sequence[Incident]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "model": [i.model for i in incidents],
            "kind": [i.kind for i in incidents],
            "subjects": [[s.name for s in i.subjects] for i in incidents],
            "details": [[_detail(s) for s in i.subjects] for i in incidents],
            "evidence": [i.evidence for i in incidents],
            "threshold": [i.threshold for i in incidents],
            "message": [i.message for i in incidents],
        }
    )
    frame["time"] = _time([i.opened_ms for i in incidents])
    frame["onset"] = _time([i.onset_ms for i in incidents])
    frame["resolved"] = _time([i.resolved_ms for i in incidents])
    return _typed(frame[list(_INCIDENTS)])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The same types of columns whether or not there are rows."""
    return frame.astype({name: kind for name, kind in _TYPES.items() if name in frame.columns})


def _counts(counts: Mapping[tuple[str, str], int]) -> pd.DataFrame:
    rows = [("" if model == STREAM else model, reason, n) for (model, reason), n in sorted(counts.items()) if n]
    return _typed(pd.DataFrame(rows, columns=["model", "reason", "events"]))


def _detail(subject: Subject) -> dict[str, Any]:
    return {
        "subject": subject.name, "statistic": subject.statistic, "direction": subject.direction,
        "size": subject.size, "unit": subject.unit, "share": subject.share,
    }  # fmt: skip


def _scores(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    rows = [(v.model, v.end_ms, s.name, s.statistic, s.direction, s.size, s.unit, s.share) for v in verdicts for s in v.subjects]
    frame = pd.DataFrame(rows, columns=["model", "time", "subject", "statistic", "direction", "size", "unit", "share"])
    frame["time"] = _time(frame["time"].tolist())
    return frame


def _picture(model: str, rows: pd.DataFrame) -> str:
    """Evidence (line) against threshold (dashes), log10, as inline SVG."""
    wide, high = 720, 160
    known = rows.dropna(subset=["evidence"])
    if known.empty:
        return f"<h4>{escape(model)}</h4><p>Nothing was judged.</p>"
    at = known["time"].astype("int64").to_numpy(float)
    span = max(at[-1] - at[0], 1.0)
    evidence = known["evidence"].to_numpy(float)
    lines = known["threshold"].to_numpy(float)
    finite = [x for x in lines if math.isfinite(x)]
    top = max([*evidence, *finite, 1.0]) * 1.05
    low = min(0.0, float(min(evidence)))

    def y(value: float) -> float:
        return float(high - (value - low) / (top - low) * high)

    points = " ".join(f"{(t - at[0]) / span * wide:.1f},{y(e):.1f}" for t, e in zip(at, evidence, strict=True))
    limit = (
        f'<line x1="0" x2="{wide}" y1="{y(finite[-1]):.1f}" y2="{y(finite[-1]):.1f}" stroke="#b00" stroke-dasharray="4 3"/>'
        if finite
        else ""
    )
    return (
        f"<h4>{escape(model)}</h4><svg viewBox='0 0 {wide} {high}' width='{wide}' role='img' "
        f"aria-label='log10 evidence of {escape(model)} over time'>{limit}"
        f'<polyline points="{points}" fill="none" stroke="#05a" stroke-width="1"/></svg>'
    )
