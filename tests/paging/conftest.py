"""One world of this room: learnt once, since that takes longest; every test leaves its models without open incidents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.paging.world import Paging
from tests.services.broker import Broker
from tests.services.feed import Feed


@pytest.fixture(scope="module")
def paging(broker_process: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paging]:
    """Everything from the broker to the webhooks, with both models learnt."""
    feed = Feed(broker_process.well().bootstrap)
    made = Paging(feed, tmp_path_factory.mktemp("paging"))
    try:
        made.begin()
        yield made
    finally:
        made.close()
        feed.close()
