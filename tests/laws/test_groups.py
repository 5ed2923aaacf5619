"""Lives under one group, whatever their pace: successors are never taken for rivals, and of rivals one at least is told in time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.sources import Forgotten
from monitor.sources.group import TRIES, Group
from monitor.sources.memory import Bus
from tests.faults.twin import Clock

PLACE = {"clicks/0": 1}
TOLD_S = 120  # what the alert and its runbook promise, for whoever saves twice a minute or more often


@given(
    saves=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    begins=st.tuples(st.integers(0, 29), st.integers(0, 29)),
)
@example(saves=(5, 5), begins=(0, 0))
@example(saves=(29, 1), begins=(28, 0))
def test_of_two_that_go_on_one_at_least_is_told_within_two_minutes(saves: tuple[int, int], begins: tuple[int, int]) -> None:
    clock, bus = Clock(), Bus()
    with pytest.MonkeyPatch.context() as patch:
        clock.set(patch)
        groups = [Group("raincheck"), Group("raincheck")]
        for second in range(max(begins) + TOLD_S + 1):
            clock.passed_s = second
            for group, save, begin in zip(groups, saves, begins, strict=True):
                if second >= begin and (second - begin) % save == 0:
                    group.commit(bus, PLACE)
    assert any(group.other for group in groups)


@given(st.lists(st.tuples(st.integers(1, 6), st.none() | st.integers(0, 5)), min_size=2, max_size=12))
def test_who_comes_after_another_is_never_told_of_it(lives: list[tuple[int, int | None]]) -> None:
    """Each life commits some times and ends, however it ends; a last word of it may arrive after some commits of the next one."""
    bus = Bus()
    former: Group | None = None
    for commits, last_word in lives:
        group = Group("raincheck", look_s=0.0)
        for number in range(commits):
            group.commit(bus, PLACE)
            if former is not None and number == last_word:
                former.commit(bus, PLACE)  # what it may learn by that is told nobody: it leaves
            assert group.other is None
        former = group


class Shaky(Bus):
    """A bus that counts what is asked of it while it is away."""

    failed = 0

    def commit(self, offsets: Mapping[str, int], metadata: str) -> None:
        self.failed += self.down
        super().commit(offsets, metadata)

    def committed(self, partitions: Collection[str]) -> dict[str, tuple[int, str]]:
        self.failed += self.down
        return super().committed(partitions)


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_an_outage_costs_one_request_per_commit_and_no_commit_after_it(outages: list[bool]) -> None:
    clock, bus = Clock(), Shaky()
    with pytest.MonkeyPatch.context() as patch:
        clock.set(patch)
        group = Group("raincheck")
        for offset, bus.down in enumerate(outages):
            clock.passed_s += 5
            before = bus.failed
            if bus.down:
                with pytest.raises(ConnectionError):
                    group.commit(bus, {"clicks/0": offset})
            else:
                group.commit(bus, {"clicks/0": offset})
                assert bus.group["clicks/0"][0] == offset
            assert bus.failed - before == bus.down
            assert group.other is None, "what could not be asked is no other daemon"


@pytest.mark.parametrize("failures", range(TRIES + 1))
def test_a_past_that_cannot_be_asked_for_is_asked_again_before_it_is_written_over(failures: int) -> None:
    bus = Shaky()
    Group("raincheck").commit(bus, PLACE)
    group, notes = Group("raincheck"), []
    for attempt in range(TRIES + 2):
        bus.down = attempt < failures
        try:
            notes += group.recall(bus, PLACE if attempt == 0 else ())
        except ConnectionError:
            assert bus.down
    assert [type(note) for note in notes] == ([Forgotten] if failures < TRIES else []), "what cannot be asked at all holds up nothing"
    assert bus.failed == failures


def test_a_group_without_a_name_remembers_nothing() -> None:
    bus = Bus()
    Group("raincheck").commit(bus, PLACE)
    assert Group("").recall(bus, PLACE) == []
