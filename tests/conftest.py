"""Fixtures that several rooms of the tests share: the real services."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.services.broker import Broker, Unavailable
from tests.services.feed import Feed
from tests.services.fortress import Fortress, fortress_in
from tests.services.river import River

# shared machines are slow at times, which is no failure of anything
settings.register_profile("raincheck", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("raincheck")


def missing(reason: str) -> None:
    """Skip visibly where a service cannot run, but never where the tests are meant to be complete."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def broker_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The one Apache Kafka of a test run."""
    try:
        broker = Broker(tmp_path_factory.mktemp("kafka") / "node")
    except Unavailable as reason:
        missing(str(reason))
        raise
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def kafka_broker(broker_process: Broker) -> Broker:
    """The run's broker, running: a test may kill or freeze it, the next one finds it well."""
    return broker_process.well()


@pytest.fixture(scope="session")
def fortress(tmp_path_factory: pytest.TempPathFactory, broker_process: Broker) -> Iterator[Fortress]:
    """A second broker behind logins and certificates. Started where the shared one could be: what is missing is said there."""
    with fortress_in(tmp_path_factory.mktemp("fortress")) as made:
        yield made


@pytest.fixture
def feed(kafka_broker: Broker) -> Iterator[Feed]:
    """A test's hands on the broker: topics and records."""
    feed = Feed(kafka_broker.bootstrap)
    yield feed
    feed.close()


@pytest.fixture
def topic(feed: Feed) -> Callable[..., str]:
    """Factory of topics with names of their own: `topic(partitions=4, retention_ms="1000")`."""
    return feed.create


@pytest.fixture
def river(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> Iterator[River]:
    """Topics with a daemon's configuration on them; what was started ends with the test."""
    made = River(kafka_broker, feed, tmp_path)
    yield made
    made.close()
