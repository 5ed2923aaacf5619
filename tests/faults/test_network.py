"""What lies between a daemon and its broker: lines that stall, reset, are slow or are cut. The broker itself is well all the while."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.conftest import Calm
from tests.faults.proxy import Proxy
from tests.faults.witness import BRISK, PACES, REAL, Witness, account, records
from tests.river.world import events
from tests.services.broker import Broker, free_port
from tests.services.feed import Feed
from tests.services.river import PER_HOUR, River

pytestmark = pytest.mark.kafka


@dataclass(frozen=True)
class Line:
    """A broker of its own that is reached through a proxy: it names the proxy's address as its own, or clients would walk around it."""

    broker: Broker
    proxy: Proxy

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.proxy.port}"


@pytest.fixture(scope="module")
def line(broker_process: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """Started where the shared broker could be: what is missing is said there."""
    proxy, port = Proxy(), free_port()
    broker = Broker(
        tmp_path_factory.mktemp("line") / "node",
        listeners=[f"PROXIED://127.0.0.1:{port}"],
        protocols={"PROXIED": "PLAINTEXT"},
        advertised={"PROXIED": f"127.0.0.1:{proxy.port}"},
        properties={"auto.create.topics.enable": "true"},  # the default of production: whoever asks for a topic makes it
    ).start()
    proxy.target = port
    yield Line(broker, proxy)
    proxy.close()
    broker.stop()


@pytest.fixture
def river(line: Line, tmp_path: Path) -> Iterator[River]:
    """The daemon goes through the proxy, the test's own clients do not."""
    line.proxy.delay_s = 0.0
    line.proxy.line("pass")
    feed = Feed(line.broker.bootstrap)
    made = River(line.broker, feed, tmp_path, kafka={"bootstrap": [line.bootstrap]})
    yield made
    made.close()
    feed.close()


def begun(river: River, program: Sequence[str]) -> Witness:
    witness = Witness(river.start(program=program))
    witness.told(up=True)
    river.send(range(3))
    witness.closed(1)
    return witness


def ends_well(river: River, witness: Witness, calm: Calm) -> None:
    witness.closed(5)
    witness.saved(river.state, 7 * PER_HOUR)
    found = calm.holds(river, 6)
    assert (records(found, "in"), found["counts"]) == (7 * PER_HOUR, [])


@pytest.mark.parametrize("program", PACES)
def test_half_open_connections_are_found_by_the_probe(river: River, line: Line, calm: Calm, program: Sequence[str]) -> None:
    """Nothing is refused and nothing answers: a poll alone would be silent for good."""
    witness = begun(river, program)
    line.proxy.line("stall")
    river.send(range(3, 7))
    before, stalled_s = witness.cpu_s(), 60 if program == REAL else 1
    told = witness.told(up=False)
    assert re.search("answer|in time", told["cause"])
    witness.outlives(stalled_s, "while the line swallows everything")
    assert witness.cpu_s() - before < 0.5 * (stalled_s + 5), "waiting is no spinning"
    line.proxy.line("pass")
    witness.told(up=True)
    ends_well(river, witness, calm)


@pytest.mark.fault
@pytest.mark.parametrize("program", [BRISK, REAL], ids=["brisk", "real"])
def test_a_line_that_is_cut(river: River, line: Line, calm: Calm, program: Sequence[str]) -> None:
    witness = begun(river, program)
    line.proxy.line("cut")
    river.send(range(3, 7))
    told = witness.told(up=False)
    assert re.search("(?i)connection refused|hangs up", told["cause"])
    line.proxy.line("pass")
    witness.told(up=True)
    ends_well(river, witness, calm)


def test_resets_in_mid_stream_cost_and_repeat_nothing(river: River, line: Line, calm: Calm) -> None:
    witness = begun(river, BRISK)
    aborted = 0
    for hour in range(3, 7):
        river.send(range(hour, hour + 1))
        aborted += line.proxy.reset()
        if hour > 3:
            witness.closed(hour - 1)
    assert aborted, "there were connections to abort"
    ends_well(river, witness, calm)


@pytest.mark.fault
def test_a_slow_line_is_slow_and_nothing_else(river: River, line: Line, calm: Calm) -> None:
    """Each piece half a second late, in both directions: a second per answer, within the two that a probe waits."""
    witness = begun(river, BRISK)
    line.proxy.delay_s = 0.5
    river.send(range(3, 7))
    ends_well(river, witness, calm)
    assert witness.gauge("raincheck_component_up", component="source") == 1
    assert not [row for row in witness.daemon.lines if row["event"] == "source_down"], "slow is not away"


@pytest.mark.parametrize("program", PACES)
def test_a_topic_that_is_absent_is_told_and_never_made_by_us(river: River, program: Sequence[str]) -> None:
    """This broker makes what is asked for, so that the daemon's own question would be the one that creates it."""
    topic = river.topics["out"] = river.feed.name()
    river.plan["streams"]["out"]["topic"] = topic
    river.write()
    witness = Witness(river.start(program=program))
    assert witness.daemon.wait_for("topic_absent")["topic"] == topic
    witness.told(up=True)
    assert witness.gauge("raincheck_kafka_assigned_partitions", topic=topic) == 0
    witness.outlives(35 if program == REAL else 3, "while a topic is absent")  # longer than a client believes what it knows of topics
    assert river.feed.admin.describe_topics([topic])[0]["error_code"] == 3, "nobody made it"
    inputs, outputs = events(range(7), PER_HOUR)
    river.feed.produce(river.topics["in"], inputs[: 3 * PER_HOUR : 2], 0)
    river.feed.produce(river.topics["in"], inputs[1 : 3 * PER_HOUR : 2], 1)
    witness.closed(1)
    assert "out/0" in str(river.webhook.next()), "its owner hears that half of the model's traffic is not there"
    river.feed.create(topic)
    witness.until(lambda: witness.gauge("raincheck_kafka_assigned_partitions", topic=topic) == 1, "it is read")
    river.feed.produce(topic, outputs)
    river.feed.produce(river.topics["in"], inputs[3 * PER_HOUR :: 2], 0)
    river.feed.produce(river.topics["in"], inputs[3 * PER_HOUR + 1 :: 2], 1)
    witness.closed(5)
    found, _ = account(river.state)
    assert [v["partial"] for v in found["verdicts"][:6]] == [True, True, False, False, False, False], "no window is whole in secret"
    assert [v["events"] for v in found["verdicts"][:6]] == [PER_HOUR] * 6
    assert found["counts"] == [{"of": "shop", "reason": "late", "count": 2 * PER_HOUR}], "what came for the two that were closed"
