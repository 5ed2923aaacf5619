"""What data scientists really hand over: every kind of column, every kind of mistake, each with what comes of it and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from monitor import Learnt, Result, backtest, learn
from monitor.backtesting import plan_of
from monitor.errors import Misconfigured

START = pd.Timestamp("2026-01-05", tz="UTC")
LATER = START + pd.Timedelta(days=8)
Frame: TypeAlias = Any  # the stubs of pandas know fewer columns than are tried here


def config(features: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"features": features or {"x": "numeric", "c": "categorical"}}
    return {
        "owners": {"team": {}},
        "models": {"m": {"owner": "team", "window": "1h", "schema": schema, "reference": {"learn": "8d"}} | more},
    }


def frame(days: float, start: pd.Timestamp = START, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    n = int(days * 24 * 40)
    time = start + pd.to_timedelta(np.sort(rng.integers(0, int(days * 86_400_000), n)), unit="ms")
    return pd.DataFrame({"time": time, "x": rng.normal(size=n), "c": rng.choice(list("rgb"), n)})


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return learn(config(), frame(8))


@pytest.fixture(scope="module")
def events() -> Frame:
    return frame(2, LATER, seed=1)


@pytest.fixture(scope="module")
def plain(learnt: Learnt, events: Frame) -> Result:
    return backtest(config(), events, learnt)


# ---- frames: the same events in another shape are judged alike


def by_models_column(f: Frame) -> Frame:
    return pd.concat([f.assign(model="m"), f.assign(model="other", x=9.0)])


ALIKE: list[tuple[Callable[[Frame], Any], str]] = [
    (lambda f: f.assign(time=f["time"].dt.tz_convert("Asia/Tokyo")), "a zone is a way of writing a time"),
    (lambda f: f.assign(time=f["time"].astype("timestamp[us, tz=UTC][pyarrow]")), "times as Arrow keeps them"),
    (lambda f: f.assign(time=[t.to_pydatetime() for t in f["time"]]), "Python's own times"),
    (lambda f: f.assign(time=f["time"].astype(object)), "times among objects"),
    (lambda f: f.set_axis([0] * len(f)), "an index that repeats itself means nothing"),
    (lambda f: f.sample(frac=1, random_state=0), "rows within a frame are sorted"),
    (lambda f: [f.iloc[:500], f.iloc[:0], pd.DataFrame(), f.iloc[500:]], "frames without rows are passed over"),
    (lambda f: (f.iloc[i : i + 37] for i in range(0, len(f), 37)), "windows straddle frames"),
    (lambda f: f.assign(more=object(), **{"7": 1}), "columns that nobody watches"),
    (by_models_column, "rows of other models are left out, also where the plan has one model"),
]


@pytest.mark.parametrize(("shape", "because"), ALIKE, ids=[row[1] for row in ALIKE])
def test_the_same_events_in_another_shape(
    learnt: Learnt, events: Frame, plain: Result, shape: Callable[[Frame], Any], because: str
) -> None:
    pd.testing.assert_frame_equal(backtest(config(), shape(events), learnt).windows, plain.windows)


REFUSED: list[tuple[Callable[[Frame], Any], str, str]] = [
    (lambda f: f.drop(columns="time"), "time: is missing", "nobody can tell when"),
    (lambda f: f.set_index("time"), "it is the index", "a slip with an easy way out"),
    (lambda f: f.assign(time=f["time"].dt.tz_localize(None)), "has no time zone", "noon where?"),
    (lambda f: f.assign(time=f["time"].astype(str)), "no times with a zone", "text is for files"),
    (lambda f: f.assign(time=f["time"].astype("int64")), "no times with a zone", "seconds? milliseconds?"),
    (lambda f: f.assign(time=f["time"].where(f.index > 3)), "4.*rows have no time", "an event without a time has no window"),
    (lambda f: f.drop(columns=["x", "c"]), "x: is missing(.|\n)*c: is missing", "all mistakes at once"),
    (lambda f: pd.concat([f, f[["x"]]], axis=1), "x: stands twice", "which one?"),
    (lambda f: f.to_dict("list"), "'dict' is no frame", "a mapping has no rows"),
    (lambda f: [f, f["x"]], "frame 1: 'Series' is no frame", "one of several, by its number"),
    (lambda f: None, "'NoneType' is no frame", "nothing at all"),
    (lambda f: f.assign(model="nobody"), "belong to no watched model", "a misspelt name must not look like silence"),
]


@pytest.mark.parametrize(("spoil", "message", "because"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_read_is_refused_in_words(
    learnt: Learnt, events: Frame, spoil: Callable[[Frame], Any], message: str, because: str
) -> None:
    with pytest.raises(Misconfigured, match=message):
        backtest(config(), spoil(events), learnt)


def test_late_events_are_counted_and_told(learnt: Learnt, events: Frame) -> None:
    """From frame to frame time goes on, as in a live run: what comes after its window has closed is not judged, and not hidden."""
    result = backtest(config(), [events.iloc[1000:], events.iloc[:1000]], learnt)
    (row,) = result.counts.to_dict("records")
    assert (row["model"], row["reason"]) == ("m", "late")
    assert row["events"] + result.windows["events"].sum() == len(events), "every event is judged or counted"
    assert "late (m)" in result._repr_html_()


def test_without_rows_the_columns_are_of_the_same_types(learnt: Learnt, events: Frame, plain: Result) -> None:
    empty = backtest(config(), events.iloc[:0], learnt)
    for one, other in ((empty.windows, plain.windows), (empty.pages, backtest(config(), events.assign(x=9.0), learnt).pages)):
        assert one.dtypes.to_dict() == other.dtypes.to_dict()


# ---- models


def two_models() -> dict[str, Any]:
    both = config({"x": "numeric"})
    both["models"]["n"] = both["models"]["m"] | {"schema": {"features": {"y": "numeric"}}}
    return both


def test_each_models_frames_need_its_own_columns_only() -> None:
    """A pipeline per model writes a frame per model; a concatenation fills the other one's columns with NaN."""
    one, other = frame(1).assign(model="m"), frame(1, seed=2).rename(columns={"x": "y"}).assign(model="n")
    apart = [part for a, b in zip(np.array_split(np.arange(960), 24), np.array_split(np.arange(960), 24), strict=True)
             for part in (one.iloc[a], other.iloc[b])]  # fmt: skip
    together = backtest(two_models(), pd.concat([one, other]))
    assert together.windows.groupby("model")["events"].sum().to_dict() == {"m": 960, "n": 960}
    pieces = backtest(two_models(), apart)
    assert pieces.windows["events"].sum() + pieces.counts["events"].sum() == 1920


