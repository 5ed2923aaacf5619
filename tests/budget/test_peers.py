"""Other people's detectors in the bench: silent in the null month, awake at what nobody could miss."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.testing.traffic import DAY_MS, SCENARIOS, Drift, draw
from monitor.bench.peers import usual_shares
from monitor.bench.sequences import PEERS, Means, Peer, alarms, means, peers

DAY = 288
BEFORE = 20


@pytest.fixture(scope="module")
def month() -> Means:
    columns, past = draw(SCENARIOS["iid"], 3, 4 * DAY, 1)
    return means(columns, past, usual_shares(columns, past))


@pytest.fixture(scope="module")
def found(month: Means) -> dict[str, Peer]:
    return peers(month)


def test_means_of_the_null_month_are_standard(month: Means) -> None:
    np.testing.assert_allclose(month.values.mean(axis=1), 0, atol=1e-9)
    np.testing.assert_allclose(month.values.std(axis=1), 1)


@pytest.mark.parametrize("name", PEERS)
def test_an_oracle_is_silent_in_its_month(name: str, month: Means, found: dict[str, Peer]) -> None:
    """And, but for KSWIN, no further from the edge than the search can see."""
    peer = found[name]
    for series in month.values[: peer.watched]:
        assert not list(alarms(peer.detector, series, peer.above))


@pytest.mark.parametrize("name", PEERS)
def test_a_leap_is_found_at_once(name: str, month: Means, found: dict[str, Peer]) -> None:
    columns, past = draw(SCENARIOS["iid"], 3, 4 * DAY, 1)
    after = draw(SCENARIOS["iid"], 3, BEFORE + 60, 2, start_ms=4 * DAY_MS, drift=Drift(shift=1.0), onset=BEFORE)[1]
    stretch = means(columns, after, usual_shares(columns, past), month)
    delay = found[name].first(month, 3 * DAY, stretch, BEFORE, features=1)
    assert delay is not None
    assert 1 <= delay <= 30, "KSWIN at the latest, when all of its thirty newest windows are the new ones"
