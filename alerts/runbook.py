"""The runbooks beside the rules: one page per alert, for somebody who was asleep."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "runbooks"


def runbook_names() -> tuple[str, ...]:
    """The alerts that have a page, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.md")))


def runbook(name: str) -> str:
    """The page of one alert. Raises KeyError where there is none.

    >>> runbook("RaincheckDown").splitlines()[0]
    '# RaincheckDown'
    """
    if name not in runbook_names():
        raise KeyError(name)
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


def place_of(name: str, pages: str | None) -> str:
    """Where an alert says its page is: under the address that serves `alerts/runbooks`, or the command that prints it.

    >>> place_of("RaincheckDown", "https://wiki.example/raincheck/"), place_of("RaincheckDown", None)
    ('https://wiki.example/raincheck/RaincheckDown.md', 'raincheck alerts runbook RaincheckDown')
    """
    return f"raincheck alerts runbook {name}" if pages is None else f"{pages.rstrip('/')}/{name}.md"
