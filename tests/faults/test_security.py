"""A daemon before every door of the fortress: what it says of itself where it is let in, and where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from tests.faults.witness import Witness
from tests.services.doors import OPEN, SHUT, Door
from tests.services.feed import Feed
from tests.services.fortress import Fortress
from tests.services.river import PER_HOUR, River

pytestmark = [pytest.mark.kafka, pytest.mark.fault]


@pytest.fixture(scope="module")
def knocking(fortress: Fortress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[River, Witness]]]:
    """A daemon at each door, all at once: each takes its time to be refused."""
    feed = Feed(fortress.bootstrap)
    found: dict[str, tuple[River, Witness]] = {}
    try:
        for door in [*OPEN, *SHUT]:
            plan = fortress.behind(door)
            security = {key: value for key, value in asdict(plan.security).items() if value is not None}
            kafka = {"bootstrap": list(plan.bootstrap), "security": security}
            river = River(fortress, feed, tmp_path_factory.mktemp("door"), kafka=kafka)
            river.send(range(2))
            found[door.name] = river, Witness(river.start(ready=False))
        yield found
    finally:
        for river, _ in found.values():
            river.close()
        feed.close()


@pytest.mark.parametrize("door", OPEN, ids=lambda door: door.name)
def test_it_reads_behind_walls(knocking: dict[str, tuple[River, Witness]], door: Door) -> None:
    river, witness = knocking[door.name]
    witness.daemon.wait_for("started")
    witness.told(up=True)
    witness.closed(0)
    view = witness.ask("/api/v1/models")[1]["models"][0]
    assert view["last"]["events"] == PER_HOUR
    assert river.webhook.waiting == 0


@pytest.mark.parametrize("door", SHUT, ids=lambda door: door.name)
def test_a_refusal_is_no_crash_and_its_true_cause_is_in_the_log(knocking: dict[str, tuple[River, Witness]], door: Door) -> None:
    """A password that is put right in its file, or a broker's new certificate, lets it in without anybody restarting it."""
    _, witness = knocking[door.name]
    witness.daemon.wait_for("started")
    line = witness.told(up=False)
    while not re.search(door.said, line["cause"] or ""):
        line = witness.daemon.wait_for("source_down")
    witness.outlives(0.1, "it is refused, and goes on asking")


def test_a_password_that_is_put_right_needs_no_restart(fortress: Fortress, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("rotated")
    password = folder / "password"
    password.write_text("of yesterday\n")
    feed = Feed(fortress.bootstrap)
    plan = fortress.behind(OPEN[1])
    security = {key: value for key, value in asdict(plan.security).items() if value is not None} | {"password_file": str(password)}
    river = River(fortress, feed, folder, kafka={"bootstrap": list(plan.bootstrap), "security": security})
    try:
        witness = Witness(river.start())
        witness.told(up=False)
        password.write_text("pw2\n")
        river.send(range(2))
        witness.told(up=True)
        witness.closed(0)
    finally:
        river.close()
        feed.close()
