"""Recordings: a stream's records in a file, one JSON object per line, so that a topic can be replayed with its partitions and offsets.

A line is `{"stream": "clicks", "partition": 3, "offset": 17, "timestamp": 1700000000000, "value": "{\\"x\\": 1}"}`: the value as the text
it was, null for a tombstone, or `"base64"` in its stead for bytes that are no UTF-8. A name that ends in .gz is compressed.
"""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import msgspec

from monitor.batch import Records
from monitor.errors import Misconfigured, Mistake
from monitor.sources.source import partition_name, partition_number

RIGHT = '{"stream": text, "partition": number, "offset": number, "timestamp": milliseconds, "value": text or null} or "base64" for "value"'


class Line(msgspec.Struct, frozen=True):
    """One recorded record; `stamp_ms` is the broker's time, -1 where there was none."""

    stream: str
    partition: int
    offset: int
    stamp_ms: int = msgspec.field(name="timestamp", default=-1)
    text: str | None = msgspec.field(name="value", default=None)
    base64: str | None = None

    @property
    def value(self) -> bytes | None:
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        return None if self.text is None else self.text.encode()

    @property
    def place(self) -> str:
        return partition_name(self.stream, self.partition)


class Recorder:
    """Writes records to a new file; an existing one is never added to, because its last line may be half a line.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "clicks.jsonl.gz"
    >>> with Recorder(path) as recorder:
    ...     recorder.write(Records("clicks", "clicks/3", [17, 18], [1000, 1001], [b'{"x": 1}', None], 19, 2000))
    2
    >>> [(line.place, line.offset, line.value) for _, line in read_lines(path)]
    [('clicks/3', 17, b'{"x": 1}'), ('clicks/3', 18, None)]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # without a time stamp and a name in its header the same records make the same bytes
        raw = path.open("xb")
        self._raw = raw
        self._out = cast(IO[bytes], gzip.GzipFile("", "wb", 6, raw, mtime=0)) if path.suffix == ".gz" else raw
        self._encode = msgspec.json.Encoder().encode

    def write(self, records: Records) -> int:
        """Append the records and return how many they were."""
        number = partition_number(records.partition)[1]
        for offset, stamp_ms, value in zip(records.offsets, records.stamps_ms, records.values, strict=True):
            row = {"stream": records.stream, "partition": number, "offset": offset, "timestamp": stamp_ms}
            try:
                line = {**row, "value": None if value is None else value.decode()}
            except UnicodeDecodeError:
                line = {**row, "base64": base64.b64encode(cast(bytes, value)).decode()}
            self._out.write(self._encode(line) + b"\n")
        return len(records.offsets)

    def close(self) -> None:
        self._out.close()
        self._raw.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def read_lines(path: Path) -> Iterator[tuple[int, Line]]:
    """Every line of a recording with its number, counted from 1; raises `Misconfigured` naming file, line and what would be right."""
    decode = msgspec.json.Decoder(Line).decode
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            for number, raw in enumerate(cast(IO[bytes], file), 1):
                if not raw.strip():
                    continue
                line = decode(raw)
                if line.base64 is not None:
                    base64.b64decode(line.base64, validate=True)
                yield number, line
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise Misconfigured([Mistake(str(path), number, "", None, f"is not a recorded record: {error}", RIGHT)]) from error
    except (OSError, EOFError) as error:
        raise Misconfigured([Mistake(str(path), number or None, "", None, f"cannot be read: {error}", "a whole recording")]) from error
