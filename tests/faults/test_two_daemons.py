"""Two daemons with a state each and one group: told, by name, and no restart is taken for it. A state that was lost is told, too."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import yaml

from tests.faults.witness import BRISK, PACES, Witness, account, records
from tests.river.world import Daemon, events, raincheck
from tests.services.river import PER_HOUR, River

pytestmark = pytest.mark.kafka
TOLD_S = 240.0  # two minutes are promised; a machine that many share is slower


def begun(river: River, program: Sequence[str]) -> Witness:
    """A daemon that has read three hours and committed; a brisk one saves, hence commits, twice a second."""
    if program == BRISK:
        river.plan["state"]["save_every"] = "500ms"
        river.write()
    witness = Witness(river.start(program=program))
    river.send(range(3))
    witness.closed(1)
    witness.until(lambda: witness.gauge("raincheck_kafka_commits_total"), "it has committed")
    return witness


def other_host(river: River, program: Sequence[str], **more: Any) -> Witness:
    """The same configuration copied to where another state is; `more` is changed in it."""
    config = river.folder / "copied.yaml"
    config.write_text(yaml.safe_dump(river.plan | {"state": river.plan["state"] | {"path": str(river.folder / "copied.db")}} | more))
    daemon = Daemon(config, program=program)
    river.daemons.append(daemon)
    daemon.wait_for("started")
    return Witness(daemon)


def trickling(river: River, condition: Callable[[], object]) -> Callable[[], object]:
    """The condition, with a record for each time it is asked: who reads nothing commits nothing."""
    record = events(range(3, 4))[0][0]

    def asked() -> object:
        river.feed.produce(river.topics["in"], [record])
        return condition()

    return asked


def another(witness: Witness) -> bool:
    return witness.gauge("raincheck_kafka_another_daemon") == 1


def alone(river: River, program: Sequence[str], *witnesses: Witness) -> None:
    """Each has looked around several times and has not been told of anybody."""
    commits = 8 if program == BRISK else 15  # one each five seconds, a look each half a minute: three of them at least
    for witness in witnesses:
        enough = partial(many_commits, witness, commits)
        witness.until(trickling(river, enough), "it has looked around several times", TOLD_S)
    for witness in witnesses:
        assert witness.gauge("raincheck_kafka_another_daemon") == 0
        assert not {"another_daemon", "state_was_lost"} & {str(line.get("event")) for line in witness.daemon.lines}


def many_commits(witness: Witness, commits: int) -> bool:
    return (witness.gauge("raincheck_kafka_commits_total") or 0) >= commits


@pytest.mark.parametrize("program", PACES)
def test_two_daemons_of_one_group_are_told_by_name(river: River, program: Sequence[str]) -> None:
    one = begun(river, program)
    two = other_host(river, program)
    assert two.daemon.wait_for("state_was_lost")["by"] == name(one)
    both = one, two
    one.until(trickling(river, lambda: another(one) or another(two)), "one at least is told", TOLD_S)
    told, untold = both if another(one) else reversed(both)
    assert told.daemon.wait_for("another_daemon")["who"] == name(untold)
    assert untold.daemon.terminate() == 0
    told.until(trickling(river, lambda: not another(told)), "it is alone again", TOLD_S)
    told.daemon.wait_for("another_daemon_gone")


@pytest.mark.fault
@pytest.mark.parametrize("program", PACES)
def test_neither_kill_nor_restart_is_taken_for_a_second_daemon(river: River, program: Sequence[str]) -> None:
    witness = begun(river, program)
    for end in ("kill", "terminate"):
        getattr(witness.daemon, end)()
        witness = Witness(river.start(program=program))
        alone(river, program, witness)


@pytest.mark.fault
def test_the_parts_of_one_plan_share_its_group(river: River) -> None:
    river.plan["shard"] = {"index": 1, "count": 2}  # the one that has the model: both read all
    river.write()
    one = begun(river, BRISK)
    alone(river, BRISK, one, other_host(river, BRISK, shard={"index": 0, "count": 2}))


def test_a_state_that_was_lost_is_told_and_all_is_read_again(river: River) -> None:
    witness = begun(river, BRISK)
    witness.saved(river.state, 3 * PER_HOUR)
    assert witness.daemon.terminate() == 0
    raincheck("state", "reset", str(river.state))
    again = Witness(river.start(program=BRISK))
    line = again.daemon.wait_for("state_was_lost")
    assert line["by"] == name(witness)
    assert sum(line["had_read"].values()) == 2 * 3 * PER_HOUR, "both topics"
    again.saved(river.state, 3 * PER_HOUR)
    assert records(account(river.state)[0], "in") == 3 * PER_HOUR, "from the beginning, as kafka.start says"
    assert again.gauge("raincheck_state_restores_total", outcome="lost") == 1


def name(witness: Witness) -> str:
    return f"{socket.gethostname()}:{witness.pid}"
