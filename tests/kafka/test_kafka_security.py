"""Logging in and encryption against a real broker: what works, and what is said when it does not."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from monitor.__main__ import main
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka_reach import ask
from tests.contracts.source_worlds import STREAM, read
from tests.river.world import configuration
from tests.services.doors import OPEN, SHUT, Door
from tests.services.fortress import Fortress

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("door", OPEN, ids=lambda door: door.name)
def test_it_reads_behind_walls(fortress: Fortress, door: Door) -> None:
    source = KafkaSource(fortress.behind(door), {STREAM: fortress.topic})
    source.start({}, {})
    try:
        assert read(source, lambda ledger: ledger.count == 1).values() == [b"behind walls"]
    finally:
        source.close()


@pytest.mark.parametrize("door", SHUT, ids=lambda door: door.name)
def test_the_true_cause_is_said(fortress: Fortress, door: Door) -> None:
    """Not the client's own words, which are the same time-out for all of these."""
    source = KafkaSource(fortress.behind(door), {STREAM: fortress.topic}, connect_s=2)
    source.start({}, {})
    try:
        read(source, lambda _: re.search(door.said, source.status().cause or ""))
        assert not source.status().connected
    finally:
        source.close()


# one per way in which it is found out; the others are the same sentences as above
@pytest.mark.parametrize("door", [OPEN[1], OPEN[3], SHUT[0], SHUT[5], SHUT[6]], ids=lambda door: door.name)
def test_it_can_be_asked_before_anything_runs(fortress: Fortress, door: Door) -> None:
    # time for several attempts: on a busy machine the first one may be hung up on before the broker has said why
    found = ask(fortress.behind(door), [fortress.topic, "not-there"], wait_s=6)
    if door.said:
        assert re.search(door.said, found.cause or ""), found
        assert not found.well
        return
    assert found.cause is None
    assert {name: topic.state for name, topic in found.topics.items()} == {fortress.topic: "present", "not-there": "absent"}
    again = ask(fortress.behind(door), [fortress.topic, "not-there"], wait_s=2)
    assert again.topics["not-there"].state == "absent", "the question creates nothing, on a broker that would"


def test_check_connect_says_it_and_tells_by_its_exit_code(
    fortress: Fortress, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path_factory.mktemp("check") / "raincheck.yaml"

    def checked(protocol: str, topic: str) -> tuple[int, dict[str, object]]:
        plan = configuration(kafka={"bootstrap": [fortress.bootstrap], "security": {"protocol": protocol}})
        for stream in plan["streams"].values():
            stream["topic"] = topic if stream["role"] == "inputs" else fortress.topic
        path.write_text(yaml.safe_dump(plan))
        code = main(["check", str(path), "--connect", "--json"])
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert said["ok"] == (code == 0)
        return code, said["connect"]

    code, said = checked("PLAINTEXT", "not-there")
    assert code == 1
    assert said["topics"] == {"not-there": {"state": "absent", "partitions": 0}, fortress.topic: {"state": "present", "partitions": 1}}
    code, said = checked("SSL", "not-there")
    assert (code, said["topics"]) == (1, {})
    assert "TLS failed" in str(said["cause"])
    assert checked("PLAINTEXT", fortress.topic)[0] == 0
