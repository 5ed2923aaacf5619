"""What disks, hands and older releases do to a state file: refused with the command that helps, or of no effect at all."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.changes import Changes, Mark
from monitor.errors import Corrupt, Misconfigured, Transient
from monitor.stores import backup
from monitor.stores.backup import back_up, copies, restore, unfinished
from monitor.stores.export import exported
from monitor.stores.holding import hold
from monitor.stores.packing import pack_pane
from monitor.stores.sqlite import SqliteStore, check
from monitor.stores.tables import FORMAT, TABLES

STATES = Path(__file__).with_name("states")
STEP = 64  # bytes between two flips; fewer than the smallest row, so no row is left out


@pytest.fixture(scope="session")
def older() -> bytes:
    """A state as format 2 kept it: 215 windows, one page that was answered, an announced event, labels, two messages to be sent."""
    return gzip.decompress((STATES / "format-2.db.gz").read_bytes())


@pytest.fixture(scope="session")
def small(older: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same in today's format with the newest tenth of its windows and labels, so that every place in it can be damaged in turn."""
    path = tmp_path_factory.mktemp("small") / "state.db"
    path.write_bytes(older)
    store = SqliteStore(path)
    for table, time in (("windows", "start_ms"), ("pairs", "time_ms")):
        store._db.execute(f"DELETE FROM {table} WHERE {time} < 1767960000000 - 3600000 * 12")
    store._db.execute("DELETE FROM checkpoints WHERE at_ms < (SELECT max(at_ms) FROM checkpoints)")
    store._db.execute("PRAGMA journal_mode = DELETE")
    store._db.execute("VACUUM")
    store.close()
    return path.read_bytes()


def everything(path: Path) -> bytes:
    """All that a store gives to anybody, as bytes to be compared; Corrupt or Misconfigured where it refuses."""
    store = SqliteStore(path, reader=True)
    try:
        found = store.load()
        panes = sorted((partition, *key, pack_pane(pane)) for (partition, key), pane in found.panes.items())
        counts = sorted((*key, n) for key, n in found.counts.items())
        body = (found.marks, found.evidence, found.references, found.incidents, found.alerts, found.next_input, store.inputs())
        windows = [row for model in found.evidence for row in store.windows(model, 0, 1 << 60)]
        names = [name for (name,) in store._db.execute('SELECT name FROM "references" ORDER BY rowid')]
        references = [store.reference(name) for name in names]
        rest = (store.pending(), store.identities(), store.outcomes(), windows, references)
        return msgspec.json.encode((exported(store), msgspec.to_builtins(body), panes, counts, msgspec.to_builtins(rest)))
    finally:
        store.close()


def told_by(path: Path) -> bytes | str:
    try:
        return everything(path)
    except (Corrupt, Misconfigured) as error:
        return "refused" if error.exit_code == 78 and "raincheck state" in str(error) else "refused without the command that helps"


# ---- other releases


