"""Copies of a state, and the way back: whatever fails, the older copies and the file that was there stay."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor import __main__ as command_line
from monitor import wall
from monitor.changes import Changes
from monitor.errors import Corrupt, Misconfigured, Transient
from monitor.stores import backup
from monitor.stores.backup import back_up, restore, unfinished
from monitor.stores.holding import hold
from monitor.stores.lives import copies, stamp
from monitor.stores.sqlite import SqliteStore, check
from tests.contracts.whole_state import everything


def test_a_copy_is_whole_and_the_one_before_it_is_kept(state: Path) -> None:
    store = SqliteStore(state)  # as beside a daemon
    first = back_up(state)
    was = everything(first)
    store.save(Changes(counts=Counter({("m", "late"): 1})))
    second = back_up(state)
    newest, previous = copies(state)
    assert first == second == newest
    assert everything(newest) == everything(state) != was
    assert everything(previous) == was
    assert sorted(p.name for p in state.parent.iterdir() if p.name.startswith("state.db.b")) == [
        "state.db.backup",
        "state.db.backup.previous",
    ]
    store.close()


def test_saving_goes_on_while_a_copy_is_made_and_the_copy_is_of_one_moment(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(state)
    before = everything(state)

    def saved_meanwhile(path: Path) -> list[str]:
        store.save(Changes(counts=Counter({("m", "late"): 1})))
        return check(path)

    monkeypatch.setattr(backup, "check", saved_meanwhile)
    assert everything(back_up(state)) == before
    assert everything(state) != before
    store.close()


def test_two_who_make_a_copy_take_turns(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's beside the daemon's: both write one name, and the second would take away what the first has just written."""
    waits = []

    def looked(path: Path) -> list[str]:
        with state.with_name("state.db.copying.lock").open("ab") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waits.append(path)
        return check(path)

    monkeypatch.setattr(backup, "check", looked)
    back_up(state)
    back_up(state)
    assert len(waits) == 2, "each is alone, and lets go of it"


