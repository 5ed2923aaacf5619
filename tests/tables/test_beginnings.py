"""Where a stream begins whose models want a topic's past, and what `raincheck check` says of it: a table of plans."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.check import summary
from monitor.config import compile as compiled
from monitor.plan import DAY_MS, Plan

FILE = {"file": "normal.reference"}
LAST_30, LAST_60, FIRST_30, LEARN = "the topics' last 30d", "the topics' last 60d", "the first 30d of the topics' last 60d", "is learnt for"


def since(days: int) -> dict[str, str]:
    return {"topic_since": f"{days}d"}


def plan(references: dict[str, dict[str, str]], streams: dict[str, str], start: str = "beginning") -> Plan:
    """`streams` is {name: "role", or "role of model"}."""
    fields: dict[str, Any] = {"id": "id", "time": "at", "model": "model"}
    said = {name: dict(zip(("role", "model"), text.split(" of "), strict=False)) for name, text in streams.items()}
    model = {"owner": "team", "schema": {"features": {"x": "numeric"}, "prediction": {"number": "y"}, "label": {"number": "z"}}}
    return compiled(
        {
            "kafka": {"bootstrap": ["broker:9092"], "start": start},
            "streams": {name: {"topic": name, "fields": fields} | stream for name, stream in said.items()},
            "owners": {"team": {}},
            "models": {name: model | {"reference": reference} for name, reference in references.items()},
        }
    )


TWO = {"in": "inputs", "out": "predictions"}
OWN = {"in-a": "inputs of a", "in-b": "inputs of b", "labels": "outcomes"}
MIXED = {"in": "inputs", "out-a": "predictions of a", "out-b": "predictions of b"}


@pytest.mark.parametrize("start", ["beginning", "end"])
@pytest.mark.parametrize(
    ("references", "streams", "days", "words", "noted", "because"),
    [
        ({"a": since(30)}, TWO, {"in": 30, "out": 30}, {"a": LAST_30}, [], "one model, one age"),
        ({"a": {"learn": "30d"}}, TWO, {"in": None, "out": None}, {"a": LEARN}, [], "nobody asked for an age"),
        (
            {"a": since(30), "b": since(60)},
            TWO,
            {"in": 60, "out": 60},
            {"a": FIRST_30, "b": LAST_60},
            [],
            "the largest counts, and a learns there",
        ),
        (
            {"a": since(30), "b": {"learn": "30d"}},
            TWO,
            {"in": None, "out": None},
            {"a": LEARN},
            ["a"],
            "b learns from where kafka.start says",
        ),
        ({"a": since(30), "b": FILE}, TWO, {"in": None, "out": None}, {"a": LEARN}, ["a"], "b is judged from where kafka.start says"),
        (
            {"a": since(30), "b": {"learn": "30d"}},
            OWN,
            {"in-a": 30, "in-b": None, "labels": None},
            {"a": LAST_30, "b": LEARN},
            [],
            "streams of their own; labels gate no window, so b may read older ones",
        ),
        (
            {"a": since(30), "b": since(60)},
            OWN,
            {"in-a": 30, "in-b": 60, "labels": 60},
            {"a": LAST_30, "b": LAST_60},
            [],
            "labels for the longest past",
        ),
        (
            {"a": since(30), "b": since(60)},
            MIXED,
            {"in": 60, "out-a": 60, "out-b": 60},
            {"a": FIRST_30, "b": LAST_60},
            [],
            "a's inputs begin 60 days back, and without predictions beside them 30 days would be learnt as if there were none",
        ),
        (
            {"a": since(30), "b": {"learn": "30d"}},
            MIXED,
            {"in": None, "out-a": None, "out-b": None},
            {"a": LEARN},
            ["a"],
            "the same for a beginning",
        ),
    ],
)
def test_a_stream_begins_where_all_its_models_can(
    references: dict[str, dict[str, str]],
    streams: dict[str, str],
    days: dict[str, int | None],
    words: dict[str, str],
    noted: list[str],
    because: str,
    start: str,
) -> None:
    made = plan(references, streams, start)
    assert {name: made.since_ms(name) for name in streams} == {name: d and d * DAY_MS for name, d in days.items()}, because
    said = summary(made)
    for model, expected in words.items():
        of_model = said.partition(f"model {model}: ")[2].splitlines()[2]
        assert expected in of_model, because
    notes = [line for line in said.splitlines() if "in spite of topic_since" in line]
    assert notes == [
        f"note: model {model}: its streams begin at their {start} in spite of topic_since, for they also carry b" for model in noted
    ]
