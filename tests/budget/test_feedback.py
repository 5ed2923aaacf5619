"""An owner who answers "false" every time is heard: the last row of how detection is judged."""

from __future__ import annotations

import pytest

from monitor.bench.feedback import CASES, live


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("rho", "share"), CASES)
def test_false_pages_fade_within_three_months(rho: float, share: float) -> None:
    """The reference is white, the world wanders; at most 2 pages in the third month, and half an sd is still found within hours."""
    life = live(rho, share, seed=1, months=3, features=4)
    assert life.pages[0] > 0, "the null law must be broken, or there is nothing to teach"
    assert life.pages[2] <= 2
    assert life.refits < 40
    assert life.delay <= 24
