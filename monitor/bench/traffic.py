"""One model with 20 features and the JSON records of its traffic, the same for a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from monitor.batch import Records
from monitor.plan import DAY_MS, Feature, Fields, Model, Owner, Plan, Schema, Stream

MODEL, STREAM = "bench", "bench-inputs"
NUMERIC, CATEGORICAL = 15, 5
LEVELS = ("clear", "cloudy", "rain", "snow", "fog", "night", "dusk", "dawn")
WINDOW_MS = 300_000
START_MS = 20_000 * DAY_MS  # a midnight UTC in 2024


def plan(topic: str = "bench.inputs") -> Plan:
    """15 numeric and 5 categorical features, 5-minute windows, identity and event time from the record."""
    features = [Feature(f"x{i}", "numeric", ("features", f"x{i}")) for i in range(NUMERIC)]
    features += [Feature(f"c{i}", "categorical", ("features", f"c{i}")) for i in range(CATEGORICAL)]
    fields = Fields(id=("request_id",), time=("ts",), model=("model",), version=("version",))
    return Plan(
        models={MODEL: Model(MODEL, "bench", Schema(tuple(features)), window_ms=WINDOW_MS, lateness_ms=60_000)},
        owners={"bench": Owner("bench")},
        streams={STREAM: Stream(STREAM, topic, "inputs", fields=fields)},
    )


def values(seed: int, events: int, per_window: int) -> Iterator[tuple[int, bytes]]:
    """Event time in ms and record, in order of event time."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(events, NUMERIC)) * np.linspace(1, 100, NUMERIC)
    c = rng.choice(len(LEVELS), p=np.arange(len(LEVELS), 0, -1) / 36, size=(events, CATEGORICAL))
    for i in range(events):
        time_ms = START_MS + i * WINDOW_MS // per_window
        features: dict[str, float | str] = {f"x{j}": round(v, 6) for j, v in enumerate(x[i].tolist())}
        features |= {f"c{j}": LEVELS[v] for j, v in enumerate(c[i].tolist())}
        record = {
            "request_id": f"request-{i:09d}", "ts": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "model": MODEL, "version": "2024-10", "features": features, "prediction": 0.5,
        }  # fmt: skip
        yield time_ms, json.dumps(record).encode()


def polls(seed: int, events: int, per_window: int, most: int = 2000, partitions: int = 4) -> list[Records]:
    """The same records as polls of at most `most`, dealt to the partitions in turn."""
    by_partition: list[list[tuple[int, bytes]]] = [[] for _ in range(partitions)]
    for i, record in enumerate(values(seed, events, per_window)):
        by_partition[i % partitions].append(record)
    out = []
    for at in range(0, max(map(len, by_partition)), most):
        for number, everything in enumerate(by_partition):
            part = everything[at : at + most]
            out.append(
                Records(
                    STREAM, f"{STREAM}/{number}", list(range(at, at + len(part))), [time_ms for time_ms, _ in part],
                    [value for _, value in part], at + len(part), part[-1][0],
                )
            )  # fmt: skip
    return [records for records in out if records.values]
