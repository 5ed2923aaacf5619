"""The exposition as ready bytes: rendered at most once a second, compressed at most once per rendering.

Ten scrapers in a loop over 20,000 series, each rendering its own answer, once left the reading thread a tenth of its
speed; serving bytes left two thirds. A scraper that finds a rendering under way is handed the one before it.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from monitor.metrics import Metrics

FRESH_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Rendered:
    plain: bytes
    packed: bytes
    at_s: float


class Exposition:
    """What `Desk.metrics` answers with. `monotonic` gives seconds; nothing is rendered while nobody scrapes.

    `before` is called ahead of each rendering, for what is known only when somebody looks.
    """

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float], before: Callable[[], object] = lambda: None) -> None:
        self._metrics, self._monotonic, self._before = metrics, monotonic, before
        self._locks = (threading.Lock(), threading.Lock())
        self._last: list[_Rendered | None] = [None, None]  # text, OpenMetrics

    def at_hand(self, openmetrics: bool = False, gzipped: bool = False) -> bytes | None:
        """The exposition where it is less than a second old; never renders, never waits."""
        last = self._last[openmetrics]
        if last is None or self._monotonic() - last.at_s >= FRESH_S:
            return None
        return last.packed if gzipped else last.plain

    def body(self, openmetrics: bool = False, gzipped: bool = False) -> bytes:
        """The exposition, at most a second old unless the next one is being rendered at this moment."""
        last = self._last[openmetrics]
        # the first scrape has to wait for its bytes, all others take what is there
        if self._locks[openmetrics].acquire(blocking=last is None):
            try:
                last = self._last[openmetrics]
                if last is None or self._monotonic() - last.at_s >= FRESH_S:
                    last = self._last[openmetrics] = self._render(openmetrics)
            finally:
                self._locks[openmetrics].release()
        assert last is not None  # either it was there, or we waited for the lock and made it
        return last.packed if gzipped else last.plain

    def _render(self, openmetrics: bool) -> _Rendered:
        start = self._monotonic()
        self._before()
        plain = self._metrics.render(openmetrics)
        packed = gzip.compress(plain, compresslevel=5, mtime=0)
        self._metrics.set("raincheck_exposition_duration_seconds", self._monotonic() - start)
        return _Rendered(plain, packed, start)
