"""`raincheck dashboards push`, and what it says when Grafana says no. The Grafana is a fake; no real one was involved."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards.grafana import Grafana
from monitor import __main__ as command_line
from monitor.errors import Misconfigured, Transient
from tests.dashboards.fake_grafana import EDITOR, VIEWER, Answer, FakeGrafana
from tests.dashboards.panels import BOARDS

Said = Callable[..., tuple[int, str]]


@pytest.fixture(params=["", "/monitoring"], ids=["at the root", "under a path"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[FakeGrafana]:
    fake = FakeGrafana(request.param)
    yield fake
    fake.close()


@pytest.fixture
def fake() -> Iterator[FakeGrafana]:
    made = FakeGrafana()
    yield made
    made.close()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Said:
    """Runs `push` against a fake with a token; its exit code and everything it wrote."""

    def run(fake: FakeGrafana, *words: str, token: str = EDITOR) -> tuple[int, str]:
        file = tmp_path / "token"
        file.write_text(token + "\n")
        code = command_line.main(["dashboards", "push", "--url", fake.url, "--token-file", str(file), *words])
        out = capsys.readouterr()
        return code, out.out + out.err

    return run


def test_both_boards_arrive_in_a_folder_of_their_own(anywhere: FakeGrafana, said: Said) -> None:
    code, text = said(anywhere, "--folder", "Models", "--pages", "https://rain.example")
    assert code == 0, text
    assert anywhere.folders == {"raincheck": "Models"}
    assert set(anywhere.boards) == set(BOARDS)
    assert text.splitlines() == [f"created {anywhere.url}/d/{uid}" for uid in sorted(BOARDS)]
    for uid, there in anywhere.boards.items():
        assert there["folderUid"] == "raincheck"
        assert there["dashboard"]["panels"] == BOARDS[uid]["panels"]
        (pages,) = (v for v in there["dashboard"]["templating"]["list"] if v["name"] == "pages")
        assert pages["query"] == pages["current"]["value"] == "https://rain.example"


def test_what_is_there_already_is_left_alone(fake: FakeGrafana, said: Said) -> None:
    said(fake)
    fake.asked.clear()
    code, text = said(fake, "--json")
    assert code == 0
    assert [one["done"] for one in json.loads(text.splitlines()[-1])["dashboards"]] == ["unchanged", "unchanged"]
    assert {method for method, _ in fake.asked} == {"GET"}


def test_a_newer_one_replaces_it_with_a_new_version(fake: FakeGrafana, said: Said, tmp_path: Path) -> None:
    said(fake)
    uid = "raincheck-fleet"
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "fleet.json").write_text(json.dumps(BOARDS[uid] | {"description": "newer"}))
    code, text = said(fake, "--from", str(tmp_path / "boards"))
    assert (code, text.strip()) == (0, f"updated {fake.url}/d/{uid}")
    there = fake.boards[uid]["dashboard"]
    assert (there["description"], there["version"], there["id"]) == ("newer", 2, 1)
    assert set(fake.messages) == {"raincheck dashboards push"}


def test_one_in_another_folder_is_moved(fake: FakeGrafana, said: Said) -> None:
    said(fake)
    fake.folders["other"] = "Other"
    fake.boards["raincheck-model"]["folderUid"] = "other"
    _, text = said(fake)
    assert f"updated {fake.url}/d/raincheck-model" in text
    assert fake.boards["raincheck-model"]["folderUid"] == "raincheck"


def somebody_saves(fake: FakeGrafana) -> Callable[[str, str], Answer | None]:
    """Another person's save of the fleet's board, just before ours arrives."""

    def meddle(method: str, path: str) -> Answer | None:
        there = fake.boards.get("raincheck-fleet")
        if method == "POST" and path.endswith("/db") and there is not None:
            there["dashboard"] |= {"version": there["dashboard"]["version"] + 1, "description": "theirs"}
        return None

    return meddle


def test_a_change_made_meanwhile_is_not_overwritten_unless_asked(fake: FakeGrafana, said: Said) -> None:
    said(fake)
    fake.boards["raincheck-fleet"]["dashboard"]["description"] = "older"
    fake.meddle = somebody_saves(fake)
    code, text = said(fake)
    assert code == 78
    assert "changed by someone else" in text
    assert "--overwrite" in text
    assert fake.boards["raincheck-fleet"]["dashboard"]["description"] == "theirs"
    code, _ = said(fake, "--overwrite")
    assert code == 0
    assert fake.boards["raincheck-fleet"]["dashboard"]["description"] == BOARDS["raincheck-fleet"]["description"]


def test_a_provisioned_board_is_not_fought_over(fake: FakeGrafana, said: Said) -> None:
    said(fake)
    fake.provisioned.add("raincheck-fleet")
    fake.boards["raincheck-fleet"]["dashboard"]["description"] = "older"
    code, text = said(fake)
    assert code == 78
    assert "provisioning" in text


MESSAGE_PAGE = b"<html>a message from the proxy</html>"  # the client trips over pages that hold this word

REFUSALS: list[tuple[str, Answer, int, str]] = [
    ("a token that is not known", (401, {"message": "Invalid API key"}), 78, "service account"),
    ("a token that may not", (403, {"message": "Access denied"}), 78, "Editor"),
    ("a page instead of an API", (404, MESSAGE_PAGE), 78, "is no Grafana"),
    ("a folder of this title", (409, {"message": "a folder with the same name already exists"}), 78, "another --folder"),
    ("a board of this title", (412, {"message": "A dashboard of the same name exists", "status": "name-exists"}), 78, "of the same name"),
    ("a board it cannot read", (400, {"message": "Dashboard title cannot be empty"}), 78, "title cannot be empty"),
    ("a login page before it", (302, b""), 78, "https://elsewhere.example/login"),
    ("a login page in its place", (200, b"<html>please sign in</html>"), 78, "its answer is no JSON"),
    ("a list where an object should be", (200, []), 78, "no JSON object"),
    ("an accident", (500, {"message": "Failed to save dashboard"}), 1, "push again"),
    ("a proxy without its Grafana", (502, MESSAGE_PAGE), 1, "push again"),
    ("too many requests", (429, {"message": "slow down"}), 1, "push again"),
    ("an error without words", (503, b""), 1, "503"),
]  # fmt: skip


@pytest.mark.parametrize(("because", "answer", "code", "words"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_a_refusal_says_what_to_do(fake: FakeGrafana, said: Said, because: str, answer: Answer, code: int, words: str) -> None:
    fake.meddle = lambda method, path: answer if method == "POST" else None
    got, text = said(fake)
    assert (got, words in text) == (code, True), f"{because}: {text}"
    assert EDITOR not in text
    assert "Traceback" not in text


def test_the_roles_of_the_fake_itself(fake: FakeGrafana, said: Said) -> None:
    assert said(fake, token="glsa_unknown")[0] == 78
    code, text = said(fake, token=VIEWER)
    assert (code, "dashboards:write" in text, fake.boards) == (78, True, {})


def test_what_was_put_before_an_accident_is_told(fake: FakeGrafana, said: Said) -> None:
    fake.meddle = lambda method, path: (500, {"message": "disk full"}) if path.endswith("raincheck-model") else None
    code, text = said(fake, "--json")
    answer = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    assert (code, answer["ok"], [one["file"] for one in answer["dashboards"]]) == (1, False, ["raincheck-fleet.json"])
    assert "disk full" in answer["error"]


def test_an_answer_that_does_not_come_is_not_waited_for(fake: FakeGrafana) -> None:
    done = threading.Event()

    def slow(method: str, path: str) -> Answer | None:
        done.wait(30)
        return None

    fake.meddle = slow
    with pytest.raises(Transient, match="in time"):
        Grafana(fake.url, EDITOR, timeout_s=0.05).folder("raincheck", "raincheck")
    done.set()


def test_nobody_there_may_pass(fake: FakeGrafana) -> None:
    fake.close()
    with pytest.raises(Transient, match="cannot be reached"):
        Grafana(fake.url, EDITOR).folder("raincheck", "raincheck")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("grafana.example", "no address of a server"),
        ("ftp://grafana.example", "no address of a server"),
        ("http://grafana.example:port", "is no address"),
        ("https://admin:hunter2@grafana.example", "user or password"),
        ("https://grafana.example/?orgId=1", "no address of a server"),
    ],
)
def test_an_address_that_is_none(url: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        Grafana(url, EDITOR)
    assert "hunter2" not in str(caught.value)


def test_a_host_that_cannot_be(fake: FakeGrafana) -> None:
    with pytest.raises(Misconfigured, match="is no address"):
        Grafana("http://.example", EDITOR).folder("raincheck", "raincheck")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "1e9"])
def test_a_time_that_is_none(fake: FakeGrafana, said: Said, seconds: str) -> None:
    code, text = said(fake, "--timeout", seconds)
    assert (code, "--timeout" in text, fake.asked) == (78, True, [])


@pytest.mark.parametrize(("text", "words"), [("", "is empty"), ("two words", "more than a token"), ("a\nb", "more than a token")])
def test_a_file_that_holds_no_token(fake: FakeGrafana, said: Said, text: str, words: str) -> None:
    code, told = said(fake, token=text)
    assert (code, words in told, fake.asked) == (78, True, [])
    assert not text or text not in told


FILES: list[tuple[str, str, str]] = [
    ("no board at all", "", "holds no dashboard"),
    ("not JSON", "{", "cannot be read"),
    ("no dashboard", "[]", "is no dashboard"),
    ("no uid", '{"title": "x"}', "is no dashboard"),
    ("the second schema", '{"apiVersion": "dashboard.grafana.app/v2", "spec": {}}', "classic JSON"),
]


@pytest.mark.parametrize(("because", "text", "words"), FILES, ids=[row[0] for row in FILES])
def test_files_that_are_no_dashboards(fake: FakeGrafana, said: Said, tmp_path: Path, because: str, text: str, words: str) -> None:
    folder = tmp_path / "boards"
    folder.mkdir()
    if text:
        (folder / "board.json").write_text(text)
    code, told = said(fake, "--from", str(folder))
    assert (code, words in told, fake.asked) == (78, True, []), because


# ---- without the extras, and `generate`


def without(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process in which a package cannot be imported."""
    code = f"import sys; sys.modules[{module!r}] = None; from monitor.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-P", "-c", code, *words], capture_output=True, text=True, check=False)