def test_a_feature_may_be_called_model() -> None:
    cars = frame(1).assign(model=lambda f: f["c"])
    assert backtest(config({"model": "categorical"}), cars).windows["events"].sum() == len(cars)


# ---- references


def bad_references() -> list[tuple[Callable[[Frame], Any], str, str]]:
    return [
        (lambda f: f.head(1), "at least 8 are needed", "one row"),
        (lambda f: f.iloc[:0], "no event", "no row"),
        (lambda f: [], "no event", "no frame"),
        (lambda f: f.head(200), "at least 8 are needed", "five windows"),
        (lambda f: f.rename(columns={"x": "y"}), "x: is missing", "other columns than the plan"),
        (lambda f: [f.iloc[3000:], f.iloc[:3000]], "is out of order", "a reference of which half is thrown away is none"),
        (lambda f: 5, "'int' is no frame", "something else altogether"),
    ]


@pytest.mark.parametrize(("spoil", "message", "because"), bad_references())
def test_a_reference_that_cannot_be_one_is_refused(spoil: Callable[[Frame], Any], message: str, because: str) -> None:
    with pytest.raises(Misconfigured, match=message):
        learn(config(), spoil(frame(8)))


def test_events_may_begin_in_the_window_in_which_the_reference_ends(learnt: Learnt) -> None:
    """A frame cut anywhere has a window in both halves: it is told as unknown, the next one is judged."""
    whole = frame(9)
    cut = START + pd.Timedelta(days=8, minutes=20)
    result = backtest(config(), whole[whole["time"] >= cut], whole[whole["time"] < cut])
    assert result.windows["status"].tolist()[:2] == ["unknown", "ok"]


