"""The sidecar's pod, played by podman: the manifest's configuration, users, folders and limits in real containers, without a cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import missing
from tests.deploy.containers import IMAGE, PODMAN, podman
from tests.deploy.hearing import DEPLOY
from tests.river.world import Daemon

pytestmark = pytest.mark.image

SIDECAR = DEPLOY / "kubernetes" / "sidecar.yaml"
POD, RAINCHECK, MODEL = "fraud-pod-0", "fraud-pod-0-raincheck", "fraud-pod-0-model"  # podman's names for the Deployment's
ASKED = """
import urllib.error, urllib.request
for path, token in (("ready", ""), ("reload", "wrong"), ("reload", open("/etc/raincheck-secrets/api").read().strip())):
    headers = {"Authorization": "Bearer " + token}
    asked = urllib.request.Request("http://127.0.0.1:9740/-/" + path, method="POST" if token else "GET", headers=headers)
    try:
        print(path, urllib.request.urlopen(asked, timeout=20).status)
    except urllib.error.HTTPError as error:
        print(path, error.code)
print("model", urllib.request.urlopen("http://127.0.0.1:8080/", timeout=20).status)
"""


def played() -> list[dict[str, Any]]:
    """The manifest as podman 4.3 can play it.

    It waits for every init container to end, asks probes with a curl inside the container, makes one volume of a ConfigMap, a Secret and a
    claim of one name, and cannot do without `optional`.
    """
    documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all(SIDECAR.read_text()) if document]
    made, claimed, deployed = documents
    pod = deployed["spec"]["template"]["spec"]
    sidecar, model = pod.pop("initContainers") + pod["containers"]
    sidecar["image"], model["image"] = IMAGE, "docker.io/library/python:3.12-slim"
    del sidecar["restartPolicy"]
    for container in (sidecar, model):
        for key in ("ports", "startupProbe", "livenessProbe", "readinessProbe"):
            container.pop(key, None)
    pod["containers"] = [sidecar, model]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    made["metadata"]["name"] = volumes["raincheck-config"]["configMap"]["name"] = "fraud-config"
    claimed["metadata"]["name"] = volumes["raincheck-state"]["persistentVolumeClaim"]["claimName"] = "fraud-state"
    volumes["raincheck-secrets"]["secret"] |= {"secretName": "fraud-secret", "optional": False}
    data = {"api": base64.b64encode(b"a-token-of-some-length").decode()}
    return [*documents, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fraud-secret"}, "data": data}]


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Daemon]:
    """The pod, playing; the sidecar's log as that of a daemon."""
    if not PODMAN.exists():
        missing("there is no image: `make test-image` builds it")
    path = tmp_path / "pod.yaml"
    path.write_text(yaml.safe_dump_all(played()))
    try:
        podman("kube", "play", "--network=none", path)
        log = Daemon(path, command=[str(PODMAN), "logs", "--follow", RAINCHECK])
        log.wait_for("started")
        yield log
        log.kill()
    finally:
        podman("pod", "rm", "--force", "--ignore", "--time=0", POD)
        podman("secret", "rm", "fraud-secret", code=None)
        podman("volume", "rm", "--force", "fraud-config", "fraud-secret", "fraud-state", code=None)


def test_the_sidecar_lives_beside_its_model_and_both_end_when_they_are_told(pod: Daemon) -> None:
    assert podman("exec", RAINCHECK, "python", "-c", ASKED).splitlines() == ["ready 200", "reload 401", "reload 202", "model 200"]
    said = podman(
        "exec", RAINCHECK, "sh", "-c", "id -u; grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status | cut -f 2; touch /a 2>/dev/null || echo no"
    )
    assert said.split() == ["10001", "0" * 16, "1", "no"]
    limit = json.loads(podman("container", "inspect", RAINCHECK))[0]["HostConfig"]["Memory"]
    assert limit == 512 * 1024 * 1024, "the manifest's 512Mi"
    podman("pod", "stop", "--time=45", POD)
    codes = podman("container", "inspect", "--format={{.State.ExitCode}}", RAINCHECK, MODEL).split()
    assert codes == ["0", "0"], "137 would be a process that had to be killed"
