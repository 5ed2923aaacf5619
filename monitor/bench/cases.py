"""What is normal, in two rows: moods, seasons and volumes one by one; and traffic of people, jobs and half-broken pipelines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from detectors.testing.traffic import DAY_MS, SCENARIOS, Scenario

OFFICE = Scenario(season=0.2, volume=4.0, wander=0.05, common=0.3, office=0.3)


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of traffic, the `row` of the protocol it belongs to, the `timezone` the model is told, and the day it begins."""

    traffic: Scenario
    row: int = 1
    timezone: str = "UTC"
    first_day: int = 0


def _day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000 // DAY_MS


# Berlin's clocks change 34 days later, in the first week of a live month that follows 28 days of reference
WINTER = _day("2026-02-23")

CASES: dict[str, Case] = {
    **{name: Case(kind, 2 if name == "office" else 1) for name, kind in SCENARIOS.items()},
    "other marginals": Case(Scenario(season=0.2, volume=3.0, wander=0.05, common=0.3, odd=True), 2),
    "office hours": Case(OFFICE, 2),
    "weekly job": Case(Scenario(season=0.2, volume=3.0, wander=0.05, common=0.3, job=1.0), 2),
    "glitches": Case(Scenario(season=0.2, volume=3.0, wander=0.05, common=0.3, bursts=1 / 96, burst=1.0), 2),
    "missing by the hour": Case(Scenario(season=0.2, volume=3.0, wander=0.05, common=0.3, missing=0.05), 2),
    "clock change, named": Case(replace(OFFICE, timezone="Europe/Berlin"), 2, "Europe/Berlin", WINTER),
    "clock change, auto": Case(replace(OFFICE, timezone="Europe/Berlin"), 2, "auto", WINTER),
}
