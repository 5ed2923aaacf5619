"""The running values of the catalogue: what the daemon's threads count and set, and how it is rendered.

Unknown names and labels are refused twice: by the type checker through the catalogue's literals, and at run time. No
time stamps are exported, no `_created` rows, and never more series than the budget: detail goes first, and is counted.

Counters, histograms and what the process says of itself are the client library's. Labelled gauges, which are nearly all of the
series, are kept as numbers beside the text that names them: the library takes ten times as long over 20,000 of them, once a
second, from the thread that reads records (`raincheck bench scrape`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client import exposition as plain_text
from prometheus_client.gc_collector import GCCollector
from prometheus_client.openmetrics import exposition as openmetrics_text
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.utils import floatToGoString

from monitor.catalogue import (
    BOUNDED,
    CATALOGUE,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    OTHER,
    CounterName,
    Family,
    GaugeName,
    HistogramName,
    MetricName,
)

__all__ = [
    "CATALOGUE",
    "CONTENT_TYPE",
    "CONTENT_TYPE_OPENMETRICS",
    "CounterName",
    "Family",
    "GaugeName",
    "HistogramName",
    "MetricName",
    "Metrics",
]

# Prometheus 3 refuses a scrape whose content type is missing or inexact.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
CONTENT_TYPE_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
DISTINCT_VALUES: Final = 32  # of a bounded label, per metric
TIERS: Final = 4
ESCAPED: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

_Key: TypeAlias = tuple[MetricName, tuple[str, ...]]


class _Line:
    """One labelled gauge: the text that names it, and its value."""

    __slots__ = ("head", "value")

    def __init__(self, name: str, labels: tuple[str, ...], values: tuple[str, ...]) -> None:
        pairs = ",".join(f'{label}="{value.translate(ESCAPED)}"' for label, value in zip(labels, values, strict=True))
        self.head = f"{name}{{{pairs}}} "
        self.value = 0.0

    def set(self, value: float) -> None:
        self.value = float(value)


_Child: TypeAlias = Counter | Gauge | Histogram | _Line


class Metrics:
    """Values of the catalogue, safe for any number of threads.

    `series_limit` bounds the labelled series (a histogram's child counts its buckets). When it is reached, effects by
    segment are removed first, then effects, then detail per feature; rows of tier 0, the decisions among them, stay.

    >>> m = Metrics()
    >>> m.inc("raincheck_pages_total", model="m", kind="rule")
    >>> m.value("raincheck_pages_total", model="m", kind="rule")
    1.0
    >>> m.set("raincheck_evidence", 2.5, model="m", camera="north")
    Traceback (most recent call last):
        ...
    ValueError: raincheck_evidence: labels are (model), not (camera, model)
    """

    def __init__(self, series_limit: int = 20_000, process: bool = True) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.series_limit = series_limit
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._families: dict[MetricName, Counter | Gauge | Histogram] = {}
        self._lines: dict[GaugeName, dict[tuple[str, ...], _Line]] = {name: {} for name, family in GAUGES.items() if family.labels}
        # what each series costs, and its child, oldest first: asking the client for a child costs ten times as much as counting
        self._tiers: tuple[dict[_Key, tuple[int, _Child]], ...] = tuple({} for _ in range(TIERS))
        self._values: dict[tuple[MetricName, str], set[str]] = {}
        self._series = 0
        if process:
            ProcessCollector(registry=self._registry)
            GCCollector(registry=self._registry)
        for name in CATALOGUE:
            if name not in GAUGES:  # a gauge nobody has set yet would claim to be 0
                self._family(name)

    def inc(self, name: CounterName, by: float = 1.0, **labels: str) -> None:
        """Adds `by` (not negative) to a counter."""
        if name not in COUNTERS:
            raise ValueError(f"{name}: not a counter of the catalogue")
        child = self._child(name, labels)
        if child is not None:
            child.inc(by)  # type: ignore[union-attr]  # a counter's name leads to a counter

    def set(self, name: GaugeName, value: float, **labels: str) -> None:
        """Sets a gauge; times in seconds since the epoch."""
        if name not in GAUGES:
            raise ValueError(f"{name}: not a gauge of the catalogue")
        child = self._child(name, labels)
        if child is not None:
            child.set(value)  # type: ignore[union-attr]

    def observe(self, name: HistogramName, value: float, **labels: str) -> None:
        """Adds one duration, in seconds, to a histogram."""
        if name not in HISTOGRAMS:
            raise ValueError(f"{name}: not a histogram of the catalogue")
        child = self._child(name, labels)
        if child is not None:
            child.observe(value)  # type: ignore[union-attr]

    def remove(self, name: MetricName, **labels: str) -> None:
        """Takes away every series of `name` whose labels include these."""
        names = CATALOGUE[name].labels
        with self._lock:
            self._drop(
                [k for tier in self._tiers for k in tier if k[0] == name and labels.items() <= dict(zip(names, k[1], strict=True)).items()]
            )

    def value(self, name: CounterName | GaugeName, **labels: str) -> float | None:
        """What is exported for this series now; None where there is no such series."""
        if name in self._lines:
            line = self._lines[name].get(tuple(labels.get(label, "") for label in GAUGES[name].labels))
            return line.value if line is not None else None
        return self._registry.get_sample_value(name, labels)

    def render(self, openmetrics: bool = False) -> bytes:
        """The exposition, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0; the matching content type stands beside it."""
        self.set("raincheck_exported_series", float(self._series))
        self.set("raincheck_exported_series_limit", float(self.series_limit))
        text: bytes = (openmetrics_text if openmetrics else plain_text).generate_latest(self._registry)
        end = b"# EOF\n" if openmetrics else b""
        return text.removesuffix(end) + self._gauges().encode() + end

    def _gauges(self) -> str:
        """The labelled gauges, which both formats write alike."""
        with self._lock:
            families = [(name, list(lines.values())) for name, lines in self._lines.items()]
        parts: list[str] = []
        go: Callable[[float], str] = floatToGoString
        for name, lines in families:
            parts.append(f"# HELP {name} {GAUGES[name].help}\n# TYPE {name} gauge\n")
            parts += [f"{line.head}{go(line.value)}\n" for line in lines]
        return "".join(parts)

    def _family(self, name: MetricName) -> Counter | Gauge | Histogram:
        if name not in self._families:
            family = CATALOGUE[name]
            if name in COUNTERS:
                self._families[name] = Counter(name, family.help, family.labels, registry=self._registry)
            elif name in GAUGES:
                self._families[name] = Gauge(name, family.help, family.labels, registry=self._registry)
            else:
                self._families[name] = Histogram(name, family.help, family.labels, buckets=family.buckets, registry=self._registry)
        return self._families[name]

    def _child(self, name: MetricName, labels: dict[str, str]) -> _Child | None:
        """The series of these labels, created where the budget allows; None where it does not."""
        family = CATALOGUE[name]
        if labels.keys() != set(family.labels):
            raise ValueError(f"{name}: labels are ({', '.join(family.labels)}), not ({', '.join(sorted(labels))})")
        with self._lock:
            if not family.labels:
                return self._family(name)
            values = tuple(self._bounded(name, label, labels[label]) for label in family.labels)
            tier = family.detail + bool(family.detail and labels.get("segment"))
            known = self._tiers[tier].get((name, values))
            if known is not None:
                return known[1]
            cost = len(family.buckets) + 3 if family.buckets else 1
            if not self._room(cost, tier):
                self._count_dropped(name)
                return None
            return self._add(tier, (name, values), cost)

    def _bounded(self, name: MetricName, label: str, value: str) -> str:
        if label not in BOUNDED:
            return value
        seen = self._values.setdefault((name, label), set())
        if value not in seen and len(seen) >= DISTINCT_VALUES:
            return OTHER
        seen.add(value)
        return value

    def _room(self, cost: int, tier: int) -> bool:
        """Makes room by removing what is more dispensable than `tier`; tier 0 is let in whatever the limit says."""
        while self._series + cost > self.series_limit:
            victim = next((k for t in range(TIERS - 1, tier, -1) for k in reversed(self._tiers[t])), None)
            if victim is None:
                return tier == 0
            self._drop([victim])
            self._count_dropped(victim[0])
        return True

    def _count_dropped(self, name: MetricName) -> None:
        key: _Key = ("raincheck_exported_series_dropped_total", (name,))
        known = self._tiers[0].get(key)
        (known[1] if known is not None else self._add(0, key, 1)).inc()  # type: ignore[union-attr]

    def _add(self, tier: int, key: _Key, cost: int) -> _Child:
        name, values = key
        child: _Child
        if name in self._lines:
            child = self._lines[name][values] = _Line(name, GAUGES[name].labels, values)
        else:
            child = self._family(name).labels(*values)
        self._tiers[tier][key] = (cost, child)
        self._series += cost
        return child

    def _drop(self, keys: list[_Key]) -> None:
        for key in keys:
            for tier in self._tiers:
                if key in tier:
                    self._series -= tier.pop(key)[0]
            name, values = key
            if name in self._lines:
                self._lines[name].pop(values, None)
            else:
                self._family(name).remove(*values)
