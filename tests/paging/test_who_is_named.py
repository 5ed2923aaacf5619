"""What a page names: the column that has moved, however long it goes on, and nobody beside it."""

from __future__ import annotations

import json

import pandas as pd

from monitor import backtest
from tests.paging.world import LEARNT, NUMERIC, records
from tests.river.world import START_MS

SHIFTED = 10


def test_a_flood_names_nobody_else() -> None:
    """A column that never moved has a part of the evidence that all have together, which beside ten hours of 1.5 sd passed every threshold:
    the page was told anew with every column's name, and one answer would have silenced them all."""
    hours = records("shop", range(LEARNT), START_MS)
    hours += records("shop", range(LEARNT, LEARNT + SHIFTED), START_MS, shifted="x3")
    rows = [json.loads(record) for record in hours]
    events = pd.DataFrame([row["features"] | {"time": row["at"]} for row in rows])
    events["time"] = pd.to_datetime(events["time"], unit="ms", utc=True)
    features = {**dict.fromkeys(NUMERIC, "numeric"), "colour": "categorical"}
    model = {"owner": "team", "window": "1h", "schema": {"features": features}, "reference": {"learn": "8d"}}
    told = backtest({"owners": {"team": {}}, "models": {"shop": model}}, events)
    assert [list(subjects) for subjects in told.pages["subjects"]] == [["x3"]]
