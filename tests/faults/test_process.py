"""What happens inside the process that reads: a client that hangs, a decompressor that is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.faults.witness import TOLD_S, Witness
from tests.river.world import Daemon, configuration
from tests.services.river import River

HUNG = str(Path(__file__).with_name("hung.py"))
PATIENCE = [pytest.param("2", id="brisk"), pytest.param("0", id="real", marks=pytest.mark.fault)]
# a package that is not installed, as far as this process can tell
HIDDEN = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.mark.kafka
@pytest.mark.parametrize("patience_s", PATIENCE)
def test_a_client_that_hangs_ends_the_process_and_all_stacks_are_in_its_log(river: River, patience_s: str) -> None:
    """It holds a core at full speed and cannot be freed from outside: whoever manages the service starts another, which loses nothing."""
    river.send(range(2))
    daemon = river.start(program=(HUNG, "client", patience_s))
    assert daemon.process.wait(TOLD_S) == 1
    daemon.kill()
    log = "".join(str(line.get("text", "")) for line in daemon.lines)
    assert "a poll of Kafka has not returned" in log
    assert "in hang" in log, "the stack of what hangs"
    again = Witness(river.start())
    again.closed(0)
    assert [v["events"] for v in river.exported()["verdicts"]] == [60]


@pytest.mark.kafka
@pytest.mark.parametrize("patience_s", PATIENCE)
def test_a_round_that_hangs_is_not_healthy_and_all_stacks_are_in_the_log(river: River, patience_s: str) -> None:
    witness = Witness(river.start(program=(HUNG, "engine", patience_s)))
    assert witness.ask("/-/healthy")[0] == 200, "it has only just begun"
    witness.until(lambda: witness.ask("/-/healthy")[0] == 503, "a manager that probes is told to restart it", TOLD_S)
    assert witness.ask("/-/healthy")[1]["stalled"] == ["engine"]
    assert witness.daemon.wait_for("stalled", 10)["stages"] == ["engine"]
    witness.until(lambda: "in hang" in "".join(row.get("text", "") for row in witness.daemon.lines), "the stack of what hangs", 10)
    assert witness.gauge("raincheck_ready") == 0
    assert len([row for row in witness.daemon.lines if row["event"] == "stalled"]) == 1, "told once, however often it is asked"


def test_missing_codecs_are_mistakes_that_are_told_before_anything_is_read(tmp_path: Path) -> None:
    """Found at the first batch, each would be a partition that stands still in the middle of the night."""
    packages = {"lz4": "lz4", "zstd": "zstandard", "snappy": "snappy", "crc32c": "crc32c"}
    (tmp_path / "sitecustomize.py").write_text(HIDDEN.format(names={*packages.values()}))
    plan = configuration(kafka={"bootstrap": ["127.0.0.1:1"]}, state={"path": str(tmp_path / "state.db")})
    config = tmp_path / "raincheck.yaml"
    config.write_text(yaml.safe_dump(plan))
    daemon = Daemon(config, env={"PYTHONPATH": str(tmp_path)})
    assert daemon.process.wait(60) == 78
    daemon.kill()
    said = "".join(str(line.get("text", "")) for line in daemon.lines)
    assert [extra for extra in packages if f"pip install 'kafka-python[{extra}]'" in said] == list(packages), "all at once"
    assert not (tmp_path / "state.db").exists(), "nothing was touched"
