"""References as files: what is built comes back, fits or is refused, judges like what was learnt, and is compared in known sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from detectors.cuts import CategoricalCuts, learn_categorical, learn_numeric
from detectors.summaries.sample import Sample
from detectors.summaries.tally import Tally
from monitor import backtest, config, learn
from monitor.errors import Misconfigured
from monitor.plan import Plan
from monitor.reference_comparison import compare, recounted
from monitor.reference_file import ReferenceFile, read_reference
from tests.river.world import raincheck

HOUR = pd.Timedelta(hours=1)
START = pd.Timestamp("2026-01-05", tz="UTC")


def configuration(**more: Any) -> dict[str, Any]:
    features = {"x": {"kind": "numeric"}, "n": {"kind": "numeric"}, "c": {"kind": "categorical"}}
    return {"owners": {"team": {}}, "models": {"m": {"owner": "team", "window": "1h", "schema": {"features": features}, **more}}}


def frame(
    days: float, start: pd.Timestamp = START, seed: int = 0, shift: float = 0.0, levels: str = "rgb", missing: float = 0.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    size = int(days * 24 * 40)
    x = rng.normal(size=size) + shift
    x[rng.random(size) < missing] = np.nan
    return pd.DataFrame({
        "time": start + pd.to_timedelta(np.sort(rng.uniform(0, days * 24, size)), unit="h"),
        "x": x, "n": rng.integers(0, 5, size), "c": rng.choice(list(levels), size),
    })  # fmt: skip


def built(frames: pd.DataFrame) -> ReferenceFile:
    learnt = learn(configuration(), frames)
    return ReferenceFile(*learnt.models["m"], learnt.counts["m"], learnt.rows)


@pytest.fixture(scope="module")
def normal() -> ReferenceFile:
    return built(frame(8))


@pytest.fixture(scope="module")
def path(normal: ReferenceFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("built") / "normal.reference"
    normal.write(place)
    return place


def test_what_was_written_comes_back(normal: ReferenceFile, path: Path) -> None:
    again = read_reference(path)
    assert again.pack() == normal.pack()
    assert again.reference.name == normal.reference.name
    assert sum(int(counts.sum()) for counts in again.counts.values()) == 3 * len(frame(8)), "every event is in a cell of each column"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-7], "damaged"),
        (lambda data: data.replace(b'"format": 2', b'"format": 9'), "format 9"),
        (lambda data: b"PAR1" + data, "is no reference"),
        (lambda data: b"[1]\n" + data, "is no reference"),
        (lambda data: b"", "is no reference"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(path: Path, tmp_path: Path, damage: Callable[[bytes], bytes], said: str) -> None:
    bad = tmp_path / "bad.reference"
    bad.write_bytes(damage(path.read_bytes()))
    with pytest.raises(Misconfigured, match=said):
        read_reference(bad)


def test_a_backtest_with_the_file_is_one_with_what_was_learnt(path: Path) -> None:
    events = frame(2, START + 8 * 24 * HOUR, seed=1, shift=0.8)
    learnt = learn(configuration(), frame(8))
    pd.testing.assert_frame_equal(backtest(configuration(), events, path).windows, backtest(configuration(), events, learnt).windows)
    assert len(backtest(configuration(), events, str(path)).pages) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": "30m"}, "windows of another length"),
        ({"timezone": "Europe/Amsterdam"}, "another time zone"),
        ({"schema": {"features": {"x": {"kind": "numeric"}, "z": {"kind": "numeric"}}}}, "other columns"),
    ],
)
def test_a_file_that_does_not_fit_says_what_differs(path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        backtest(configuration(**change), frame(1), path)


def test_a_reference_of_another_model_is_refused(path: Path) -> None:
    plan: Plan = config.compile(configuration())
    two = replace(plan, models={name: replace(plan.models["m"], name=name) for name in ("a", "b")})
    with pytest.raises(Misconfigured, match="not watched"):
        backtest(two, frame(1).assign(model="a"), path)


def test_compared_with_itself_nothing_moved(normal: ReferenceFile) -> None:
    for moved in compare(normal, normal):
        assert (moved.psi, moved.only, moved.new, moved.vanished, moved.missing) == (0.0, "", (), (), 0.0)
        assert moved.jensen_shannon < 0.02
        assert moved.shift is None or abs(moved.shift) < 1e-9


def test_what_moved_is_told_in_known_sizes(normal: ReferenceFile) -> None:
    other = built(frame(8, seed=5, shift=0.5, levels="rgy", missing=0.1))
    found = {moved.column: moved for moved in compare(normal, other)}
    assert found["x"].shift == pytest.approx(0.5, abs=0.05)
    assert found["x"].psi == pytest.approx(0.25, abs=0.06), "d^2 for a shift of d sd"
    assert found["x"].missing == pytest.approx(10, abs=1.5)
    assert (found["c"].new, found["c"].vanished) == (("y",), ("b",))
    assert found["n"].psi < 0.01
    assert next(iter(found)) in ("x", "c"), "the farthest moved first"


def test_the_same_traffic_learnt_twice_has_not_moved(normal: ReferenceFile) -> None:
    """Two references have different cells: what is compared must not come from them."""
    for moved in compare(normal, built(frame(8, seed=9))):
        assert moved.psi < 0.01, moved
        assert moved.shift is None or abs(moved.shift) < 0.06


@given(values=st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 1)), min_size=4, max_size=400), other=st.integers(0, 3))
def test_no_event_is_lost_between_cells(values: list[float], other: int) -> None:
    half = len(values) // 2
    keys = np.arange(len(values), dtype=np.uint64)
    a, b = (Sample.fold(keys[part], np.array(values[part])) for part in (slice(half), slice(half, None)))
    one, two = learn_numeric(a), learn_numeric(b)
    counts = b.recut(two).cells()
    counts[0] += other
    again = recounted(two, counts, one)
    assert again.sum() == counts.sum()
    assert again[0] == counts[0]
    assert recounted(two, counts, two).tolist() == counts.tolist(), "over its own cells nothing changes"


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60), st.lists(st.sampled_from("cdefgh"), min_size=1, max_size=60))
def test_categories_keep_their_names(one: list[str], two: list[str]) -> None:
    cuts, other = learn_categorical(Tally.fold(one)), learn_categorical(Tally.fold(two))
    assert isinstance(other, CategoricalCuts)
    counts = Tally.fold(two).recut(other).cells()
    again = recounted(other, counts, cuts)
    assert again.sum() == len(two)
    for i, level in enumerate(cuts.levels):
        assert again[4 + i] == (two.count(level) if level in (*other.levels, *other.once) else 0)


def test_the_commands_build_show_and_compare(tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(yaml.safe_dump(configuration()))
    frame(8).to_parquet(tmp_path / "a.parquet")
    frame(8, seed=3, shift=0.4).to_csv(tmp_path / "b.csv", index=False)
    for name, source in (("a", "a.parquet"), ("b", "b.csv")):
        raincheck(
            "reference",
            "build",
            "--config",
            str(tmp_path / "rain.yaml"),
            "--out",
            str(tmp_path / f"{name}.reference"),
            str(tmp_path / source),
        )
    shown = json.loads(raincheck("reference", "show", "--json", str(tmp_path / "a.reference")))
    assert shown["stage"]["name"] == "7 to 14 days"
    assert shown["columns"].keys() == {"x", "n", "c"}
    assert shown["visible"]["x"]["day"] < shown["visible"]["x"]["hour"]
    assert "smallest visible shift" in raincheck("reference", "show", str(tmp_path / "a.reference"))
    compared = json.loads(raincheck("reference", "compare", "--json", str(tmp_path / "a.reference"), str(tmp_path / "b.reference")))
    assert compared["columns"][0]["column"] == "x"
    assert compared["columns"][0]["shift"] == pytest.approx(0.4, abs=0.05)
    raincheck("reference", "build", "--config", str(tmp_path / "rain.yaml"), "--out", str(tmp_path / "a.bin"), "x.csv", codes=(78,))
