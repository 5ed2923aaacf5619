"""What a plan tells the calibration."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget import calendar
from monitor.config import compile
from monitor.learning import options

ZONES = [
    ("auto", "UTC", "no zone was named, and a calibration must not fail for it"),
    ("UTC", "UTC", "as it stands"),
    ("Europe/Amsterdam", "Europe/Amsterdam", "as it stands"),
]


@pytest.mark.parametrize(("written", "used", "because"), ZONES, ids=[row[0] for row in ZONES])
def test_the_season_is_kept_in_a_zone_that_exists(written: str, used: str, because: str) -> None:
    model = {"owner": "team", "timezone": written, "schema": {"features": {"x": "numeric"}}}
    given = options(compile({"owners": {"team": {}}, "models": {"m": model}}).models["m"])
    assert given.timezone == used, because
    assert calendar.local(np.array([0]), given.timezone).shape == (1,)
