"""Configurations as files: lines, words of YAML, references to the environment, files that must be there, what ends up in the plan."""

# ruff: noqa: E501 - the configurations inside are written as people write them

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.config import compile, load
from monitor.errors import Misconfigured
from monitor.plan import Plan
from monitor.secrets import reveal

SMALL = "owners: {team: {}}\nmodels: {m: {owner: team, schema: {features: {x: numeric}}}}\n"

# the whole configuration of the manual: every section at once
FULL = """\
kafka:
  bootstrap: [broker:9092]
  security: {protocol: SASL_SSL, mechanism: SCRAM-SHA-512, username: raincheck, password_file: secrets/kafka, ca_file: ca.pem}
streams:
  vision-inputs:
    {topic: vision.inputs, role: inputs, format: json, fields: {id: request_id, time: captured_at, model: model.name, version: model.version}}
  vision-predictions: {topic: vision.predictions, role: predictions, format: json, fields: {id: request_id, time: ts, model: model.name}}
  vision-outcomes: {topic: vision.outcomes, role: outcomes, format: json, fields: {id: request_id, time: labelled_at, model: model.name}}
models:
  traffic-light:
    owner: vision-team
    budget: {false_pages: 1, per: 30d}
    mode: page
    page_on: [inputs, predictions, images, labels]
    window: 5m
    timezone: Europe/Amsterdam
    minimum_effect: {location: 0.1, scale: 10%, rate: 0.5pp, psi: 0.02}
    runbook: https://wiki.example/traffic-light
    schema:
      features:
        frame: {kind: image, path: frame, encoding: base64}
        speed: {kind: numeric, path: sensors.speed}
        weather: {kind: categorical, path: weather}
        vector: {kind: embedding, path: embedding}
      prediction: {class: label, probabilities: scores}
      label: {class: label, within: 14d}
      segments: [camera]
    detectors: [{id: psi, advisory: 0.2}, {id: adwin, on: [speed]}, {id: windows_seen, on: speed}]
    rules: {silent_for: 15m, missing: 100%, invalid_share: 20%}
    reference: {learn: 28d}
    keep_thumbnails: false
owners:
  vision-team: {page: ["pagerduty_file:secrets/pd"], ticket: ["slack_file:secrets/slack"], budget: null}
http: {bind: 127.0.0.1, port: 9740, external_url: "https://raincheck.example", web_config: web.yml, token_file: secrets/api}
state: {path: /var/lib/raincheck/state.db, keep: 90d}
dead_letter: {to: file, path: dead.jsonl, max_size: 100MB, payload: false}
limits: {series: 20000, max_record: 16MB}
plugins: [my_detectors.py]
shard: {index: 0, count: 1}
"""

