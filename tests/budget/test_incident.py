"""The life of an incident as the chain sees it: held while it lasts, recovered once it is over, and silent about the return."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.testing.traffic import Drift

Live = Callable[..., History]


LASTS = 150


@pytest.mark.parametrize(
    ("drift", "because"),
    [
        (Drift(shift=0.5), "an unheld filter would follow a shift within hours and call it recovered"),
        (Drift(scale=1.4), "the spread has a level too"),
        (Drift(missing=0.1), "rates have no level, and end when they end"),
    ],
    ids=["location", "scale", "missing"],
)
def test_one_page_from_onset_to_recovery(chain: Chain, drift: Drift, because: str, live: Live) -> None:
    bad, good = live(LASTS, 31, drift), live(LASTS + 120, 31)
    state = chain.zero()
    opened = recovered = None
    pages = 0
    for row, start in enumerate(good.start_ms):
        history = bad if row < LASTS else good
        state, reading = chain.step(state, int(start), {n: t[row] for n, t in history.counts.items()})
        if opened is not None and recovered is None and reading.recovered:
            recovered = row
            state = chain.thaw(chain.reset(state))
        elif (opened is None or recovered is not None) and reading.log10_m >= reading.log10_a:
            pages += 1
            opened = row
            state = chain.freeze(chain.reset(state), reading.leads)
    assert pages == 1, because
    assert opened is not None
    assert opened <= 12
    assert recovered is not None, "never recovered"
    assert LASTS <= recovered <= LASTS + 24, because


def test_recovery_is_unknown_while_nothing_is_held(chain: Chain, live: Live) -> None:
    history = live(1, 32)
    _, reading = chain.step(chain.zero(), int(history.start_ms[0]), {n: t[0] for n, t in history.counts.items()})
    assert reading.recovered is None
