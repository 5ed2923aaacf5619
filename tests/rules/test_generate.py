"""`raincheck alerts`: the same configuration gives the same files, what is committed is up to date, mistakes are told."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor import __main__ as command_line
from monitor import config
from monitor.office import Office
from monitor.sinks.memory import MemoryNotifier
from monitor.sources.memory import Bus, MemorySource
from monitor.stores.memory import MemoryStore

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "alerts" / "demo"
COMMAND = ["alerts", "generate", "--config", str(DEMO / "rain.yaml"), "--platform", "vision-team"]
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*words: str) -> tuple[int, str]:
        code = command_line.main([*words, "--log-level", "error"])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def test_what_is_committed_is_what_would_be_written(said: Said) -> None:
    code, text = said(*COMMAND, "--out", str(DEMO), "--check")
    assert code == 0, text
    assert text.startswith("up to date")


def test_the_same_bytes_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "monitor", *COMMAND, "--out", str(tmp_path)],
        env={"PYTHONHASHSEED": "4711", "PATH": "", "TZ": "Asia/Tokyo"}, cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {path.name: path.read_bytes() for path in DEMO.glob("*.yml")}


def test_check_says_what_is_stale_and_writes_nothing(said: Said, tmp_path: Path) -> None:
    for path in DEMO.glob("*.yml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "models.rules.yml").write_text("groups: []\n")
    (tmp_path / "alertmanager.yml").unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, text = said(*COMMAND, "--out", str(tmp_path), "--check", "--json")
    assert code == 1
    answer = json.loads(text.splitlines()[-1])
    assert answer["stale"] == {"alertmanager.yml": "is missing", "models.rules.yml": "differs"}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert said(*COMMAND, "--out", str(tmp_path))[0] == 0
    assert said(*COMMAND, "--out", str(tmp_path), "--check")[0] == 0


@pytest.mark.parametrize(
    ("more", "field", "because"),
    [
        (["--platform", "no body"], "--platform", "a label and a receiver are named after it"),
        (["--job", 'rain"check'], "--job", "it would end the matcher"),
        (["--receivers", "nowhere.yml"], "--receivers", "the file is not there"),
    ],
)
def test_mistakes_on_the_command_line(more: list[str], field: str, because: str, said: Said, tmp_path: Path) -> None:
    code, text = said(*COMMAND, "--out", str(tmp_path), *more)
    assert code == 78, because
    assert field in text
    assert list(tmp_path.iterdir()) == [], "nothing is half written"


def test_with_several_owners_somebody_must_be_said_to_run_it(said: Said, tmp_path: Path) -> None:
    code, text = said(*COMMAND[:-2], "--out", str(tmp_path))
    assert code == 78
    assert "payments-risk, vision-team" in text


SHOWN = [
    line.partition("#")[0].split()[1:]
    for page in (ROOT / "README.md", ROOT / "alerts" / "README.md")
    for line in page.read_text(encoding="utf-8").splitlines()
    if line.startswith("raincheck alerts generate") and "--receivers" not in line
]


@pytest.mark.parametrize("words", SHOWN, ids=" ".join)
def test_the_commands_of_the_pages_hold_for_several_owners(words: list[str], said: Said, tmp_path: Path) -> None:
    paths = {"rain.yaml": str(DEMO / "rain.yaml"), "rules/": str(tmp_path)}
    code, text = said(*(paths.get(word, word) for word in words))
    assert code == int("--check" in words), text


@pytest.mark.parametrize(
    ("receivers", "owner", "reaches", "because"),
    [
        (None, "{}", False, "neither the configuration nor a file has an address"),
        (None, "{page: ['json://hooks.example/page']}", True, "a plain webhook is taken over"),
        (None, "{ticket: ['json://hooks.example/ticket']}", True, "pages go where tickets go"),
        (None, "{page: ['slack_file:secrets/slack']}", False, "it has to be said in Alertmanager's words"),
        ("[{name: team-page, email_configs: [{to: a@example.org}]}]", "{}", True, "the file says it"),
        ("[{name: team-page}]", "{}", False, "a name is no address"),
        ("[{name: team-ticket, email_configs: [{to: a@example.org}]}]", "{}", False, "a page goes elsewhere"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["write", "check"])
def test_that_raincheck_s_own_pages_reach_nobody_is_said_aloud(
    receivers: str | None, owner: str, reaches: bool, because: str, check: bool, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "rain.yaml").write_text(
        f"owners: {{team: {owner}, b: {{}}}}\nmodels: {{m: {{owner: team, schema: {{features: {{x: numeric}}}}}}}}\n"
    )
    words = ["alerts", "generate", "--config", str(tmp_path / "rain.yaml"), "--platform", "team", "--out", str(tmp_path / "out")]
    if receivers is not None:
        (tmp_path / "receivers.yml").write_text(receivers)
        words += ["--receivers", str(tmp_path / "receivers.yml")]
    command_line.main([*words, "--log-level", "error"])
    told = capsys.readouterr()
    if check:
        assert command_line.main([*words, "--log-level", "error", "--check", "--json"]) == 0
        told = capsys.readouterr()
        assert bool(json.loads(told.out)["warnings"]) != reaches, because
    assert ("WARNING: raincheck's own pages (RaincheckDown" in told.err) != reaches, because


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: x\n", "is not a list of receivers"),
        ("- email_configs: []\n", "is not a list of receivers"),
        ("receivers: {name: x}\n", "is not a list of receivers"),
        ("receivers: [{name: vision-team-page}]\nroute: {}\n", "is not a list of receivers"),
        ("- [unclosed\n", "cannot be read"),
        ("- {name: vision-page}\n", "is a receiver that no route names"),
    ],
)
def test_mistakes_in_a_file_of_receivers(text: str, problem: str, said: Said, tmp_path: Path) -> None:
    path = tmp_path / "receivers.yml"
    path.write_text(text)
    code, out = said(*COMMAND, "--out", str(tmp_path / "out"), "--receivers", str(path))
    assert code == 78
    assert problem in out
    assert not (tmp_path / "out").exists()


def test_a_file_of_receivers_has_alertmanager_s_key_above_them_or_none(said: Said, tmp_path: Path) -> None:
    for name, text in {"keyed": "receivers: [{name: vision-team-page}]\n", "bare": "[{name: vision-team-page}]\n"}.items():
        (tmp_path / "receivers.yml").write_text(text)
        code, out = said(*COMMAND, "--out", str(tmp_path / name), "--receivers", str(tmp_path / "receivers.yml"))
        assert code == 0, out
    assert (tmp_path / "keyed" / "alertmanager.yml").read_bytes() == (tmp_path / "bare" / "alertmanager.yml").read_bytes()


def test_runbooks_are_printed(said: Said) -> None:
    assert said("alerts", "runbook", "RaincheckDown")[1].startswith("# RaincheckDown\n")
    assert "ModelDrifted" in said("alerts", "runbook")[1].splitlines()
    code, text = said("alerts", "runbook", "Nonsense")
    assert code == 78
    assert "RaincheckDown" in text


def test_readiness_is_exported_without_anybody_probing_it() -> None:
    """RaincheckNotReady reads it, and Prometheus asks for /metrics only."""
    bus = Bus()
    bus.create("in")
    plan = config.compile(
        {
            "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at"}}},
            "owners": {"team": {}},
            "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}},
        }
    )
    office = Office(plan, MemorySource(bus, {"in": "in"}), MemoryStore(), lambda metrics: MemoryNotifier(plan), ticks=False)
    office.start()
    office.turn(0)
    assert b"\nraincheck_ready 1.0\n" in office.metrics()
    office.telemetry.component("source", up=False)
    assert b"\nraincheck_ready 0.0\n" in office.metrics(openmetrics=True), "the other format was not rendered yet"
    office.stop(5.0)
