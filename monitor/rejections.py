"""Records that could not be read, by stream and reason, since this process began: for its log and for its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

EVERY_S = 60.0  # a producer that writes nothing but rubbish is worth a line a minute, not one a record


class Rejections:
    """Counted by the engine's thread, looked at by any; `every_s` is the least time between two lines about one stream."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._counts: dict[str, Counter[str]] = {}
        self._told: dict[str, tuple[float, Counter[str]]] = {}  # when, and the counts of then

    def add(self, stream: str, reasons: Iterable[str]) -> None:
        """Counts one poll's; nothing is kept of a stream without any."""
        found = Counter(reasons)
        if found:
            self._counts.setdefault(stream, Counter()).update(found)

    def counts(self) -> dict[str, dict[str, int]]:
        """Streams in the order of their names, the most frequent reason first.

        >>> rejections = Rejections()
        >>> rejections.add("requests", ["no_time", "not_json", "no_time"])
        >>> rejections.counts()
        {'requests': {'no_time': 2, 'not_json': 1}}
        """
        return {stream: _ordered(Counter(dict(found))) for stream, found in sorted(self._counts.items())}

    def due(self, now_s: float) -> list[tuple[str, dict[str, int]]]:
        """What came since each stream was last told of, where that is long enough ago; it counts as told from here on."""
        found = []
        for stream, counts in sorted(self._counts.items()):
            at_s, before = self._told.get(stream, (now_s - self._every_s, Counter[str]()))
            fresh = counts - before
            if fresh and now_s - at_s >= self._every_s:
                found.append((stream, _ordered(fresh)))
                self._told[stream] = now_s, counts.copy()
        return found


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
