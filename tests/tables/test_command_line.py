"""The command line from outside: what is printed where, and with which exit code it ends."""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor import __main__ as command_line
from monitor.commands import discover
from monitor.commands.replay import EXIT_CODES
from monitor.errors import EXIT_CONFIG, EXIT_CRASH, EXIT_INTERRUPTED, Corrupt, Misconfigured, Transient

GOOD = "owners: {team: {}}\nmodels: {m: {owner: team, schema: {features: {x: numeric, f: image}, prediction: {class: y}}}}\n"
BAD = "owners: {team: {}}\nmodels: {m: {window: 7m, owner: teem, schema: {features: {x: numeric}}}}\n"


@pytest.fixture(autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    """main() sets the process's logging up; the next test finds it as it was."""
    root, ours = logging.getLogger(), logging.getLogger("raincheck")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "rain.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_check_says_in_words_what_is_promised(written: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["check", written(GOOD)]) == 0
    out = capsys.readouterr().out
    for words in (
        "1 model, 1 owner, 0 streams",
        "at most 1 false page per 30d",
        "1 image feature, 1 numeric feature, the prediction",
        "learnt for 28d",
    ):
        assert words in out
    assert "note: owner team has no receiver for pages" in out


@pytest.mark.parametrize("words", [[], ["--without-files"]], ids=["here", "for another machine"])
def test_check_says_where_the_state_is_and_whether_it_is_there(
    words: list[str], written: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(GOOD)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert command_line.main(["check", "../rain.yaml", *words]) == 0
    assert f"state in {tmp_path / 'raincheck.db'}, not there yet: the first run makes it" in capsys.readouterr().out
    (tmp_path / "raincheck.db").touch()
    assert command_line.main(["check", "../rain.yaml", *words]) == 0
    assert f"state in {tmp_path / 'raincheck.db'}, which is there" in capsys.readouterr().out
    assert command_line.main(["check", "../rain.yaml", "--json", *words]) == 0
    told = json.loads(capsys.readouterr().out)["state"]
    assert told == {"path": str(tmp_path / "raincheck.db"), "exists": True, "models": [], "copy": None}


def test_check_lists_every_mistake(written: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    path = written(BAD)
    assert command_line.main(["check", path]) == 78
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[:2] for line in lines[:-1]] == [[f"{path}:2:", "models.m.window:"], [f"{path}:2:", "models.m.owner:"]]
    assert lines[-1] == "2 mistakes."


@pytest.mark.parametrize("order", [["check", "--json", "FILE"], ["--json", "check", "FILE"], ["check", "FILE", "--json"]], ids=" ".join)
def test_the_last_line_is_one_json_object(written: Callable[[str], str], capsys: pytest.CaptureFixture[str], order: list[str]) -> None:
    good = [word.replace("FILE", written(GOOD)) for word in order]
    assert command_line.main(good) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["ok"] is True
    assert answer["models"]["m"]["budget"]["words"] == "at most 1 false page per 30d"
    written(BAD)
    assert command_line.main(good) == 78
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [mistake["field"] for mistake in answer["mistakes"]] == ["models.m.window", "models.m.owner"]


def test_check_needs_something_to_check(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        command_line.main(["check"])
    assert left.value.code == 2, "as for every command line that cannot be read"
    assert "FILE is missing" in capsys.readouterr().err


def test_help_and_readme_know_every_exit_code_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    codes = [code for code in EXIT_CODES.values() if code]
    for text in (capsys.readouterr().out, (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")):
        told = text.partition("Exit codes:")[2].partition("\n\n")[0]
        for code in (*codes, 2, EXIT_CRASH, EXIT_CONFIG, EXIT_INTERRUPTED):
            assert re.search(rf"\b{code}\b", told), code


def test_detectors_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["detectors", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["detectors"]
    assert found["psi"]["parameters"]["cells"] == {"type": "int", "default": 10}
    assert command_line.main(["detectors"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name}  (" in out for name in found)


def test_detectors_of_a_plugin_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["detectors", "--plugin", str(tmp_path / "absent.py")]) == 78
    assert "absent.py" in capsys.readouterr().err


class Stop(Exception):
    """Stands for an accident that nobody expected."""


ENDS: list[tuple[Any, int, str, str, str]] = [
    (0, 0, "", "", "well"),
    (3, 3, "", "", "a command's own code"),
    (
        Misconfigured.of("is wrong", origin="here", right="this"),
        78,
        "here: is wrong; right would be: this",
        "misconfigured",
        "a person must mend it",
    ),
    (Corrupt("state is cut short", "raincheck state restore"), 78, "raincheck state restore", "corrupt", "the command that helps is named"),
    (KeyboardInterrupt(), 130, "", "", "Ctrl-C is no accident"),
    (Stop("boom"), 1, "Stop: boom", "", "a crash leaves its trace"),
    (Transient("broker away"), 1, "broker away", "", "nobody caught it"),
]


@pytest.mark.parametrize(("end", "code", "said", "error", "because"), ENDS, ids=[row[4] for row in ENDS])
def test_every_end_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: Any, code: int, said: str, error: str, because: str
) -> None:
    def run(args: argparse.Namespace) -> int:
        if isinstance(end, BaseException):
            raise end
        return int(end)

    fake = SimpleNamespace(
        NAME="fake", HELP="stands for a command", __doc__="Stands for a command.", configure=lambda parser: None, run=run
    )
    monkeypatch.setattr(command_line, "discover", lambda: {"fake": fake})
    assert command_line.main(["fake", "--json"]) == code, because
    captured = capsys.readouterr()
    assert said in captured.err
    if error:
        assert json.loads(captured.out.splitlines()[-1])["error"] == error


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--help"], ["check", "detectors", "Exit codes"]), (["--version"], ["raincheck 0."])):
        with pytest.raises(SystemExit) as caught:
            command_line.main(arguments)
        assert caught.value.code == 0
        out = capsys.readouterr().out
        assert all(word in out for word in words)


@pytest.mark.parametrize("name", sorted(discover()))
def test_every_command_keeps_the_convention(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = discover()[name]
    assert command.__doc__, "the longer help"
    assert 10 < len(command.HELP) < 90, "one line"
    assert not command.HELP.endswith(".")
    with pytest.raises(SystemExit) as caught:
        command_line.main([name, "--help"])
    assert caught.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_nothing_heavy_is_loaded_to_print_help() -> None:
    program = (
        "import sys; from monitor.__main__ import build_parser; build_parser();"
        "print([name for name in ('pandas', 'kafka', 'scipy', 'river', 'starlette', 'rich', 'apprise') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_that_leaves_early_is_no_crash(tmp_path: Path) -> None:
    """`raincheck detectors | head -1`: no traceback."""
    with subprocess.Popen([sys.executable, "-m", "monitor", "detectors"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
