"""A silence that somebody put in holds over a restart of Alertmanager, and ends when its time has come."""

from __future__ import annotations

import pytest

from tests.paging.world import Paging
from tests.services.served import until

pytestmark = [pytest.mark.kafka, pytest.mark.fault]


def test_silences_are_kept_over_a_restart_and_the_page_comes_when_they_end(paging: Paging) -> None:
    board, alertmanager = paging.switchboard, paging.alertmanager
    words = ("--author=on call", "--comment=the lens is being changed", "--duration=1h", "alertname=ModelDrifted", "model=shop")
    silence = alertmanager.amtool("silence", "add", *words)
    alertmanager.remember("silences")

    def held() -> list[list[str]]:
        return [alert["status"]["silencedBy"] for alert in alertmanager.alerts(alertname="ModelDrifted", severity="page")]

    # 1. it drifts; the silence holds
    paging.bring(6, shop={"shifted": "x3"}, bank={"missing": "x2"})
    until(lambda: held() == [[silence]])

    # 2. Alertmanager dies and comes back on the same data: the silence is there before the alert is sent again
    alertmanager.kill()
    alertmanager.start()
    assert silence in alertmanager.amtool("silence", "query", "--quiet").split()
    until(lambda: held() == [[silence]])
    board.wait("bank-team-page", "ModelBroken", "firing", model="bank")
    board.rounds(4)
    assert board.heard("shop-team-page") == [], "nobody is woken, while all else is told"

    # 3. it is ended by hand: what is still true pages at last, once
    alertmanager.amtool("silence", "expire", silence)
    page = board.wait("shop-team-page", "ModelDrifted", "firing")
    assert page.alerts[0]["labels"]["model"] == "shop"
    board.rounds(4)
    assert [one.said for one in board.heard("shop-team-page")] == [("ModelDrifted", "firing")]
