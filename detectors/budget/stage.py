"""Honesty about the reference: what may be concluded from how many days of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the table: the least `days` it needs, the season it allows, whether pages may be sent and at how many budgets (`safety`),
    and how wide it hedges (`inflation` of z, `dead` zones in standard errors)."""

    days: float
    name: str
    season: str
    pages: bool
    safety: float
    inflation: float
    dead: float


# Ascending. A tenth of a day is forgiven, since a reference rarely ends on the hour it began.
STAGES = (
    Stage(0.0, "under 7 days", "none", False, 10.0, 1.5, 2.0),
    Stage(6.9, "7 to 14 days", "daily", True, 10.0, 1.0, 1.0),
    Stage(13.9, "14 to 28 days", "daily and weekly", True, 3.0, 1.0, 1.0),
    Stage(27.9, "from 28 days", "full", True, 3.0, 1.0, 1.0),
)


def stage_of(days: float) -> Stage:
    """The row that a reference of so many days earns.

    >>> stage_of(3).pages, stage_of(10).safety, stage_of(28).name
    (False, 10.0, 'from 28 days')
    """
    return [s for s in STAGES if s.days <= max(days, 0.0)][-1]
