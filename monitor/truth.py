"""Known drifts, and how a backtest did against them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from detectors.scoring import MONTH_MS, Change, poisson_upper, score
from monitor.errors import Misconfigured
from monitor.results import Result

HOUR_MS = 3_600_000


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
    """Delay (hours, from a drift's start to its page), misses and false pages per month with their Poisson limit, over all models."""
    delays: list[int] = []
    missed = false_pages = 0
    months = 0.0
    for model, windows in result.windows.groupby("model"):
        mine = drifts[drifts["model"] == model] if "model" in drifts.columns else drifts
        pages = result.pages[(result.pages["model"] == model) & (result.pages["kind"] == "statistical")]
        ends = _ms(windows["time"])
        window_ms = min((b - a for a, b in pairwise(ends)), default=0)
        changes = [Change(start, end) for start, end in zip(_ms(mine["start"]), _ms(mine["end"]), strict=True)]
        # the window in which a drift ends is still its own, and closes after it
        found = score(_ms(pages["time"]), changes, ends[0] - window_ms, ends[-1] + 1, settle_ms=2 * window_ms)
        delays += found.delays_ms
        missed += found.missed
        false_pages += found.false_alarms
        months += found.months
    return {
        "drifts": len(delays) + missed,
        "missed": missed,
        "false_pages": false_pages,
        "false_pages_per_30_days": round(false_pages / months, 3) if months > 0 else None,
        "false_pages_upper_limit": round(poisson_upper(false_pages) / months, 3) if months > 0 else None,
        "judged_days": round(months * MONTH_MS / 24 / HOUR_MS, 2),
        "delay_hours_mean": round(sum(delays) / len(delays) / HOUR_MS, 3) if delays else None,
        "delay_hours": [round(delay / HOUR_MS, 3) for delay in delays],
    }


def _ms(times: pd.Series[Any]) -> Sequence[int]:
    return [int(time.timestamp() * 1000) for time in times]
