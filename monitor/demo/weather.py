"""The light of each hour: sun, clouds and the exposure that the camera happens to have chosen.

Clean days differ honestly. The sun makes the day; clouds come and go with a memory of hours; the exposure stays for some hours on one
of a few settings and then moves to another. Two weeks show all of it, also the brightest noon there is: so a changed exposure is
nothing new, which is what the story's control episode relies on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

EXPOSURES = (0.88, 0.94, 1.0, 1.06, 1.12)  # gains that the camera chooses from
CONTROL_EXPOSURE = EXPOSURES[3]
_KEPT_HOURS = 4  # mean time that one exposure stays
_CLOUD_MEMORY = 0.7  # correlation of cloudiness from hour to hour


@dataclass(frozen=True, slots=True)
class Weather:
    """One hour's `cloud` (0 clear to 1 overcast), camera `gain`, and `rain` (0 or how hard, about 1)."""

    cloud: float
    gain: float
    rain: float = 0.0


@dataclass(frozen=True, slots=True)
class Light:
    """`ambient` and `sky` as RGB factors 0 to 1, `night` from 0 by day to 1 in the dark."""

    ambient: tuple[float, float, float]
    sky: tuple[float, float, float]
    night: float


def wander(rng: np.random.Generator, hours: int) -> list[Weather]:
    """Clean weather for so many consecutive hours: cloudiness a bounded AR(1), exposure constant by pieces."""
    out: list[Weather] = []
    cloud, gain = rng.normal(), rng.choice(EXPOSURES)
    for _ in range(hours):
        cloud = _CLOUD_MEMORY * cloud + math.sqrt(1 - _CLOUD_MEMORY**2) * rng.normal()
        if rng.random() < 1 / _KEPT_HOURS:
            gain = rng.choice(EXPOSURES)
        out.append(Weather(0.5 + 0.42 * math.tanh(1.3 * cloud), float(gain)))  # clear and overcast are common, not rare extremes
    return out


def light(hour_of_day: float, cloud: float) -> Light:
    """What lights the street at a local hour 0 to 24: sun from six to eight in the evening, warm near the horizon, street lamps after.

    >>> light(13.0, 0.2).night, light(1.0, 0.2).night
    (0.0, 1.0)
    """
    height = math.sin(math.pi * (hour_of_day - 6.0) / 14.0) if 6.0 <= hour_of_day <= 20.0 else -0.2
    if not 6.0 <= hour_of_day <= 20.0:
        away = min(abs(hour_of_day - 6.0), abs(hour_of_day - 20.0), 24.0 - hour_of_day + 6.0)
        height = -min(away / 4.0, 0.2)
    day = min(max((height + 0.15) / 0.45, 0.0), 1.0)
    warm = math.exp(-(((height - 0.08) / 0.14) ** 2)) * (1 - 0.6 * cloud)
    dim = 1 - 0.22 * cloud

    def mix(dark: float, bright: float, glow: float) -> float:
        return dark + (bright * dim - dark) * day + glow * warm

    ambient = (mix(0.24, 0.98, 0.14), mix(0.24, 0.97, 0.03), mix(0.32, 0.96, -0.10))
    sky = (mix(0.09, 0.45, 0.40), mix(0.09, 0.64, 0.12), mix(0.15, 0.90, -0.14))  # at night the glow of the town, clouds or not
    return Light(ambient, sky, 1.0 - day)
