"""Where the programs of tests/services/setup.sh are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# the Debian packages, unpacked: programs start in USR, where their own files are looked for
USR = Path(__file__).parents[2] / ".cache" / "prometheus" / "usr"


def tool(name: str) -> str:
    """The path of promtool, amtool, prometheus or prometheus-alertmanager; a visible skip where it is missing, a failure in CI."""
    found = shutil.which(name) or shutil.which(name, path=str(USR / "bin"))
    if found is not None:
        return found
    reason = f"{name} is missing: tests/services/setup.sh fetches it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
