"""A table of what goes wrong and what must be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from detectors.budget.calibration import Options, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.testing.steps import Counts, walk
from detectors.testing.traffic import DAY_MS, SCENARIOS, WINDOW_MS, Drift, Scenario, draw

Live = Callable[..., History]

ONSET = 60


def becomes(column: str, cell: int, share: float = 1.0) -> Callable[[Counts], None]:
    """A share of the column's events falls into one cell."""

    def change(counts: Counts) -> None:
        cells = counts[column]
        moved = np.floor(cells * share).astype(np.int64)
        counts[column] = cells - moved
        counts[column][cell] += moved.sum()

    return change


@dataclass(frozen=True)
class Row:
    what: str
    drift: Drift | Callable[[Counts], None]
    within: int
    subject: str
    statistic: str
    direction: str
    unit: str
    low: float
    high: float
    because: str


ROWS = [
    Row(
        "half an sd",
        Drift(shift=0.5),
        4,
        "f0",
        "location",
        "up",
        "sd",
        0.35,
        0.65,
        "n = 300 puts it eight standard errors off in every window",
    ),
    Row("one sd down", Drift(shift=-1.0), 2, "f0", "location", "down", "sd", -1.4, -0.7, "nothing of the kind is in the reference"),
    Row(
        "wider",
        Drift(scale=1.3),
        8,
        "f0",
        "scale",
        "up",
        "ratio",
        1.15,
        1.5,
        "scale has a stream of its own that location does not disturb",
    ),
    Row("narrower", Drift(scale=0.75), 8, "f0", "scale", "down", "ratio", 0.6, 0.9, "both directions are bet on"),
    Row("repeats", Drift(atom=0.1), 3, "f0", "shape", "changed", "points", 5.0, 12.0, "one value in ten is the same one: a spike"),
    Row("missing", Drift(missing=0.1), 2, "f0", "missing", "up", "points", 6.0, 14.0, "never missing before: thirty at once is no chance"),
    Row(
        "still changes",
        becomes("still", 5),
        1,
        "still",
        "out of range",
        "up",
        "points",
        99.0,
        100.0,
        "a constant that changes pages at once",
    ),
    Row("one in ten", becomes("still", 3, 0.1), 2, "still", "out of range", "up", "points", 7.0, 12.0, "a tenth of a constant is as good"),
    Row(
        "unseen level", becomes("colour", 2, 0.05), 4, "colour", "unseen", "up", "points", 2.0, 6.0, "a level that the reference never had"
    ),
    Row(
        "level mix",
        becomes("colour", 6, 0.3),
        2,
        "colour",
        "categories",
        "changed",
        "psi",
        0.2,
        0.8,
        "one level takes a third of the others",
    ),
    Row("not finite", becomes("f1", 1, 0.5), 1, "f1", "invalid", "up", "points", 30.0, 60.0, "infinities are a cell of their own"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.what)
def test_it_pages_and_says_what_since_when(chain: Chain, row: Row, live: Live) -> None:
    scripted = row.drift if callable(row.drift) else None
    history = live(ONSET + row.within, 21, None if callable(row.drift) else row.drift, ONSET)

    def change(at: int, counts: Counts) -> None:
        if scripted is not None and at >= ONSET:
            scripted(counts)

    for at, _, reading in walk(chain, history, change=change):
        if reading.log10_m < reading.log10_a:
            continue
        lead = reading.leads[0]
        assert at >= ONSET, "paged before anything happened"
        assert (lead.subject, lead.statistic, lead.direction, lead.unit) == (row.subject, row.statistic, row.direction, row.unit), (
            row.because
        )
        assert row.low <= lead.size <= row.high
        assert reading.effect_ok
        assert abs(lead.onset_ms - int(history.start_ms[ONSET])) <= 2 * history.window_ms
        assert sum(reading.shares.values()) == pytest.approx(1.0)
        assert lead.log10_alone <= reading.log10_m
        return
    pytest.fail(f"no page within {row.within} windows, because {row.because}")


def test_a_glitch_of_one_window_does_not_page_from_a_small_stream(chain: Chain, live: Live) -> None:
    """A quarter of an sd for five minutes is what happens in service; it must be gone an hour later."""
    history = live(ONSET + 13, 22)
    shifted = live(ONSET + 13, 22, Drift(shift=0.25), ONSET)

    def change(at: int, counts: Counts) -> None:
        if at == ONSET:
            counts["f0"] = shifted.counts["f0"][at].copy()

    assert all(reading.log10_m < reading.log10_a for _, _, reading in walk(chain, history, change=change))


def test_below_the_owners_minimum_the_effect_gate_holds(chain: Chain, live: Live) -> None:
    """+0.06 sd for days is certain in the end, and below the 0.1 sd that anybody wants to be woken for."""
    history = live(288, 23, Drift(shift=0.06), 0)
    ends = [r for _, _, r in walk(chain, history) if r.log10_m >= r.log10_ticket and r.leads[0].statistic == "location"]
    assert all(not r.effect_ok for r in ends if r.leads[0].events > 30_000)


def test_everything_moved_a_little() -> None:
    """A tenth of an sd in each of sixteen features: none of them could say so for days, together they do within the hour."""
    columns, past = draw(SCENARIOS["all"], 16, 10 * 288, 41, world=4)
    chain = Chain(calibrate(columns, past, Options(WINDOW_MS)))
    start = 10 * DAY_MS
    usual, moved = (
        draw(SCENARIOS["all"], 16, 48, 42, world=4, start_ms=start, drift=d, onset=24)[1] for d in (None, Drift(shift=0.15, features=16))
    )
    assert all(r.log10_m < r.log10_a for _, _, r in walk(chain, usual))
    paged = [(row, r) for row, _, r in walk(chain, moved) if r.log10_m >= r.log10_a]
    assert paged, "not within two hours"
    row, reading = paged[0]
    assert row >= 24
    together = [lead for lead in reading.leads if lead.statistic == "all together"]
    assert together
    assert all(lead.direction == "up" for lead in together if lead.unit == "sd")
    assert reading.effect_ok


def test_points_are_points_whether_the_share_was_rare_or_common() -> None:
    """A share common enough for a score is told in percentage points too, not in its score's units."""
    usual = Scenario(missing=0.12)
    columns, past = draw(usual, 1, 8 * 288, 1, world=3)
    calibration = calibrate(columns, past, Options(WINDOW_MS))
    assert any(s.statistic == "missing" and s.law == "signed" for s in calibration.shape.streams)
    history = draw(usual, 1, 30, 2, world=3, start_ms=8 * DAY_MS, drift=Drift(missing=0.05), onset=10)[1]
    *_, (_, _, reading) = walk(Chain(calibration), history)
    lead = reading.leads[0]
    assert (lead.statistic, lead.unit) == ("missing", "points")
    assert lead.size == pytest.approx(5.0, abs=1.5)  # 20 windows of 300 events: an error of 0.4, and the season's
