"""One calibrated model for all tests of this folder: learning it takes seconds, asking it nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detectors.budget.calibration import Calibration, Options, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.layout import Column, columns_of
from detectors.testing.traffic import DAY_MS, WINDOW_MS, Drift, Scenario, draw

REFERENCE_DAYS = 15
USUAL = Scenario(season=0.3, volume=2.0, wander=0.03, common=0.3)


def with_oddities(columns: list[Column], history: History) -> tuple[list[Column], History]:
    """Two more columns: one that never changes (`still`), one with five levels (`colour`)."""
    n = history.counts["f0"].sum(1)
    still = np.zeros((len(n), 6), np.int64)
    still[:, 4] = n
    colour = np.zeros((len(n), 9), np.int64)
    colour[:, 4:] = np.random.default_rng(5).multinomial(n, [0.4, 0.3, 0.15, 0.1, 0.05])
    more = columns_of("still", "numeric", "inputs") + columns_of("colour", "categorical", "inputs")
    return columns + more, History(history.start_ms, history.window_ms, {**history.counts, "still": still, "colour": colour})


@pytest.fixture(scope="session")
def live() -> Callable[..., History]:
    """What follows the reference: `live(windows, seed, drift=None, onset=0)`."""

    def follow(windows: int, seed: int, drift: Drift | None = None, onset: int = 0) -> History:
        start = REFERENCE_DAYS * DAY_MS
        return with_oddities(*draw(USUAL, 4, windows, seed, world=3, start_ms=start, drift=drift, onset=onset))[1]

    return follow


@pytest.fixture(scope="session")
def reference() -> tuple[list[Column], History]:
    return with_oddities(*draw(USUAL, 4, REFERENCE_DAYS * 288, 1, world=3))


@pytest.fixture(scope="session")
def calibration(reference: tuple[list[Column], History]) -> Calibration:
    return calibrate(*reference, Options(WINDOW_MS))


@pytest.fixture(scope="session")
def chain(calibration: Calibration) -> Chain:
    return Chain(calibration)
