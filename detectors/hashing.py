"""Hashes that are the same on every machine and in every process: what samples and bounded tables choose by.

Python's own `hash` differs from run to run, so nothing that is merged, stored or replayed may rest on it.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def text_hash(text: str) -> int:
    """64 bits of BLAKE2b over the text's UTF-8.

    >>> text_hash("red") == text_hash("red"), text_hash("red") == text_hash("green")
    (True, False)
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).digest(), "little")


@lru_cache(maxsize=4096)
def _seed(name: str) -> NDArray[np.uint64]:
    return np.array([text_hash(name)], dtype=np.uint64)


def event_keys(partition: str, seq: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A uniform 64-bit key per event, from its identity (partition, seq) alone: SplitMix64 started at the partition's hash.

    Keeping the events with the smallest keys is a uniform sample, and the same one however the events were batched.
    Source: Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.

    >>> event_keys("t/0", np.array([1, 2]))[1] == event_keys("t/0", np.array([2]))[0]
    np.True_
    """
    z = _seed(partition) + seq.astype(np.uint64) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return np.asarray(z ^ (z >> np.uint64(31)), dtype=np.uint64)
