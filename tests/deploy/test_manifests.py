"""What lies in deploy/ is what the tools of its formats accept, and what our own command accepts; what it names exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor import config
from tests.deploy.hearing import BIN, DEPLOY, UNIT, environment, unit
from tests.services.tools import tool

ROOT = DEPLOY.parent
COMPOSE = DEPLOY / "compose" / "compose.yaml"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
STYLE = "{extends: default, rules: {line-length: {max: 160}, document-start: disable, comments: {min-spaces-from-content: 1}, "
STYLE += "comments-indentation: disable, truthy: {check-keys: false}, braces: {max-spaces-inside: 0}}}"
OLDEST = "1.29"  # the first release with native sidecars as they are written here


def said(*words: str | Path, **more: str) -> str:
    """What a program says; its failure is the test's."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=os.environ | more
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    return text


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every container of the manifests with its pod."""
    for path in KUBERNETES:
        for document in documents(path):
            pod = document.get("spec", {}).get("template", {}).get("spec")
            for container in [*pod.get("initContainers", ()), *pod["containers"]] if pod else ():
                yield f"{path.name}:{container['name']}", pod, container


# ---- the tools of the formats


@pytest.mark.parametrize("path", sorted(p for p in DEPLOY.rglob("*.y*ml") if "rules" not in p.parts), ids=lambda p: p.name)
def test_yaml_is_tidy(path: Path) -> None:
    said(BIN / "yamllint", "--strict", "--config-data", STYLE, path)


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda p: p.name)
def test_kubernetes_knows_every_field(path: Path) -> None:
    for version in ((), ("--kubernetes-version", OLDEST)):
        assert said(BIN / "kubernetes-validate", "--strict", *version, path).count("passed") == len(documents(path))


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    assert said(BIN / "hadolint", DEPLOY / "Dockerfile") == ""


def test_compose_takes_the_file_and_asks_for_the_token() -> None:
    package = find_spec("compose")
    assert package is not None
    assert package.origin is not None
    # the program itself: the script that its package puts beside our Python ends with 0 whatever happened
    asked = (Path(package.origin).with_name("docker-compose"), "--file", COMPOSE, "config", "--quiet")
    assert said(*asked, RAINCHECK_TOKEN="a") == ""
    without = {name: value for name, value in os.environ.items() if name != "RAINCHECK_TOKEN"}
    done = subprocess.run([str(word) for word in asked], capture_output=True, text=True, timeout=60, check=False, env=without)
    assert done.returncode != 0
    assert "RAINCHECK_TOKEN" in done.stderr


def test_prometheus_and_alertmanager_take_theirs(tmp_path: Path) -> None:
    assert "2 rule files found" in said(tool("promtool"), "check", "config", DEPLOY / "compose" / "prometheus.yml")
    for cases in sorted((DEPLOY / "compose" / "rules").glob("*.test.yml")):
        assert "SUCCESS" in said(tool("promtool"), "test", "rules", cases)
    assert "SUCCESS" in said(tool("amtool"), "check-config", DEPLOY / "compose" / "rules" / "alertmanager.yml")


def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/raincheck/bin", str(BIN)))  # a unit whose program is missing is refused
    assert said(tool("systemd-analyze"), "verify", "--man=no", here) == ""
    # in tenths; the scale is systemd's, 10 is root without limits; 1.3 is left to a service that talks to the network and restarts itself
    said(tool("systemd-analyze"), "security", "--offline=true", "--threshold=13", here)


# ---- the unit


@pytest.mark.parametrize(
    ("section", "key", "value", "because"),
    [
        ("Service", "Type", "notify", "started is what the daemon says, not that a process exists"),
        ("Service", "NotifyAccess", "main", "the learning process speaks for nobody"),
        ("Service", "Restart", "on-failure", "exit code 0 was asked for"),
        ("Service", "RestartPreventExitStatus", "78", "a configuration does not mend itself"),
        ("Service", "ExecReload", "/bin/kill -HUP $MAINPID", "a hangup reads the configuration again"),
        ("Service", "KillMode", "mixed", "the daemon ends its learning process itself, and what it leaves is killed"),
        ("Service", "StateDirectory", "raincheck", "the one writable place"),
        ("Service", "DynamicUser", "yes", "no user to be made and none to be root"),
    ],
)
def test_the_unit_says(section: str, key: str, value: str, because: str) -> None:
    assert unit()[section][key] == value, because


def test_the_units_times_fit_the_daemons() -> None:
    from monitor.daemon import STOP_BUDGET_S
    from monitor.office import STALLED_S

    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) > STOP_BUDGET_S
    assert int(service["WatchdogSec"]) >= min(STALLED_S.values()), "the manager is not less patient with a round than the daemon itself"


# ---- the image


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE))
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in text.splitlines() if line.strip()]


def test_the_image_holds_the_packages_of_the_wheel_and_the_ignore_list_lets_them_in() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(packages) <= copied
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_runs_as_a_number_with_a_command_line_that_is_understood() -> None:
    last = dict(instructions())  # of what is said twice, the second stage's
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert yaml.safe_load(last["VOLUME"]) == [last["WORKDIR"]]
    words = [*yaml.safe_load(last["ENTRYPOINT"]), *yaml.safe_load(last["CMD"])]
    assert words[1:] == unit()["Service"]["ExecStart"].split()[1:], "one command line everywhere"
    for name, value in environment().items():
        assert f"{name}={value}" in last["ENV"].split()


# ---- our own words in them


def configurations() -> Iterator[Any]:
    """Those inside the manifests; the examples are held to the command line by tests/tables/test_readme.py."""
    yield pytest.param((DEPLOY / "compose" / "raincheck.yaml").read_text(), id="compose")
    for path in KUBERNETES:
        for document in documents(path):
            if document["kind"] == "ConfigMap":
                yield pytest.param(document["data"]["raincheck.yaml"], id=str(path.relative_to(DEPLOY)))


@pytest.mark.parametrize("text", [*configurations()])
def test_every_configuration_is_in_order(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCHECK_TOKEN", "a")
    plan = config.compile(yaml.safe_load(text))  # files of secrets are somewhere else: a mapping is read without a folder
    assert plan.models


def test_the_rules_of_compose_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINCHECK_TOKEN", "a")
    out = said(sys.executable, "-P", "-m", "monitor", "alerts", "generate", "--config", DEPLOY / "compose" / "raincheck.yaml", "--out",
               DEPLOY / "compose" / "rules", "--check", RAINCHECK_TOKEN="a")  # fmt: skip
    assert "stale" not in out


def test_compose_publishes_on_loopback_only_keeps_its_state_and_mounts_what_exists() -> None:
    compose = yaml.safe_load(COMPOSE.read_text())
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service["restart"] in ("unless-stopped", "on-failure")
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert mount.endswith(":ro")
                assert (COMPOSE.parent / source).exists(), mount
            else:
                assert source in compose["volumes"]
    assert "healthcheck" not in compose["services"]["raincheck"], "the image has its own"
    assert compose["services"]["raincheck"]["read_only"] is True
    state = config.compile(yaml.safe_load((COMPOSE.parent / "raincheck.yaml").read_text()) | {"http": {}}).state.path
    assert f"raincheck-state:{Path(state).parent}" in compose["services"]["raincheck"]["volumes"]


def test_the_topics_of_compose_are_those_of_its_configuration() -> None:
    made = yaml.safe_load(COMPOSE.read_text())["services"]["topics"]["command"][0]
    named = re.search(r"for topic in (.*);", made)
    assert named is not None
    streams = yaml.safe_load((COMPOSE.parent / "raincheck.yaml").read_text())["streams"].values()
    assert set(named[1].split()) == {stream["topic"] for stream in streams}


def test_grafana_finds_its_dashboards_and_its_prometheus_where_compose_puts_them() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    folder = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/raincheck.yaml").read_text())["providers"][0]["options"]["path"]
    assert f"../../dashboards/json:{folder}:ro" in services["grafana"]["volumes"]
    url = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]["url"]
    assert url == "http://prometheus:9090"
    assert "prometheus" in services


@pytest.mark.parametrize(("pod", "container"), [pytest.param(p, c, id=i) for i, p, c in containers()])
def test_no_container_is_more_than_it_needs_to_be(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    confined = container["securityContext"]
    assert confined["readOnlyRootFilesystem"] is True
    assert confined["allowPrivilegeEscalation"] is False
    assert confined["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert "cpu" in container["resources"]["requests"]


def test_the_sidecar_is_a_native_one_whose_readiness_asks_no_broker() -> None:
    sidecar = documents(DEPLOY / "kubernetes" / "sidecar.yaml")
    deployment = next(d for d in sidecar if d["kind"] == "Deployment")["spec"]
    (container,) = deployment["template"]["spec"]["initContainers"]
    assert container["restartPolicy"] == "Always"
    assert deployment["replicas"] == 1, "each sidecar reads all of its topics: two would send every page twice"
    assert deployment["strategy"] == {"type": "Recreate"}, "a volume for one pod cannot be rolled over"
    text = next(d for d in sidecar if d["kind"] == "ConfigMap")["data"]["raincheck.yaml"]
    assert config.compile(yaml.safe_load(text)).http.readiness == "local"


@pytest.mark.parametrize("path", KUBERNETES, ids=lambda p: p.name)
def test_pages_can_be_answered_with_a_token_that_the_pod_mounts(path: Path) -> None:
    """Off loopback nothing is written without one; the Secret is made by the command at the file's head."""
    text = next(d for d in documents(path) if d["kind"] == "ConfigMap")["data"]["raincheck.yaml"]
    asked = yaml.safe_load(text)["http"]
    assert asked["bind"] == "0.0.0.0"
    folder, name = str(Path(asked["token_file"]).parent), Path(asked["token_file"]).name
    (pod, container) = next((p, c) for i, p, c in containers() if i == f"{path.name}:raincheck")
    (volume,) = [mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == folder and mount["readOnly"]]
    (secret,) = [one["secret"]["secretName"] for one in pod["volumes"] if one["name"] == volume]
    assert re.search(rf"^#.* create secret generic {secret} .*--from-file={name}=", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize(("pod", "container"), [pytest.param(p, c, id=i) for i, p, c in containers() if c["name"] == "raincheck"])
def test_probes_ask_what_they_should(pod: dict[str, Any], container: dict[str, Any]) -> None:
    from monitor.daemon import STOP_BUDGET_S

    asked = {kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/-/healthy", "livenessProbe": "/-/healthy", "readinessProbe": "/-/ready"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert all(ports[container[kind]["httpGet"]["port"]] == 9740 for kind in asked)
    assert pod["terminationGracePeriodSeconds"] > STOP_BUDGET_S
    mounted = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {path for path, mount in mounted.items() if not mount.get("readOnly")} == {"/var/lib/raincheck", "/tmp"}
