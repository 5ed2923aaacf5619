"""Backtests side by side: known drifts are scored over what was judged, the table says what each configuration costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from monitor.errors import Misconfigured
from monitor.results import Result
from monitor.truth import drifts_of, scored
from tests.river.test_bad_input import config, frame
from tests.river.world import raincheck

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2026-01-05", tz="UTC")


def result(pages: list[float], judged_from: float = 8, days: float = 38) -> Result:
    """A month of hours of which the first days are learnt from, paged at these days."""
    ends = pd.date_range(START + pd.Timedelta(hours=1), START + days * DAY, freq="h")
    status = ["unknown" if end <= START + judged_from * DAY else "ok" for end in ends]
    windows = pd.DataFrame({"model": "m", "time": ends, "events": 40, "evidence": 0.0, "threshold": 3.0, "status": status})
    at = [START + day * DAY for day in pages]
    told = pd.DataFrame({"model": "m", "time": pd.Series(at, dtype="datetime64[us, UTC]"), "kind": "statistical"})
    return Result(pages=told, tickets=told.iloc[:0], windows=windows, report={})


def drifts(*spans: tuple[float, float], model: str = "m") -> pd.DataFrame:
    rows = [(model, START + a * DAY, START + b * DAY) for a, b in spans]
    return pd.DataFrame(rows, columns=["model", "start", "end"])


SCORES: list[tuple[list[float], list[tuple[float, float]], dict[str, Any], str]] = [
    ([10.5], [(10, 11)], {"drifts": 1, "missed": 0, "false_pages": 0, "delay_hours": [12.0]}, "found in half a day"),
    ([], [(10, 11)], {"drifts": 1, "missed": 1, "delay_hours_mean": None}, "missed"),
    ([20.0], [(10, 11)], {"missed": 1, "false_pages": 1}, "a page at another time is false"),
    ([], [(2, 3), (10, 11)], {"drifts": 1, "missed": 1, "not_judged": 1}, "nobody could find a drift in what was learnt from"),
    ([], [(60, 61)], {"drifts": 0, "missed": 0, "not_judged": 1}, "nor one after the end"),
    ([], [], {"drifts": 0, "judged_days": 30.0, "false_pages_upper_limit": pytest.approx(3.0, abs=0.01)}, "only judged days count"),
]


@pytest.mark.parametrize(("pages", "spans", "expected", "because"), SCORES, ids=[row[3] for row in SCORES])
def test_scores(pages: list[float], spans: list[tuple[float, float]], expected: dict[str, Any], because: str) -> None:
    got = scored(result(pages), drifts(*spans))
    assert {key: got[key] for key in expected} == expected, because


def test_a_backtest_that_judged_nothing_scores_nothing() -> None:
    got = scored(result([], judged_from=38), drifts((10, 11)))
    assert (got["drifts"], got["not_judged"], got["false_pages_per_30_days"]) == (0, 1, None)


BAD: list[tuple[str, str, str, str]] = [
    ("truth.txt", "", "no known kind of file", "which format?"),
    ("truth.csv", "start\n2026-01-05T00:00:00Z\n", "end: is missing", "a drift has an end"),
    ("truth.csv", "start,end\n2026-01-05,2026-01-06\n", "start: '2026-01-05' cannot be read", "midnight where?"),
    ("truth.csv", "start,end\n2026-01-06T00:00:00Z,2026-01-05T00:00:00Z\n", "is not after its start", "the wrong way round"),
    ("truth.csv", "start,end\n2026-01-05T00:00:00Z,2026-01-07T00:00:00Z\n2026-01-06T00:00:00Z,2026-01-08T00:00:00Z\n",
     "overlaps the drift before", "which of them was found?"),
    ("truth.csv", "", "cannot be read", "an empty file"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message", "because"), BAD, ids=[row[3] for row in BAD])
def test_a_truth_that_cannot_be_one_is_refused(tmp_path: Path, name: str, text: str, message: str, because: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Misconfigured, match=message):
        drifts_of(tmp_path / name)


def test_a_truth_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        drifts_of(tmp_path / "none.csv")


def test_what_if(tmp_path: Path) -> None:
    """Two budgets over the same events: one table; and a state made from frames says why it cannot be reproduced from."""
    events = frame(11)
    events["x"] += events["time"] >= START + 10 * DAY
    events.to_parquet(tmp_path / "events.parquet")
    for name, pages in (("strict", 1), ("lax", 10)):
        (tmp_path / f"{name}.json").write_text(json.dumps(config(budget={"false_pages": pages, "per": "30d"})))
    (tmp_path / "truth.csv").write_text(f"start,end\n{START + 10 * DAY},{START + 11 * DAY}\n")
    paths = [str(tmp_path / name) for name in ("strict.json", "events.parquet", "lax.json", "truth.csv")]
    out = raincheck("backtest", *paths[:2], "--and", paths[2], "--truth", paths[3])
    assert "; 1 page, " in out, "one page, not one pages"
    *_, heads, strict, lax = out.splitlines()
    assert heads.split()[:4] == ["pages", "tickets", "found", "missed"]
    assert [row.split()[0] for row in (strict, lax)] == [paths[0], paths[2]]
    assert strict.split()[3:7] == ["1", "of", "1", "0"]

    state = str(tmp_path / "state.db")
    raincheck("replay", "--config", paths[0], "--state", state, paths[1])
    (incident,) = [i for i in json.loads(raincheck("state", "export", state, "--json"))["incidents"] if i["severity"] == "page"]
    said = raincheck("replay", "--incident", incident["id"], "--config", paths[0], "--state", state, codes=(3,))
    assert "cannot be reproduced: its events came from frames" in said


def test_a_clean_reference_says_nothing(tmp_path: Path) -> None:
    """A reference without a finding, and one that the events were too short for, both end in a printed answer."""
    (tmp_path / "plan.json").write_text(json.dumps(config(reference={"learn": "28d"})))
    for name, days in (("clean", 29), ("short", 1)):
        frame(days).to_parquet(tmp_path / f"{name}.parquet")
    clean, short = (
        json.loads(raincheck("backtest", str(tmp_path / "plan.json"), str(tmp_path / f"{name}.parquet"), "--json"))["backtests"][0]
        for name in ("clean", "short")
    )
    assert (clean["findings"], clean["statuses"].get("ok", 0) > 0) == ({"m": []}, True)
    assert short["findings"]["m"] != []
