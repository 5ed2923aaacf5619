"""Files that a command makes from code or a plan: written, or only compared with what a folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def stale(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Files of the folder that are not what would be written now, by name, each with what is wrong with it."""
    found = {}
    for name, text in sorted(files.items()):
        try:
            there = (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            found[name] = "is missing"
            continue
        if there != text:
            found[name] = "differs"
    return found


def put(folder: Path, files: Mapping[str, str], *, check: bool) -> tuple[dict[str, str], list[str]]:
    """Writes the files, or with `check` nothing: what was stale before, and what there is to say of it, a line each."""
    old = stale(folder, files)
    if check:
        return old, [f"{folder / name} {what}" for name, what in old.items()] or ["up to date"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return old, [f"wrote {folder / name}" for name in sorted(files)]
