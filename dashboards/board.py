"""What a dashboard is, as data: boards of rows of panels, each panel a question and the expressions that answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["lines", "bars", "number", "name", "states", "table", "heatmap"]
Color: TypeAlias = Literal["green", "orange", "red", "blue", "text"]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression. `legend` is what its series are called; in a table it is the column's head, `unit` the column's unit."""

    expr: str
    legend: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Args:
        title: what is shown, in a few words.
        about: the question that it answers, and how to read it.
        unit: Grafana's id of the unit of the values.
        queries: at least one.
        form: lines, bars, one number, a name (a label's value), states over time, a table by model, a heatmap of a histogram.
        width: of 24. height: of rows of 30 pixels.
        runbook: the alert that tells of the same, whose runbook says what to do.
        steps: from which value on which colour; the first holds from below.
        words: what a value is called.
        stacked: parts of a whole, drawn upon each other.
        narrowing: values far above the rest are drawn nearer to it, by logarithm from 10 on; below and about 0 nothing changes.
        key: of a table: the label that its rows are about.
    """

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    form: Form = "lines"
    width: int = 12
    height: int = 8
    runbook: str = ""
    steps: tuple[tuple[float | None, Color], ...] = ((None, "text"),)
    words: tuple[tuple[int, str, Color], ...] = ()
    stacked: bool = False
    narrowing: bool = False
    key: str = ""

    def __post_init__(self) -> None:
        if not self.queries:
            raise ValueError(f"panel {self.title!r} asks nothing")


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader chooses: the values of `label` of the series that `series` selects; `several` of them, or all."""

    name: str
    title: str
    series: str
    label: str
    several: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that is drawn through all panels: `expr` gives it in seconds since the epoch."""

    name: str
    expr: str
    title: str
    color: Color


@dataclass(frozen=True, slots=True)
class Link:
    """Where else to look; `url` may name variables."""

    title: str
    url: str
    keep: bool = False  # takes the chosen values and times along: for another dashboard


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `uid` stays for ever, since links and bookmarks name it."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    marks: tuple[Mark, ...] = ()
    links: tuple[Link, ...] = ()
    since: str = "now-24h"

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)
