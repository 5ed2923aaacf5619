"""The exposition as ready bytes: rendered at most once a second, compressed at most once per rendering.

Ten scrapers in a loop over 20,000 series, each rendering its own answer, once left the reading thread a tenth of its
speed; serving bytes left two thirds. A scraper that finds a rendering under way is handed the one before it.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from typing import Final

from monitor.metrics import Metrics

FRESH_S: Final = 1.0


class Exposition:
    """What `Desk.metrics` answers with. `monotonic` gives seconds; nothing is rendered while nobody scrapes."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._metrics, self._monotonic = metrics, monotonic
        self._formats = {openmetrics: _Format(openmetrics) for openmetrics in (False, True)}

    def body(self, openmetrics: bool = False, gzipped: bool = False) -> bytes:
        """The exposition, at most a second old unless it is being rendered at this moment."""
        cached = self._formats[openmetrics]
        # the first scrape has to wait for its bytes, all others take what is there
        if cached.lock.acquire(blocking=cached.plain is None):
            try:
                now = self._monotonic()
                if cached.plain is None or now - cached.at_s >= FRESH_S:
                    cached.plain, cached.packed, cached.at_s = self._metrics.render(openmetrics), None, now
                    self._metrics.set("raincheck_exposition_duration_seconds", self._monotonic() - now)
                if gzipped and cached.packed is None:
                    cached.packed = gzip.compress(cached.plain, compresslevel=5, mtime=0)
            finally:
                cached.lock.release()
        if gzipped:
            return cached.packed if cached.packed is not None else gzip.compress(cached.plain or b"", compresslevel=1, mtime=0)
        return cached.plain or b""


class _Format:
    """The last rendering in one format."""

    __slots__ = ("at_s", "lock", "openmetrics", "packed", "plain")

    def __init__(self, openmetrics: bool) -> None:
        self.openmetrics = openmetrics
        self.lock = threading.Lock()
        self.plain: bytes | None = None
        self.packed: bytes | None = None
        self.at_s = 0.0
