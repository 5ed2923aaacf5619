"""What disks, hands and older releases do to a state file: refused with the command that helps, or of no effect at all."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from monitor.changes import Changes, Mark, Snapshot
from monitor.errors import Corrupt, Misconfigured
from monitor.stores.export import exported
from monitor.stores.packing import repacked, unpack_checkpoint
from monitor.stores.sqlite import SqliteStore, check
from monitor.stores.tables import FORMAT, TABLES
from tests.contracts.conftest import STATES, kept
from tests.contracts.whole_state import everything

HOUR_MS = 3_600_000
LAST_MS = 1_768_000_000_000  # after the last window of the kept states
STEP = 64  # bytes between two flips; fewer than the smallest row, so no row is left out


def told_by(path: Path) -> bytes | str:
    try:
        return everything(path)
    except (Corrupt, Misconfigured) as error:
        return "refused" if error.exit_code == 78 and "raincheck state" in str(error) else "refused without the command that helps"


# ---- other releases


@pytest.mark.parametrize("number", ["2", "3"])
def test_a_state_of_an_older_format_goes_on_in_this_one(number: str, tmp_path: Path) -> None:
    """The same state as two releases kept it; what verdicts lack is told since."""
    path, older = tmp_path / "state.db", kept(number)
    path.write_bytes(older)
    wanted = json.loads(gzip.decompress((STATES / "format-2.json.gz").read_bytes()))
    reader = SqliteStore(path, reader=True)
    assert exported(reader) == {**wanted, "verdicts": [{**verdict, "lacks": []} for verdict in wanted["verdicts"]]}
    assert all(reader.checkpoint("m", end_ms) for end_ms in (LAST_MS - 48 * HOUR_MS, LAST_MS)), "from where they are computed again"
    reader.close()
    assert path.read_bytes() == older, "who only reads changes nothing"
    before = everything(path)
    SqliteStore(path).close()
    assert everything(path) == before
    assert check(path) == []
    with sqlite3.connect(path.with_name(f"state.db.format-{number}")) as copy:
        assert copy.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (number,), "the older release could go back to it"
    copy.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == (str(FORMAT),)
        assert db.execute("SELECT count(*) FROM windows").fetchone() == (215,)
    db.close()


@pytest.mark.parametrize("table", ["offsets", "checkpoints"])
def test_a_damaged_row_of_an_older_format_is_not_sealed_anew(table: str, tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(kept("3"))
    with sqlite3.connect(path) as db:
        db.execute({"offsets": "UPDATE offsets SET records = 1", "checkpoints": "UPDATE checkpoints SET body = zeroblob(9)"}[table])
    db.close()
    assert told_by(path) == "refused"
    with pytest.raises(Corrupt, match=f"a row of {table} differs from what was written"):
        SqliteStore(path)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("3",), "nothing has been migrated"
    db.close()


def test_who_was_not_waited_for_at_a_checkpoint_of_an_older_format_is_not_in_this_one() -> None:
    marks = {"in/0": Mark(7, 99, 7, 5), "in/1": Mark(0, None)}
    before = zlib.compress(msgspec.msgpack.encode((marks, [], {"m": b"state"}, [], ["in/1"])))
    found = unpack_checkpoint(repacked(before), 4)
    assert found == Snapshot(marks={**marks, "in/1": Mark(0, None, unreadable=True)}, evidence={"m": b"state"}, next_input=4)


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


def test_the_log_of_a_removed_file_is_not_read_into_a_new_one(tmp_path: Path) -> None:
    path, log = tmp_path / "state.db", tmp_path / "state.db-wal"
    store = SqliteStore(path)
    store.save(Changes(marks={"in/0": Mark(1, None, 1)}))
    left = log.read_bytes()
    store.close()
    path.unlink()
    log.write_bytes(left)  # as after a kill, and somebody's `rm state.db`
    store = SqliteStore(path)
    assert store.load().marks == {}
    assert (tmp_path / "state.db.aside-1-wal").read_bytes() == left
    store.close()


def test_a_save_that_finds_no_room_says_so_and_can_be_made_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "state.db")
    large = Changes(evidence={f"m{number}": bytes(9000) for number in range(100)})
    (room,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {room + 2}")
    with pytest.raises(sqlite3.OperationalError, match="disk is full"):
        store.save(large)
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.save(large)
    assert len(store.load().evidence) == 100
    store.close()


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
