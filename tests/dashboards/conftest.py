"""One world of this room: the story takes longest, so it is told once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards.story import Told
from tests.services.broker import Broker
from tests.services.feed import Feed
from tests.services.tools import tool


@pytest.fixture(scope="package")
def told(broker_process: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The demo's story, told to its end and seen by Prometheus."""
    tool("prometheus")  # a visible skip before anything is started
    feed = Feed(broker_process.well().bootstrap)
    made = Told(feed, tmp_path_factory.mktemp("story"))
    try:
        made.begin()
        yield made
    finally:
        made.close()
        feed.close()