def test_a_state_of_format_2_goes_on_in_this_one(older: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(older)
    wanted = json.loads(gzip.decompress((STATES / "format-2.json.gz").read_bytes()))
    reader = SqliteStore(path, reader=True)
    assert exported(reader) == wanted
    reader.close()
    assert path.read_bytes() == older, "who only reads changes nothing"
    before = everything(path)
    SqliteStore(path).close()
    assert everything(path) == before
    assert check(path) == []
    with sqlite3.connect(path.with_name("state.db.format-2")) as kept:
        assert kept.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("2",), "the older release could go back to it"
    kept.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (str(FORMAT),)
        assert db.execute("SELECT count(*) FROM windows").fetchone() == (215,)
    db.close()


def test_a_migration_that_is_cut_off_has_not_begun(older: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(older)
    whole = dict(TABLES)
    monkeypatch.setitem(TABLES, "counts", whole["pairs"])  # the last table cannot be filled
    with pytest.raises(Corrupt):
        SqliteStore(path)
    monkeypatch.undo()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("2",)
    db.close()
    SqliteStore(path).close()
    assert check(path) == []


def test_a_disk_without_room_at_the_start_is_no_damage(older: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(older)
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "from monitor.errors import Corrupt, Misconfigured\nfrom monitor.stores.sqlite import SqliteStore\n"
        f"try: SqliteStore({str(path)!r})\n"
        "except Misconfigured as error: print('place', error)\nexcept Corrupt as error: print('corrupt', error)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("place"), done.stdout
    SqliteStore(path).close()
    assert check(path) == []


# ---- damage


@pytest.mark.parametrize("every", [STEP * 7, pytest.param(STEP, marks=[pytest.mark.fault, pytest.mark.timeout(600)])])
def test_a_flipped_byte_is_refused_or_changes_nothing(small: bytes, tmp_path: Path, every: int) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(small)
    whole = everything(path)
    outcomes: Counter[str] = Counter()
    for offset in [*range(16, 100, 3), *range(STEP // 2 + 128, len(small), every)]:
        damaged = bytearray(small)
        damaged[offset] ^= 0x15
        path.write_bytes(damaged)
        told = told_by(path)
        assert told in ("refused", whole), f"byte {offset} of {len(small)} was changed, and nobody noticed"
        outcomes["refused" if told == "refused" else "harmless"] += 1
        for side in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + side).unlink(missing_ok=True)
    assert outcomes["refused"] > 0.25 * outcomes.total(), f"the file is mostly empty: {outcomes}"


def test_a_flipped_byte_in_the_log_before_it_is_merged_costs_at_most_the_saves_after_it(tmp_path: Path) -> None:
    """Those records are read again; what must not be is a state that never was."""
    path, log = tmp_path / "state.db", tmp_path / "state.db-wal"
    store = SqliteStore(path)
    states = [everything(path)]
    for number in range(1, 4):
        store.save(Changes(marks={"in/0": Mark(number, number, number)}, counts=Counter({("m", "late"): number}), evidence={}))
        states.append(everything(path))
    files = {name: name.read_bytes() for name in (path, log)}
    store.close()
    seen = set()
    for offset in range(8, len(files[log]), STEP):
        damaged = bytearray(files[log])
        damaged[offset] ^= 0x15
        path.write_bytes(files[path])
        log.write_bytes(damaged)
        told = told_by(path)
        assert told in ("refused", *states), offset
        seen.add("refused" if told == "refused" else states.index(told))  # type: ignore[arg-type]
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
    assert {0, 1, 2} <= seen, "each of the saves was cut off at some flip"


@pytest.mark.parametrize(
    ("damage", "because"),
    [
        (lambda data: b"", "emptied: an empty file was never ours"),
        (lambda data: data[:100], "only its head is left"),
        (lambda data: data[: len(data) // 2], "cut in the middle"),
        (lambda data: data[:-1], "a byte short"),
        (lambda data: data[:-4096], "its last page is gone"),
        (lambda data: data[:4096] + bytes(len(data) - 4096), "zeros from the second page on"),
        (lambda data: b"{}" * 4000, "another kind of file"),
        (lambda data: data[:8192] + data[12288:16384] + data[8192:12288] + data[16384:], "two pages have changed places"),
    ],
)
def test_a_file_that_lost_something_is_refused(small: bytes, tmp_path: Path, damage: Callable[[bytes], bytes], because: str) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(damage(small))
    assert told_by(path) == "refused", because
    with pytest.raises(Corrupt, match="state reset"):
        SqliteStore(path)
    assert check(path)


@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("UPDATE meta SET value = '99' WHERE key = 'format'", "a later release wrote it"),
        ("DELETE FROM meta WHERE key = 'format'", "whose it is cannot be told"),
        ("UPDATE offsets SET next_offset = next_offset + 1", "a record would be left out"),
        ("UPDATE counts SET n = n + 1", "a record would be counted twice"),
        ("UPDATE outbox SET delivered_ms = 5", "a page would never be sent"),
        ("UPDATE incidents SET resolved_ms = NULL", "what is over would latch its model"),
        ("UPDATE windows SET status = 'page'", "a verdict would be another"),
        ("UPDATE evidence SET model = 'n'", "another model's evidence"),
        ('DELETE FROM "references"', "what is in force is not there"),
        ("ALTER TABLE panes RENAME TO pains", "an empty table would take its place"),
        ("DROP INDEX windows_by_time", "not as this release makes it"),
    ],
)
def test_a_change_by_another_hand_is_refused(small: bytes, tmp_path: Path, statement: str, because: str) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(small)
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    assert told_by(path) == "refused", because
    assert check(path)


# ---- copies


@pytest.fixture
def state(small: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    path.write_bytes(small)
    return path


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


def test_a_state_that_cannot_be_trusted_replaces_no_copy(state: Path) -> None:
    good = everything(back_up(state))
    with sqlite3.connect(state) as db:
        db.execute("UPDATE offsets SET next_offset = 0")
    db.close()
    with pytest.raises(Corrupt, match="state restore"):
        back_up(state)
    assert everything(copies(state)[0]) == good
    assert "raincheck state restore" in check(state)[0]


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
