"""A reference without time: what it is held against is pooled, tickets are few, and only what lies beyond the owner's minimum counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from monitor import Learnt, backtest, learn
from monitor.distribution import Pooled, besides
from monitor.errors import Misconfigured
from monitor.incident import Incident
from monitor.plan import DAY_MS, Model
from monitor.reference import Reference
from monitor.rules import Closed
from tests.river.test_bad_input import config, frame

HOUR_MS = 3_600_000
BEGIN_MS = 20_000 * DAY_MS


@pytest.fixture(scope="module")
def trained() -> Learnt:
    return learn(config(), frame(8).drop(columns="time"))


def test_its_report_has_the_shape_of_any_other(trained: Learnt) -> None:
    report = trained.report["m"]
    timed = learn(config(), frame(8))
    assert set(report) <= set(timed.report["m"])
    assert (report["stage"]["pages"], report["findings"], timed.report["m"]["why"]) == (False, [], "")
    assert report["stage"].keys() == timed.report["m"]["stage"].keys()
    assert "without time" in report["why"]
    assert repr(trained) == "Learnt(m: without time, a distribution only)"
    assert repr(timed) == "Learnt(m: 2026-01-05 00:00 UTC to 2026-01-13 00:00 UTC, stage 7 to 14 days, pages)"


def model_of(learnt: Learnt) -> Model:
    return learnt.plan.models["m"]


def windows(learnt: Learnt, hours: int, seed: int = 1, **drift: Any) -> list[Closed]:
    """Hours of forty events each, as closed windows over the reference's cells."""
    rng = np.random.default_rng(seed)
    cuts = learnt.models["m"][0].cuts
    out = []
    for hour in range(hours):
        x = rng.normal(drift.get("shift", 0.0), drift.get("scale", 1.0), 40)
        x[rng.random(40) < drift.get("missing", 0.0)] = np.nan
        levels = rng.choice(list("rgb"), 40, p=drift.get("shares", [1 / 3, 1 / 3, 1 / 3]))
        x_cells = np.bincount(cuts["x"].codes(x), minlength=cuts["x"].size)  # type: ignore[union-attr]
        c_cells = np.bincount([cuts["c"].cell(level) for level in levels], minlength=cuts["c"].size)  # type: ignore[union-attr]
        start_ms = BEGIN_MS + hour * HOUR_MS
        out.append(Closed("m", start_ms, start_ms + HOUR_MS, 40, {"x": x_cells, "c": c_cells}))
    return out


def walked(learnt: Learnt, closed: list[Closed], model: Model | None = None) -> list[Incident]:
    """Every incident as it was opened or closed, in order; the state goes through its bytes between windows."""
    reference: Reference = learnt.models["m"][0]
    pooled, open_ticket, out = Pooled(), None, []
    for window in closed:
        told = besides(model or model_of(learnt), reference, Pooled.unpack(pooled.pack()), window, open_ticket)
        pooled = told.pooled
        for incident in told.incidents:
            open_ticket = incident if incident.resolved_ms is None else None
            out.append(incident)
        assert len(told.alerts) == len(told.incidents)
    return out


def test_what_is_learnt_is_cells_and_counts(trained: Learnt) -> None:
    reference, chain = trained.models["m"]
    assert reference.calibration is None
    assert chain == b""
    assert {name: int(n.sum()) for name, n in trained.counts["m"].items()} == {"x": 7680, "c": 7680}
    assert Reference.unpack(reference.pack()) == reference or Reference.unpack(reference.pack()).pack() == reference.pack()


ROWS: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({}, 72, None, "three days of the same traffic"),
    ({"shift": 0.8}, 12, "x", "far off: after twelve windows"),
    ({"shift": 0.35}, 23, None, "less might be the hour's season: twelve windows say nothing"),
    ({"shift": 0.35}, 24, "x", "but a whole day does"),
    ({"shift": 0.08}, 24, None, "below the owner's minimum"),
    ({"scale": 1.6}, 24, "x", "wider"),
    ({"missing": 0.1}, 12, "x", "a tenth is missing"),
    ({"shares": [0.6, 0.2, 0.2]}, 12, "c", "another mix"),
]


@pytest.mark.parametrize(("drift", "hours", "subject", "because"), ROWS, ids=[row[3] for row in ROWS])
def test_decisions(trained: Learnt, drift: dict[str, Any], hours: int, subject: str | None, because: str) -> None:
    found = walked(trained, windows(trained, hours, **drift))
    assert [i.subjects[0].name for i in found] == ([] if subject is None else [subject]), because
    assert all(i.severity == "ticket" for i in found), "without a season nothing pages"
    if subject is not None:
        assert "against the reference, which has no time" in found[0].message


def test_one_ticket_a_day_and_one_while_it_is_open(trained: Learnt) -> None:
    off, well = windows(trained, 96, shift=0.8), windows(trained, 96)
    assert len(walked(trained, off)) == 1, "four days of the same"
    mixed = [*off[:24], *well[24:48], *off[48:96]]
    opened, closed, again = walked(trained, mixed)
    assert (opened.resolved_ms, closed.resolution) == (None, "recovered")
    assert closed.resolved_ms == BEGIN_MS + 2 * DAY_MS, "the first whole day that shows nothing any more"
    assert again.opened_ms - opened.opened_ms >= DAY_MS


def test_nobody_is_told_in_observe_mode(trained: Learnt) -> None:
    assert walked(trained, windows(trained, 24, shift=0.8), replace(model_of(trained), mode="observe")) == []


def test_few_events_prove_nothing(trained: Learnt) -> None:
    few = [replace(w, events=1, cells={n: np.minimum(c, 1) * (np.arange(len(c)) == c.argmax()) for n, c in w.cells.items()})
           for w in windows(trained, 24, shift=3.0)]  # fmt: skip
    assert walked(trained, few) == []


def test_the_season_is_learnt_beside_it_and_then_pages(trained: Learnt) -> None:
    """Cells from the training set, the law from the first eight days of events."""
    events = frame(11, seed=3)
    moved = events["time"] >= events["time"].iloc[0].normalize() + pd.Timedelta(days=10)
    result = backtest(config(), events.assign(x=events["x"] + moved), trained)
    assert (result.windows["status"].iloc[: 8 * 24] == "unknown").all()
    assert (result.windows["status"].iloc[8 * 24 :] != "unknown").all()
    assert [s[0] for s in result.pages["subjects"]] == ["x"]


def test_beside_a_file_without_time_a_month_is_learnt_live(tmp_path: Path) -> None:
    """Once the model of such a configuration never came to be judged: a file took the place of learning."""
    frame(2).drop(columns="time").to_parquet(tmp_path / "training.parquet")
    plan = config(reference={"file": str(tmp_path / "training.parquet")}, window="6h")
    result = backtest(plan, frame(30, seed=5), tmp_path / "training.parquet")
    assert result.windows["status"].ne("unknown").sum() == 2 * 4, "the two days after the month"


def test_frames_with_and_without_time_do_not_mix(trained: Learnt) -> None:
    with pytest.raises(Misconfigured, match="in some of the frames"):
        learn(config(), [frame(1).drop(columns="time"), frame(1)])


def test_tickets_come_while_the_season_is_still_learnt(trained: Learnt) -> None:
    events = frame(6, seed=4)
    moved = events["time"] >= events["time"].iloc[0].normalize() + pd.Timedelta(days=3)
    result = backtest(config(), events.assign(x=events["x"] + moved), trained)
    assert result.pages.empty, "pages take a season"
    assert [s[0] for s in result.tickets["subjects"]] == ["x"], "one ticket, open since"
    assert (result.windows["status"] == "unknown").all()
