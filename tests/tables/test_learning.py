"""What a plan tells the calibration."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget import calendar
from detectors.budget.clock import Clock
from monitor.config import compile
from monitor.learning import options

ZONES = [
    ("auto", "auto", "no zone was named: the clock is found in the traffic"),
    ("UTC", "UTC", "as it stands"),
    ("Europe/Amsterdam", "Europe/Amsterdam", "as it stands"),
]


@pytest.mark.parametrize(("written", "used", "because"), ZONES, ids=[row[0] for row in ZONES])
def test_the_season_follows_the_zone_as_written(written: str, used: str, because: str) -> None:
    model = {"owner": "team", "timezone": written, "schema": {"features": {"x": "numeric"}}}
    given = options(compile({"owners": {"team": {}}, "models": {"m": model}}).models["m"])
    assert given.timezone == used, because
    assert calendar.local(np.array([0]), given.zone(Clock())).shape == (1,)
