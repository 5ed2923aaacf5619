"""What `pip install .` gives: every file of the packages, the templates, runbooks, dashboards and the command among them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built by the backend that pyproject.toml names, of what is installed here: nothing is fetched."""
    out = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return zipfile.ZipFile(built)


def committed(package: str) -> set[str]:
    """The files that git knows below a folder, and that are still there."""
    listed = subprocess.run(["git", "ls-files", package], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).exists()}


@pytest.mark.parametrize("package", PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
def test_every_file_of_a_package_is_in_it(wheel: zipfile.ZipFile, package: str) -> None:
    assert committed(package) <= set(wheel.namelist())


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("monitor/pages/templates/fleet.html", "pages are drawn from it"),
        ("monitor/pages/raincheck.css", "pages are dressed by it"),
        ("alerts/runbooks/RaincheckDown.md", "`raincheck alerts runbook` prints it"),
        ("dashboards/json/raincheck-fleet.json", "`raincheck dashboards push` sends it"),
        ("monitor/py.typed", "plug-ins are checked against our types"),
    ],
)
def test_what_is_no_code_is_in_it_too(wheel: zipfile.ZipFile, name: str, because: str) -> None:
    assert name in wheel.namelist(), because


def test_nothing_of_the_workshop_is_in_it(wheel: zipfile.ZipFile) -> None:
    rooms = {name.split("/")[0] for name in wheel.namelist()}
    info = f"raincheck-{PROJECT['project']['version']}.dist-info"
    assert rooms == {"monitor", "detectors", "alerts", "dashboards", info}
    assert not [name for name in wheel.namelist() if name.endswith((".pyc", ".db", ".log"))]


def test_it_runs_from_the_wheel_alone(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Unpacked elsewhere and found first: no file of the repository is in reach but through what is installed."""
    wheel.extractall(tmp_path / "site")
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    for words, expected in (
        (("--version",), PROJECT["project"]["version"]),
        (("demo", "--help"), "--once"),
        (("alerts", "runbook", "RaincheckDown"), "# RaincheckDown"),
        (("check", "--schema"), '"$schema"'),
        (("detectors",), "psi"),
    ):
        program = "import sys; from monitor.__main__ import main; import monitor; print(monitor.__file__); sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *words], cwd=empty, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"PYTHONPATH": str(site)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(str(site)), "the unpacked wheel, and not the repository"
        assert expected in done.stdout
