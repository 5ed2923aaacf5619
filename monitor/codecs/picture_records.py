"""Records that are nothing but one encoded picture each: what a camera writes that knows no JSON."""

from __future__ import annotations

from functools import partial

import numpy as np

from monitor.batch import Batch, Blobs, Records, Slice
from monitor.codecs.assembly import Assembly
from monitor.columns import subset
from monitor.errors import Misconfigured
from monitor.plan import Plan, Stream

FORMAT = "picture"


class PictureCodec:
    """Decodes a stream of one model with one picture feature; the broker's stamp is the event time, else the arrival."""

    def __init__(self, plan: Plan, stream: Stream) -> None:
        """Misconfigured unless there is exactly one model with exactly one feature, a picture, and nothing mapped."""
        wrong = partial(Misconfigured.of, origin="configuration", field=f"streams.{stream.name}")
        models = [plan.models[stream.model]] if stream.model is not None else list(plan.models.values())
        if len(models) != 1:
            raise wrong(f"leaves open which of {len(models)} models its pictures belong to", right="model: NAME")
        features = models[0].schema.features
        if stream.role != "inputs" or [feature.kind for feature in features] != ["image"]:
            raise wrong("of pictures feeds a model with other features", right="role: inputs, and one feature of kind image")
        self._plan, self._stream, self._model, self._feature = plan, stream, models[0].name, features[0].name

    def decode(self, records: Records) -> Slice:
        """One event per record; whether it is a picture at all is found out when it is measured."""
        assembly = Assembly(self._plan, self._stream, records)
        keep = np.ones(len(records.values), dtype=bool)
        limit = self._plan.limits.max_record_bytes
        for i, value in enumerate(records.values):
            if value is None:
                assembly.counts["tombstone"] += 1
            elif len(value) > limit:
                assembly.reject(i, "oversize", f"{len(value)} bytes, at most {limit} are read")
            keep[i] = value is not None and len(value) <= limit
        seq, time_ms = assembly.places(np.arange(len(keep)))
        batch = Batch(self._model, "inputs", records.partition, "", seq, time_ms, {self._feature: Blobs(records.values)})
        if keep.any():
            assembly.batches.append(batch if keep.all() else subset(batch, np.flatnonzero(keep)))
        return assembly.slice(sum(len(value or b"") for value in records.values))


build = PictureCodec
