"""Columns beside the reference, read from a running raincheck's state: the one that moved leads, and what is read is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.album import MOST, Album
from monitor.board import Board
from monitor.changes import ReferenceRow, WindowRow
from monitor.incident import Incident
from monitor.office import Office
from monitor.stores.glance import SqliteGlance
from monitor.verdict import Verdict
from tests.browser.shop import shop
from tests.river.world import HOUR_MS


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with shop(tmp_path_factory.mktemp("columns") / "state.db") as office:
        yield office


@pytest.fixture
def page(office: Office) -> Incident:
    return next(i for i in office.incidents() if i.severity == "page")


class Counting:
    """A glance that knows what it was asked for."""

    def __init__(self, path: Path) -> None:
        self._glance = SqliteGlance(path)
        self.asked: list[tuple[int, int]] = []

    def windows(self, model: str, from_ms: int, until_ms: int) -> Iterator[WindowRow]:
        self.asked.append((from_ms, until_ms))
        return self._glance.windows(model, from_ms, until_ms)

    def reference(self, name: str) -> ReferenceRow | None:
        return self._glance.reference(name)


def state_of(office: Office) -> Path:
    return Path(office.store.path)  # type: ignore[attr-defined] # the shop's store is a file


def board_of(office: Office) -> tuple[Board, Verdict]:
    return office.board, office.board.windows("shop", 1)[0]


def test_the_column_that_moved_leads_by_the_size_it_moved(office: Office, page: Incident) -> None:
    found = office.columns("shop", page)
    first = found.columns[0]
    assert first.column == "x3"
    assert first.leads
    assert first.shift == pytest.approx(1.0, abs=0.2), "one sd, told from bars of 60 events an hour"
    assert first.events == found.windows * 60
    assert (found.from_ms, found.windows) == (page.onset_ms, (found.until_ms - found.from_ms) // HOUR_MS)
    assert all(p.moved < first.moved for p in found.columns[1:])


def test_without_an_incident_it_is_the_last_hour(office: Office) -> None:
    found = office.columns("shop")
    _, last = board_of(office)
    assert (found.from_ms, found.until_ms, found.windows) == (last.start_ms, last.end_ms, 1)
    assert {p.column for p in found.columns} >= {"x3", "c0", "prediction"}


def test_the_state_is_read_once_until_another_window_has_been_saved(office: Office, page: Incident) -> None:
    glance = Counting(state_of(office))
    album, (board, last) = Album(office.plan, glance), board_of(office)
    for _ in range(3):
        album.since(page, board.reference("shop"), last)
    assert len(glance.asked) == 1
    album.since(page, board.reference("shop"), replace(last, end_ms=last.end_ms + HOUR_MS))
    assert len(glance.asked) == 2


@pytest.mark.parametrize(
    ("resolved", "newest", "because"),
    [(False, True, "what is open is looked at as it is now"), (True, False, "what has closed is looked at as it began")],
)
def test_however_long_an_incident_lasts_no_more_than_a_bounded_number_of_windows_is_read(
    office: Office, page: Incident, resolved: bool, newest: bool, because: str
) -> None:
    glance = Counting(state_of(office))
    board, last = board_of(office)
    onset_ms = last.end_ms - 1000 * HOUR_MS
    long = replace(page, onset_ms=onset_ms, resolved_ms=last.end_ms if resolved else None)
    found = Album(office.plan, glance).since(long, board.reference("shop"), last)
    ((from_ms, until_ms),) = glance.asked
    assert until_ms - from_ms == MOST * HOUR_MS
    assert (until_ms == last.end_ms) == newest, because
    assert (from_ms == onset_ms) != newest, because
    assert found.cut_short


def test_a_state_that_cannot_be_read_is_said_and_costs_the_drawings_only(office: Office, tmp_path: Path, page: Incident) -> None:
    board, last = board_of(office)
    found = Album(office.plan, SqliteGlance(tmp_path / "gone.db")).since(page, board.reference("shop"), last)
    assert found.columns == ()
    assert found.why.startswith("The windows cannot be read at the moment")
    assert str(tmp_path) not in found.why, "whoever may look at a page need not know our disk"
    assert not (tmp_path / "gone.db").exists(), "looking makes nothing"


def test_without_a_reference_or_a_window_it_says_so(office: Office) -> None:
    album, (_, last) = Album(office.plan, SqliteGlance(state_of(office))), board_of(office)
    assert album.lately("shop", None, last).why == "No reference has been learnt yet: there is nothing to compare with."
    assert album.lately("shop", None, None).why == "No window has been closed yet."
