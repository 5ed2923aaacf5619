"""The table of faults names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
CELL = re.compile(r"`(?:(?P<file>[a-z_]+/test_[a-z_]+\.py))?(?: ?-k (?P<word>[a-z_]+))?`")


def named() -> list[tuple[str, str]]:
    """(file, word) of every row's last column; a word alone belongs to the file before it."""
    found = []
    for line in HERE.joinpath("README.md").read_text().partition("## Faults")[2].partition("Not injected")[0].splitlines():
        file = ""
        for match in CELL.finditer(line.rstrip(" |").rpartition(" | ")[2]):
            file = match["file"] or file
            found.append((file, match["word"] or ""))
    return found


@pytest.mark.parametrize(("file", "word"), named())
def test_every_row_leads_to_a_test(file: str, word: str) -> None:
    tests = re.findall(r"^def (test_\w+)", HERE.joinpath(file).read_text(), flags=re.MULTILINE)
    assert [test for test in tests if word in test], f"{file} has no test with {word!r} in its name: {tests}"


def test_the_table_is_there() -> None:
    assert len(named()) > 50