def test_a_reference_after_the_events_is_refused(learnt: Learnt) -> None:
    with pytest.raises(Misconfigured, match="begin before the reference ends"):
        backtest(config(), frame(2, START - pd.Timedelta(days=9)), learnt)


ONE_VALUE: list[tuple[dict[str, Any], dict[str, Any], list[str], str]] = [
    ({"x": 1.0}, {"x": 1.0}, [], "a constant that stays is no news"),
    ({"x": 1.0}, {"x": 2.0}, ["x"], "a constant that moves is"),
    ({"c": "r"}, {"c": "q"}, ["c"], "so is a category"),
    ({"x": np.nan}, {"x": np.nan}, [], "what never was there is not missed"),
    ({"x": np.nan}, {}, ["x"], "what never was there and comes is told"),
]


@pytest.mark.parametrize(("before", "after", "subjects", "because"), ONE_VALUE, ids=[row[3] for row in ONE_VALUE])
def test_one_distinct_value(events: Frame, before: dict[str, Any], after: dict[str, Any], subjects: list[str], because: str) -> None:
    result = backtest(config(), events.assign(**after), learn(config(), frame(8).assign(**before)))
    assert [list(s)[:1] for s in result.pages["subjects"]] == [[s] for s in subjects], because


def test_gaps_in_a_reference_cost_nothing(events: Frame) -> None:
    holes = frame(8)[lambda f: ~f["time"].dt.day.isin([7, 8])]
    assert len(backtest(config(), events, holes).pages) == 0


def predicted(f: Frame, seed: int) -> Iterable[Any]:
    return np.random.default_rng(seed).choice(["yes", "no"], len(f))


def test_predictions_that_the_reference_had_are_asked_for(events: Frame) -> None:
    said = config()
    said["models"]["m"]["schema"]["prediction"] = {"class": "verdict"}
    reference = learn(said, frame(8).assign(verdict=lambda f: predicted(f, 1)))
    with pytest.raises(Misconfigured, match="prediction: is missing"):
        backtest(said, events, reference)
    assert len(backtest(said, events.assign(prediction=predicted(events, 2)), reference).pages) == 0


@pytest.mark.parametrize("days", [3, 40], ids=["a long weekend", "a summer"])
def test_traffic_that_stops_and_comes_back_costs_nothing(learnt: Learnt, days: int) -> None:
    """The clock of the budget once ran through the gap: a weekend was a ticket, three years a page."""
    quiet, later = frame(1, LATER, seed=3), frame(1, LATER + pd.Timedelta(days=days), seed=4)
    result = backtest(config(), [quiet, later], learnt)
    assert (len(result.pages), len(result.tickets)) == (0, 0)
    moved = backtest(config(), [quiet, later.assign(x=later["x"] + 1)], learnt)
    assert [s[0] for s in moved.pages["subjects"]] == ["x"], "and nothing is missed for it"


FINDINGS: list[tuple[Callable[[Frame], Frame], str | None, str]] = [
    (
        lambda f: f.assign(x=f["x"].astype(object).where(f.index < 4000, "much")),
        "`x`: 4.% of its values .* cannot be read",
        "text half way",
    ),
    (lambda f: f.assign(x=None), "`x` never had a value", "a feature that is never there"),
    (lambda f: f[lambda g: g["time"].dt.hour != 3], "no traffic was learnt for Mon 03:00 to 04:00", "an hour without traffic"),
    (
        lambda f: f.assign(x=f["x"].where((f.index < 3000) | (f.index > 3240))),
        "incident-like stretch.*`x` is missing.*stay in",
        "an incident",
    ),
    (lambda f: f, "days of the week are not learnt", "eight days know hours only"),
]


