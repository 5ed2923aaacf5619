"""Setting up on machines other than this one: every command that would ask or change the system is a stand-in that writes down its call."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JAVA = """#!/bin/sh
echo 'openjdk version "{version}" 2025-04-15' >&2
"""
APT = """#!/bin/sh
echo "$@" >>"{calls}"
case "$*" in
    *install*{installs}*) cp "{later}" "{java}" ;;
    *install*) exit {other} ;;
esac
"""


class Machine:
    """A folder of commands before the real ones in PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.commands, self.calls = folder, folder / "commands", folder / "calls"
        self.commands.mkdir()
        self.calls.touch()
        self.command("sudo", '#!/bin/sh\nexec "$@"\n')
        self.java = self.commands / "java"

    def command(self, name: str, text: str) -> None:
        path = self.commands / name
        path.write_text(text)
        path.chmod(0o755)

    def apt(self, installs: str = "nothing", java: str = "", known: str = "*", other: int = 0) -> None:
        """Installing `installs` brings Java `java`; installing anything else ends with `other`; `known` is in the lists."""
        later = self.folder / "java-later"
        later.write_text(JAVA.format(version=java))
        later.chmod(0o755)
        self.command("apt-get", APT.format(calls=self.calls, installs=installs, later=later, java=self.java, other=other))
        self.command("apt-cache", f'#!/bin/sh\ncase "$2" in {known}) exit 0 ;; *) exit 100 ;; esac\n')

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.commands}{os.pathsep}{os.environ['PATH']}"
        outer = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # we may be run by `make test`
        return subprocess.run(command, cwd=self.folder, env=outer | {"PATH": path}, capture_output=True, text=True, timeout=60, check=False)

    @property
    def installed(self) -> list[str]:
        return [line.split()[-1] for line in self.calls.read_text().splitlines() if "install" in line.split()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def services(machine: Machine) -> Path:
    """setup.sh in a folder where everything but Java is there."""
    folder = machine.folder / "tests" / "services"
    folder.mkdir(parents=True)
    for name in ("setup.sh", "pom.xml"):
        shutil.copy(ROOT / "tests" / "services" / name, folder / name)
    pom = (folder / "pom.xml").read_text()
    number = subprocess.run(["cksum"], input=pom, capture_output=True, text=True, check=True).stdout.split()[0]
    (machine.folder / ".cache" / "kafka").mkdir(parents=True)
    (machine.folder / ".cache" / "kafka" / f".stamp-{number}").touch()
    tools = machine.folder / ".cache" / "prometheus" / "usr" / "bin"
    tools.mkdir(parents=True)
    for name in ("promtool", "amtool"):
        (tools / name).touch(0o755)
    return folder / "setup.sh"


@pytest.mark.parametrize(
    ("version", "known", "brings", "installed", "code", "because"),
    [
        ("17.0.15", "*", "", [], 0, "recent enough"),
        ("21-ea", "*", "", [], 0, "an early release has no dots"),
        ("1.8.0_292", "*", "21.0.2", ["openjdk-21-jre-headless"], 0, "8 called itself 1.8"),
        ("11.0.20", "openjdk-17*|default*", "17.0.15", ["openjdk-17-jre-headless"], 0, "the default of that system is 11 itself"),
        ("11.0.20", "default*", "25.0.1", ["default-jre-headless"], 0, "a system that has left both behind"),
        (
            "11.0.20",
            "*",
            "11.0.20",
            ["openjdk-21-jre-headless"],
            1,
            "another java comes first in PATH: better said here than by the broker",
        ),
    ],
)
def test_the_broker_gets_a_java_that_runs_it(
    version: str, known: str, brings: str, installed: list[str], code: int, because: str, machine: Machine, services: Path
) -> None:
    machine.command("java", JAVA.format(version=version))
    machine.apt(installs="jre-headless", java=brings, known=known)
    done = machine.run("sh", str(services))
    assert done.returncode == code, (because, done.stdout, done.stderr)
    assert machine.installed == installed, because
    assert ("Java 17 or later is needed" in done.stdout) == bool(code)


PYTHON = """#!/bin/sh
case "$*" in
    *ensurepip*) exit 1 ;;
    *print*) echo python3.12-venv ;;
    *"-m venv"*) exit 3 ;;
esac
"""


@pytest.mark.parametrize(
    ("fails", "installed", "because"),
    [
        (False, ["python3.12-venv"], "each version of Python has a package of its own"),
        (True, ["python3.12-venv", "python3-venv"], "a system's own Python may have only the package without a version"),
    ],
)
def test_a_missing_venv_is_installed_for_the_python_in_use(fails: bool, installed: list[str], because: str, machine: Machine) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, machine.folder / name)
    machine.command("python3.12", PYTHON)
    machine.apt(other=int(fails))
    machine.run("make", "setup", "PYTHON=python3.12")
    assert machine.installed == installed, because
