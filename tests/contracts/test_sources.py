"""What every source promises, whatever it reads; and what those that read a living world promise besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor import wall
from monitor.sources import Absent, Assigned, Gap, Recreated, Unreadable
from tests.contracts.source_worlds import STREAM, FilesWorld, KafkaWorld, Ledger, LiveWorld, MemoryWorld, World, caught_up, read

KAFKA = pytest.param("kafka", marks=pytest.mark.kafka)


def build(kind: str, request: pytest.FixtureRequest) -> MemoryWorld | FilesWorld | KafkaWorld:
    if kind == "memory":
        return MemoryWorld()
    if kind == "files":
        return FilesWorld(Path(request.getfixturevalue("tmp_path")))
    return KafkaWorld(request.getfixturevalue("kafka_broker"), request.getfixturevalue("feed"))


@pytest.fixture(params=["memory", "files", KAFKA])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = build(request.param, request)
    yield made
    made.close()


@pytest.fixture(params=["memory", KAFKA])
def live(request: pytest.FixtureRequest) -> Iterator[LiveWorld]:
    made = build(request.param, request)
    assert not isinstance(made, FilesWorld)
    yield made
    made.close()


ODD: list[bytes | None] = [b"plain", None, b"", b"\xff\xfe no text", '{"\u00e4": "\u2028\U0001f6a6"}'.encode(), b"line\nbreak", b"\x00"]


def test_values_and_stamps_arrive_as_they_were(world: World) -> None:
    world.make()
    stamps = list(range(1_700_000_000_000, 1_700_000_000_000 + len(ODD)))
    world.produce(ODD, stamps_ms=stamps)
    got = read(world.open(), lambda ledger: ledger.count == len(ODD))
    assert got.rows[f"{STREAM}/0"] == list(zip(range(len(ODD)), stamps, ODD, strict=True))


def test_every_partition_in_its_order(world: World) -> None:
    world.make(3)
    sent = {number: [b"%d-%d" % (number, row) for row in range(50 * (number + 1))] for number in range(3)}
    for number, values in sent.items():
        world.produce(values, number)
    source = world.open(most=17)  # many polls, so that the seams are in it
    got = read(source, lambda ledger: ledger.count == 300)
    assert {number: got.values(number) for number in range(3)} == sent
    assert {name for note in got.of(Assigned) for name in note.starts} == {f"{STREAM}/{number}" for number in range(3)}


@pytest.mark.parametrize("cut", [0, 1, 29, 30])
def test_a_reader_that_goes_on_from_its_table_loses_and_repeats_nothing(world: World, cut: int) -> None:
    world.make(2)
    for number in range(2):
        world.produce([b"%d-%d" % (number, row) for row in range(30)], number)
    first = world.open(most=7)
    before = read(first, lambda ledger: ledger.count >= cut)
    first.close()
    second = world.open(before.next, first.identities())
    after = read(second, lambda ledger: before.count + ledger.count == 60)
    for number in range(2):
        assert before.values(number) + after.values(number) == [b"%d-%d" % (number, row) for row in range(30)]
    assert not after.of(Recreated)
    assert first.identities().items() <= second.identities().items()


def test_caught_up_is_said_when_all_was_handed_out_and_not_before(world: World) -> None:
    world.make(2)
    for number in range(2):
        world.produce([b"x"] * 40, number)
    source = world.open(most=11)
    ledger = Ledger()

    def done(ledger: Ledger) -> bool:
        for name, reached in source.caught_up().items():
            assert reached.position <= ledger.next.get(name, 0), "a position that was not handed out"
        return caught_up(source)

    read(source, done, ledger)
    assert ledger.count == 80
    assert {name: one.end for name, one in source.caught_up().items()} == {f"{STREAM}/0": 40, f"{STREAM}/1": 40}
    assert {name: part.lag for name, part in source.status().partitions.items()} == {f"{STREAM}/0": 0, f"{STREAM}/1": 0}


def test_a_paused_partition_is_silent_until_resumed(world: World) -> None:
    world.make(2)
    for number in range(2):
        world.produce([b"%d" % number] * 10, number)
    names = [f"{STREAM}/0", f"{STREAM}/1"]
    source = world.open()
    source.pause([*names, "nobody/9"])
    ledger = Ledger()
    for _ in range(5):
        ledger.take(source.poll(50))
    assert ledger.count == 0
    source.resume(names)
    assert read(source, lambda ledger: ledger.count == 20, ledger).values(1) == [b"1"] * 10


def test_lag_tools_and_leaving_disturb_nothing(world: World) -> None:
    world.make()
    world.produce([b"x"] * 3)
    source = world.open()
    read(source, lambda ledger: ledger.count == 3)
    source.commit({f"{STREAM}/0": 3, "nobody/9": 1})
    assert source.status().connected
    source.close()
    source.close()
    assert source.poll(0) == []


# -- a living world -----------------------------------------------------------------------------------------------------------


def test_a_topic_that_does_not_exist_is_waited_for(live: LiveWorld) -> None:
    source = live.open()
    ledger = read(source, lambda ledger: ledger.of(Absent))
    assert source.status().absent == (live.topic,)
    live.make()
    live.produce([b"x"])
    read(source, lambda ledger: ledger.count == 1, ledger)
    assert source.status().absent == ()
    assert len(ledger.of(Absent)) == 1, "said once, not at each poll"


def test_begin_at_the_end_reads_what_is_new_and_added_partitions_whole(live: LiveWorld) -> None:
    live.make()
    live.produce([b"old"] * 5)
    source = live.open(begin="end")
    ledger = read(source, lambda ledger: ledger.of(Assigned))
    assert ledger.next == {f"{STREAM}/0": 5}
    live.widen(3)
    live.produce([b"new"] * 4, 2)  # before the source knows of the partition
    live.produce([b"new"])
    read(source, lambda ledger: ledger.count == 5, ledger)
    assert (ledger.values(0), ledger.values(2)) == ([b"new"], [b"new"] * 4)


HOUR_MS = 3_600_000


@pytest.mark.parametrize("begin", ["beginning", "end"])
@pytest.mark.parametrize(
    ("ages_h", "start", "because"),
    [
        ([50, 40, 20, 10], 2, "the first record of the last 30 hours"),
        ([20, 10], 0, "all that there is is young enough"),
        ([50, 40], 2, "nothing is young enough: the end, and what comes next is read"),
        ([], 0, "an empty log has one place only"),
        ([50, 20, 40, 10], 1, "an old stamp behind the first young one is read on with the rest"),
    ],
)
def test_a_topic_begins_at_its_first_record_of_an_age(live: LiveWorld, ages_h: list[int], start: int, because: str, begin: str) -> None:
    live.make()
    now_ms = wall.now_ms()
    for row, age_h in enumerate(ages_h):  # one batch each: an index of stamps knows batches, and finds records
        live.produce([b"%d" % row], stamps_ms=[now_ms - age_h * HOUR_MS])
    source = live.open(begin=begin, since_ms={STREAM: 30 * HOUR_MS, "another": HOUR_MS})
    ledger = read(source, lambda ledger: ledger.of(Assigned))
    live.produce([b"new"])
    read(source, lambda ledger: b"new" in ledger.values(), ledger)
    assert ledger.of(Assigned) == [Assigned(STREAM, {f"{STREAM}/0": start})], because
    assert ledger.values() == [*(b"%d" % row for row in range(start, len(ages_h))), b"new"], because


def test_the_first_young_record_is_found_within_a_batch_and_per_partition(live: LiveWorld) -> None:
    live.make(2)
    now_ms = wall.now_ms()
    live.produce([b"%d" % row for row in range(40)], stamps_ms=[now_ms - (40 - row) * HOUR_MS for row in range(40)])
    live.produce([b"young"] * 3, 1)
    ledger = read(live.open(since_ms={STREAM: 5 * HOUR_MS + HOUR_MS // 2}), lambda ledger: ledger.count == 8)
    assert ledger.next == {f"{STREAM}/0": 40, f"{STREAM}/1": 3}
    assert ledger.values(0) == [b"%d" % row for row in range(35, 40)]


def test_an_age_places_neither_what_was_saved_nor_what_was_added(live: LiveWorld) -> None:
    live.make()
    old = [wall.now_ms() - 50 * HOUR_MS] * 4
    live.produce([b"old"] * 4, stamps_ms=old)
    first = live.open()
    before = read(first, lambda ledger: ledger.count == 4)
    first.close()
    live.widen(2)
    live.produce([b"while away"] * 4, stamps_ms=old)
    live.produce([b"added"] * 4, 1, stamps_ms=old)
    source = live.open(before.next, first.identities(), since_ms={STREAM: 30 * HOUR_MS})
    ledger = read(source, lambda ledger: ledger.count == 8)
    assert (ledger.values(0), ledger.values(1)) == ([b"while away"] * 4, [b"added"] * 4)


def arrived(values: list[bytes | None]) -> Callable[[Ledger], bool]:
    return lambda ledger: ledger.values() == values


def test_records_produced_while_reading_arrive(live: LiveWorld) -> None:
    live.make()
    source = live.open()
    ledger = read(source, lambda ledger: ledger.of(Assigned))
    sent: list[bytes | None] = []
    for row in range(5):
        live.produce([b"%d" % row] * 3)
        sent += [b"%d" % row] * 3
        read(source, arrived(sent), ledger)


@pytest.mark.parametrize(("old", "new"), [(5, 3), (3, 5), (4, 4)], ids=["fewer records", "more records", "as many"])
def test_a_topic_made_anew_is_told_by_its_identity(live: LiveWorld, old: int, new: int) -> None:
    live.make()
    live.produce([b"old"] * old)
    source = live.open()
    ledger = read(source, lambda ledger: ledger.count == old)
    live.delete()
    live.make()
    live.produce([b"new"] * new)
    read(source, lambda ledger: ledger.of(Recreated) and ledger.count == new, ledger)
    assert ledger.values() == [b"new"] * new
    (note,) = ledger.of(Recreated)
    assert (note.topic, note.now) == (live.topic, source.identities()[live.topic])
    assert note.before != note.now


def test_a_topic_made_anew_while_we_were_away_is_told_too(live: LiveWorld) -> None:
    live.make()
    live.produce([b"old"] * 2)
    first = live.open()
    before = read(first, lambda ledger: ledger.count == 2)
    first.close()
    live.delete()
    live.make()
    live.produce([b"new"] * 6)
    ledger = read(live.open(before.next, first.identities()), lambda ledger: ledger.count == 6)
    assert ledger.values() == [b"new"] * 6
    assert len(ledger.of(Recreated)) == 1


def test_a_stream_that_is_pointed_at_another_topic_begins_there(live: LiveWorld) -> None:
    live.make()
    live.produce([b"old"] * 5)
    first = live.open()
    before = read(first, lambda ledger: ledger.count == 5)
    first.close()
    former, live.topic = live.topic, f"{live.topic}-next"
    live.make()
    live.produce([b"new"] * 9)
    source = live.open(before.next, first.identities())
    ledger = read(source, lambda ledger: ledger.count == 9)
    assert ledger.values() == [b"new"] * 9
    (note,) = ledger.of(Recreated)
    assert (note.topic, note.before, note.now) == (live.topic, former, source.identities()[live.topic])


def test_what_retention_took_is_counted(live: LiveWorld) -> None:
    live.make()
    live.produce([b"%d" % row for row in range(10)])
    first = live.open()
    before = read(first, lambda ledger: ledger.count == 10)
    first.close()
    live.produce([b"%d" % row for row in range(10, 20)])
    live.trim(15)
    source = live.open(before.next, first.identities())
    ledger = read(source, lambda ledger: ledger.count == 5)
    assert ledger.of(Gap) == [Gap(STREAM, f"{STREAM}/0", 10, 15, "retention")]
    assert ledger.values() == [b"%d" % row for row in range(15, 20)]
    assert source.status().partitions[f"{STREAM}/0"].skipped == 5


def poisoned(live: LiveWorld) -> None:
    live.make(2)
    for group in range(3):
        live.produce([b"batch-%d-%02d-padding" % (group, row) for row in range(10)])
    live.produce([b"well"] * 10, 1)
    live.corrupt(b"batch-1-04-padding")


def test_a_poison_batch_halts_its_partition_and_no_other(live: LiveWorld) -> None:
    poisoned(live)
    source = live.open(on_corrupt="halt")
    ledger = read(source, lambda ledger: ledger.of(Unreadable) and len(ledger.values(1)) == 10)
    (note,) = ledger.of(Unreadable)
    assert (note.partition, note.halted) == (f"{STREAM}/0", True)
    assert ledger.next[f"{STREAM}/0"] == note.offset == len(ledger.values(0)), "all before the batch came, and nothing of it"
    assert 10 <= note.offset <= 14
    assert source.status().partitions[f"{STREAM}/0"].halted
    live.produce([b"well"] * 5, 1)
    read(source, lambda ledger: len(ledger.values(1)) == 15, ledger)
    assert ledger.next[f"{STREAM}/0"] == note.offset
    source.release(f"{STREAM}/0")
    read(source, lambda ledger: len(ledger.of(Unreadable)) == 2, ledger)


def test_a_poison_batch_is_skipped_and_counted(live: LiveWorld) -> None:
    poisoned(live)
    source = live.open(on_corrupt="skip")
    ledger = read(source, lambda ledger: ledger.next.get(f"{STREAM}/0") == 30 and len(ledger.values(1)) == 10)
    (note,) = ledger.of(Unreadable)
    (gap,) = ledger.of(Gap)
    assert (gap.partition, gap.start, gap.reason, note.halted) == (f"{STREAM}/0", note.offset, "poison", False)
    assert gap.start <= 14 < gap.stop <= 20, "the batch, and nothing but the batch"
    lost = set(range(gap.start, gap.stop))
    assert [offset for offset, _, _ in ledger.rows[f"{STREAM}/0"]] == [offset for offset in range(30) if offset not in lost]
    assert source.status().partitions[f"{STREAM}/0"].skipped == len(lost)
