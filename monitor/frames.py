"""DataFrames as slices: the door by which recorded frames enter the same engine as a topic does.

A frame has a tz-aware column `time`, a column `model` where the plan has several, features under their schema names,
and `prediction`, `probabilities`, `label` where the schema has them (or the name of their path, when no other output
claims it). How values are read is told in `monitor.frame_columns`.

Rows within a frame are sorted by time. From frame to frame time goes on: a row that comes after its window has closed is
counted as late and not judged, as in a live run; a row of a model that the plan does not have is counted, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from detectors.summaries.sample import RECORD
from monitor.batch import Batch, Role, Slice, Values
from monitor.errors import Misconfigured, Mistake
from monitor.frame_columns import read
from monitor.plan import Model, Plan, Stream

STREAM, PARTITION = "frames", "frames/0"
ROWS = 65_536  # per slice: large enough for numpy, small enough for memory
SAMPLED = RECORD  # rows in a window of frames without time: as many values as its sample keeps
Frames = pd.DataFrame | Iterable[pd.DataFrame]


def plan_for_frames(plan: Plan) -> Plan:
    """The same plan, reading one log of frames instead of its streams."""
    return replace(plan, streams={STREAM: Stream(STREAM, STREAM, "inputs")})


def slices(plan: Plan, frames: Frames, *, origin: str) -> Iterator[Slice]:
    """Slices of the frames in the order given, rows within a frame sorted by time (stable); frames without rows are passed over."""
    seq = 0
    for name, frame in named(frames, origin):
        if not len(frame):
            continue
        timed = _checked(plan, frame, name)
        ordered = timed if timed["time"].is_monotonic_increasing else timed.sort_values("time", kind="stable")
        for start in range(0, len(ordered), ROWS):
            part = ordered.iloc[start : start + ROWS]
            yield _slice(plan, part, seq)
            seq += len(part)


def peeked(frames: Frames, origin: str) -> tuple[bool, Frames]:
    """Do the frames tell times? By the first one that has rows or a column `time`; and the frames, whole again."""
    if isinstance(frames, pd.DataFrame):
        return _timed(frames), frames
    rest = (frame for _, frame in named(frames, origin))
    seen: list[pd.DataFrame] = []
    for frame in rest:
        seen.append(frame)
        if len(frame):
            break
    return not seen or _timed(seen[-1]), chain(seen, rest)


def _timed(frame: pd.DataFrame) -> bool:
    return "time" in frame.columns or frame.index.name == "time" or not len(frame)


def stamped(frames: Frames, origin: str, window_ms: int) -> Iterator[pd.DataFrame]:
    """Frames without time as if their rows had come in turn to windows of `SAMPLED` rows; Misconfigured where one tells times after all.

    A window keeps a sample of so many values: more rows in one would not be seen, one after the other they might be sorted.
    """
    first = 0
    for name, frame in named(frames, origin):
        if "time" in frame.columns:
            raise Misconfigured.of("is there in some of the frames", origin=name, field="time", right="times in all frames, or in none")
        windows = -(-len(frame) // SAMPLED)
        if windows:
            at = first + np.arange(len(frame), dtype=np.int64) % windows
            yield frame.assign(time=pd.to_datetime(at * window_ms, unit="ms", utc=True))
        first += windows


def named(frames: Frames, origin: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each frame with what mistakes call it; Misconfigured where something is no frame."""
    if isinstance(frames, pd.DataFrame):
        yield origin, frames
        return
    right = "a pandas DataFrame, or an iterable of them in time order"
    if isinstance(frames, str | bytes | dict | pd.Series | np.ndarray) or not isinstance(frames, Iterable):
        raise Misconfigured.of("is no frame", origin=origin, value=type(frames).__name__, right=right)
    for number, frame in enumerate(frames):
        if not isinstance(frame, pd.DataFrame):
            raise Misconfigured.of("is no frame", origin=f"{origin}, frame {number}", value=type(frame).__name__, right=right)
        yield f"{origin}, frame {number}", frame


