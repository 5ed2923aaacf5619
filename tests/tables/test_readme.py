"""README and the rooms' pages are true: commands exist, links lead somewhere, Python runs, YAML compiles, metrics are exported."""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from detectors.counts import Counts
from detectors.registry import discover as detectors
from monitor import __main__ as command_line
from monitor.catalogue import CATALOGUE
from monitor.codecs.assembly import REASONS
from monitor.config import load
from monitor.errors import Misconfigured
from monitor.results import Result
from tests.services.tools import tool

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in [ROOT / "README.md", *ROOT.glob("*/README.md")] if path.parent.name != ".venv")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "alerts" / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "deploy" / "examples").glob("*.yaml"))
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def spelled(words: list[str]) -> None:
    """Refuses a command line that its parser refuses; what is written in capitals or left out is not missed."""
    parser: Any = command_line.build_parser(words[:1])
    for word in words:
        actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if word.startswith("--"):
            assert word in parser._option_string_actions, f"{word} is no option: {words}"
        elif actions and not word.isupper():
            assert word in actions[0].choices, f"{word} is no command: {words}"
            parser = actions[0].choices[word]
        else:
            return


@named
def test_every_command_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = [line for block in [*blocks("sh", text), *blocks("console", text)] for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", text)
    said = [line.removeprefix("$ ").partition("#")[0].split() for line in lines]
    for words in said:
        if words[:1] == ["raincheck"] and len(words) > 1:
            spelled([word for word in words[1:] if word.startswith("--") or "." not in word])
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"make {words[1]}"


@named
def test_nothing_is_fetched_by_our_name_from_an_index(page: Path) -> None:
    """There raincheck is nobody's, or a stranger's."""
    assert re.search(r"raincheck\[\w|pip install '?raincheck\b", page.read_text(encoding="utf-8")) is None


@named
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r"(?:src|srcset)=\"([^\"]+)\"", text)
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@named
def test_every_metric_named_is_exported(page: Path) -> None:
    found = set(re.findall(r"\braincheck_[a-z_]+\b", page.read_text(encoding="utf-8")))
    assert found - set(CATALOGUE) == set()


