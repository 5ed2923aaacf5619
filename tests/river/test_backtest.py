"""`from monitor import backtest, learn`: the contract that outside checks use."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor import Learnt, Result, backtest, learn
from monitor.errors import Misconfigured
from tests.river.world import raincheck

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-05", tz="UTC")


def config(**more: Any) -> dict[str, Any]:
    features = {"x": {"kind": "numeric"}, "n": {"kind": "numeric"}, "c": {"kind": "categorical"}, "e": {"kind": "embedding"}}
    model: dict[str, Any] = {"owner": "team", "window": "1h", "schema": {"features": features, "prediction": {"class": "label"}}}
    return {"owners": {"team": {}}, "models": {"m": model | {"reference": {"learn": "8d"}} | more}}


def frame(days: float, start: pd.Timestamp = START, seed: int = 0, per_hour: int = 40, shift: float = 0.0) -> pd.DataFrame:
    """Every dtype that the contract names; `shift` moves x in the last day."""
    rng = np.random.default_rng(seed)
    n = int(days * 24 * per_hour)
    time = start + pd.to_timedelta(np.sort(rng.uniform(0, days * 24, n)), unit="h")
    x = rng.normal(size=n)
    x[time >= time[-1] - 24 * HOUR] += shift
    return pd.DataFrame(
        {
            "time": time,
            "x": x.astype(np.float32),
            "n": pd.Series(rng.integers(0, 5, n)).astype("Int64").mask(rng.random(n) < 0.05),
            "c": pd.Categorical(rng.choice(["red", "green", "blue"], n)),
            "e": list(rng.normal(size=(n, 6))),
            "prediction": rng.random(n) < 0.3,
        }
    )


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return learn(config(), frame(8))


@pytest.fixture(scope="module")
def found(learnt: Learnt) -> Result:
    return backtest(config(), frame(3, START + pd.Timedelta(days=8), seed=1, shift=1.0), learnt)


def test_a_shift_is_paged_with_subject_onset_and_details(found: Result) -> None:
    assert list(found.pages.columns) == [
        "model", "time", "onset", "resolved", "kind", "subjects", "details", "evidence", "threshold", "message",
    ]  # fmt: skip
    (page,) = found.pages.to_dict("records")
    shifted = START + pd.Timedelta(days=10)
    assert page["subjects"][0] == "x"
    assert page["kind"] == "statistical"
    assert pd.Timedelta(0) < page["time"] - shifted <= 4 * HOUR
    assert abs(page["onset"] - shifted) <= 2 * HOUR
    assert page["evidence"] >= page["threshold"]
    detail = page["details"][0]
    assert (detail["subject"], detail["statistic"], detail["direction"], detail["unit"]) == ("x", "location", "up", "sd")
    assert 0.5 < detail["size"] < 1.5
    assert str(found.pages["time"].dt.tz) == "UTC"
    assert "x" in page["message"]


def test_every_window_has_a_row(found: Result) -> None:
    assert list(found.windows.columns) == ["model", "time", "events", "evidence", "threshold", "status"]
    assert len(found.windows) == 72
    assert (found.windows["time"].diff().dropna() == HOUR).all()
    assert set(found.windows["status"]) <= {"ok", "ticket", "page", "unknown"}
    paged = found.windows["status"] == "page"
    assert (found.windows.loc[paged, "evidence"] >= found.windows.loc[paged, "threshold"]).all()
    assert found.windows["events"].sum() == 3 * 24 * 40


def test_the_picture_is_html_with_the_pages(found: Result) -> None:
    html = found._repr_html_()
    assert html.count("<svg") == 1
    assert "is up by" in html
    assert found.report["m"]["days"] == pytest.approx(9, abs=0.2), "eight days, and a night that learnt again"


def test_frames_may_come_in_parts_that_cut_windows(learnt: Learnt, found: Result) -> None:
    whole = frame(3, START + pd.Timedelta(days=8), seed=1, shift=1.0)
    cuts = [0, 7, 900, 901, 2000, len(whole)]
    parts = (whole.iloc[a:b] for a, b in itertools.pairwise(cuts))
    again = backtest(config(), parts, learnt)
    pd.testing.assert_frame_equal(again.windows, found.windows)
    pd.testing.assert_frame_equal(again.pages, found.pages)


def test_rows_within_a_frame_may_be_in_any_order(learnt: Learnt, found: Result) -> None:
    mixed = frame(3, START + pd.Timedelta(days=8), seed=1, shift=1.0).sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(backtest(config(), mixed, learnt).windows, found.windows)


def test_without_a_reference_the_beginning_is_learnt_from(found: Result) -> None:
    both = pd.concat([frame(8), frame(3, START + pd.Timedelta(days=8), seed=1, shift=1.0)], ignore_index=True)
    alone = backtest(config(), both)
    assert (alone.windows["status"].iloc[: 8 * 24] == "unknown").all()
    assert [p["subjects"][0] for p in alone.pages.to_dict("records")] == ["x"]


def test_empty_hours_have_rows_and_cost_nothing(learnt: Learnt) -> None:
    events = frame(2, START + pd.Timedelta(days=8), seed=4)
    night = (events["time"].dt.hour >= 20) | (events["time"].dt.hour < 6)
    result = backtest(config(), events[~night], learnt)
    assert len(result.windows) == 14 + 10 + 14, "from the first event's window to the last one's"
    assert (result.windows["events"] == 0).sum() == 10
    assert len(result.pages) == 0


def test_scores_on_request(learnt: Learnt) -> None:
    events = frame(2, START + pd.Timedelta(days=8), seed=1, shift=1.0)
    assert backtest(config(), events, learnt).scores is None
    scores = backtest(config(), events, learnt, scores=True).scores
    assert scores is not None
    assert scores.iloc[0]["subject"] == "x"


BAD: list[tuple[Any, str, str]] = [
    (lambda f: f.drop(columns="time"), "time.*is missing", "no time"),
    (lambda f: f.assign(time=f["time"].dt.tz_localize(None)), "no time zone", "naive times mean nothing"),
    (lambda f: f.drop(columns=["x", "c"]), "x.*is missing(.|\n)*c.*is missing", "all missing columns at once"),
    (lambda f: f.assign(time=f["time"].where(f["time"].dt.hour > 3)), "rows have no time", "NaT"),
]


@pytest.mark.parametrize(("spoil", "message", "because"), BAD)
def test_bad_frames_are_refused_in_words(learnt: Learnt, spoil: Any, message: str, because: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        backtest(config(), spoil(frame(1, START + pd.Timedelta(days=8))), learnt)


def test_events_before_the_end_of_the_reference_are_refused(learnt: Learnt) -> None:
    with pytest.raises(Misconfigured, match="begin before the reference ends"):
        backtest(config(), frame(2, START + pd.Timedelta(days=7)), learnt)


def test_a_reference_of_one_row_is_refused() -> None:
    with pytest.raises(Misconfigured, match="reference"):
        learn(config(), frame(8).head(1))


def test_a_reference_of_other_columns_is_refused(learnt: Learnt) -> None:
    other = config(schema={"features": {"x": {"kind": "numeric"}}})
    with pytest.raises(Misconfigured, match="learnt for other columns"):
        backtest(other, frame(1, START + pd.Timedelta(days=8)), learnt)


def test_text_half_way_is_a_schema_break_not_a_crash(learnt: Learnt) -> None:
    events = frame(2, START + pd.Timedelta(days=8), seed=5)
    late = events["time"] >= START + pd.Timedelta(days=9)
    events["x"] = events["x"].astype(object)
    events.loc[late, "x"] = "twelve"
    result = backtest(config(), events, learnt)
    rules = result.pages[result.pages["kind"] == "rule"]
    assert [subjects[0] for subjects in rules["subjects"]] == ["x"]
    assert "schema" in rules.iloc[0]["message"]


def test_several_models_in_one_frame() -> None:
    two = config()
    two["models"]["other"] = two["models"]["m"] | {"schema": {"features": {"x": {"kind": "numeric"}}}}
    both = pd.concat([frame(1).assign(model="m"), frame(1, seed=2).assign(model="other"), frame(1, seed=3).assign(model="nobody")])
    result = backtest(two, both)
    assert result.windows.groupby("model")["events"].sum().to_dict() == {"m": 960, "other": 960}


def test_the_command_prints_pages_and_scores(tmp_path: Path) -> None:
    (tmp_path / "rain.json").write_text(json.dumps(config()))
    drop = ["e"]
    plan = config()
    del plan["models"]["m"]["schema"]["features"]["e"]
    (tmp_path / "rain.json").write_text(json.dumps(plan))
    frame(8).drop(columns=drop).to_parquet(tmp_path / "reference.parquet")
    frame(3, START + pd.Timedelta(days=8), seed=1, shift=1.0).drop(columns=drop).to_csv(tmp_path / "events.csv", index=False)
    pd.DataFrame({"start": ["2026-01-15T00:00:00Z"], "end": ["2026-01-16T00:00:00Z"]}).to_csv(tmp_path / "truth.csv", index=False)
    out = raincheck(
        "backtest", str(tmp_path / "rain.json"), str(tmp_path / "events.csv"), "--reference", str(tmp_path / "reference.parquet"),
        "--truth", str(tmp_path / "truth.csv"), "--json",
    )  # fmt: skip
    (answer,) = json.loads(out.splitlines()[-1])["backtests"]
    assert answer["pages"][0]["subjects"] == ["x"]
    assert answer["score"]["missed"] == 0
    assert answer["score"]["false_pages"] == 0
    assert 0 < answer["score"]["delay_hours"][0] <= 4