def _checked(plan: Plan, frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """The frame with its times as pandas' own; every mistake of one frame at once."""
    mistakes: list[Mistake] = []

    def wrong(field: str, value: object, problem: str, right: str) -> None:
        mistakes.append(Mistake(origin, None, field, None if value is None else str(value), problem, right))

    wanted = {"time", "model", *(feature.name for model in plan.models.values() for feature in model.schema.features)}
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()] if name in wanted})
    for name in twice:
        wrong(name, None, "stands twice", "one column of that name")
    if twice:
        raise Misconfigured(mistakes)
    times = None
    if "time" not in frame.columns:
        hint = "; it is the index: frame.reset_index()" if frame.index.name == "time" else ""
        wrong("time", None, "is missing", f"a column of tz-aware times (pd.to_datetime(..., utc=True)){hint}")
    else:
        times = _times(frame["time"])
        if isinstance(times, str):
            wrong("time", frame["time"].dtype, times, "a tz-aware column, for example frame['time'].dt.tz_localize('UTC')")
        elif times.isna().any():
            wrong("time", int(times.isna().sum()), "rows have no time", "rows without a time left out")
    if len(plan.models) > 1 and "model" not in frame.columns:
        wrong("model", None, "is missing", f"a column that says which of {', '.join(sorted(plan.models))} each row belongs to")
    known = ", ".join(map(str, list(frame.columns)[:12]))
    present = set(frame["model"].astype(str)) if _tells_models(plan, frame) else set(plan.models)
    for model in plan.models.values():
        for feature in model.schema.features if model.name in present else ():
            if feature.name not in frame.columns:
                wrong(feature.name, None, "is missing", f"a column for every feature of model {model.name} (the frame has {known})")
    if mistakes or times is None or isinstance(times, str):
        raise Misconfigured(mistakes)
    return frame if times is frame["time"] else frame.assign(time=times)


def _times(column: pd.Series[Any]) -> pd.Series[Any] | str:
    """The column as tz-aware times of pandas' own, or what is wrong with it."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column
    objects = column.tolist() if pd.api.types.is_object_dtype(dtype) else []
    if isinstance(dtype, pd.ArrowDtype) and getattr(dtype.pyarrow_dtype, "tz", None):
        return pd.Series(pd.to_datetime(column, utc=True).array, index=column.index).astype(pd.DatetimeTZDtype("us", "UTC"))
    if objects and all(x is None or x is pd.NaT or (isinstance(x, datetime) and x.tzinfo is not None) for x in objects):
        return pd.to_datetime(column, utc=True)
    naive = pd.api.types.is_datetime64_dtype(dtype) or (objects and all(isinstance(x, datetime) for x in objects))
    return "has no time zone" if naive else "holds no times with a zone"


def _tells_models(plan: Plan, frame: pd.DataFrame) -> bool:
    """Does the column `model` say whose a row is? Not where the only model has a feature of that name."""
    mine = len(plan.models) > 1 or all(f.name != "model" for m in plan.models.values() for f in m.schema.features)
    return mine and "model" in frame.columns


def _slice(plan: Plan, frame: pd.DataFrame, first: int) -> Slice:
    seq = np.arange(first, first + len(frame), dtype=np.int64)
    unit = frame["time"].dt.as_unit("ms")
    time_ms = unit.astype("int64").to_numpy()
    batches: list[Batch] = []
    counts: dict[str, int] = {}
    if _tells_models(plan, frame):
        names = frame["model"].astype(str).to_numpy()
        parts = [(model, np.flatnonzero(names == model.name)) for model in plan.models.values()]
        unknown = len(frame) - sum(len(rows) for _, rows in parts)
        if unknown:
            counts["unknown_model"] = unknown
    else:
        parts = [(next(iter(plan.models.values())), np.arange(len(frame)))]
    for model, rows in parts:
        if not len(rows):
            continue
        whole = len(rows) == len(frame)
        part = frame if whole else frame.iloc[rows]
        for role, columns in _columns(model, part).items():
            batches.append(Batch(model.name, role, PARTITION, "", seq[rows], time_ms[rows], columns))
    size = int(frame.memory_usage(index=False).sum())
    return Slice(STREAM, PARTITION, first + len(frame), int(time_ms[-1]), tuple(batches), len(frame), size, counts=counts)


def _columns(model: Model, frame: pd.DataFrame) -> dict[Role, dict[str, Values]]:
    """The model's columns by role; a column of the schema that is an output may be absent."""
    found: dict[Role, dict[str, Values]] = {}
    inputs = {f.name: read(f.kind, frame[f.name]) for f in model.schema.features}
    if inputs:
        found["inputs"] = inputs
    prediction, label = model.schema.prediction, model.schema.label
    outputs: dict[str, Values] = {}
    if prediction is not None:
        taken = {label.label, label.number} if label is not None else set()
        for name, path, kind in (
            ("prediction", prediction.label, "categorical"),
            ("prediction", prediction.number, "numeric"),
            ("probabilities", prediction.probabilities, "probabilities"),
        ):
            column = name if name in frame.columns else None
            if column is None and path and path not in taken and path[-1] in frame.columns:
                column = path[-1]
            if path is not None and column is not None:
                outputs[name] = read(kind, frame[column])
    if outputs:
        found["predictions"] = outputs
    return found
