"""What is asked of our group in an outage, without a broker: how often, and what is said where it is given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pytest

from monitor.sources.group import TRIES, Group


@dataclass
class Coordinator:
    """Answers no question before `fails` of them have failed."""

    fails: int
    asked: int = 0

    def commit(self, offsets: Mapping[str, int], metadata: str) -> None:
        """Nobody looks at it here."""

    def committed(self, partitions: Collection[str]) -> Mapping[str, tuple[int, str]]:
        self.asked += 1
        if self.asked <= self.fails:
            raise ConnectionError("the coordinator is away")
        return {}


def recalled(group: Group, coordinator: Coordinator, times: int) -> None:
    """Asked at the first placement and then before each commit."""
    for time in range(times):
        try:
            assert group.recall(coordinator, ["clicks/0"] if time == 0 else []) == []
        except ConnectionError:
            continue


@pytest.mark.parametrize(
    ("fails", "asked", "given_up", "because"),
    [
        (0, 1, False, "what has been answered is not asked again"),
        (TRIES - 1, TRIES, False, "the last try was good enough"),
        (TRIES, TRIES, True, "nobody will know whether a state was lost: that is said, and commits go on"),
    ],
)
def test_a_past_that_cannot_be_asked_for_is_given_up_aloud(
    fails: int, asked: int, given_up: bool, because: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", logger="raincheck")  # another test of this process may have asked for less
    group, coordinator = Group("raincheck"), Coordinator(fails)
    recalled(group, coordinator, TRIES + 2)
    assert coordinator.asked == asked, because
    assert [line.message for line in caplog.records] == ["group_not_asked"] * given_up, because


def test_partitions_that_come_later_are_asked_about_anew() -> None:
    group, coordinator = Group("raincheck"), Coordinator(TRIES)
    recalled(group, coordinator, TRIES)
    assert group.recall(coordinator, ["views/0"]) == []
    assert coordinator.asked == TRIES + 1
