"""The dashboards as shipped: what a reader and Grafana may rely on, as a table of rules; expressions are PromQL over the catalogue.

No Grafana takes part: it is in no package index. The rules are those of its own linter for dashboards, and what its documents ask.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as classic

from alerts.runbook import runbook_names
from dashboards.expression import FOREIGN, names_in
from dashboards.generate import BOARDS as DRAWN
from dashboards.generate import generate
from monitor.catalogue import CATALOGUE, COUNTERS, HISTOGRAMS
from monitor.generated import stale
from tests.dashboards.panels import BOARDS, FOLDER, TARGETS, Asked, filled, panels
from tests.services.tools import tool

ROOT = Path(__file__).parents[2]
PROVISIONING = ROOT / "deploy" / "grafana" / "provisioning"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# ids of Grafana's own list of units that the panels use
UNITS = {"none", "short", "s", "cps", "Bps", "bytes", "percentunit", "reqps"}
WORDS = {"queryparam", "percentencode", "raw"}

Rule = Callable[[dict[str, Any]], Iterator[str]]


def texts(value: Any) -> Iterator[str]:
    """Every text inside."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def unlike(said: str, found: object, wanted: object) -> Iterator[str]:
    if found != wanted:
        yield f"{said} is {found!r}"


def cannot_be_edited(board: dict[str, Any]) -> Iterator[str]:
    yield from unlike("editable", board["editable"], False)
    yield from unlike("id", board.get("id"), None)


def has_a_name(board: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"raincheck-[a-z]{1,30}", board["uid"]):
        yield f"uid is {board['uid']!r}"
    yield from unlike("tags", board["tags"], ["raincheck"])
    if not board["title"].startswith("raincheck: ") or not board["description"]:
        yield "title or description says nothing"


def is_classic(board: dict[str, Any]) -> Iterator[str]:
    if not (isinstance(board["schemaVersion"], int) and board["schemaVersion"] >= 36 and "spec" not in board and "apiVersion" not in board):
        yield "it is not the classic schema"


def templates_its_source(board: dict[str, Any]) -> Iterator[str]:
    found = variables(board)
    yield from unlike("variable datasource", (found["datasource"]["type"], found["datasource"]["query"]), ("datasource", "prometheus"))
    for name in set(found) - {"datasource", "pages"}:
        yield from unlike(f"source of variable {name}", found[name]["datasource"], SOURCE)
    for mark in board["annotations"]["list"]:
        yield from unlike(f"source of {mark['name']}", mark["datasource"], SOURCE)
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield from unlike(f"source of {panel['title']}", panel["datasource"], SOURCE)
            yield from (f"source of a target of {panel['title']}" for target in panel["targets"] if target["datasource"] != SOURCE)


def templates_its_job(board: dict[str, Any]) -> Iterator[str]:
    found = variables(board)["job"]
    yield from unlike("variable job", (found["type"], found["multi"], found["includeAll"], found["allValue"]), ("query", True, True, ".+"))


