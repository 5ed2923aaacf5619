"""One world of this room: learnt once, since that takes longest, then told stories."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paging.world import Paging
from tests.services.broker import Broker
from tests.services.feed import Feed


@pytest.fixture
def paging(kafka_broker: Broker, feed: Feed, tmp_path: Path) -> Iterator[Paging]:
    """Everything from the broker to the webhooks, with both models learnt."""
    made = Paging(kafka_broker, feed, tmp_path)
    try:
        made.learn()
        yield made
    finally:
        made.close()
