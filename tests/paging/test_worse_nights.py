"""What takes minutes: a daemon that stays away, an Alertmanager that forgets or freezes, a stream that falls silent."""

from __future__ import annotations

import pytest

from tests.paging.world import Paging
from tests.services.served import until

pytestmark = [pytest.mark.kafka, pytest.mark.fault]


def test_a_daemon_that_stays_away_and_an_alertmanager_that_forgets_and_freezes(paging: Paging) -> None:
    board, prometheus, alertmanager = paging.switchboard, paging.prometheus, paging.alertmanager
    paging.bring(6, shop={"shifted": "x3"})
    board.wait("shop-team-page", "ModelDrifted", "firing")

    # 1. the daemon is away for longer than its alerts are kept: they end while they are held back, so nobody hears that it is over
    paging.kill_daemon()
    board.wait("ops-page", "RaincheckDown", "firing")
    until(lambda: not prometheus.alerts("ModelDrifted"))
    board.rounds()
    paging.start_daemon()
    board.wait("ops-page", "RaincheckDown", "resolved")
    until(lambda: [a["status"]["state"] for a in alertmanager.alerts(alertname="ModelDrifted", severity="page")] == ["active"])
    board.rounds()
    assert [one.said for one in board.heard("shop-team-page")] == [("ModelDrifted", "firing")], "still the page that was told"

    # 2. Alertmanager dies before it has written down what it sent: each open page is sent once more, and then no more
    alertmanager.forget()
    alertmanager.start()
    board.wait("shop-team-page", "ModelDrifted", "firing", nth=2)
    board.rounds(4)
    assert [one.said for one in board.heard("shop-team-page")] == [("ModelDrifted", "firing")] * 2

    # 3. Alertmanager freezes while something breaks: told once, when it is back
    alertmanager.freeze()
    try:
        paging.bring(3, shop={"shifted": "x3"}, bank={"missing": "x2"})
        until(lambda: [alert for alert in prometheus.alerts("ModelBroken") if alert["state"] == "firing"])
        # it is given up on and tried again
        until(lambda: prometheus.refused() > 0)
    finally:
        alertmanager.thaw()
    board.wait("bank-team-page", "ModelBroken", "firing", model="bank")
    board.rounds(4)
    assert [one.said for one in board.heard("bank-team-page") if one.body["commonLabels"]["model"] == "bank"] == [("ModelBroken", "firing")]
    assert [one.said for one in board.heard("ops-page")] == [("RaincheckDown", "firing"), ("RaincheckDown", "resolved")]


def test_a_stream_that_falls_silent(paging: Paging) -> None:
    """Whoever runs raincheck hears of the stream by day, the model's owner of the model at once; after a restart silence counts anew."""
    board = paging.switchboard
    paging.beat(3)
    silent = board.wait("bank-team-page", "ModelBroken", "firing", limit_s=240, model="pulse")
    assert [alert["annotations"]["summary"] for alert in silent.alerts] == ["pulse: broken records: none come"]
    told = board.wait("ops-ticket", "RaincheckStreamSilent", "firing", limit_s=240)
    assert told.alerts[0]["labels"]["stream"] == "pulse"
    paging.kill_daemon()
    paging.start_daemon()
    board.wait("ops-ticket", "RaincheckStreamSilent", "firing", nth=2, limit_s=240)
    paging.beat(1)
    board.wait("ops-ticket", "RaincheckStreamSilent", "resolved", nth=2, limit_s=120)
