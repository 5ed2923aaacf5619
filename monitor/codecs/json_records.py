"""JSON records to columns: a typed decoder per record, and for records it refuses a careful look that keeps what can be kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from monitor.batch import Records, Slice
from monitor.codecs.assembly import Assembly, Gathered
from monitor.codecs.leaves import body_leaves, head_leaves, text_of
from monitor.codecs.shapes import MOST_OBJECTS, MOST_ROWS, Shape, parse
from monitor.errors import Misconfigured, Poison
from monitor.plan import Plan, Stream

FORMAT = "json"

_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class JsonCodec:
    """Decodes one stream. Every record is decoded by itself: two broken records must never pair up into valid ones.

    What happens to a record follows from its own bytes alone, never from its neighbours: the typed decoder takes the clean
    ones (all of a poll at once, where all are clean), and each one it refuses is parsed by the lenient parser, where a bad
    value becomes a flag and only what cannot be read or identified is rejected.
    """

    def __init__(self, plan: Plan, stream: Stream, *, lines: bool = False) -> None:
        """`lines`: a record may hold several lines, each JSON by itself. Misconfigured where it is open whose records these are."""
        watched = [plan.models[stream.model]] if stream.model is not None else list(plan.models.values())
        if stream.fields.model is None and len(watched) != 1:
            raise Misconfigured.of(
                f"leaves open which of {len(watched)} models its records belong to", origin="configuration",
                field=f"streams.{stream.name}", right="model: NAME, or fields.model: the path of the field that names it",
            )  # fmt: skip
        self._plan, self._stream, self._lines = plan, stream, lines
        # a stream's fixed model counts, whatever its records say
        fields = replace(stream.fields, model=None) if stream.model is not None else stream.fields
        head = head_leaves(fields, timed=stream.event_time == "field")
        self._shapes = {model.name: Shape([*head, *body_leaves(model, stream.role)]) for model in watched}
        self._only = watched[0].name if len(watched) == 1 else None
        self._whose = Shape([leaf for leaf in head if leaf.use == "model"])

    def decode(self, records: Records) -> Slice:
        """Columns per model and version, rejected records with their reasons, and counts; never raises for what records hold."""
        assembly = Assembly(self._plan, self._stream, records)
        sizes = [0 if value is None else len(value) for value in records.values]
        clean = bool(sizes) and min(sizes) > 0 and max(sizes) <= min(self._plan.limits.max_record_bytes, MOST_OBJECTS)
        gathered = self._quickly(records, assembly) if clean else None
        for rows in self._carefully(records, assembly) if gathered is None else gathered:
            assembly.add(rows)
        return assembly.slice(sum(sizes))

    def _quickly(self, records: Records, assembly: Assembly) -> list[Gathered] | None:
        """All records by the typed decoders; None where one of them is refused."""
        values: list[Any] = records.values
        everything = np.arange(len(values), dtype=np.int64)
        try:
            if self._only is not None:
                shape = self._shapes[self._only]
                if shape.one is None:
                    return None
                columns = shape.columns(list(map(shape.one.decode, values)))
                return [Gathered(self._only, shape.leaves, everything, None, columns)]
            if self._whose.one is None:
                return None
            (names,) = self._whose.columns(list(map(self._whose.one.decode, values)))
            by_model: dict[str | None, list[int]] = {}
            for i, name in enumerate(map(text_of, names)):
                by_model.setdefault(name, []).append(i)
            found = []
            for name in [name for name in by_model if name in self._shapes]:
                assert name is not None
                shape, at = self._shapes[name], by_model.pop(name)
                if shape.one is None:
                    return None
                columns = shape.columns([shape.one.decode(values[i]) for i in at])
                found.append(Gathered(name, shape.leaves, np.array(at, dtype=np.int64), None, columns))
        except _REFUSALS:
            return None
        for name, at in by_model.items():
            for i in at:
                assembly.nobody(i, name)
        return found

    def _carefully(self, records: Records, assembly: Assembly) -> list[Gathered]:
        """Each record for itself."""
        limit = self._plan.limits.max_record_bytes
        found: dict[str, tuple[list[int], list[int], list[tuple[Any, ...]]]] = {}
        for i, value in enumerate(records.values):
            if value is None:
                assembly.counts["tombstone"] += 1
            elif len(value) > limit:
                assembly.reject(i, "oversize", f"{len(value)} bytes, at most {limit} are read")
            else:
                row = 0
                for part in self._parts(value):
                    try:
                        held = self._rows(part)
                        if row + len(held) > MOST_ROWS:
                            raise Poison("too_many_rows", f"more than {MOST_ROWS} rows in one record")
                    except Poison as poison:
                        assembly.reject(i, poison.reason, poison.detail)
                        row += 1
                        continue
                    for name, raw in held:
                        row += 1
                        if name not in self._shapes:
                            assembly.nobody(i, name)
                            continue
                        places, rows, tuples = found.setdefault(name, ([], [], []))
                        places.append(i)
                        rows.append(row - 1)
                        tuples.append(raw)
                if not row:
                    assembly.counts["no_rows"] += 1
        return [
            Gathered(
                name, self._shapes[name].leaves, np.array(places, dtype=np.int64), np.array(rows, dtype=np.int64),
                list(map(list, zip(*tuples, strict=True))),
            )
            for name, (places, rows, tuples) in found.items()
        ]  # fmt: skip

    def _parts(self, value: bytes) -> list[bytes]:
        """The record itself, or its lines where it holds several that are not one document together."""
        if not self._lines or b"\n" not in value.strip():
            return [value]
        try:
            self._typed(value)
        except _REFUSALS:
            return [line for line in value.split(b"\n") if line.strip()]
        return [value]

    def _rows(self, value: bytes) -> list[tuple[str | None, tuple[Any, ...]]]:
        """Whose rows a record holds, and their raw values; Poison where it cannot be read."""
        if len(value) > MOST_OBJECTS and value.count(b"{") > MOST_OBJECTS:
            raise Poison("too_many_rows", f"more than {MOST_OBJECTS} objects in one record")
        try:
            rows = self._typed(value)
        except _REFUSALS:
            rows = None
        if rows is not None:
            return rows
        document = parse(value)
        if self._only is not None:
            shape = self._shapes[self._only]
            return [(self._name(shape, raw), raw) for raw in shape.read(document)]
        names = [text_of(raw[0]) for raw in self._whose.read(document)]
        found: list[tuple[str | None, tuple[Any, ...]]] = [(name, ()) for name in names if name not in self._shapes]
        for name in dict.fromkeys(names):
            if name in self._shapes:
                shape = self._shapes[name]
                found += [(name, raw) for raw in shape.read(document) if self._name(shape, raw) == name]
        return found

    def _typed(self, value: bytes) -> list[tuple[str | None, tuple[Any, ...]]] | None:
        listed = value.lstrip()[:1] == b"["
        if self._only is None:
            if listed or self._whose.one is None:
                return None
            ((whose,),) = self._whose.tuples([self._whose.one.decode(value)])
            name = text_of(whose)
            if name not in self._shapes:
                return [(name, ())]
        else:
            name = self._only
        shape = self._shapes[name]
        if shape.one is None:
            return None
        rows = shape.many.decode(value) if listed else [shape.one.decode(value)]
        return [(self._name(shape, raw), raw) for raw in shape.tuples(rows)]

    def _name(self, shape: Shape, raw: tuple[Any, ...]) -> str | None:
        return self._only if shape.model is None else text_of(raw[shape.model])


build = JsonCodec
