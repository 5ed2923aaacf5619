"""Copies of a state that was lost: the empty one that follows it neither pushes them out nor is taken for them."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor import __main__ as command_line
from monitor import wall
from monitor.changes import Changes
from monitor.standing import Standing
from monitor.stores.backup import back_up, beside, left_behind, restore
from monitor.stores.glance import known
from monitor.stores.lives import copies, formers, imprint, kept, stamp
from monitor.stores.sqlite import SqliteStore
from monitor.stores.tables import put
from tests.contracts.whole_state import everything

HOUR_MS = 3_600_000


def grown(path: Path, count: int = 1) -> bytes:
    """Goes on with the state at `path`, or begins one; what it holds then."""
    store = SqliteStore(path)
    store.save(Changes(counts=Counter({("m", "late"): count}), evidence={"m": Standing(next_ms=HOUR_MS, digest="d").pack()}))
    store.close()
    return everything(path)


@pytest.fixture
def lost(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """Where a state was, of which two copies are left; what they hold, the newest first."""
    path = tmp_path / "state.db"
    older = grown(path, 5)
    back_up(path)
    newer = grown(path, 7)
    back_up(path)
    path.unlink()
    return path, [newer, older]


def test_copies_of_a_lost_state_outlive_any_number_of_the_next_ones(lost: tuple[Path, list[bytes]]) -> None:
    path, held = lost
    SqliteStore(path).close()
    for _ in range(3):
        back_up(path)
    assert [everything(copy) for copy in formers(path)] == held
    assert all(copy.exists() for copy in copies(path))
    assert [(c.former, c.problems) for c in beside(path)] == [(False, ()), (False, ()), (True, ()), (True, ())]
    told = left_behind(path)
    assert told is not None
    assert told.path == formers(path)[0]


def test_another_state_in_its_place_sets_them_apart_too(lost: tuple[Path, list[bytes]], tmp_path: Path) -> None:
    """Whoever puts a file there by hand makes no fresh start."""
    path, held = lost
    SqliteStore(tmp_path / "other.db").close()
    shutil.copy(tmp_path / "other.db", path)
    back_up(path)
    back_up(path)
    assert [everything(copy) for copy in formers(path)] == held


def test_the_command_that_is_named_goes_back_also_after_the_next_copies(lost: tuple[Path, list[bytes]]) -> None:
    path, held = lost
    SqliteStore(path).close()
    told = left_behind(path)
    assert told is not None
    back_up(path)
    assert command_line.main(told.command(path).split()[1:]) == 0
    assert everything(path) == held[0]
    again = left_behind(path)
    assert again is not None
    assert again.path == copies(path)[0], "now it is the empty one's copy that is of another life"


def test_after_a_way_back_its_own_copies_come_first_and_those_of_the_empty_one_stay(lost: tuple[Path, list[bytes]]) -> None:
    path, held = lost
    SqliteStore(path).close()
    empty = everything(back_up(path))
    restore(path, formers(path)[0])
    assert everything(restore(path).source) == held[0], "not the younger copy of the empty one"
    later = grown(path, 9)
    back_up(path)
    assert everything(copies(path)[0]) == later
    assert empty in [everything(copy) for copy in formers(path)]


def test_without_a_state_the_newest_copy_is_taken_wherever_it_is(lost: tuple[Path, list[bytes]]) -> None:
    path, held = lost
    SqliteStore(path).close()  # it ends before its first copy
    path.unlink()
    assert restore(path).source.name.startswith("state.db.backup.2")
    assert everything(path) == held[0]


def test_what_is_lost_again_and_again_pushes_out_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, minute_ms = tmp_path / "state.db", [0]
    monkeypatch.setattr(wall, "now_ms", lambda: 1_767_225_600_000 + minute_ms[0] * 60_000)
    held, lives = b"", []
    for minutes in (3_000, 1, 1, 1, 1):
        SqliteStore(path).close()
        held = held or grown(path)
        minute_ms[0] += minutes
        lives.append(imprint(back_up(path)).life)
        path.unlink()
    SqliteStore(path).close()
    assert [imprint(copy).life for copy in formers(path)] == [lives[-1], lives[0]], "the last one, and the longest of the others"
    assert everything(formers(path)[1]) == held


@pytest.mark.parametrize(
    ("reach", "stay", "because"),
    [
        ({}, set(), "there is none"),
        ({"20260101T000000Z-aaaaaa": 1}, {"20260101T000000Z-aaaaaa"}, "the only one"),
        (
            {"unnamed": 1_700_000_000_000, "20260101T000000Z-aaaaaa": 1_767_300_000_000, "20260102T000000Z-bbbbbb": 1_767_400_000_000},
            {"unnamed", "20260102T000000Z-bbbbbb"},
            "one from before lives had names may be of any length",
        ),
    ],
)
def test_of_former_lives_the_last_and_the_longest_stay(reach: dict[str, int], stay: set[str], because: str) -> None:
    assert kept(reach) == stay, because


def test_a_state_from_before_lives_had_names_goes_on_with_its_copies(state: Path) -> None:
    for _ in range(3):
        back_up(state)
    assert formers(state) == []
    state.unlink()
    SqliteStore(state).close()
    assert [former.name for former in formers(state)] == ["state.db.backup.unnamed", "state.db.backup.unnamed.previous"]


def test_a_copy_is_as_old_as_it_says_whoever_copied_it(lost: tuple[Path, list[bytes]]) -> None:
    path, _ = lost
    stamp(copies(path)[0], 1_767_225_600_000)
    os.utime(copies(path)[0])
    assert next(copy.made_ms for copy in beside(path)) == 1_767_225_600_000
    assert restore(path).made_ms == 1_767_225_600_000
    grown(path)
    assert imprint(path).made_ms > 1_767_225_600_000, "what has gone on is no copy of that day any more"


def test_a_name_that_is_none_becomes_no_files_name(lost: tuple[Path, list[bytes]]) -> None:
    """It stands in a file that anybody may have written."""
    path, _ = lost
    store = SqliteStore(copies(path)[0])
    put(store._db, "meta", [("life", "../../elsewhere")])
    store.close()
    SqliteStore(path).close()
    assert imprint(copies(path)[0]).life is None
    assert copies(path)[0].exists(), "nobody's: it stays until two copies have been made"


def test_check_tells_of_what_is_left_and_of_another_configurations_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "rain.json"
    model = {"owner": "team", "schema": {"features": {"x": {"kind": "numeric"}}}}
    config.write_text(json.dumps({"models": {"other": model}, "owners": {"team": {"page": ["json://127.0.0.1/"]}}}))
    path = tmp_path / "raincheck.db"

    def said() -> dict[str, Any]:
        assert command_line.main(["check", str(config), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    assert (said()["state"]["models"], said()["state"]["copy"]) == ([], None)
    grown(path)
    stamp(back_up(path), 1_767_225_600_000)
    assert said()["state"]["models"] == ["m"]
    assert "models that are not in this configuration: m" in said()["notes"][-1]
    path.unlink()
    for fresh in (False, True):
        if fresh:
            SqliteStore(path).close()
            back_up(path)
        left = formers(path)[0] if fresh else copies(path)[0]
        told = said()
        assert told["state"]["copy"] == {"path": str(left), "made": "2026-01-01T00:00:00Z"}
        assert f"raincheck state restore {path} --from {left}" in told["notes"][-1]


def test_who_only_looks_leaves_nothing_beside_the_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    grown(path)
    before = sorted(tmp_path.iterdir())
    assert known(path) == {"m"}
    assert imprint(path).life
    assert sorted(tmp_path.iterdir()) == before
