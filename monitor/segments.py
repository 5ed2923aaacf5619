"""Segments: the same columns again for each value of a few chosen fields, and never for more values than fit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from detectors.cuts import level_name
from detectors.hashing import text_hash
from monitor.batch import Ints

MOST = 32
REST = "…other"


def kept(values: Iterable[str], most: int = MOST) -> set[str]:
    """The values that stay themselves: those with the smallest hash; what is kept of a whole is kept of each of its parts."""
    distinct = set(values)
    return distinct if len(distinct) <= most else set(sorted(distinct, key=lambda value: (text_hash(value), value))[:most])


def segment_codes(name: str, values: list[str | None]) -> tuple[Ints, list[str]]:
    """Per event an index into the segments' labels ("camera=north"), -1 where the field is missing.

    >>> segment_codes("camera", ["north", None, "south", "north"])
    (array([ 0, -1,  1,  0]), ['camera=north', 'camera=south'])
    """
    distinct = [value for value in dict.fromkeys(values) if value is not None]
    names = {value: level_name(value) for value in distinct}
    own = kept(names.values())
    label = {value: f"{name}={short if short in own else REST}" for value, short in names.items()}
    labels = list(dict.fromkeys(label.values()))
    place = {text: i for i, text in enumerate(labels)}
    code: dict[str | None, int] = {value: place[label[value]] for value in distinct}
    code[None] = -1
    return np.fromiter(map(code.__getitem__, values), np.int64, len(values)), labels
