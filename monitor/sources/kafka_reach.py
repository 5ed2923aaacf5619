"""One question to a cluster before anything runs: does it let us in, and are the topics there?"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from monitor.plan import Kafka
from monitor.sources.kafka_link import Link
from monitor.sources.kafka_preflight import check
from monitor.sources.kafka_topics import Topic, topic_of

WAIT_S = 10.0  # brokers across an ocean, with a login, take a second or two


@dataclass(frozen=True, slots=True)
class Reach:
    """`cause` says why nothing could be asked (None: the brokers answered); `topics` is {name: what they said of it}."""

    cause: str | None
    topics: Mapping[str, Topic] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """It may run at once: nothing has to be waited for."""
        return self.cause is None and all(topic.state == "present" for topic in self.topics.values())

    def words(self) -> list[str]:
        """A line for each thing that was asked.

        >>> Reach(None, {"clicks": Topic("present", "A", 3), "labels": Topic("absent", code=3)}).words()
        ['brokers: they answer', 'topic clicks: partitions 3', 'topic labels: does not exist; it would be waited for, never created']
        """
        if self.cause is not None:
            return [f"brokers: {self.cause}"]
        said = {
            "absent": "does not exist; it would be waited for, never created",
            "unclear": "the brokers answer with error {code}; may this user describe it?",
            "present": "partitions {partitions}",
        }
        lines = [
            f"topic {name}: {said[topic.state].format(code=topic.code, partitions=topic.partitions)}"
            for name, topic in sorted(self.topics.items())
        ]
        return ["brokers: they answer", *lines]


def ask(plan: Kafka, topics: Collection[str], wait_s: float = WAIT_S) -> Reach:
    """Connect as the daemon would, ask for the topics without creating any, and leave.

    Raises `Misconfigured` for what can be found without connecting. Reading itself is not tried: an access rule that lets a user
    describe a topic and not read it is found by the daemon.
    """
    check(plan)
    link = Link(plan, {}, 1, wait_s)
    link.open()
    try:
        admin = link.admin()
        try:
            found = {row["name"]: topic_of(row) for row in admin.describe_topics(sorted(topics))} if topics else {}
        finally:
            with contextlib.suppress(Exception):  # the answer is what counts
                admin.close()
    except Exception as error:  # noqa: BLE001 - whatever the client raises is an answer: it cannot be used like this
        return Reach(link.explain(error))
    finally:
        link.shut()
    return Reach(None, {name: found.get(name, Topic("unclear")) for name in topics})
