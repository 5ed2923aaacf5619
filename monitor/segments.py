"""Segments: the same columns again for each value of a few chosen fields, and never for more values than fit.

Which values stay themselves is decided by their hashes alone: those with the smallest. Values beyond that share a pane.
A value that is among the smallest of a whole is among the smallest of each of its parts, so whatever is added up, in any
batches, a value either was counted by itself from its first event on or ends in the shared pane altogether. Versions are
bounded the same way: a field mapped as version by mistake must not take all memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import numpy as np

from detectors.cuts import level_name
from detectors.hashing import text_hash
from monitor.batch import Ints
from monitor.pane import PaneKey

MOST = 32
MOST_VERSIONS = 16
REST = "…other"


def kept(values: Iterable[str], most: int = MOST) -> set[str]:
    """The values that stay themselves; what is shared already does not count."""
    distinct = {value for value in values if not value.endswith(REST)}
    return distinct if len(distinct) <= most else set(sorted(distinct, key=lambda value: (text_hash(value), value))[:most])


def segment_codes(name: str, values: list[str | None]) -> tuple[Ints, list[str]]:
    """Per event an index into the segments' labels ("camera=north"), -1 where the field is missing.

    >>> segment_codes("camera", ["north", None, "south", "north"])
    (array([ 0, -1,  1,  0]), ['camera=north', 'camera=south'])
    """
    distinct = [value for value in dict.fromkeys(values) if value is not None]
    label = {value: f"{name}={level_name(value)}" for value in distinct}
    own = kept(label.values())
    label = {value: text if text in own else f"{name}={REST}" for value, text in label.items()}
    labels = list(dict.fromkeys(label.values()))
    place = {text: i for i, text in enumerate(labels)}
    code: dict[str | None, int] = {value: place[label[value]] for value in distinct}
    code[None] = -1
    return np.fromiter(map(code.__getitem__, values), np.int64, len(values)), labels


def bounded_versions(versions: Collection[str]) -> dict[str, str]:
    """What each version is called: itself, or the shared name beyond the 16 that fit.

    >>> set(bounded_versions([str(i) for i in range(3)]).values()) == {"0", "1", "2"}
    True
    """
    own = kept(versions, MOST_VERSIONS)
    return {version: version if version in own else REST for version in versions}


def overflow(keys: Collection[PaneKey]) -> dict[PaneKey, PaneKey]:
    """Panes of one partition, model and window that must go into a shared one: too many versions or values of a segment."""
    if len(keys) <= MOST_VERSIONS:
        return {}
    versions = bounded_versions({key.version for key in keys})
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        if key.segment:
            labels[key.segment.partition("=")[0]].add(key.segment)
    own = {name: kept(values) for name, values in labels.items()}
    moved = {}
    for key in keys:
        name = key.segment.partition("=")[0]
        segment = key.segment if not key.segment or key.segment in own[name] else f"{name}={REST}"
        there = key._replace(version=versions[key.version], segment=segment)
        if there != key:
            moved[key] = there
    return moved
