"""Frames from files: Parquet, CSV and JSON lines, read in parts so that a file may be larger than memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from monitor.errors import Misconfigured

ROWS = 65_536


def frames_of(path: str | Path) -> Iterator[pd.DataFrame]:
    """The file's rows in order, as frames with a tz-aware `time`; Misconfigured says what is wrong with the file."""
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise Misconfigured.of("is no known kind of file", origin="file", value=path, right="a file that ends in " + ", ".join(_READERS))
    try:
        for frame in reader(file):
            yield _timed(frame, file)
    except FileNotFoundError as error:
        raise Misconfigured.of("does not exist", origin="file", value=path, right="an existing file") from error
    except (OSError, ValueError) as error:
        raise Misconfigured.of(f"cannot be read: {error}", origin="file", value=path, right=f"a well-formed {file.suffix} file") from error


def rows_of(frames: Iterable[pd.DataFrame], model: str) -> Iterator[pd.DataFrame]:
    """One model's rows of frames that tell models apart; the others as they are."""
    for frame in frames:
        yield frame[frame["model"].astype(str) == model] if "model" in frame.columns else frame


def is_frame_file(path: str | Path) -> bool:
    """Does the name say that the file holds frames (and not a recording of a topic)?

    >>> is_frame_file("a.parquet"), is_frame_file("topic.jsonl.gz")
    (True, False)
    """
    return Path(path).suffix.lower() in {".parquet", ".csv"}


def _timed(frame: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Times as text become times; text without an offset is refused, since nobody can tell what it means."""
    if "time" not in frame.columns or isinstance(frame["time"].dtype, pd.DatetimeTZDtype):
        return frame
    times = pd.to_datetime(frame["time"], format="ISO8601", errors="coerce") if frame["time"].dtype == object or str(
        frame["time"].dtype
    ).startswith("str") else frame["time"]  # fmt: skip
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        if times.isna().any():
            bad = frame["time"][times.isna()].iloc[0]
            raise Misconfigured.of("cannot be read as a time", origin=str(file), field="time", value=bad, right="2026-01-31T12:00:00Z")
        return frame.assign(time=times.dt.tz_convert("UTC"))
    raise Misconfigured.of(
        "has no time zone", origin=str(file), field="time", value=frame["time"].iloc[0] if len(frame) else None,
        right="times with an offset, like 2026-01-31T12:00:00Z or +01:00",
    )  # fmt: skip


def _parquet(file: Path) -> Iterator[pd.DataFrame]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(file) as opened:
            for batch in opened.iter_batches(ROWS):
                yield batch.to_pandas()
    except ArrowException as error:
        raise ValueError(str(error)) from error


def _csv(file: Path) -> Iterator[pd.DataFrame]:
    yield from pd.read_csv(file, chunksize=ROWS)


def _jsonl(file: Path) -> Iterator[pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}: {error}") from error
            if len(rows) == ROWS:
                yield pd.DataFrame(rows)
                rows = []
    if rows:
        yield pd.DataFrame(rows)


_READERS: dict[str, Callable[[Path], Iterator[pd.DataFrame]]] = {".parquet": _parquet, ".csv": _csv, ".jsonl": _jsonl}
