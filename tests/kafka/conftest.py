"""The second broker of the Kafka tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.broker import Broker
from tests.services.fortress import Fortress, fortress_in


@pytest.fixture(scope="session")
def fortress(tmp_path_factory: pytest.TempPathFactory, broker_process: Broker) -> Iterator[Fortress]:
    """Started where the shared broker could be: what is missing is said there."""
    with fortress_in(tmp_path_factory.mktemp("fortress")) as made:
        yield made
