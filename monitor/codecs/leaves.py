"""The fields a stream's records are read for, and how their raw JSON values become columns."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any, Literal, TypeAlias

import numpy as np

from monitor.batch import INVALID, MISSING, NOT_FINITE, Blobs, Flags, Numbers, Role, Texts, Values, Vectors
from monitor.columns import sources
from monitor.plan import Fields, Model, Path

Use: TypeAlias = Literal["id", "time", "model", "version", "segment", "column"]
Form: TypeAlias = Literal["number", "text", "vector", "picture"]
WIDEST = 8192  # numbers in one vector; wider ones are invalid, so that one record cannot take the memory of a whole poll


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field: what it is used for, under which name, where it is, and in which form it is folded."""

    use: Use
    name: str
    path: Path
    form: Form


def head_leaves(fields: Fields, *, timed: bool) -> list[Leaf]:
    """Where a record says who it is; the time only where events carry their own."""
    paths: list[tuple[Use, Path | None]] = [("id", fields.id), ("model", fields.model), ("version", fields.version)]
    if timed:
        paths.append(("time", fields.time))
    return [Leaf(use, use, path, "text") for use, path in paths if path is not None]


def body_leaves(model: Model, role: Role) -> list[Leaf]:
    """What a record of this role carries for this model."""
    schema = model.schema
    if role == "outcomes":
        label = schema.label
        path = None if label is None else label.label or label.number
        return [] if path is None else [Leaf("column", "label", path, "text")]
    paths = {feature.name: feature.path for feature in schema.features}
    segments = [Leaf("segment", name, paths.get(name) or tuple(name.split(".")), "text") for name in schema.segments]
    forms: dict[str, Form] = {
        "numeric": "number",
        "categorical": "text",
        "image": "picture",
        "embedding": "vector",
        "probabilities": "vector",
    }
    prediction = schema.prediction
    if role == "predictions" and prediction is not None:
        paths = {"prediction": prediction.number or prediction.label or (), "probabilities": prediction.probabilities or ()}
    return [Leaf("column", s.name, paths[s.name], forms[s.kind]) for s in sources(model, role)] + segments


def column(form: Form, raw: Sequence[Any]) -> Values:
    """A column of raw JSON values, None = missing; what cannot be read as `form` is flagged, never dropped."""
    if form == "number":
        return _numbers(raw)
    if form == "text":
        return _texts(raw)
    return _vectors(raw) if form == "vector" else _pictures(raw)


def text_of(value: Any) -> str | None:
    """Canonical text of a name: true, 1, red; the same number is the same name however it was written.

    >>> text_of(True), text_of(1), text_of(1.0), text_of(0.5), text_of([])
    ('true', '1', '1', '0.5', None)
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else None
    if isinstance(value, float) and isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return None


def _flags(found: dict[int, int], n: int) -> Flags | None:
    if not found:
        return None
    flags = np.zeros(n, dtype=np.uint8)
    flags[list(found)] = list(found.values())
    return flags


def _numbers(raw: Sequence[Any]) -> Numbers:
    if set(map(type, raw)) <= {float, type(None)}:
        values = np.array(raw, dtype=np.float64)
        if np.count_nonzero(np.isnan(values)) == raw.count(None):
            return Numbers(values)
    values, found = np.full(len(raw), np.nan), {}
    for i, value in enumerate(raw):
        if value is None:
            continue
        if not isinstance(value, int | float):
            found[i] = INVALID
            continue
        try:
            number = float(value)
        except OverflowError:
            number = np.inf
        if isfinite(number):
            values[i] = number
        else:
            found[i] = NOT_FINITE
    return Numbers(values, _flags(found, len(raw)))


def _texts(raw: Sequence[Any]) -> Texts:
    if set(map(type, raw)) <= {str, type(None)}:
        return Texts(list(raw))
    texts: list[str | None] = [text_of(value) for value in raw]
    found = {}
    for i, (value, text) in enumerate(zip(raw, texts, strict=True)):
        if text is None and value is not None:
            # a category that is NaN is how data frames write a missing one
            found[i] = MISSING if isinstance(value, float) and isnan(value) else INVALID
    return Texts(texts, _flags(found, len(raw)))


def _pictures(raw: Sequence[Any]) -> Blobs:
    blobs: list[bytes | None] = []
    found = {}
    for i, value in enumerate(raw):
        data = _base64(value) if isinstance(value, str) else None
        blobs.append(data)
        if data is None and value is not None:
            found[i] = INVALID
    return Blobs(blobs, _flags(found, len(raw)))


def _base64(text: str) -> bytes | None:
    """Standard or URL-safe alphabet, with or without line breaks, padding or a data: prefix."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        clean = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return a2b_base64(clean + "=" * (-len(clean) % 4), strict_mode=True)
    except (Base64Error, ValueError):
        return None


def _vectors(raw: Sequence[Any]) -> Vectors:
    rows: list[list[float]] = []
    found = {}
    for i, value in enumerate(raw):
        row: list[float] = []
        if value is not None:
            row, flag = _vector(value)
            if flag:
                found[i] = flag
        rows.append(row)
    width = max(map(len, rows), default=0)
    matrix = np.full((len(rows), width), np.nan)
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = row
    return Vectors(matrix, _flags(found, len(raw)))


def _vector(value: Any) -> tuple[list[float], int]:
    if isinstance(value, dict):  # class probabilities by name: their order says nothing, but must not change
        value = [value[name] for name in sorted(value)]
    if not isinstance(value, list) or not 0 < len(value) <= WIDEST:
        return [], INVALID
    try:
        if any(isinstance(x, str) for x in value):
            return [], INVALID
        row = np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        return [], INVALID
    if row.ndim != 1:
        return [], INVALID
    return (row.tolist(), 0) if np.isfinite(row).all() else ([], NOT_FINITE)
