"""A frame's columns as columns of events: whatever pandas holds becomes a number, a category, a picture or a vector.

A value that cannot be read as its column's kind is flagged and counted in a cell of its own, never dropped and never an
error: None, NaN, NaT and NA are missing, an infinity is not finite, text in a number is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from monitor.batch import INVALID, MISSING, NOT_FINITE, OK, Blobs, Flags, Numbers, Texts, Values, Vectors
from monitor.codecs.leaves import column, text_of


def read(kind: str, series: pd.Series[Any]) -> Values:
    """One column of a frame as the schema's `kind` ("numeric", "categorical", "image", "embedding", "probabilities") asks."""
    return _READERS[kind](series)


def category(item: object) -> str:
    """Canonical text of a category, the same whether it came as JSON or in a frame.

    >>> category(True), category(1), category(1.0), category("red"), category(b"red")
    ('true', '1', '1', 'red', 'red')
    """
    plain = item.item() if isinstance(item, np.generic) else item
    if isinstance(plain, bytes):
        return plain.decode(errors="backslashreplace")
    text = text_of(float(plain) if isinstance(plain, Decimal) else plain)
    return str(plain) if text is None else text  # a date, an interval: what JSON has no word for


def absent(item: object) -> bool:
    """Is this one of the ways in which frames write "nothing"?

    >>> absent(None), absent(float("nan")), absent(pd.NaT), absent(Decimal("nan")), absent("")
    (True, True, True, True, False)
    """
    return item is None or item is pd.NA or item is pd.NaT or (isinstance(item, float | Decimal | np.floating) and item != item)  # noqa: PLR0124


def _flagged(flags: Flags) -> Flags | None:
    return flags if flags.any() else None


def _numbers(series: pd.Series[Any]) -> Numbers:
    kind = series.dtype
    if pd.api.types.is_bool_dtype(kind) or (pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)):
        return Numbers(series.to_numpy(dtype=np.float64, na_value=np.nan))
    values, flags = np.full(len(series), np.nan), np.zeros(len(series), np.uint8)
    for i, item in enumerate(series.tolist()):
        if absent(item):
            flags[i] = MISSING
        elif isinstance(item, Number | np.bool_) and not isinstance(item, complex | np.complexfloating):  # a Decimal, too
            values[i], flags[i] = _number(item)
        else:
            flags[i] = INVALID
    return Numbers(values, _flagged(flags))


def _number(item: Any) -> tuple[float, int]:
    try:
        number = float(item)
    except OverflowError:
        return np.nan, NOT_FINITE
    return (number, OK) if np.isfinite(number) else (np.nan, NOT_FINITE)


def _texts(series: pd.Series[Any]) -> Texts:
    try:
        codes, uniques = pd.factorize(series)
    except TypeError:  # a list or a mapping among them: no category
        items = series.tolist()
        flags = np.array([OK if absent(x) or isinstance(x, str | Number | bytes) else INVALID for x in items], np.uint8)
        texts = [None if absent(x) or flag else category(x) for x, flag in zip(items, flags, strict=True)]
        return Texts(texts, _flagged(flags))
    words = np.empty(len(uniques) + 1, object)
    words[:-1] = [category(item) for item in uniques.tolist()]
    words[-1] = None
    return Texts(words[codes].tolist())


def _blobs(series: pd.Series[Any]) -> Blobs:
    items = series.tolist()
    blobs = [_encoded(item) for item in items]
    texts = [i for i, item in enumerate(items) if isinstance(item, str)]  # as JSON and CSV hold pictures: base64
    read = column("picture", [items[i] for i in texts]) if texts else None
    if isinstance(read, Blobs):
        for i, data in zip(texts, read.values, strict=True):
            blobs[i] = data
    flags = np.array([OK if b is not None else MISSING if absent(x) else INVALID for b, x in zip(blobs, items, strict=True)], np.uint8)
    return Blobs(blobs, _flagged(flags))


def _encoded(item: object) -> bytes | None:
    """The bytes of an encoded picture, also as {"bytes": ...}, in which data sets of pictures keep them in Parquet."""
    if isinstance(item, Mapping):
        item = item.get("bytes")
    if isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim == 1:
        return bytes(item)
    return bytes(item) if isinstance(item, bytes | bytearray | memoryview) else None


def _vectors(series: pd.Series[Any]) -> Vectors:
    """Rows of one frame may differ in width: each is padded with NaN to the widest (`detectors.embeddings` knows the padding)."""
    items = series.tolist()
    rows = [None if absent(item) else _vector(item) for item in items]
    width = max((len(r) for r in rows if r is not None), default=1)
    values, flags = np.full((len(rows), width), np.nan), np.zeros(len(rows), np.uint8)
    for i, (row, item) in enumerate(zip(rows, items, strict=True)):
        if row is None:
            flags[i] = MISSING if absent(item) else INVALID
        elif np.isfinite(row).all():
            values[i, : len(row)] = row
        else:
            flags[i] = NOT_FINITE
    return Vectors(values, _flagged(flags))


def _vector(item: object) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    if isinstance(item, Mapping):  # class probabilities by name: their order says nothing, but must not change
        item = [item[key] for key in sorted(item)]
    if not isinstance(item, list | tuple | np.ndarray | pd.Series):
        return None
    if isinstance(item, Sequence) and any(isinstance(x, str) for x in item):
        return None
    try:
        row = np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    if row.ndim == 2 and len(row) == 1:  # a model's answer to one event, still in its batch of one
        row = row[0]
    return row if row.ndim == 1 and len(row) else None


_READERS: dict[str, Callable[[Any], Values]] = {
    "numeric": _numbers,
    "categorical": _texts,
    "image": _blobs,
    "embedding": _vectors,
    "probabilities": _vectors,
}
