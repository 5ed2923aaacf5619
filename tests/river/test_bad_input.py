"""What data scientists really hand over: every kind of column, every kind of mistake, each with what comes of it and why."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from monitor import Learnt, Result, backtest, learn
from monitor.backtesting import plan_of
from monitor.batch import INVALID, MISSING, NOT_FINITE, OK, Blobs, Numbers, Texts, Vectors
from monitor.errors import Misconfigured
from monitor.frame_columns import read

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


# ---- columns: what a value is read as

NUMBERS: list[tuple[Any, list[float], list[int], str]] = [
    ([1.5, None, np.nan, np.inf], [1.5, np.nan, np.nan, np.inf], [], "floats: NaN is missing and inf not finite, by themselves"),
    (pd.array([1, None, 3], "Int64"), [1, np.nan, 3], [], "pandas' own integers with NA"),
    (pd.array([True, None, False], "boolean"), [1, np.nan, 0], [], "and booleans"),
    (pd.Series([1.5, None], dtype="float64[pyarrow]"), [1.5, np.nan], [], "Arrow-backed numbers"),
    (
        pd.Series([Decimal("1.5"), Decimal("NaN"), None], dtype=object),
        [1.5, np.nan, np.nan],
        [OK, MISSING, MISSING],
        "databases send decimals",
    ),
    (pd.Series(pa.array([Decimal("1.50"), None]).to_pandas()), [1.5, np.nan], [OK, MISSING], "and so does Parquet"),
    (pd.Series([10**400, 1], dtype=object), [np.nan, 1], [NOT_FINITE, OK], "an integer beyond the floats"),
    (pd.Series([np.float32(2), np.bool_(True), True], dtype=object), [2, 1, 1], [], "numpy's own among objects"),
    (pd.Series([1j, 2.0], dtype=object), [np.nan, 2], [INVALID, OK], "a complex number has no place on a line"),
    (pd.Series([1j, 2j]), [np.nan, np.nan], [INVALID, INVALID], "nor has a column of them"),
    (pd.Series(["1.5", 2.0], dtype=object), [np.nan, 2], [INVALID, OK], "text stays text: whoever wrote it changed the schema"),
    (pd.Series(pd.to_datetime(["2026-01-01"])), [np.nan], [INVALID], "a date is no number"),
    (pd.Categorical([3, 1, 3]), [3, 1, 3], [], "a categorical of numbers holds numbers"),
]


@pytest.mark.parametrize(("given", "values", "flags", "because"), NUMBERS, ids=[row[3] for row in NUMBERS])
def test_numbers(given: Any, values: list[float], flags: list[int], because: str) -> None:
    got = read("numeric", pd.Series(given))
    assert isinstance(got, Numbers)
    np.testing.assert_array_equal(got.values, np.array(values, float), because)
    assert (got.flags is None and not flags) or (got.flags is not None and got.flags.tolist() == flags), because


TEXTS: list[tuple[Any, list[str | None], str]] = [
    (pd.Categorical(["a", None, "b"], categories=["z", "b", "a"]), ["a", None, "b"], "unused levels do not show"),
    (pd.Series(["a", None], dtype="string[pyarrow]"), ["a", None], "Arrow-backed text"),
    (pd.Series([b"a", b"\xff"], dtype=object), ["a", "\\xff"], "bytes are the text they spell"),
    (pd.Series([1, 1.0, True], dtype=object), ["1", "1", "1"], "pandas takes 1 and True for one value"),
    (pd.Series([2.0, np.nan]), ["2", None], "an integer that a missing neighbour made a float keeps its name"),
    (pd.Series([Decimal("2.50")], dtype=object), ["2.5"], "the same number is the same name, however it was written"),
    (pd.Series([["a"], "b", {"k": 1}], dtype=object), [None, "b", None], "a list or a mapping is no category"),
    (pd.Series(pd.to_datetime(["2026-01-01"])), ["2026-01-01 00:00:00"], "a date is"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "texts", "because"), TEXTS, ids=[row[2] for row in TEXTS])
def test_categories(given: Any, texts: list[str | None], because: str) -> None:
    got = read("categorical", pd.Series(given))
    assert isinstance(got, Texts)
    assert got.values == texts, because


def test_what_is_no_category_is_invalid_not_missing() -> None:
    got = read("categorical", pd.Series([["a"], None, "b"], dtype=object))
    assert isinstance(got, Texts)
    assert got.flags is not None
    assert got.flags.tolist() == [INVALID, OK, OK]


def picture() -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(out, "PNG")
    return out.getvalue()


PNG = picture()
PICTURES: list[tuple[Any, bytes | None, int, str]] = [
    (PNG, PNG, OK, "encoded bytes"),
    (bytearray(PNG), PNG, OK, "in whatever holds bytes"),
    (memoryview(PNG), PNG, OK, "in whatever holds bytes"),
    (np.frombuffer(PNG, np.uint8), PNG, OK, "as cv2.imencode returns them"),
    ({"bytes": PNG, "path": None}, PNG, OK, "as data sets of pictures keep them in Parquet"),
    (base64.b64encode(PNG).decode(), PNG, OK, "JSON lines have no bytes, so base64"),
    (None, None, MISSING, "no picture"),
    (np.nan, None, MISSING, "pandas' way of saying so"),
    ("frames/0001.png", None, INVALID, "a path is not read: the daemon could not follow it either"),
    (np.zeros((8, 8, 3), np.uint8), None, INVALID, "decoded pixels are no encoded picture"),
    (7, None, INVALID, "nor is a number"),
]


@pytest.mark.parametrize(("given", "data", "flag", "because"), PICTURES)
def test_pictures(given: Any, data: bytes | None, flag: int, because: str) -> None:
    got = read("image", pd.Series([given], dtype=object))
    assert isinstance(got, Blobs)
    assert got.values == [data], because
    assert (got.flags is None and flag == OK) or (got.flags is not None and got.flags.tolist() == [flag]), because


VECTORS: list[tuple[Any, int, str]] = [
    ([1.0, 2.0], OK, "a list"),
    ((1, 2), OK, "a tuple of integers"),
    (np.array([1, 2], np.float32), OK, "an array"),
    (np.array([[1.0, 2.0]]), OK, "an answer to one event, still in its batch of one"),
    ({"b": 2.0, "a": 1.0}, OK, "probabilities by name, in the order of names"),
    (None, MISSING, "nothing"),
    (np.nan, MISSING, "nothing, in pandas"),
    ([1.0, np.nan], NOT_FINITE, "a hole is not padding"),
    ([1.0, np.inf], NOT_FINITE, "an infinity"),
    (["1", "2"], INVALID, "texts are no numbers, here as in JSON"),
    ([], INVALID, "a vector of nothing"),
    (np.ones((2, 2)), INVALID, "a matrix"),
    ("[1, 2]", INVALID, "the text of a vector, as CSV has it"),
]


@pytest.mark.parametrize(("given", "flag", "because"), VECTORS)
def test_vectors(given: Any, flag: int, because: str) -> None:
    got = read("embedding", pd.Series([given, [1.0, 2.0]], dtype=object))
    assert isinstance(got, Vectors)
    flags = [OK, OK] if got.flags is None else got.flags.tolist()
    assert flags == [flag, OK], because
    assert got.values[1].tolist() == [1.0, 2.0], "whatever stands beside it"
    if flag == OK:
        assert got.values[0].tolist() == [1.0, 2.0], because


def test_one_wide_vector_does_not_spoil_its_neighbours() -> None:
    """It once made every other row of the frame invalid, so how frames were cut changed the verdict."""
    got = read("embedding", pd.Series([[1.0, 2.0], [1.0, 2.0, 3.0]], dtype=object))
    assert isinstance(got, Vectors)
    assert got.flags is None
    np.testing.assert_array_equal(got.values, [[1, 2, np.nan], [1, 2, 3]])


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
