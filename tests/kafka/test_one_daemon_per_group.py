"""Two lives under one group, and a life whose memory is gone: told by the names that stand beside the offsets, on a real broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from monitor.sources import Forgotten, Source
from monitor.sources.signature import ENOUGH, LOOKS
from tests.contracts.source_worlds import STREAM, KafkaWorld, Ledger, caught_up, read
from tests.services.broker import Broker
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka
PLACE = f"{STREAM}/0"


@pytest.fixture
def world(kafka_broker: Broker, feed: Feed) -> Iterator[KafkaWorld]:
    made = KafkaWorld(kafka_broker, feed)
    made.make()
    made.produce([b"x"] * 3)
    yield made
    made.close()


def begun(world: KafkaWorld, former: Source | None = None, **options: Any) -> tuple[Source, Ledger]:
    """A life that has read all there is, with the state of a former one or an empty one; every commit of it looks around first."""
    identities = former.identities() if former else {}
    source = world.open({PLACE: 3} if former else {}, identities, **{"group": world.topic, "look_s": 0.0} | options)
    return source, read(source, lambda _: caught_up(source))


def told(source: Source, commits: int = 1) -> str | None:
    """What is known after so many more commits."""
    for _ in range(commits):
        source.commit({PLACE: 3})
    source.poll(0)
    assert source.status().commit_failures == 0
    return source.status().another


def test_two_that_go_on_are_told_on_both_sides_and_one_that_is_left_alone_is_not(world: KafkaWorld) -> None:
    one, two = begun(world)[0], begun(world)[0]
    for _ in range(1 + ENOUGH):  # the first commit of a life looks at nothing: what stands there may be of the dead
        said = told(one), told(two)
    assert None not in said
    two.close()
    assert told(one, commits=1 + LOOKS) is None


def test_no_restart_is_taken_for_a_second_daemon(world: KafkaWorld) -> None:
    former, ledger = begun(world)
    assert not ledger.of(Forgotten)
    for _ in range(LOOKS):  # each of them may have been killed: nothing is said on leaving
        assert told(former, commits=2) is None
        successor, ledger = begun(world, former)
        assert not ledger.of(Forgotten), "its state goes on where the former one's ended"
        assert told(successor, commits=2) is None
        assert told(former) is None, "the last word of a former one that is told to stop when its successor has begun"
        assert told(successor, commits=LOOKS) is None
        former = successor


def test_parts_of_one_plan_share_a_group(world: KafkaWorld) -> None:
    one, two = begun(world, part="0/2")[0], begun(world, part="1/2")[0]
    for _ in range(LOOKS):
        assert (told(one), told(two)) == (None, None)
    again, _ = begun(world, part="1/2")
    for _ in range(1 + 2 * LOOKS):
        said = told(again), told(two), told(one)
    assert said[0] is not None or said[1] is not None, "the same part twice"


def test_an_empty_state_that_the_group_has_an_elder_of_is_told_and_changes_no_beginning(world: KafkaWorld) -> None:
    former, ledger = begun(world)
    assert not ledger.of(Forgotten), "a group that nobody has committed to has nothing to remember"
    former.commit({PLACE: 3})
    former.close()
    _, ledger = begun(world)
    assert [(note.offsets, note.by) for note in ledger.of(Forgotten)] == [({PLACE: 3}, read_name(world))]
    assert ledger.count == 3, "from the beginning, as the plan says"
    _, ledger = begun(world, part="0/2")
    assert not ledger.of(Forgotten), "another part of the models has a state of its own"
    _, ledger = begun(world, group="another")
    assert not ledger.of(Forgotten)


def read_name(world: KafkaWorld) -> str:
    """Who stands in the group, as the broker's own tools show it."""
    return str(world.feed.admin.list_group_offsets([world.topic])).partition("raincheck ")[2].partition("'")[0].split(" ")[2]
