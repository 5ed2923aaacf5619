"""From what a record carries to what is folded: a picture becomes its statistics, a vector its projections, a number stays itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from detectors.embeddings import embedding_statistics, probability_statistics
from detectors.images.measure import Measurement, measure
from detectors.layout import IMAGE_CATEGORIES, IMAGE_STATISTICS, Column, Kind, columns_of
from monitor.batch import INVALID, MISSING, Batch, Blobs, Flags, Floats, Ints, Numbers, Role, Texts, Values, Vectors
from monitor.plan import Model


@dataclass(frozen=True, slots=True)
class Source:
    """One schema column of a batch and the columns folded from it, in the order of detectors.layout."""

    name: str
    kind: Kind
    columns: tuple[Column, ...]


def sources(model: Model, role: Role) -> tuple[Source, ...]:
    """What a batch of this role brings for this model."""
    out: list[Source] = []
    if role == "inputs":
        out += [Source(f.name, f.kind, tuple(columns_of(f.name, f.kind, "inputs"))) for f in model.schema.features]
    prediction = model.schema.prediction
    if role == "predictions" and prediction is not None:
        kinds: list[tuple[str, Kind]] = []
        if prediction.number is not None:
            kinds.append(("prediction", "numeric"))
        elif prediction.label is not None:
            kinds.append(("prediction", "categorical"))
        if prediction.probabilities is not None:
            kinds.append(("probabilities", "probabilities"))
        out += [Source(name, kind, tuple(columns_of(name, kind, "predictions"))) for name, kind in kinds]
    return tuple(out)


def take(values: Values, at: Ints) -> Values:
    """The events at these places."""
    flags = None if values.flags is None else values.flags[at]
    if isinstance(values, Numbers):
        return Numbers(values.values[at], flags)
    if isinstance(values, Vectors):
        return Vectors(values.values[at], flags)
    places = at.tolist()
    if isinstance(values, Texts):
        return Texts([values.values[i] for i in places], flags)
    return Blobs([values.values[i] for i in places], flags)


def subset(batch: Batch, at: Ints) -> Batch:
    """The batch with only the events at these places, in that order."""
    return Batch(
        batch.model, batch.role, batch.partition, batch.version, batch.seq[at], batch.time_ms[at],
        {name: take(values, at) for name, values in batch.columns.items()},
        None if batch.ids is None else [batch.ids[i] for i in at.tolist()],
        {name: Texts([texts.values[i] for i in at.tolist()]) for name, texts in batch.segments.items()},
    )  # fmt: skip


def expand(batch: Batch, source: Source, unreadable: Counter[str]) -> list[tuple[Column, Numbers | Texts]]:
    """The folded columns of one schema column; a batch that does not bring it has it missing throughout.

    `unreadable` counts pictures that could not be measured, by reason.
    """
    values = batch.columns.get(source.name)
    if values is None:
        return [(column, _absent(column, len(batch))) for column in source.columns]
    if isinstance(values, Numbers | Texts):
        return [(column, values) for column in source.columns]
    if isinstance(values, Blobs):
        return _pictures(values, source, unreadable)
    statistics = embedding_statistics if source.kind == "embedding" else probability_statistics
    return _vectors(values, source, statistics)


def _absent(column: Column, n: int) -> Numbers | Texts:
    return Numbers(np.full(n, np.nan)) if column.kind == "numeric" else Texts([None] * n)


def _vectors(
    values: Vectors, source: Source, statistics: Callable[[Floats, Flags | None], tuple[Floats, Flags]]
) -> list[tuple[Column, Numbers | Texts]]:
    found, flags = statistics(values.values, values.flags)
    return [(column, Numbers(found[:, i], flags)) for i, column in enumerate(source.columns)]


def _pictures(values: Blobs, source: Source, unreadable: Counter[str]) -> list[tuple[Column, Numbers | Texts]]:
    n = len(values.values)
    flags = np.zeros(n, dtype=np.uint8) if values.flags is None else values.flags.copy()
    numbers = np.full((n, len(IMAGE_STATISTICS)), np.nan)
    names: list[list[str | None]] = [[None] * n for _ in IMAGE_CATEGORIES]
    for i, data in enumerate(values.values):
        if flags[i]:
            continue
        if data is None:
            flags[i] = MISSING
            continue
        measured: Measurement = measure(data)
        if measured.reason is not None:
            flags[i] = INVALID
            unreadable[measured.reason] += 1
            continue
        numbers[i] = measured.numbers
        for texts, name in zip(names, measured.categories, strict=True):
            texts[i] = name
    out: list[tuple[Column, Numbers | Texts]] = []
    for i, column in enumerate(source.columns):
        if i < len(IMAGE_STATISTICS):
            out.append((column, Numbers(numbers[:, i], flags)))
        else:
            out.append((column, Texts(names[i - len(IMAGE_STATISTICS)], flags)))
    return out
