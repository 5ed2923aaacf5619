"""One row of the tables of pipeline rules, and the expressions and series that several rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from alerts.rule import KEEP, Case, Severity

Scope: TypeAlias = Literal["all", "part"]
A: Final[Mapping[str, str]] = {"job": "JOB", "instance": "a:9740"}  # what the cases' series say of their target


@dataclass(frozen=True, slots=True)
class Row:
    """A rule about raincheck itself, without what the plan adds: owner and runbook.

    `scope` "all" leaves every verdict in doubt: alerts about models, and those of scope "part", are held back meanwhile.
    """

    name: str
    severity: Severity
    expr: str
    hold: str
    summary: str
    description: str
    cases: tuple[Case, ...]
    scope: Scope = "part"
    keep: str = KEEP


def series(name: str, instance: str = "a:9740", **labels: str) -> str:
    """A case's series.

    >>> series("raincheck_window_events", model="m")
    'raincheck_window_events{JOB,instance="a:9740",model="m"}'
    """
    inside = "".join(f',{label}="{value}"' for label, value in labels.items())
    return f'{name}{{JOB,instance="{instance}"{inside}}}'


def rose(counter: str, window: str, matchers: str = "") -> str:
    """How much a labelled counter has risen, also where its first sample is what happened.

    `increase` sees differences only: a counter that appears with 12 in it, as one does whose labels are new, has not risen for it. An
    offset lost before the first scrape after a start was never told.

    >>> rose("c_total", "15m")
    '(increase(c_total{JOB}[15m]) > 0 or c_total{JOB} > 0 unless c_total{JOB} offset 15m)'
    """
    which = f"{counter}{{JOB{matchers}}}"
    return f"(increase({which}[{window}]) > 0 or {which} > 0 unless {which} offset {window})"