def says_what_is_shown(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        if not panel["title"] or "?" not in panel["description"]:
            yield f"{panel['title']!r} asks no question"
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield f"{panel['title']} has no unit"


def numbers_its_panels(board: dict[str, Any]) -> Iterator[str]:
    ids = [panel["id"] for panel in board["panels"]]
    yield from unlike("panel ids", ids, list(range(1, len(ids) + 1)))
    for panel in board["panels"]:
        refs = [target["refId"] for target in panel.get("targets", ())]
        yield from unlike(f"refs of {panel['title']}", refs, [chr(65 + i) for i in range(len(refs))])


def names_a_panel_once(board: dict[str, Any]) -> Iterator[str]:
    row, seen = "", Counter[tuple[str, str]]()
    for panel in board["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        seen[row, panel["title"]] += 1
    yield from (f"{title} twice in {row}" for (row, title), n in seen.items() if n > 1)


def lays_out_its_panels(board: dict[str, Any]) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24 or place["w"] < 3:
            yield f"{panel['title']} is {place['w']} wide at {place['x']}"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    yield f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def names_known_variables(board: dict[str, Any]) -> Iterator[str]:
    known = set(variables(board))
    for text in texts(board):
        for plain, name, word in re.findall(r"\$(?:([a-zA-Z_]\w*)|\{([\w.]+)(?::(\w+))?\})", text):
            if (name or plain) not in known and not (name or plain).startswith("__"):
                yield f"{text!r} names a variable {name or plain}"
            if word and word not in WORDS:
                yield f"{text!r} wants {name} as {word}"


def marks_moments(board: dict[str, Any]) -> Iterator[str]:
    for mark in board["annotations"]["list"]:
        if not mark["useValueForTime"] or not mark["expr"].endswith(
            "_seconds{" + mark["expr"].partition("{")[2].rpartition("}")[0] + "} * 1000"
        ):
            yield f"{mark['name']} gives no milliseconds"


def leads_to_raincheck(board: dict[str, Any]) -> Iterator[str]:
    urls = [link["url"] for link in board["links"]]
    if not any(url.startswith("${pages:raw}/") for url in urls):
        yield "no link to raincheck's own pages"
    others = {f"/d/{name}" for name in BOARDS if name != board["uid"]}
    yield from unlike("links to other boards", {url for url in urls if url.startswith("/d/")}, others)


def names_runbooks(board: dict[str, Any]) -> Iterator[str]:
    named = set(re.findall(r"raincheck alerts runbook (\w+)", "\n".join(texts(board))))
    if not named:
        yield "names no runbook"
    yield from (f"there is no runbook {name}" for name in named - set(runbook_names()))


RULES: list[tuple[Rule, str]] = [
    (cannot_be_edited, "because what is edited in place is lost at the next provisioning"),
    (has_a_name, "because links and bookmarks hold the uid, and it must be found among others'"),
    (is_classic, "because Grafana 10 to 12 take nothing else from files, and its API refuses the second schema"),
    (templates_its_source, "because nobody's Prometheus is called like ours"),
    (templates_its_job, "because one Prometheus may scrape several installations"),
    (says_what_is_shown, "because a number without question and unit is decoration"),
    (numbers_its_panels, "because links to one panel name its id, and the SDK leaves it out"),
    (names_a_panel_once, "because people tell each other where to look"),
    (lays_out_its_panels, "because what overlaps is pushed about by Grafana"),
    (names_known_variables, "because an unknown variable stays in the text and selects nothing"),
    (marks_moments, "because an annotation's value is taken for milliseconds"),
    (leads_to_raincheck, "because answers are given there, not in Grafana"),
    (names_runbooks, "because whoever sees it red wants to know what to do"),
]


@pytest.mark.parametrize("board", sorted(BOARDS))
@pytest.mark.parametrize(("rule", "because"), RULES, ids=lambda part: getattr(part, "__name__", ""))
def test_a_board(board: str, rule: Rule, because: str) -> None:
    assert list(rule(BOARDS[board])) == [], because


# ---- expressions


def selects_the_job(asked: Asked) -> bool:
    selectors = re.findall(r"\{[^{}]*\}", asked.target["expr"])
    return bool(selectors) and all('job=~"$job"' in selector for selector in selectors)


def takes_rates_of_counters(asked: Asked) -> bool:
    """A counter is rated, or summed as what it is: a count since the start, which its panel then says."""
    expr = asked.target["expr"]
    counters = [name for name in names_in(expr) if name in COUNTERS or name == "process_cpu_seconds_total"]
    bare = [name for name in counters if f"rate({name}{{" not in expr and f"increase({name}{{" not in expr]
    return not bare or re.search(r"since the daemon started|when it started", asked.panel["description"]) is not None


def rates_counters_only(asked: Asked) -> bool:
    rated = re.findall(r"(?:rate|increase)\(([a-z_]+)\{", asked.target["expr"])
    return all(name.removesuffix("_bucket") in HISTOGRAMS or name in COUNTERS or name == "process_cpu_seconds_total" for name in rated)


def ranges_follow_the_scrapes(asked: Asked) -> bool:
    return set(re.findall(r"\[([^\]]*)\]", asked.target["expr"])) <= {"$__rate_interval"}


def stays_in_the_catalogue(asked: Asked) -> bool:
    names = names_in(asked.target["expr"])
    return bool(names) and names <= set(CATALOGUE) | FOREIGN


def groups_by_labels_that_there_are(asked: Asked) -> bool:
    """Every label of a legend is one that its expression keeps."""
    kept = {label for by in re.findall(r"by \(([^)]*)\)", asked.target["expr"]) for label in by.split(", ")}
    return set(re.findall(r"\{\{(\w+)\}\}", asked.target.get("legendFormat", ""))) <= kept


EXPRESSIONS: list[tuple[Callable[[Asked], bool], str]] = [
    (selects_the_job, "because other jobs may export the same names"),
    (takes_rates_of_counters, "because a counter by itself says how long ago the start was"),
    (rates_counters_only, "because the rate of a gauge is a mistake that nobody sees"),
    (ranges_follow_the_scrapes, "because a fixed range is empty where scrapes are rarer, and blind where the view is wide"),
    (stays_in_the_catalogue, "because a metric that nobody exports is an empty panel"),
    (groups_by_labels_that_there_are, "because a label that was summed away leaves a hole in the legend"),
]


@pytest.mark.parametrize(("holds", "because"), EXPRESSIONS, ids=lambda part: getattr(part, "__name__", ""))
def test_every_expression(holds: Callable[[Asked], bool], because: str) -> None:
    assert [asked.name for asked in TARGETS if not holds(asked)] == [], because


def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    wrapped = [
        {"record": re.sub(r"\W+", "_", f"{asked.name} {asked.panel['id']}").lower(), "expr": asked.expr()} for asked in TARGETS
    ] + [
        {"record": f"{board.replace('-', '_')}_mark_{i}", "expr": filled(mark["expr"])}
        for board, what in BOARDS.items() for i, mark in enumerate(what["annotations"]["list"])
    ]  # fmt: skip
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": wrapped}]}))
    done = subprocess.run([tool("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {len(wrapped)} rules found" in done.stdout


def test_every_metric_of_the_catalogue_has_a_panel_or_a_reason() -> None:
    shown = {name for asked in TARGETS for name in names_in(asked.target["expr"])}
    shown |= {name for board in BOARDS.values() for mark in board["annotations"]["list"] for name in names_in(mark["expr"])}
    without = {
        "raincheck_shard_info": "which instance has which models is told by the models' series themselves",
        "raincheck_stream_silence_threshold_seconds": "only where a plan sets one; its alert draws the comparison",
        "raincheck_notification_duration_seconds": "only where the daemon notifies by itself; failures have a panel",
        "raincheck_task_last_success_timestamp_seconds": "tasks have a panel of runs and failures",
    }
    assert set(CATALOGUE) - shown - set(without) == set()
    assert not shown & set(without)


# ---- files


def test_what_is_committed_is_what_would_be_written() -> None:
    files = generate()
    assert stale(FOLDER, files) == {}
    assert {path.name for path in FOLDER.iterdir()} == set(files), "nothing else lies beside them: Grafana would take it in"


def test_the_sdk_knows_every_field_that_is_written() -> None:
    plugins.register_default_plugins()
    for path in FOLDER.iterdir():
        text = path.read_text()
        again = classic.Dashboard.from_json(json.loads(text))
        assert json.dumps(again, cls=JSONEncoder, sort_keys=True, indent=1, ensure_ascii=False) + "\n" == text


def test_the_same_bytes_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "monitor", "dashboards", "generate", "--out", str(tmp_path)],
        env={"PYTHONHASHSEED": "4711", "PATH": os.defpath, "TZ": "Asia/Tokyo"}, cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


def test_a_panel_with_a_runbook_links_to_it_where_somebody_serves_them() -> None:
    told = {board.uid: sum(bool(panel.runbook) for panel in board.panels) for board in DRAWN}
    for name, text in generate("https://rain.example", "https://wiki.example/rain/").items():
        board = json.loads(text)
        urls = [link["url"] for panel in board["panels"] for link in panel.get("links", ())]
        assert len(urls) == told[name.removesuffix(".json")] > 0
        assert {url.removeprefix("https://wiki.example/rain/").removesuffix(".md") for url in urls} <= set(runbook_names())
        assert variables(board)["pages"]["query"] == "https://rain.example"


def test_the_provisioning_files_and_the_boards_name_the_same_places() -> None:
    provider = yaml.safe_load((PROVISIONING / "dashboards" / "raincheck.yaml").read_text())
    source = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())
    assert provider["apiVersion"] == source["apiVersion"] == 1
    (one,) = provider["providers"]
    assert (one["type"], one["allowUiUpdates"], one["folderUid"]) == ("file", False, "raincheck")
    compose = ROOT / "deploy" / "compose" / "compose.yaml"
    volumes = yaml.safe_load(compose.read_text())["services"]["grafana"]["volumes"]
    inside = {volume.split(":")[1]: (compose.parent / volume.split(":")[0]).resolve() for volume in volumes if volume.startswith(".")}
    assert inside[one["options"]["path"]] == FOLDER
    assert inside["/etc/grafana/provisioning"] == PROVISIONING
    (prometheus,) = source["datasources"]
    assert (prometheus["type"], prometheus["isDefault"]) == ("prometheus", True)


def test_a_panel_is_found_for_every_board() -> None:
    assert {board: len(panels(board)) for board in BOARDS} == {board.uid: len(board.panels) for board in DRAWN}
    assert len(TARGETS) == sum(len(panel.queries) for board in DRAWN for panel in board.panels)
