"""A reference in words: since when, what it allows, the columns with their cells, the smallest shifts that can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.cuts import CategoricalCuts, Cuts
from monitor.findings import change_lines, findings
from monitor.phrases import span
from monitor.reference import Reference
from monitor.wording import when

SHOWN = 6  # levels named in the text


def described(reference: Reference, counts: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Everything there is to say, in JSON's types; `counts` per column and cell, where they are known."""
    calibration = reference.calibration
    report = dict(calibration.report) if calibration is not None else {}
    return {
        "model": reference.model, "name": reference.name, "from_ms": reference.from_ms, "until_ms": reference.until_ms,
        "stage": report.get("stage"), "days": report.get("days"),
        "columns": {name: _column(cuts, counts.get(name)) for name, cuts in sorted(reference.cuts.items())},
        "visible": report.get("visible", {}), "changes": report.get("visible_changes", {}), "findings": findings(report),
    }  # fmt: skip


def _column(cuts: Cuts, counts: NDArray[np.int64] | None) -> dict[str, Any]:
    total = int(counts.sum()) if counts is not None else 0
    shares = [round(float(n) / total, 6) for n in counts] if counts is not None and total else None
    kind = "categorical" if isinstance(cuts, CategoricalCuts) else "numeric"
    return {"kind": kind, "events": total, "cells": cuts.names(), "shares": shares, "sentence": sentence(cuts, counts)}


def sentence(cuts: Cuts, counts: NDArray[np.int64] | None) -> str:
    """One column's cells as people say them.

    >>> sentence(CategoricalCuts(("red", "green")), np.array([5, 0, 0, 0, 70, 25]))
    'red 70%, green 25%; missing 5.0%'
    """
    total = max(1, int(counts.sum())) if counts is not None else 1
    if isinstance(cuts, CategoricalCuts):
        first = 2  # missing, invalid
        named = [
            level if counts is None else f"{level} {counts[4 + i] / total:.0%}" for i, level in enumerate(cuts.levels[:SHOWN])
        ]  # fmt: skip
        more = len(cuts.levels) + len(cuts.rest) - len(named)
        text = ", ".join(named) + (f" and {more} more" if more > 0 else "") if named else "no level came twice"
    else:
        first = 3  # missing, not finite, invalid
        values = ", ".join(f"{mean:g}" for mean in cuts.means[:SHOWN])
        if np.isnan(cuts.low):
            text = "never a number"
        elif cuts.points:
            text = f"{len(cuts.means)} values: {values}" + (", ..." if len(cuts.means) > SHOWN else "")
        else:
            text = f"{cuts.low:.4g} to {cuts.high:.4g} in {len(cuts.means)} cells, middle {_middle(cuts.means, counts):.4g}"
    if counts is None:
        return text
    absent = [f"{name} {n / total:.1%}" for name, n in zip(cuts.names()[:first], counts[:first].tolist(), strict=True) if n]
    return "; ".join([text, *absent])


def _middle(means: NDArray[np.float64], counts: NDArray[np.int64] | None) -> float:
    if counts is None or not counts[4:-1].sum():
        return float(means[len(means) // 2])
    below = np.cumsum(counts[4:-1])
    return float(means[int(np.searchsorted(below, below[-1] / 2))])


def stage_words(stage: Mapping[str, Any] | None, budget_words: str = "") -> str:
    """The row of the table that holds, and what it allows.

    >>> stage_words({"name": "7 to 14 days", "season": "daily", "pages": True, "safety": 10.0})
    '7 to 14 days: season daily; pages at 10 budgets'
    """
    if stage is None:
        return "not calibrated yet: rules only"
    may = f"pages at {stage['safety']:g} budgets" if stage["pages"] else "tickets only"
    return f"{stage['name']}: season {stage['season']}; {may}{budget_words and f' ({budget_words})'}"


def told(found: Mapping[str, Any]) -> str:
    """`described` as text."""
    lines = [
        f"{found['model']}: reference {found['name']}",
        *(
            (
                f"  {when(found['from_ms'])} to {when(found['until_ms'])} ({span(found['until_ms'] - found['from_ms'])})",
                f"  {stage_words(found['stage'])}",
            )
            if found["until_ms"]
            else ("  without time: distribution only; tickets against it while the season is learnt live",)
        ),
        "columns",
    ]
    width = max((len(name) for name in found["columns"]), default=0)
    lines += [f"  {name:<{width}}  {column['sentence']}" for name, column in found["columns"].items()]
    lines += [f"finding: {finding}" for finding in found["findings"]]
    lines += visible_lines(found["visible"]) + change_lines(found["changes"])
    return "\n".join(lines)


def visible_lines(visible: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The smallest lasting shift of each numeric column that pages within an hour and within a day."""
    if not visible:
        return []
    width = max(len(name) for name in visible)
    rows = [f"  {name:<{width}}  {shift['hour']:>8.2f}  {shift['day']:>8.2f}" for name, shift in visible.items()]
    return ["smallest visible shift, in sd", f"  {'':<{width}}  {'in 1 h':>8}  {'in 1 day':>8}", *rows]
