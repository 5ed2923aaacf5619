"""Known drifts, and how a backtest did against them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from detectors.scoring import Drift, score
from monitor.errors import Misconfigured
from monitor.results import Result

HOUR_NS = 3_600_000_000_000


def drifts_of(path: str | Path) -> pd.DataFrame:
    """Drifts from a file with columns start, end (times with an offset) and perhaps model, sorted by start."""
    file = Path(path)
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    for column in ("start", "end"):
        if column not in frame.columns:
            raise Misconfigured.of("is missing", origin=str(path), field=column, right="a time with an offset, 2026-01-31T12:00:00Z")
        times = pd.to_datetime(frame[column], format="ISO8601", errors="coerce") if frame[column].dtype.kind != "M" else frame[column]
        if not isinstance(times.dtype, pd.DatetimeTZDtype) or times.isna().any():
            raise Misconfigured.of("cannot be read as times with an offset", origin=str(path), field=column, value=frame[column].iloc[0],
                                   right="2026-01-31T12:00:00Z")  # fmt: skip
        frame[column] = times.dt.tz_convert("UTC")
    return frame.sort_values("start", ignore_index=True)


def scored(result: Result, drifts: pd.DataFrame) -> dict[str, Any]:
    """Delay (hours, from the drift's start to the page), misses and false pages, over all models."""
    delays: list[float | None] = []
    false_pages = 0
    for model, windows in result.windows.groupby("model"):
        mine = drifts[drifts["model"] == model] if "model" in drifts.columns else drifts
        pages = result.pages[(result.pages["model"] == model) & (result.pages["kind"] == "statistical")]
        window_ns = _ns(windows["time"])
        step = float(min((b - a for a, b in pairwise(window_ns)), default=0))
        spans = [Drift(s, e) for s, e in zip(_ns(mine["start"]), _ns(mine["end"]), strict=True)]
        found = score(_ns(pages["time"]), spans, grace=step)
        delays += found.delays
        false_pages += found.false_alarms
    known = [delay / HOUR_NS for delay in delays if delay is not None]
    return {
        "drifts": len(delays),
        "missed": sum(delay is None for delay in delays),
        "false_pages": false_pages,
        "delay_hours_mean": round(sum(known) / len(known), 3) if known else None,
        "delay_hours": [None if delay is None else round(delay / HOUR_NS, 3) for delay in delays],
    }


def _ns(times: pd.Series[Any]) -> Sequence[float]:
    return [float(time.value) for time in times]
