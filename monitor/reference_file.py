"""References as files: built once from frames of normal traffic, compared, carried to another machine, given to a daemon.

One line of JSON that `head -1` shows (what it is, format, model, content hash, check sum), then a compressed body in
MessagePack: the reference, the evidence it begins with, the counts per cell and the windows it was learnt from, so that
nights and refits can learn from them again. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.changes import WindowRow
from monitor.errors import Misconfigured
from monitor.plan import Model
from monitor.reference import Reference, pack_cells, unpack_cells

SUFFIX = ".reference"
FORMAT = 2
Counts = Mapping[str, NDArray[np.int64]]
_BODY = tuple[bytes, bytes, dict[str, bytes], list[WindowRow]]


@dataclass(frozen=True)
class ReferenceFile:
    """`chain` is the packed evidence at the reference's end, `counts` per column the events in each cell, over all its windows (`rows`)."""

    reference: Reference
    chain: bytes
    counts: Counts
    rows: Sequence[WindowRow] = field(default=(), repr=False)

    def pack(self) -> bytes:
        """Header line and body; the same reference makes the same bytes."""
        counts = {name: pack_cells(self.counts[name]) for name in sorted(self.counts)}
        body = zlib.compress(msgspec.msgpack.encode((self.reference.pack(), self.chain, counts, list(self.rows))), 6)
        header = {
            "raincheck": "reference", "format": FORMAT, "model": self.reference.model, "name": self.reference.name,
            "sha256": hashlib.sha256(body).hexdigest(),
        }  # fmt: skip
        return json.dumps(header).encode() + b"\n" + body

    def write(self, path: str | Path) -> None:
        """Writes a new file, or replaces one as a whole."""
        place = Path(path)
        half = place.with_name(place.name + ".part")
        try:
            half.write_bytes(self.pack())
            half.replace(place)
        except OSError as error:
            raise Misconfigured.of(
                f"cannot be written ({error.strerror})", origin="reference", value=path, right="a path in a folder this user may write to"
            ) from error


def is_reference_file(path: str | Path) -> bool:
    """Does the name say that the file holds a built reference (and not frames to learn from)?

    >>> is_reference_file("normal.reference"), is_reference_file("normal.parquet")
    (True, False)
    """
    return Path(path).suffix.lower() == SUFFIX


def read_reference(path: str | Path) -> ReferenceFile:
    """A built reference; Misconfigured for a file that is missing, of another kind or format, or damaged."""

    def wrong(problem: str, right: str = "a file that `raincheck reference build` wrote") -> Misconfigured:
        return Misconfigured.of(problem, origin="reference", value=path, right=right)

    try:
        line, _, body = Path(path).read_bytes().partition(b"\n")
    except OSError as error:
        raise wrong(f"cannot be read ({error.strerror})", "an existing file") from error
    try:
        header: Any = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("raincheck") != "reference":
        raise wrong("is no reference")
    if header.get("format") != FORMAT:
        raise wrong(f"has format {header.get('format')}, this release reads {FORMAT}", "a reference built anew")
    if header.get("sha256") != hashlib.sha256(body).hexdigest():
        raise wrong("is damaged: its check sum is another", "a whole copy of it")
    try:
        packed, chain, counts, rows = msgspec.msgpack.decode(zlib.decompress(body), type=_BODY)
        reference = Reference.unpack(packed)
    except (zlib.error, msgspec.DecodeError, ValueError) as error:
        raise wrong(f"cannot be read: {error}", "a reference built anew") from error
    return ReferenceFile(reference, chain, {name: unpack_cells(cells) for name, cells in counts.items()}, rows)


def check_fit(model: Model, reference: Reference, origin: str) -> None:
    """Raises Misconfigured, with everything that differs, where the reference was learnt for another schema, window or time zone."""
    columns, learnt = {column.name for column in model.columns}, set(reference.cuts)
    problems: list[tuple[str, str, object, str]] = []
    if columns != learnt:
        value = f"lacks {sorted(columns - learnt)}, has besides {sorted(learnt - columns)}"
        problems.append(("schema", "was learnt for other columns", value, "a reference learnt with this configuration"))
    calibration = reference.calibration
    if calibration is None and reference.frame:
        pass  # cells and counts of a frame without time: the season is learnt live
    elif calibration is None:
        problems.append(("reference", "is not calibrated", reference.name, "one that was learnt to its end"))
    else:
        window_ms, zone = calibration.options.window_ms, calibration.options.timezone
        if window_ms != model.window_ms:
            problems.append(("window", "was learnt from windows of another length", f"{window_ms} ms", f"{model.window_ms} ms"))
        if zone != model.timezone and (zone, model.timezone) != ("UTC", "auto"):  # a season in UTC may be one whose clock is yet to be seen
            problems.append(("timezone", "was learnt in another time zone", zone, model.timezone))
    if problems:
        raise Misconfigured([
            mistake for field, problem, value, right in problems
            for mistake in Misconfigured.of(problem, origin=origin, field=f"{model.name}.{field}", value=value, right=right).mistakes
        ])  # fmt: skip
