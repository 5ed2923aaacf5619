"""PromQL over the catalogue: a name that is not in it, or a label that its metric does not have, is refused before Prometheus sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from monitor.catalogue import CATALOGUE, COUNTERS, CounterName, Family, MetricName

# what Prometheus says of a target, and what the client library says of the process
Foreign: TypeAlias = Literal[
    "up", "scrape_duration_seconds", "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes",
    "process_start_time_seconds",
]  # fmt: skip
FOREIGN: Final[frozenset[str]] = frozenset(get_args(Foreign))
_FAMILIES: Final[dict[str, Family]] = {str(name): family for name, family in CATALOGUE.items()}
# Grafana's own: at least four scrapes long, however far the reader has zoomed in
STEP: Final = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which targets and models a board is about: matchers that stand in every one of its selectors.

    >>> MODEL.of("raincheck_incident_active", severity="page")
    'raincheck_incident_active{job=~"$job",model="$model",severity="page"}'
    >>> FLEET.of("raincheck_evidence", camera="north")
    Traceback (most recent call last):
        ...
    ValueError: raincheck_evidence has the labels (model), not camera
    """

    matchers: str

    def of(self, name: MetricName | Foreign, part: str = "", **labels: str) -> str:
        """The selector of a metric. `part` is a histogram's: bucket, sum or count."""
        family = _FAMILIES.get(name)
        if family is None and name not in FOREIGN:
            raise ValueError(f"{name} is not in the catalogue")
        for label in labels:
            if family is None or label not in family.labels:
                raise ValueError(f"{name} has the labels ({', '.join(family.labels if family else ())}), not {label}")
        inside = ",".join([self.matchers, *(f'{label}="{value}"' for label, value in labels.items())])
        return f"{name}{'_' * bool(part)}{part}{{{inside}}}"

    def rate(self, name: CounterName, **labels: str) -> str:
        """How fast a counter rises, per second.

        >>> MODEL.rate("raincheck_late_events_total")
        'rate(raincheck_late_events_total{job=~"$job",model="$model"}[$__rate_interval])'
        """
        return f"rate({self._counter(name, **labels)}[{STEP}])"

    def rise(self, name: CounterName, **labels: str) -> str:
        """By how much a counter has risen lately, also where its first sample is what happened; nothing where it has not.

        `increase` sees differences only: the first refused record brings a counter that is 1 from its first sample on, which has not
        risen for it. So what was not there before counts as risen by all that it holds.
        """
        which = self._counter(name, **labels)
        return f"(increase({which}[{STEP}]) > 0 or {which} > 0 unless {which} offset {STEP})"

    def buckets(self, name: MetricName, *by: str) -> str:
        """What a histogram has seen since the last point drawn, by its buckets."""
        return fold("sum", f"increase({self.of(name, 'bucket')}[{STEP}])", "le", *by)

    def _counter(self, name: CounterName, **labels: str) -> str:
        if name not in COUNTERS:
            raise ValueError(f"{name} is no counter")
        return self.of(name, **labels)


FLEET: Final = Scope('job=~"$job",instance=~"$instance"')
MODEL: Final = Scope('job=~"$job",model="$model"')


def fold(how: Literal["sum", "min", "max", "count", "group"], inner: str, *by: str) -> str:
    """An aggregation.

    >>> fold("max", "x", "model"), fold("sum", "x")
    ('max by (model) (x)', 'sum(x)')
    """
    return f"{how} by ({', '.join(by)}) ({inner})" if by else f"{how}({inner})"


def or_zero(expr: str, known: str, *by: str) -> str:
    """Zero where `expr` says nothing although `known` exists: nothing failed is a fact, and nothing known is none.

    `or vector(0)` would say that nothing fails where nobody has been asked.

    >>> or_zero("sum(rate(failures[5m]))", "build")
    'sum(rate(failures[5m])) or on () 0 * group(build)'
    """
    return f"{expr} or on ({', '.join(by)}) 0 * {fold('group', known, *by)}"


def names_in(expr: str) -> frozenset[str]:
    """The metrics that an expression names, a histogram by its own name.

    >>> sorted(names_in('rate(raincheck_record_event_delay_seconds_bucket{job="x"}[5m]) / up{}'))
    ['raincheck_record_event_delay_seconds', 'up']
    """
    found = re.findall(r"([a-z_:][a-z0-9_:]*)\{", expr)
    return frozenset(re.sub(r"_(bucket|sum|count)$", "", name) if name not in _FAMILIES else name for name in found)
