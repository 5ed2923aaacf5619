"""What may be forgotten, and when: rows with their because."""

from __future__ import annotations

import pytest

from monitor.plan import DAY_MS
from monitor.standing import Standing, forget_before

YEAR_AGO = 1_700_000_000_000
ROWS = [
    (
        [Standing("judging", origin_ms=YEAR_AGO, next_ms=YEAR_AGO + 100 * DAY_MS)],
        YEAR_AGO + 10 * DAY_MS,
        "ninety days before where the model is",
    ),
    ([Standing("learning", origin_ms=YEAR_AGO, next_ms=YEAR_AGO + 100 * DAY_MS)], YEAR_AGO, "all of it is still learnt from"),
    (
        [Standing("judging", next_ms=YEAR_AGO + 300 * DAY_MS), Standing("judging", next_ms=YEAR_AGO + 100 * DAY_MS)],
        YEAR_AGO + 10 * DAY_MS,
        "the model that is furthest behind decides",
    ),
    ([Standing()], None, "nothing has been seen"),
]


@pytest.mark.parametrize(("standings", "before", "because"), ROWS)
def test_what_may_be_forgotten(standings: list[Standing], before: int | None, because: str) -> None:
    assert forget_before(standings, 90 * DAY_MS) == before, because
