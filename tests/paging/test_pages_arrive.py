"""Kafka -> raincheck -> Prometheus -> Alertmanager -> webhook, each as its own process: who is told what, and what nobody is told."""

from __future__ import annotations

import pytest

from tests.paging.world import Paging

pytestmark = pytest.mark.kafka


def test_from_a_shift_to_its_end(paging: Paging) -> None:
    board = paging.switchboard
    # 1. a shift pages its own owner, once
    paging.bring(6, shop={"shifted": "x3"})
    page = board.wait("shop-team-page", "ModelDrifted", "firing")
    assert [alert["labels"]["model"] for alert in page.alerts] == ["shop"]
    board.rounds()
    assert [one.said for one in board.heard("shop-team-page")] == [("ModelDrifted", "firing")]
    assert board.heard("bank-team-page") == board.heard("ops-page") == []