PLUGIN = '''\
from dataclasses import dataclass

from detectors.registry import detector
from detectors.score import Score


@detector("windows_seen", kinds=("numeric",))
@dataclass(frozen=True)
class WindowsSeen:
    """Counts windows."""

    def start(self, snapshot=None):
        return self
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything that FULL names."""
    (tmp_path / "secrets").mkdir()
    for name in ("secrets/kafka", "secrets/pd", "secrets/slack", "secrets/api", "ca.pem", "web.yml"):
        (tmp_path / name).write_text("hunter2\n")
    (tmp_path / "my_detectors.py").write_text(PLUGIN)
    (tmp_path / "rain.yaml").write_text(FULL)
    return tmp_path


def first(path: Path, **options: object) -> str:
    with pytest.raises(Misconfigured) as caught:
        load(path, **options)  # type: ignore[arg-type]
    assert len(caught.value.mistakes) == 1, str(caught.value)
    return str(caught.value)


def test_every_section_at_once(folder: Path) -> None:
    plan = load(folder / "rain.yaml")
    model = plan.models["traffic-light"]
    assert (model.window_ms, model.budget.per_ms, model.rules.silent_for_ms) == (300_000, 30 * 86_400_000, 900_000)
    assert (model.minimum_effect.scale, model.minimum_effect.rate, model.rules.missing) == (0.1, 0.005, 1.0)
    assert {f.name: f.path for f in model.schema.features}["speed"] == ("sensors", "speed")
    assert [(use.id, use.on, use.advisory) for use in model.detectors][:2] == [("psi", (), 0.2), ("adwin", ("speed",), None)]
    assert plan.kafka is not None
    assert plan.kafka.security.password_file == str(folder / "secrets/kafka"), "relative paths start at the configuration's folder"
    assert plan.state.path == "/var/lib/raincheck/state.db"
    assert (plan.limits.max_record_bytes, plan.dead_letter.max_size_bytes, plan.shard) == (16_000_000, 100_000_000, (0, 1))
    assert reveal(plan.owners["vision-team"].page[0]) == "hunter2"
    assert "hunter2" not in repr(plan)


STATES = [
    ("", "cfg/raincheck.db", "nothing said: beside the configuration, as the manual promises"),
    ("state: {}\n", "cfg/raincheck.db", "an empty section says nothing either"),
    ("state: {keep: 30d}\n", "cfg/raincheck.db", "nor does another key of the section"),
    ("state: {path: raincheck.db}\n", "cfg/raincheck.db", "the default's own name, written out, is the same file"),
    ("state: {path: data/state.db}\n", "cfg/data/state.db", "relative paths start at the configuration's folder"),
]


@pytest.mark.parametrize(("section", "where", "because"), STATES)
def test_one_configuration_has_one_state_wherever_it_is_run_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, where: str, because: str
) -> None:
    for name in ("cfg", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "cfg/rain.yaml").write_text(SMALL + section)
    for cwd, written in (("elsewhere", "../cfg/rain.yaml"), ("cfg", "rain.yaml"), ("elsewhere", str(tmp_path / "cfg/rain.yaml"))):
        monkeypatch.chdir(tmp_path / cwd)
        assert Path(load(written).state.path).resolve() == tmp_path / where, because


def test_values_in_memory_have_no_folder_for_their_state() -> None:
    values = {"owners": {"team": {}}, "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}}}
    assert compile(values).state.path == "raincheck.db"


def test_each_file_that_is_not_there_is_named(folder: Path) -> None:
    for name in ("secrets/kafka", "secrets/pd", "ca.pem", "web.yml", "my_detectors.py"):
        (folder / name).unlink()
    with pytest.raises(Misconfigured) as caught:
        load(folder / "rain.yaml")
    assert [m.field for m in caught.value.mistakes] == [
        "kafka.security.password_file",
        "kafka.security.ca_file",
        "owners.vision-team.page[0]",
        "http.web_config",
        "plugins[0]",
    ]
    assert load(folder / "rain.yaml", look_for_files=False).plugins, "checked on a machine without the files"


def test_a_plugin_that_fails_is_a_mistake(folder: Path) -> None:
    (folder / "my_detectors.py").write_text("import nothing_of_this_name\n")
    assert "plugins[0]" in first(folder / "rain.yaml")


def test_an_id_that_is_taken_is_a_mistake(folder: Path) -> None:
    (folder / "my_detectors.py").write_text(PLUGIN.replace("windows_seen", "psi"))
    assert "'psi' is taken by detectors.comparators.psi" in first(folder / "rain.yaml")


LAUGHS = b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 10)) for i in range(1, 10))
UNREADABLE = [
    ("absent.yaml", None, "does not exist", "a wrong path"),
    ("latin.yaml", b"owners: {\xe9: {}}", "is not UTF-8 text (byte 9)", "an old editor"),
    ("bell.yaml", b"owners: \x07", "cannot be read as YAML", "control characters"),
    ("two.yaml", b"a: 1\n---\nb: 2\n", "cannot be read as YAML", "two documents: the second would be lost"),
    ("tab.yaml", b"owners:\n\tteam: {}\n", "cannot be read as YAML", "a tab for spaces"),
    ("short.json", b'{"owners": ', "cannot be read as JSON", "a file cut short"),
    ("twice.json", b'{"owners": {}, "owners": {}}', "stands twice", "duplicate keys in JSON as well"),
    ("deep.json", b"[" * 100_000, "nested beyond reason", "a hostile file"),
    ("deep.yaml", b"[" * 5_000, "nested or repeated beyond reason", "a hostile file"),
    ("laughs.yaml", LAUGHS, "nested or repeated beyond reason", "two kilobytes that stand for a billion values"),
    ("tag.yaml", b"!!python/object/apply:os.system [ls]", "is not a mapping", "tags build nothing"),
]


@pytest.mark.parametrize(("name", "data", "problem", "because"), UNREADABLE, ids=[row[3] + " " + row[0] for row in UNREADABLE])
def test_unreadable_files_are_mistakes(tmp_path: Path, name: str, data: bytes | None, problem: str, because: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path / name)
    assert any(problem in m.problem for m in caught.value.mistakes), because
    assert all(m.origin == str(tmp_path / name) for m in caught.value.mistakes)


@pytest.mark.parametrize(
    ("name", "data", "said", "because"),
    [
        ("gone.yaml", None, ": the file does not exist; right would be", "no value stands there that could be quoted"),
        (
            "cut.json",
            '{"a": "x',
            ":1: cannot be read as JSON: Unterminated string at character 7; right",
            "Python says 'starting at' for it",
        ),
        ("odd.yaml", "a: [1\n", ": cannot be read as YAML: ", "nor here"),
    ],
)
def test_what_is_wrong_with_a_whole_file_quotes_no_value(tmp_path: Path, name: str, data: str | None, said: str, because: str) -> None:
    if data is not None:
        (tmp_path / name).write_text(data)
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path / name)
    (mistake,) = caught.value.mistakes
    assert said.partition(" ")[2] in str(mistake), because
    assert mistake.value is None, because


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    assert "is a folder" in first(tmp_path)


def test_json_and_yaml_give_the_same_plan(tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(SMALL)
    tree = {"owners": {"team": {}}, "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}}}
    (tmp_path / "rain.json").write_text(json.dumps(tree))
    assert load(tmp_path / "rain.yaml") == load(tmp_path / "rain.json") == compile(tree, folder=tmp_path)


def test_words_of_yaml_1_1_stay_words(tmp_path: Path) -> None:
    """`on` is a key here, `no` a country; 12:30 is no number of seconds and 08 no broken octal."""
    (tmp_path / "rain.yaml").write_text(
        "owners: {team: {}}\nmodels: {m: {owner: team, schema: {features: {on: categorical, no: numeric, 12:30: numeric}},"
        " detectors: [{id: psi, on: [on]}]}}\n"
    )
    model = load(tmp_path / "rain.yaml").models["m"]
    assert [f.name for f in model.schema.features] == ["on", "no", "12:30"]
    assert model.detectors[0].on == ("on",)


def test_anchors_and_merges_save_repetition(tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(
        "owners: {team: {}}\nmodels:\n  a: &a {owner: team, window: 10m, schema: {features: {x: numeric}}}\n  b: {<<: *a, window: 15m}\n"
    )
    plan = load(tmp_path / "rain.yaml")
    assert (plan.models["b"].window_ms, plan.models["b"].schema) == (900_000, plan.models["a"].schema)


def test_the_environment(tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(
        SMALL.replace("{team: {}}", "{team: {page: '${PAGER}'}}")
        + "http: {port: '${PORT}', token: '${TOKEN}'}\nkafka: {bootstrap: '${HOST}:9092'}\nstate: {path: '${DIR}/x.db'}\n"
    )
    environment = {"PAGER": "slack://hunter2", "PORT": "9000", "TOKEN": "hunter2", "HOST": "broker", "DIR": "/data"}
    plan = load(tmp_path / "rain.yaml", environment=environment)
    assert (plan.http.port, plan.state.path) == (9000, "/data/x.db")
    assert plan.kafka is not None
    assert plan.kafka.bootstrap == ("broker:9092",)
    assert (plan.http.token, plan.owners["team"].page) == ("${TOKEN}", ("${PAGER}",)), "secrets stay references"
    assert reveal("${TOKEN}", environment) == "hunter2"
    assert "hunter2" not in repr(plan)
    with pytest.raises(Misconfigured) as caught:
        load(tmp_path / "rain.yaml", environment={})
    assert len(caught.value.mistakes) == 5, "each variable that is not set, once"


def test_a_value_from_the_environment_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "rain.yaml").write_text(SMALL + "http: {port: '${PORT}'}\n")
    assert "hunter2" not in first(tmp_path / "rain.yaml", environment={"PORT": "hunter2"})


def test_a_stream_takes_the_only_model_and_the_record_stamp() -> None:
    plan: Plan = compile(
        {
            "owners": {"team": {}},
            "models": {"m": {"owner": "team", "schema": {"features": {"x": "numeric"}}}},
            "streams": {
                "s": {"topic": "t", "role": "inputs"},
                "u": {"topic": "u", "role": "inputs", "fields": {"time": "ts", "model": "m"}},
            },
        }
    )
    assert (plan.streams["s"].model, plan.streams["s"].event_time) == ("m", "record")
    assert (plan.streams["u"].model, plan.streams["u"].event_time) == (None, "field")


def test_numbers_that_change_nothing_reset_nothing(tmp_path: Path) -> None:
    """Two copies of a configuration in two folders judge alike: where a file lies is not part of a model's digest."""
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "past.parquet").write_bytes(b"")
        (tmp_path / name / "rain.yaml").write_text(SMALL.replace("owner: team", "owner: team, reference: {file: past.parquet}"))
        digests.add(load(tmp_path / name / "rain.yaml").models["m"].digest)
    assert len(digests) == 1
