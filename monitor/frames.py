"""DataFrames as slices: the door by which recorded frames enter the same engine as a topic does.

A frame has a tz-aware column `time`, a column `model` where the plan has several, features under their schema names,
and `prediction`, `probabilities`, `label` where the schema has them (or the name of their path, when no other output
claims it). pandas' NaN, None and NaT mean missing; an infinity is not finite; text in a number is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from monitor.batch import INVALID, MISSING, OK, Batch, Blobs, Numbers, Role, Slice, Texts, Values, Vectors
from monitor.codecs.leaves import text_of
from monitor.errors import Misconfigured, Mistake
from monitor.plan import Model, Plan, Stream

STREAM, PARTITION = "frames", "frames/0"
ROWS = 65_536  # per slice: large enough for numpy, small enough for memory


def plan_for_frames(plan: Plan) -> Plan:
    """The same plan, reading one log of frames instead of its streams."""
    return replace(plan, streams={STREAM: Stream(STREAM, STREAM, "inputs")})


def slices(plan: Plan, frames: pd.DataFrame | Iterable[pd.DataFrame], *, origin: str) -> Iterator[Slice]:
    """Slices of the frames in the order given, rows within a frame sorted by time (stable)."""
    seq = 0
    for number, frame in enumerate([frames] if isinstance(frames, pd.DataFrame) else frames):
        name = origin if isinstance(frames, pd.DataFrame) else f"{origin}, frame {number}"
        _check(plan, frame, name)
        ordered = frame.sort_values("time", kind="stable") if not frame["time"].is_monotonic_increasing else frame
        for start in range(0, len(ordered), ROWS):
            part = ordered.iloc[start : start + ROWS]
            yield _slice(plan, part, seq)
            seq += len(part)


def _check(plan: Plan, frame: pd.DataFrame, origin: str) -> None:
    """Every mistake of one frame at once."""
    mistakes: list[Mistake] = []

    def wrong(field: str, value: object, problem: str, right: str) -> None:
        mistakes.append(Mistake(origin, None, field, None if value is None else str(value), problem, right))

    if "time" not in frame.columns:
        wrong("time", None, "is missing", "a column of tz-aware times (pd.to_datetime(..., utc=True))")
    elif not isinstance(frame["time"].dtype, pd.DatetimeTZDtype):
        wrong("time", frame["time"].dtype, "has no time zone", "a tz-aware column, for example frame['time'].dt.tz_localize('UTC')")
    elif bool(frame["time"].isna().any()):
        wrong("time", int(frame["time"].isna().sum()), "rows have no time", "rows without a time left out")
    if len(plan.models) > 1 and "model" not in frame.columns:
        wrong("model", None, "is missing", f"a column that says which of {', '.join(sorted(plan.models))} each row belongs to")
    for model in plan.models.values():
        for feature in model.schema.features:
            if feature.name not in frame.columns:
                known = ", ".join(map(str, list(frame.columns)[:12]))
                wrong(feature.name, None, "is missing", f"a column for every feature of model {model.name} (the frame has {known})")
    if mistakes:
        raise Misconfigured(mistakes)


def _slice(plan: Plan, frame: pd.DataFrame, first: int) -> Slice:
    seq = np.arange(first, first + len(frame), dtype=np.int64)
    unit = frame["time"].dt.as_unit("ms")
    time_ms = unit.astype("int64").to_numpy()
    batches: list[Batch] = []
    counts: dict[str, int] = {}
    if len(plan.models) == 1:
        parts = [(next(iter(plan.models.values())), np.arange(len(frame)))]
    else:
        names = frame["model"].astype(str).to_numpy()
        parts = [(model, np.flatnonzero(names == model.name)) for model in plan.models.values()]
        unknown = len(frame) - sum(len(rows) for _, rows in parts)
        if unknown:
            counts["unknown_model"] = unknown
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
    inputs = {f.name: _READERS[f.kind](frame[f.name]) for f in model.schema.features}
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
                outputs[name] = _READERS[kind](frame[column])
    if outputs:
        found["predictions"] = outputs
    return found


def _numbers(series: pd.Series[Any]) -> Numbers:
    if pd.api.types.is_bool_dtype(series.dtype) or pd.api.types.is_numeric_dtype(series.dtype):
        return Numbers(series.to_numpy(dtype=np.float64, na_value=np.nan))
    values = np.full(len(series), np.nan)
    flags = np.zeros(len(series), np.uint8)
    for i, item in enumerate(series.tolist()):
        if item is None or item is pd.NA or item is pd.NaT:
            flags[i] = MISSING
        elif isinstance(item, bool | int | float | np.number):
            values[i] = float(item)
            flags[i] = MISSING if np.isnan(values[i]) else OK
        else:
            flags[i] = INVALID
    return Numbers(values, flags if flags.any() else None)


def _texts(series: pd.Series[Any]) -> Texts:
    codes, uniques = pd.factorize(series)
    words = np.empty(len(uniques) + 1, object)
    words[:-1] = [category(item) for item in (uniques.tolist())]
    words[-1] = None
    return Texts(words[codes].tolist())


def category(item: object) -> str:
    """Canonical text of a category, the same whether it came as JSON or in a frame.

    >>> category(True), category(1), category(1.0), category("red")
    ('true', '1', '1', 'red')
    """
    plain = item.item() if isinstance(item, np.generic) else item
    text = text_of(plain)
    return str(plain) if text is None else text  # a date, an interval: what JSON has no word for


def _blobs(series: pd.Series[Any]) -> Blobs:
    items = series.tolist()
    blobs = [bytes(x) if isinstance(x, bytes | bytearray | memoryview) else None for x in items]
    flags = np.array([OK if b is not None else MISSING if _absent(x) else INVALID for b, x in zip(blobs, items, strict=True)], np.uint8)
    return Blobs(blobs, flags if flags.any() else None)


def _vectors(series: pd.Series[Any]) -> Vectors:
    rows = [_vector(x) for x in series.tolist()]
    width = max((len(r) for r in rows if r is not None), default=1)
    values = np.full((len(rows), width), np.nan)
    flags = np.zeros(len(rows), np.uint8)
    for i, (row, item) in enumerate(zip(rows, series.tolist(), strict=True)):
        if row is not None and len(row) == width:
            values[i] = row
        else:
            flags[i] = MISSING if _absent(item) else INVALID
    return Vectors(values, flags if flags.any() else None)


def _vector(item: object) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    if isinstance(item, Mapping):
        item = [item[key] for key in sorted(item)]
    if not isinstance(item, list | tuple | np.ndarray):
        return None
    try:
        row = np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return row if row.ndim == 1 and len(row) else None


def _absent(item: object) -> bool:
    return item is None or item is pd.NA or item is pd.NaT or (isinstance(item, float) and np.isnan(item))


_READERS: dict[str, Callable[[Any], Values]] = {
    "numeric": _numbers,
    "categorical": _texts,
    "image": _blobs,
    "embedding": _vectors,
    "probabilities": _vectors,
}
