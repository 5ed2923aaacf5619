"""What is said before and beside a Kafka client: mistakes without connecting, causes out of its log, the watch over topics."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import monitor.sources.kafka_client
from monitor.errors import Misconfigured
from monitor.plan import Kafka, KafkaSecurity
from monitor.sources.kafka_causes import CAUSES, Causes
from monitor.sources.kafka_client import KafkaClient
from monitor.sources.kafka_preflight import check, client_arguments, reach
from monitor.sources.kafka_topics import Topic, TopicWatch
from monitor.sources.watchdog import Watchdog

WAIT_S = 20.0


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    security = KafkaSecurity("SASL_SSL", username="me", password_file=str(tmp_path / "nowhere"), key_file=str(tmp_path))
    with pytest.raises(Misconfigured) as caught:
        check(Kafka(("broker",), security))
    assert [mistake.field for mistake in caught.value.mistakes] == [
        "bootstrap",
        "security.mechanism",
        "security.password_file",
        "security.key_file",
        "security.key_file",
    ]


def test_a_password_without_a_login_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret")
    with pytest.raises(Misconfigured, match="means nothing with SSL"):
        check(Kafka(("broker:9092",), KafkaSecurity("SSL", password_file=str(tmp_path / "secret"))))


def test_the_password_is_read_when_a_client_is_built(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    plan = Kafka(("broker:9092",), KafkaSecurity("SASL_PLAINTEXT", mechanism="PLAIN", username="me", password_file=str(secret)))
    for password in ("first", "changed"):
        secret.write_text(f"{password}\n")
        assert client_arguments(plan, None)["sasl_plain_password"] == password
    assert "changed" not in repr(plan)


@pytest.mark.parametrize(
    ("lines", "best"),
    [
        (["socket disconnected"], "hangs up"),
        (
            ["socket disconnected", "SaslAuthenticationFailedError: Authentication failed", "socket disconnected"],
            "wrong user name or password",
        ),
        (["CERTIFICATE_VERIFY_FAILED: Hostname mismatch, certificate is not valid for 'x'"], "another host name"),
        (["CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate"], "not signed by"),
        (["Invalid frame length: 352518912"], "this port speaks TLS"),
        (["UNEXPECTED_EOF_WHILE_READING"], "speaks plain text"),
        (["request timed out", "socket disconnected"], "hangs up"),
        (["Connect attempt returned error 111. ECONNREFUSED"], "no broker listens"),
        (["all is well"], None),
    ],
)
def test_the_best_cause_in_the_log_wins(lines: list[str], best: str | None) -> None:
    causes = Causes()
    causes.open()
    try:
        for line in lines:
            logging.getLogger("kafka.net").warning("node 1: %s", line)
        said = causes.best()
        assert (said is None) if best is None else (said is not None and best in said)
        causes.clear()
        assert causes.best() is None
    finally:
        causes.shut()
    assert logging.getLogger("kafka").propagate


def test_no_cause_hides_behind_a_broader_one() -> None:
    """A pattern that matches all that a later one matches would make the later sentence unreachable."""
    assert len({sentence for _, sentence in CAUSES}) == len(CAUSES)


class Stranger:
    """A consumer whose insides are not those of the release that we know."""

    def __init__(self) -> None:
        self.sought: dict[Any, int] = {}

    def assign(self, partitions: list[Any]) -> None:
        """Only its public calls are there."""

    def seek(self, partition: Any, offset: int) -> None:
        self.sought[partition] = offset


def test_a_client_that_keeps_its_epochs_elsewhere_reads_on_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = Stranger()
    monkeypatch.setattr(monitor.sources.kafka_client, "built", lambda *_, **__: stranger)
    client = KafkaClient({}, {"clicks": "shop.clicks"}, None)
    client.assign({"clicks/0": 7}, epochs={"clicks/0": 3})
    assert list(stranger.sought.values()) == [7]
    assert client.epochs(["clicks/0"]) == {}


def test_a_closed_port_says_so() -> None:
    assert reach(["127.0.0.1:1"], None) == "127.0.0.1:1: Connection refused"


class Cluster:
    """Answers of an admin client, given by the test one by one: a list of rows, or an error to raise."""

    def __init__(self) -> None:
        self.answers: queue.Queue[list[dict[str, Any]] | Exception] = queue.Queue()
        self.built = 0
        self.closed = 0

    def connect(self) -> Cluster:
        self.built += 1
        return self

    def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        answer = self.answers.get(timeout=WAIT_S)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


def row(name: str, code: int = 0, identity: str = "A", partitions: int = 1) -> dict[str, Any]:
    return {"name": name, "error_code": code, "topic_id": identity, "partitions": [{}] * partitions}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    for _ in range(5):
        made.answers.put(OSError("the test is over"))


def test_the_watch_tells_present_absent_and_unclear(cluster: Cluster) -> None:
    watch = TopicWatch(cluster.connect, ["a", "b", "c", "d"], every_s=WAIT_S)
    watch.start()
    cluster.answers.put([row("a", partitions=3), row("b", 3), row("c", 29)])
    snapshot = watch.answer(1, WAIT_S)
    watch.close()
    assert snapshot is not None
    assert snapshot.topics == {
        "a": Topic("present", "A", 3),
        "b": Topic("absent", code=3),
        "c": Topic("unclear", code=29),
        "d": Topic("unclear"),
    }


def test_a_new_question_is_not_answered_by_an_old_answer(cluster: Cluster) -> None:
    watch = TopicWatch(cluster.connect, ["a"], every_s=WAIT_S)
    watch.start()
    cluster.answers.put([row("a", identity="old")])
    assert watch.answer(1, WAIT_S) is not None
    number = watch.ask()
    assert watch.answer(number, 0) is None, "the old answer does not count"
    cluster.answers.put([row("a", identity="new")])
    snapshot = watch.answer(number, WAIT_S)
    watch.close()
    assert snapshot is not None
    assert snapshot.topics["a"].identity == "new"


def test_a_failed_client_is_replaced_and_its_question_repeated(cluster: Cluster) -> None:
    errors: list[str] = []
    watch = TopicWatch(cluster.connect, ["a"], every_s=WAIT_S, absent_every_s=0.0, failed=errors.append)
    watch.start()
    cluster.answers.put(ConnectionError("away"))
    cluster.answers.put([row("a")])
    assert watch.answer(1, WAIT_S) is not None
    watch.close()
    assert errors == ["ConnectionError"]
    assert (cluster.built, cluster.closed) == (2, 1)


def test_the_watchdog_bites_a_call_that_does_not_return_and_no_other() -> None:
    bitten = threading.Event()
    said: list[str] = []

    def bite(reason: str) -> None:
        said.append(reason)
        bitten.set()

    dog = Watchdog(0.2, bite)
    dog.start()
    for _ in range(1000):
        with dog.guard("a quick call"):
            pass
    with dog.guard("a slow call"):
        assert bitten.wait(WAIT_S)
    dog.close()
    assert said == ["a slow call has not returned for 0.2 s"]
