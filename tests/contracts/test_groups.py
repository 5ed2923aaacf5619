"""Two lives under one group, and a life whose memory is gone: told by the names that stand beside the offsets. Twin and real broker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from monitor.sources import Forgotten, Source
from monitor.sources.signature import ENOUGH, LOOKS, drawn, signature_of
from tests.contracts.source_worlds import STREAM, KafkaWorld, Ledger, MemoryWorld, caught_up, read
from tests.services.broker import Broker
from tests.services.feed import Feed

PLACE = f"{STREAM}/0"
HERE = drawn("0/1").who  # all lives of a test are of one process


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(request: pytest.FixtureRequest) -> Iterator[MemoryWorld | KafkaWorld]:
    memory = request.param == "memory"
    made = MemoryWorld() if memory else KafkaWorld(request.getfixturevalue("kafka_broker"), request.getfixturevalue("feed"))
    made.make()
    made.produce([b"x"] * 3)
    yield made
    made.close()


def begun(world: MemoryWorld | KafkaWorld, former: Source | None = None, **options: Any) -> tuple[Source, Ledger]:
    """A life that has read all there is, with the state of a former one or an empty one; every commit of it looks around first."""
    source = world.open({PLACE: 3} if former else {}, former.identities() if former else {}, **{"look_s": 0.0} | options)
    return source, read(source, lambda _: caught_up(source))


def told(source: Source, commits: int = 1) -> str | None:
    """What is known after so many more commits."""
    for _ in range(commits):
        source.commit({PLACE: 3})
    source.poll(0)
    assert source.status().commit_failures == 0
    return source.status().another


def test_two_that_go_on_are_told_on_both_sides_and_one_that_is_left_alone_is_not(world: MemoryWorld | KafkaWorld) -> None:
    one, two = begun(world)[0], begun(world)[0]
    # the first commit of a life looks at nothing: what stands there may be of the dead
    said = [(told(one), told(two)) for _ in range(1 + ENOUGH)]
    assert said == [(None, None)] * ENOUGH + [(HERE, HERE)]
    two.close()
    assert told(one, commits=1 + LOOKS) is None


def test_no_restart_is_taken_for_a_second_daemon(world: MemoryWorld | KafkaWorld) -> None:
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


def test_parts_of_one_plan_share_a_group(world: MemoryWorld | KafkaWorld) -> None:
    one, two = begun(world, part="0/2")[0], begun(world, part="1/2")[0]
    assert [(told(one), told(two)) for _ in range(LOOKS)] == [(None, None)] * LOOKS
    again, _ = begun(world, part="1/2")
    said = [(told(again), told(two), told(one)) for _ in range(1 + 2 * LOOKS)]
    assert said[-1] == (None, HERE, None), "the same part twice: one of them always writes between the other two"


def test_an_empty_state_that_the_group_knows_an_elder_of_is_told_and_changes_no_beginning(world: MemoryWorld | KafkaWorld) -> None:
    former, ledger = begun(world)
    assert not ledger.of(Forgotten), "a group that nobody has committed to has nothing to remember"
    former.commit({PLACE: 3})
    former.close()
    _, ledger = begun(world)
    assert ledger.of(Forgotten) == [Forgotten({PLACE: 3}, HERE)]
    assert ledger.count == 3, "from the beginning, as it would without"
    assert not begun(world, part="0/2")[1].of(Forgotten), "another part of the models has a state of its own"


@pytest.mark.kafka
def test_lag_tools_see_who_committed_and_another_group_is_nobodys_business(kafka_broker: Broker, feed: Feed) -> None:
    world = KafkaWorld(kafka_broker, feed)
    world.make()
    source, _ = begun(world, group=world.topic)
    source.commit({PLACE: 0})
    shown = str(feed.admin.list_group_offsets([world.topic]))
    assert signature_of("raincheck " + shown.partition("raincheck ")[2].partition("'")[0]).who == HERE, shown
    assert not begun(world, group=f"{world.topic}-other")[1].of(Forgotten)
    world.close()
