"""The last steps every codec shares: from raw values of rows to batches, with event times checked and everything left out told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.batch import Batch, Ints, Records, Rejected, Slice, Texts, Values
from monitor.codecs.instants import UNREADABLE, read_instants
from monitor.codecs.leaves import Leaf, column, text_of
from monitor.columns import subset
from monitor.plan import Plan, Stream
from monitor.segments import MOST_VERSIONS, bounded_versions

AHEAD_MS = 300_000  # how far ahead of the broker's stamp an event time may be
ROW_BITS = 20  # room for the row within a record; see Batch.seq

# Why a record, or a row of it, was not decoded (Rejected.reason), and what else is counted (Slice.counts).
REASONS = ("not_json", "not_utf8", "not_an_object", "too_deep", "too_many_rows", "oversize", "no_time", "time_unreadable", "no_model")
COUNTS = ("tombstone", "unknown_model", "clamped_stamp", "no_rows")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows of one model: the place of their record in the poll, their number in it (None: one row each), raw values per leaf."""

    model: str
    leaves: Sequence[Leaf]
    places: Ints
    rows: Ints | None
    columns: list[list[Any]]


class Assembly:
    """What one poll amounts to, while it is put together."""

    def __init__(self, plan: Plan, stream: Stream, records: Records) -> None:
        self.counts: Counter[str] = Counter()
        self._plan, self._stream, self._records = plan, stream, records
        self._rejected: dict[tuple[int, str], Rejected] = {}
        self.batches: list[Batch] = []
        self._timed = stream.event_time == "field" and stream.fields.time is not None

    def reject(self, place: int, reason: str, detail: str) -> None:
        """A record, or rows of it, that cannot be used: told once per reason."""
        value = self._records.values[place] if self._plan.dead_letter.payload else None
        self._rejected.setdefault((place, reason), Rejected(self._records.offsets[place], reason, detail[:200], value))

    def nobody(self, place: int, name: str | None) -> None:
        """A row of a model that is not watched (counted: shared topics have many), or of none at all."""
        if name is None:
            self.reject(place, "no_model", "the field that names the model is missing or no text")
        else:
            self.counts["unknown_model"] += 1

    def places(self, places: Ints) -> tuple[Ints, Ints]:
        """Place in the partition and event time of the first row of these records, where records carry no time themselves."""
        seq = np.array(self._records.offsets, dtype=np.int64)[places] << ROW_BITS
        return seq, self._stamped(np.array(self._records.stamps_ms, dtype=np.int64)[places])

    def add(self, gathered: Gathered) -> None:
        """Turns rows of one model into batches, one per version."""
        raw = {leaf.use: values for leaf, values in zip(gathered.leaves, gathered.columns, strict=True)}
        keep = np.ones(len(gathered.places), dtype=bool)
        self._whose(gathered, raw.get("model"), keep)
        time_ms = self._times(gathered.places, raw.get("time"), keep)
        seq, _ = self.places(gathered.places)
        columns: dict[str, Values] = {}
        segments: dict[str, Texts] = {}
        for leaf, values in zip(gathered.leaves, gathered.columns, strict=True):
            if leaf.use == "column":
                columns[leaf.name] = column(leaf.form, values)
            elif leaf.use == "segment":
                segments[leaf.name] = Texts([text_of(value) for value in values])
        batch = Batch(
            gathered.model, self._stream.role, self._records.partition, "", seq if gathered.rows is None else seq + gathered.rows, time_ms,
            columns, _ids(gathered, raw.get("id")), segments,
        )  # fmt: skip
        versions = raw.get("version")
        texts = [""] * len(batch) if versions is None else [text_of(value) or "" for value in versions]
        if len(set(texts)) > MOST_VERSIONS:
            names = bounded_versions(set(texts))
            texts = [names[text] for text in texts]
        for version in dict.fromkeys(texts):
            at = np.flatnonzero(keep if len(set(texts)) == 1 else keep & np.array([text == version for text in texts]))
            if len(at):
                self.batches.append(_versioned(batch if len(at) == len(batch) else subset(batch, at), version))

    def slice(self, size_bytes: int) -> Slice:
        records = self._records
        rejected = tuple(self._rejected[key] for key in sorted(self._rejected))
        return Slice(
            records.stream, records.partition, records.next_offset, records.arrival_ms, tuple(self.batches), len(records.offsets),
            size_bytes, rejected, dict(self.counts),
        )  # fmt: skip

    def _whose(self, gathered: Gathered, names: list[Any] | None, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
        """Leaves out rows that say they are another model's."""
        if names is None or (set(map(type, names)) == {str} and set(names) == {gathered.model}):
            return
        for i, name in enumerate(map(text_of, names)):
            if name != gathered.model:
                keep[i] = False
                self.nobody(int(gathered.places[i]), name)

    def _stamped(self, stamps: Ints) -> Ints:
        arrival = self._records.arrival_ms
        return np.full(len(stamps), arrival) if self._stream.event_time == "arrival" else np.where(stamps < 0, arrival, stamps)

    def _times(self, places: Ints, values: list[Any] | None, keep: np.ndarray[Any, np.dtype[np.bool_]]) -> Ints:
        """Event times in UTC milliseconds; rows without a readable one are left out, stamps from the future clamped."""
        stamps = np.array(self._records.stamps_ms, dtype=np.int64)[places]
        if not self._timed or values is None:
            return self._stamped(stamps)
        time_ms = read_instants(values)
        for i in np.flatnonzero(keep & (time_ms == UNREADABLE)).tolist():
            keep[i] = False
            if values[i] is None:
                self.reject(int(places[i]), "no_time", f"{'.'.join(self._stream.fields.time or ())} is missing")
            else:
                self.reject(int(places[i]), "time_unreadable", _unreadable(values[i]))
        ahead = (stamps >= 0) & (time_ms > stamps + AHEAD_MS)
        if ahead.any():
            self.counts["clamped_stamp"] += int(np.count_nonzero(ahead & keep))
            time_ms = np.where(ahead, stamps, time_ms)
        return time_ms


def _versioned(batch: Batch, version: str) -> Batch:
    return Batch(batch.model, batch.role, batch.partition, version, batch.seq, batch.time_ms, batch.columns, batch.ids, batch.segments)


def _ids(gathered: Gathered, values: list[Any] | None) -> list[str] | None:
    """Ids as text, "" where there is none; rows of one record that share its id are told apart by their number."""
    if values is None:
        return None
    texts = list(values) if set(map(type, values)) == {str} else [text_of(value) or "" for value in values]
    if gathered.rows is None or not gathered.rows.any():
        return texts
    shared = Counter(zip(gathered.places.tolist(), texts, strict=True))
    rows = zip(gathered.places.tolist(), gathered.rows.tolist(), texts, strict=True)
    return [f"{text}/{row}" if text and shared[place, text] > 1 else text for place, row, text in rows]


def _unreadable(value: Any) -> str:
    if isinstance(value, str):
        return f"a text of {len(value)} characters that is no ISO 8601 time with an offset"
    return "neither ISO 8601 text nor a number of seconds, milli-, micro- or nanoseconds since 1970"
