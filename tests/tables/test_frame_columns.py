"""What a value in a column of a data frame is read as, whatever container and type it comes in, each with its because."""

from __future__ import annotations

import base64
from decimal import Decimal
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from monitor.batch import INVALID, MISSING, NOT_FINITE, OK, Blobs, Numbers, Texts, Vectors
from monitor.frame_columns import read

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