@named
def test_every_file_and_folder_named_is_there(page: Path) -> None:
    """Paths in code marks that begin with a room."""
    rooms = "monitor|detectors|tests|deploy|alerts|dashboards"
    paths = re.findall(rf"`((?:{rooms})/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_reason_for_a_rejected_record_is_explained() -> None:
    text = (ROOT / "monitor" / "README.md").read_text(encoding="utf-8").partition("## Records that are rejected")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| .+ \|$", text, re.MULTILINE) == list(REASONS)


def test_the_alert_rules_shown_are_rules(tmp_path: Path) -> None:
    (rules,) = [block for block in blocks("yaml", ALERTS) if block.startswith("groups:")]
    (tmp_path / "rules.yml").write_text(rules, encoding="utf-8")
    done = subprocess.run([tool("promtool"), "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(yaml.safe_load(rules)['groups'][0]['rules'])} rules found" in done.stdout


def test_the_receivers_shown_are_taken(tmp_path: Path) -> None:
    (receivers,) = [block for block in blocks("yaml", ALERTS) if block.startswith("receivers:")]
    (tmp_path / "receivers.yml").write_text(receivers, encoding="utf-8")
    (line,) = [line for line in ALERTS.splitlines() if "--receivers receivers.yml" in line]
    paths = {"rain.yaml": str(ROOT / "alerts/demo/rain.yaml"), "rules/": str(tmp_path), "receivers.yml": str(tmp_path / "receivers.yml")}
    assert command_line.main([paths.get(word, word) for word in line.split()[1:]]) == 0
    done = subprocess.run([tool("amtool"), "check-config", str(tmp_path / "alertmanager.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_backtest_pages_for_what_was_broken() -> None:
    (block,) = [block for block in blocks("python") if "backtest" in block]
    space: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), space)
    result = space["result"]
    assert isinstance(result, Result)
    (page,) = result.pages.to_dict("records")
    assert page["subjects"][0] == "area"
    assert str(page["onset"]) == "2026-02-06 09:00:00+00:00"
    assert set(result.report["house-prices"]["visible"]) == {"area", "prediction"}
    assert result.report["house-prices"]["pooled"] == 0, "the smallest case: so few columns that there is nothing to pool"


def test_the_plug_in_is_a_detector_that_a_configuration_may_use(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("python") if block.startswith("# my_detectors.py")]
    (tmp_path / "my_detectors.py").write_text(block, encoding="utf-8")
    (config,) = [block for block in blocks("yaml") if "my_detectors.py" in block]
    (tmp_path / "rain.yaml").write_text(config, encoding="utf-8")
    (use,) = load(tmp_path / "rain.yaml").models["fraud"].detectors
    assert (use.id, use.parameters) == ("total_variation", (("cells", 20),))
    made = detectors((str(tmp_path / "my_detectors.py"),))["total_variation"].make(dict(use.parameters))
    before, after = (Counts("categorical", np.array([0, 0, 0, 0, *levels])) for levels in ([50, 50], [80, 20]))
    assert made.compare(before, after).value == pytest.approx(0.3)
    assert made.compare(before, before).value == 0


@pytest.mark.parametrize("block", [block for block in blocks("yaml") if "plugins:" not in block])
def test_every_configuration_shown_is_in_order(block: str, tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(block, encoding="utf-8")
    plan = load(tmp_path / "rain.yaml")
    assert plan.models["fraud"].budget.per_ms == 30 * 86_400_000


def test_several_models_are_shown_with_the_streams_that_say_whose_they_are(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("yaml") if block.startswith("# two models")]
    (tmp_path / "rain.yaml").write_text(block, encoding="utf-8")
    plan = load(tmp_path / "rain.yaml")
    assert {name: stream.model for name, stream in plan.streams.items()} == {"payments": "fraud", "visits": "churn"}
    (tmp_path / "rain.yaml").write_text(block.replace(", model: churn", ""), encoding="utf-8")
    with pytest.raises(Misconfigured, match="to which of the 2 models"):
        load(tmp_path / "rain.yaml")


def test_what_check_says_is_what_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config,) = [block for block in blocks("yaml") if block.startswith("# rain.yaml")]
    (tmp_path / "rain.yaml").write_text(config, encoding="utf-8")
    (shown,) = [block for block in blocks("console") if block.startswith("$ raincheck check")]
    assert command_line.main(["check", str(tmp_path / "rain.yaml")]) == 0
    assert capsys.readouterr().out.replace(str(tmp_path), "/srv/rain").splitlines() == shown.splitlines()[1:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_in_order(path: Path) -> None:
    plan = load(path, look_for_files=False)
    assert plan.models
    schema = path.read_text(encoding="utf-8").splitlines()[0].rpartition("=")[2]
    assert (path.parent / schema).is_file(), "editors find the schema"


def test_a_model_without_detectors_beside_one_that_names_an_unknown_one(tmp_path: Path) -> None:
    """One mistake with its place, not a crash: the models share a file, not their sections."""
    tree = {
        "owners": {"team": {}},
        "models": {
            "a": {"owner": "team", "schema": {"features": {"x": "numeric"}}},
            "b": {"owner": "team", "schema": {"features": {"x": "numeric"}}, "detectors": [{"id": "psii"}]},
        },
    }
    (tmp_path / "rain.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path / "rain.yaml")
    assert [mistake.field for mistake in caught.value.mistakes] == ["models.b.detectors[0].id"]


def test_pictures_are_small_enough_to_be_carried_along() -> None:
    pictures = sorted((ROOT / "deploy" / "pictures").glob("*.png"))
    assert [path.stem for path in pictures] == ["demo-dark", "demo-light"]
    assert [path.name for path in pictures if path.stat().st_size >= 300_000] == []
