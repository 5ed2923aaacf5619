"""What a person would notice on a page, asked of the browser: boxes of text, letters, colours, focus, and what it fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains

LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")
SIZES: Mapping[str, tuple[int, int]] = {"desk": (1280, 900), "tablet": (800, 1000), "phone": (360, 740)}


@dataclass(frozen=True, slots=True)
class Text:
    """One run of text: where it stands (CSS pixels of the page), how large its letters come out, its contrast with what lies under."""

    words: str
    left: float
    top: float
    right: float
    bottom: float
    letters: float
    contrast: float
    clipped: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What has the focus: a name for people, its place, and whether an outline shows it."""

    name: str
    path: str
    left: float
    top: float
    outlined: bool


class Eye:
    """Pages through one browser; nothing here runs in a page, whose scripts are switched off."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome

    def open(self, url: str, size: str = "desk", scheme: str = "light") -> None:
        """Loads a page at a size of SIZES, in "light" or "dark"; what was fetched before is forgotten."""
        width, height = SIZES[size]
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self._devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for kind in ("browser", "performance"):
            self._log(kind)
        self.chrome.get(url)

    def texts(self) -> list[Text]:
        """Every visible run of text, in the order of the page."""
        return [Text(**found) for found in self._ask("return look.texts();")]

    def wider_by(self) -> float:
        """By how many pixels the page is wider than its window."""
        return float(self._ask("return document.documentElement.scrollWidth - document.documentElement.clientWidth;"))

    def reachable(self) -> list[str]:
        """Paths of everything that the keyboard should reach, in the order of the page; of a group of radio buttons the first."""
        return cast("list[str]", self._ask("return look.reachable();"))

    def held(self) -> Held | None:
        """What has the focus; None: the page itself."""
        found = self._ask("return look.held();")
        return None if found is None else Held(**found)

    def headings(self) -> list[tuple[int, str]]:
        return [(int(level), text) for level, text in self._ask("return look.headings();")]

    def press(self, *keys: str) -> None:
        """Presses keys one after the other."""
        for key in keys:
            ActionChains(self.chrome, duration=0).send_keys(key).perform()

    def complaints(self) -> list[str]:
        """What the browser has to say about the page."""
        return [entry["message"] for entry in self._log("browser") if "favicon" not in entry["message"]]

    def fetched(self) -> set[str]:
        """Hosts that were asked for anything since the page was opened; "" is the page's own data."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return {urlsplit(m["params"]["request"]["url"]).netloc for m in messages if m["method"] == "Network.requestWillBeSent"}

    def _ask(self, script: str) -> Any:
        return self.chrome.execute_script(f"{LOOK}\n{script}")

    def _log(self, kind: str) -> list[dict[str, str]]:
        return cast("list[dict[str, str]]", self.chrome.get_log(kind))  # type: ignore[no-untyped-call] # the driver's, untyped

    def _devtools(self, command: str, **arguments: Any) -> None:
        self.chrome.execute_cdp_cmd(command, arguments)
