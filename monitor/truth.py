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
    """Drifts from a file with columns start, end (times with an offset) and perhaps model, sorted by start.

    Misconfigured where the file or a time cannot be read, and where a drift ends before it begins or overlaps the next of its model.
    """
    file = Path(path)
    right = "a .csv or .parquet file with columns start, end and, where there are several models, model"
    if file.suffix not in (".csv", ".parquet"):
        raise Misconfigured.of("is no known kind of file", origin="--truth", value=path, right=right)
    try:
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    except FileNotFoundError as error:
        raise Misconfigured.of("does not exist", origin="--truth", value=path, right=right) from error
    except (OSError, ValueError) as error:
        raise Misconfigured.of(f"cannot be read: {error}", origin="--truth", value=path, right=right) from error
    for column in ("start", "end"):
        if column not in frame.columns:
            raise Misconfigured.of("is missing", origin=str(path), field=column, right="a time with an offset, 2026-01-31T12:00:00Z")
        frame[column] = _times(frame[column], str(path), column)
    frame = frame.sort_values("start", ignore_index=True)
    for _, mine in frame.groupby("model") if "model" in frame.columns else [("", frame)]:
        for i, (start, end) in enumerate(zip(mine["start"], mine["end"], strict=True)):
            if end <= start:
                raise Misconfigured.of("is not after its start", origin=str(path), field="end", value=end, right=f"a time after {start}")
            if i and start < mine["end"].iloc[i - 1]:
                before = mine["end"].iloc[i - 1]
                raise Misconfigured.of("overlaps the drift before", origin=str(path), field="start", value=start,
                                       right=f"one drift of both, or a start from {before} on")  # fmt: skip
    return frame


def _times(column: pd.Series[Any], origin: str, name: str) -> pd.Series[Any]:
    if not len(column):
        return pd.Series([], dtype="datetime64[ns, UTC]")
    times = pd.to_datetime(column, format="ISO8601", errors="coerce") if column.dtype.kind != "M" else column
    if not isinstance(times.dtype, pd.DatetimeTZDtype) or times.isna().any():
        bad = column[times.isna()] if times.isna().any() else column
        raise Misconfigured.of("cannot be read as a time with an offset", origin=origin, field=name, value=bad.iloc[0],
                               right="2026-01-31T12:00:00Z")  # fmt: skip
    return times.dt.tz_convert("UTC")


def scored(result: Result, drifts: pd.DataFrame) -> dict[str, Any]:
    """Delay (hours, from a drift's start to its page), misses and false pages per month with their Poisson limit, over all models.

    What counts is the time that was judged: not what was learnt from, nor the drifts in it (`not_judged`).
    """
    delays: list[int] = []
    missed = false_pages = not_judged = 0
    months = 0.0
    for model, windows in result.windows.groupby("model"):
        mine = drifts[drifts["model"] == model] if "model" in drifts.columns else drifts
        ends = _ms(windows["time"])
        judged = _ms(windows["time"][windows["status"] != "unknown"])
        if not judged:
            not_judged += len(mine)
            continue
        window_ms = min((b - a for a, b in pairwise(ends)), default=0)
        pages = result.pages[(result.pages["model"] == model) & (result.pages["kind"] == "statistical")]
        changes = [Change(start, end) for start, end in zip(_ms(mine["start"]), _ms(mine["end"]), strict=True)]
        begin_ms, until_ms = judged[0] - window_ms, judged[-1] + 1
        within = [change for change in changes if change.end_ms > begin_ms and change.start_ms < until_ms]
        not_judged += len(changes) - len(within)
        # the window in which a drift ends is still its own, and closes after it
        found = score(_ms(pages["time"]), within, begin_ms, until_ms, settle_ms=2 * window_ms)
        delays += found.delays_ms
        missed += found.missed
        false_pages += found.false_alarms
        months += found.months
    return {
        "drifts": len(delays) + missed,
        "missed": missed,
        "not_judged": not_judged,
        "false_pages": false_pages,
        "false_pages_per_30_days": round(false_pages / months, 3) if months > 0 else None,
        "false_pages_upper_limit": round(poisson_upper(false_pages) / months, 3) if months > 0 else None,
        "judged_days": round(months * MONTH_MS / 24 / HOUR_MS, 2),
        "delay_hours_mean": round(sum(delays) / len(delays) / HOUR_MS, 3) if delays else None,
        "delay_hours": [round(delay / HOUR_MS, 3) for delay in delays],
    }


def _ms(times: pd.Series[Any]) -> Sequence[int]:
    return [int(time.timestamp() * 1000) for time in times]