def test_a_person_takes_a_copy_beside_the_daemon_and_sees_how_old_the_copies_are(
    state: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def said(*words: str) -> tuple[int, dict[str, Any]]:
        code = command_line.main(["state", *words, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    assert said("check", str(state))[1]["copies"] == []
    store = SqliteStore(state)  # a daemon has it
    for _ in range(2):
        code, told = said("backup", str(state))
        assert (code, told["ok"], told["copy"]) == (0, True, str(copies(state)[0]))
    store.close()
    newest, previous = copies(state)
    stamp(previous, wall.now_ms() - 7_200_000)
    newest.write_bytes(newest.read_bytes()[:5000])
    code, told = said("check", str(state))
    assert (code, told["ok"]) == (0, True), "the state itself is well"
    assert [(c["path"], c["ok"], c["age_s"] // 3600) for c in told["copies"]] == [(str(newest), False, 0), (str(previous), True, 2)]
    assert command_line.main(["state", "check", str(state)]) == 0
    out = capsys.readouterr().out
    assert f"{newest}: " in out
    assert "cannot be trusted" in out
    assert "2 h old, whole" in out
    assert said("backup", str(tmp_path / "nowhere.db"))[0] == 78
    assert not (tmp_path / "nowhere.db.backup").exists()


def test_a_state_that_cannot_be_trusted_replaces_no_copy(state: Path) -> None:
    good = everything(back_up(state))
    with sqlite3.connect(state) as db:
        db.execute("UPDATE offsets SET next_offset = 0")
    db.close()
    with pytest.raises(Corrupt, match="state restore"):
        back_up(state)
    assert everything(copies(state)[0]) == good
    assert "a row of offsets differs" in check(state)[0]


def test_a_full_disk_leaves_the_older_copies(state: Path) -> None:
    """A limit on the size of files, set in a process of its own, is what stands for the disk here."""
    good = everything(back_up(state))
    limit = state.stat().st_size // 2
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from monitor.errors import Transient\nfrom monitor.stores.backup import back_up\n"
        f"try: back_up({str(state)!r})\nexcept Transient as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "could not be written" in done.stdout
    assert everything(copies(state)[0]) == good
    assert [p.name for p in state.parent.iterdir() if "making" in p.name] == []


def test_what_cannot_be_put_in_place_leaves_the_older_copies(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = everything(back_up(state))

    def refuse(path: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(backup, "durable", refuse)
    with pytest.raises(Transient, match="no space left"):
        back_up(state)
    assert everything(copies(state)[0]) == good


# ---- the way back


def test_restoring_sets_aside_what_was_there_and_says_how_far_the_copy_reaches(state: Path) -> None:
    good = everything(back_up(state))
    state.write_bytes(b"damaged")
    done = restore(state)
    assert everything(state) == good
    assert done.source == copies(state)[0]
    assert [path.read_bytes() for path in done.set_aside] == [b"damaged"]
    assert done.reaches == {"m": 1767999600000}, "23:00, the end of the last window that it holds"
    assert done.offsets["in/0"] == 6481
    assert check(state) == []


def test_a_damaged_copy_is_passed_over_for_the_one_before(state: Path) -> None:
    good = everything(back_up(state))
    back_up(state)
    newest, previous = copies(state)
    newest.write_bytes(newest.read_bytes()[:5000])
    state.unlink()
    assert restore(state).source == previous
    assert everything(state) == good


def refusals() -> list[Any]:
    return [
        pytest.param(lambda s: None, Misconfigured, "no such copy", id="there is none"),
        pytest.param(lambda s: back_up(s).write_bytes(b"x" * 9000), Corrupt, "no copy can be trusted", id="none is whole"),
    ]


@pytest.mark.parametrize(("prepare", "kind", "words"), refusals())
def test_without_a_whole_copy_nothing_is_touched(state: Path, prepare: Callable[[Path], object], kind: type[Exception], words: str) -> None:
    before = state.read_bytes()
    prepare(state)
    with pytest.raises(kind, match=words):
        restore(state)
    assert state.read_bytes() == before


def test_a_copy_from_elsewhere_is_checked_too(state: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copy(state, tmp_path / "elsewhere.db"))
    good = everything(elsewhere)
    state.unlink()
    assert restore(state, elsewhere).source == elsewhere
    assert everything(state) == good
    elsewhere.write_bytes(b"")
    with pytest.raises(Corrupt, match="it is empty"):
        restore(state, elsewhere)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_a_copy_that_may_only_be_read_is_a_copy(state: Path) -> None:
    good = everything(state)
    back_up(state).chmod(0o444)
    state.unlink()
    restore(state)
    assert everything(state) == good


def test_a_full_disk_leaves_the_state_that_was_to_be_replaced(state: Path) -> None:
    back_up(state)
    good = everything(state)
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "from monitor.errors import Misconfigured\nfrom monitor.stores.backup import restore\n"
        f"try: restore({str(state)!r})\nexcept Misconfigured as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "cannot be restored" in done.stdout
    assert everything(state) == good
    assert not unfinished(state).exists()


def test_a_damaged_copy_is_not_what_the_remedy_names(state: Path) -> None:
    copy = back_up(state)
    copy.write_bytes(copy.read_bytes()[:5000])
    with pytest.raises(Corrupt) as told:
        restore(state)
    assert str(told.value).count("raincheck state") == 1, "one command, about the state"
    assert told.value.command.startswith(f"raincheck state reset {state},")


def test_nothing_is_put_under_a_running_daemon(state: Path) -> None:
    back_up(state)
    with hold(state), pytest.raises(Misconfigured, match="in use by another raincheck"):
        restore(state)


def test_a_restore_that_was_cut_off_is_no_fresh_start(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = everything(back_up(state))

    def cut(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            restore(state)
    assert not state.exists()
    assert unfinished(state).exists()
    with pytest.raises(Corrupt, match="state restore"):
        SqliteStore(state)
    restore(state)
    assert everything(state) == good
    assert not unfinished(state).exists()
