"""The bus's faults on demand, and what is special about recordings."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.batch import Records
from monitor.errors import Misconfigured
from monitor.sources import Assigned, Recreated, Rewound
from monitor.sources.files import FilesSource
from monitor.sources.memory import Bus, MemorySource
from monitor.sources.recording import Recorder, read_lines
from monitor.sources.source import partition_name, partition_number
from tests.contracts.source_worlds import Ledger, caught_up, read


def bus_with(records: int) -> tuple[Bus, MemorySource]:
    bus = Bus()
    bus.create("t")
    bus.extend("t", [b"%d" % row for row in range(records)])
    source = MemorySource(bus, {"clicks": "t"})
    source.start({}, {})
    return bus, source


def test_an_outage_is_a_status_and_not_an_exception() -> None:
    bus, source = bus_with(3)
    bus.outage(True)
    assert source.poll(0) == []
    assert (source.status().connected, source.status().cause) == (False, "the bus is away")
    source.commit({"clicks/0": 0})
    assert source.status().commit_failures == 1
    bus.outage(False)
    assert read(source, lambda ledger: ledger.count == 3).values() == [b"0", b"1", b"2"]
    assert source.status().connected


def test_a_cut_log_is_told() -> None:
    bus, source = bus_with(10)
    ledger = read(source, lambda ledger: ledger.count == 10)
    bus.cut("t", 0, 6)
    read(source, lambda ledger: ledger.of(Rewound), ledger)
    assert ledger.of(Rewound) == [Rewound("clicks", "clicks/0", 10, 6)]
    assert ledger.values() == [b"%d" % row for row in range(6)]


def test_a_waiting_poll_wakes_when_a_record_comes() -> None:
    bus, source = bus_with(0)
    read(source, lambda ledger: ledger.of(Assigned))
    got: list[object] = []
    waiting = threading.Thread(target=lambda: got.extend(source.poll(60_000)))
    waiting.start()
    bus.append("t", b"now")
    waiting.join(20)
    assert len(got) == 1


def test_a_healed_record_is_read_after_release() -> None:
    bus, source = bus_with(3)
    bus.corrupt("t", 0, 1)
    ledger = read(source, lambda _: source.status().partitions and source.status().partitions["clicks/0"].halted)
    bus.heal("t", 0, 1)
    source.release("clicks/0")
    assert read(source, lambda ledger: ledger.count == 3, ledger).values() == [b"0", b"1", b"2"]


VALUES = st.one_of(st.none(), st.binary(max_size=20), st.text(max_size=20).map(str.encode))


@given(st.lists(st.tuples(st.integers(0, 2), VALUES, st.integers(-1, 2**40)), max_size=30), st.booleans())
def test_whatever_is_recorded_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bytes | None, int]], packed: bool
) -> None:
    path = tmp_path_factory.mktemp("recording") / ("r.jsonl.gz" if packed else "r.jsonl")
    with Recorder(path) as recorder:
        for offset, (number, value, stamp_ms) in enumerate(rows):
            recorder.write(Records("a/b", partition_name("a/b", number), [offset], [stamp_ms], [value], offset + 1, 0))
    lines = [line for _, line in read_lines(path)]
    assert [(line.partition, line.value, line.stamp_ms) for line in lines] == rows
    assert [line.offset for line in lines] == list(range(len(rows)))


def test_the_same_records_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with Recorder(tmp_path / f"{name}.jsonl.gz") as recorder:
            recorder.write(Records("s", "s/0", [0], [1], [b"x"], 1, 0))
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()


def test_a_recording_is_never_added_to(tmp_path: Path) -> None:
    Recorder(tmp_path / "r.jsonl").close()
    with pytest.raises(FileExistsError):
        Recorder(tmp_path / "r.jsonl")


GOOD = '{"stream": "s", "partition": 0, "offset": 0, "timestamp": 1, "value": "x"}\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + '{"stream": "s", "partition": "0"}\n', r"r\.jsonl:2: is not a recorded record: .*partition"),
        (GOOD + GOOD + "half a li", r"r\.jsonl:3: "),
        (GOOD + '{"stream": "s", "partition": 0, "offset": 1, "base64": "*"}\n', r"r\.jsonl:2: "),
    ],
    ids=["a wrong field", "a torn line", "bytes that are no base64"],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    source = FilesSource([path])
    source.start({}, {})
    with pytest.raises(Misconfigured, match=named):
        source.poll(0)


def test_a_torn_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 100)[:-9])
    with pytest.raises(Misconfigured, match=r"r\.jsonl\.gz.*cannot be read"):
        list(read_lines(path))


def test_streams_can_be_picked_and_files_follow_each_other(tmp_path: Path) -> None:
    for name, first in (("one", 0), ("two", 5)):
        with Recorder(tmp_path / f"{name}.jsonl") as recorder:
            for stream in ("clicks", "other"):
                recorder.write(Records(stream, f"{stream}/0", list(range(first, first + 5)), [0] * 5, [b"x"] * 5, first + 5, 0))
    source = FilesSource([tmp_path / "one.jsonl", tmp_path / "two.jsonl"], ["clicks"], most=3)
    source.start({}, {})
    ledger = read(source, lambda _: source.finished)
    assert ledger.next == {"clicks/0": 10}
    assert caught_up(source)
    assert not Ledger().of(Recreated)


@given(st.text(min_size=1), st.integers(0, 10**6))
def test_a_partition_has_one_name(stream: str, number: int) -> None:
    assert partition_number(partition_name(stream, number)) == (stream, number)