def test_the_extras_are_named_where_they_are_missing(fake: FakeGrafana, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(EDITOR)
    done = without("grafana_api", "dashboards", "push", "--url", fake.url, "--token-file", str(token))
    assert (done.returncode, "pip install '.[grafana]' in" in done.stderr) == (78, True), done.stderr
    done = without("grafana_foundation_sdk", "dashboards", "generate", "--out", str(tmp_path / "out"))
    assert (done.returncode, "pip install '.[dashboards]' in" in done.stderr) == (78, True), done.stderr
    done = without("grafana_foundation_sdk", "dashboards", "push", "--url", fake.url, "--token-file", str(token))
    assert done.returncode == 0, "what is committed needs nothing to draw it"


def generated(*words: str) -> int:
    return command_line.main(["dashboards", "generate", *words])


def test_check_says_what_is_stale_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "json"
    assert generated("--out", str(out), "--check") == 1
    assert not out.exists()
    assert generated("--out", str(out)) == 0
    assert generated("--out", str(out), "--check") == 0
    (out / "raincheck-fleet.json").write_text("{}")
    (out / "raincheck-model.json").unlink()
    capsys.readouterr()
    assert generated("--out", str(out), "--check", "--json") == 1
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["stale"] == {"raincheck-fleet.json": "differs", "raincheck-model.json": "is missing"}
    assert (out / "raincheck-fleet.json").read_text() == "{}"


@pytest.mark.parametrize("flag", ["--pages", "--runbooks"])
def test_an_address_for_links_is_one(flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generated("--out", str(tmp_path), flag, "javascript:alert(1)") == 78
    assert "is no address" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