@pytest.mark.parametrize(("spoil", "sentence", "because"), FINDINGS, ids=[row[2] for row in FINDINGS])
def test_what_is_odd_in_a_reference_is_said(spoil: Callable[[Frame], Frame], sentence: str, because: str) -> None:
    said = "\n".join(learn(config(), spoil(frame(8))).report["m"]["findings"])
    assert re.search(sentence, said), said


def test_an_incident_in_two_weeks_of_reference_is_left_out_and_found_again() -> None:
    spoilt = frame(14)
    hours = (spoilt["time"] >= START + pd.Timedelta(days=9, hours=5)) & (spoilt["time"] < START + pd.Timedelta(days=9, hours=11))
    spoilt.loc[hours, "x"] += 3
    learnt = learn(config(), spoilt)
    assert re.search(r"stretch from 2026-01-14 04:00 UTC to 2026-01-14 12:00 UTC \(.*`x` is up.*8 windows are left out",
                     "\n".join(learnt.report["m"]["findings"]))  # fmt: skip
    later = frame(2, START + pd.Timedelta(days=14), seed=6)
    assert len(backtest(config(), later, learnt).pages) == 0
    moved = later.assign(x=later["x"] + 3 * (later["time"] >= START + pd.Timedelta(days=15)))
    (page,) = backtest(config(), moved, learnt).pages.to_dict("records")
    assert page["subjects"][0] == "x"
    assert page["time"] <= START + pd.Timedelta(days=15, hours=2)


# ---- configurations made in code

CONFIGS: list[tuple[dict[str, Any], str | None, str]] = [
    ({"budget": {"false_pages": 0, "per": "30d"}}, "false_pages: '0' is not above 0", "no false page at all cannot be promised"),
    ({"budget": {"false_pages": -1, "per": "30d"}}, "false_pages: '-1' is not above 0", "negative"),
    ({"budget": "1 per month"}, "budget: '1 per month' is not a mapping; right would be: {false_pages: 1, per: 30d}", "in words"),
    ({"budget": {"false_pages": "one", "per": "month"}},
     "'one' is not a number(.|\n)*'month' is not a length of time", "in words, by parts"),
    ({"budget": {"false_pages": 1, "per": 30}}, "per: '30' has no unit", "thirty of what?"),
    ({"budget": {"false_pages": float("nan"), "per": "30d"}}, "is not a finite number", "no number at all"),
    ({"window": "1d", "reference": {"learn": "12h"}},
     "learn: '12h' is too few windows to learn from.*8d", "a window longer than the reference"),
    ({"window": "6h", "reference": {"learn": "1d"}}, "learn: '1d' is too few windows", "four windows teach nothing"),
    ({"reference": {"learn": "0d"}}, "learn: '0d' is shorter than 1h", "nothing to learn from"),
    ({"window": pd.Timedelta(hours=1), "reference": {"learn": pd.Timedelta(days=8)}}, None, "lengths of time as pandas has them"),
    ({"budget": {"false_pages": np.int64(1), "per": pd.Timedelta(days=30)}}, None, "numbers as numpy has them"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message", "because"), CONFIGS, ids=[row[2] for row in CONFIGS])
def test_configurations(change: dict[str, Any], message: str | None, because: str) -> None:
    if message is None:
        assert plan_of(config(**change)).models["m"].digest == plan_of(config()).models["m"].digest
        return
    with pytest.raises(Misconfigured, match=message):
        backtest(config(**change), frame(1))


def test_a_reference_shorter_than_eight_windows_is_refused() -> None:
    with pytest.raises(Misconfigured, match="1 window of history, at least 8"):
        backtest(config(window="1d", reference={"learn": "8d"}), frame(1, LATER), frame(0.5))


def test_the_end_before_enough_was_learnt_is_told() -> None:
    result = backtest(config(), frame(2))
    assert (result.windows["status"] == "unknown").all()
    assert "ended before enough had been learnt" in result.report["m"]["why"]
