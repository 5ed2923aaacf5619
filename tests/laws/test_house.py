"""The house holds: what may be loaded by whom, and what no file may be called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "detectors", "alerts", "dashboards")


def files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("monitor.engine", ("pandas", "kafka", "river", "starlette", "prometheus_client", "apprise", "sqlite3")),
        ("monitor", ("pandas", "kafka", "numpy")),
        ("monitor.__main__", ("pandas", "kafka", "scipy", "river")),
    ],
)
def test_light_modules_load_no_heavy_ones(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_no_file_is_longer_than_a_person_reads() -> None:
    paths = [*files(), *sorted((ROOT / "tests").rglob("*.py"))]
    long = {str(path.relative_to(ROOT)): n for path in paths if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_names_say_what_is_inside() -> None:
    empty_words = {"utils", "util", "helpers", "helper", "manager", "base", "common", "types", "misc"}
    assert [str(path) for path in files() if path.stem in empty_words] == []


def test_nothing_is_left_for_later() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    assert [f"{path.name}: {word}" for path in files() for word in words if word in path.read_text()] == []
