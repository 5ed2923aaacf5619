"""What happens in the demo, and when: three weeks of a traffic-light camera, one hour a window.

>>> [episode.name for episode in STORY.episodes if episode.harmful]
['rain', 're-encoding']
>>> STORY.windows * STORY.pictures
12096
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Cause: TypeAlias = Literal["rain", "exposure", "re-encoding"]
HOUR_MS = 3_600_000
DAY = 24


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens from hour `start` until before hour `end`, counted from the story's beginning."""

    name: Cause
    start: int
    end: int
    harmful: bool


@dataclass(frozen=True, slots=True)
class Story:
    """`reference` of the `windows` are days that raincheck learns from; `pictures` come in each, evenly spaced."""

    start_ms: int
    windows: int
    reference: int
    pictures: int
    episodes: tuple[Episode, ...]
    window_ms: int = HOUR_MS

    def episode(self, hour: int) -> Episode | None:
        """What is going on in this hour, if anything."""
        return next((e for e in self.episodes if e.start <= hour < e.end), None)


STORY = Story(
    start_ms=1_775_433_600_000,  # Monday, 6 April 2026, 00:00 UTC, which is also the street's own time
    windows=21 * DAY,
    reference=14 * DAY,
    pictures=24,
    episodes=(
        Episode("rain", 15 * DAY + 10, 15 * DAY + 18, harmful=True),
        # a day of clear weather in between, so that what rain did to the alert is over before the control begins
        Episode("exposure", 17 * DAY + 9, 17 * DAY + 17, harmful=False),
        Episode("re-encoding", 19 * DAY + 8, 21 * DAY, harmful=True),
    ),
)
