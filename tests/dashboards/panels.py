"""The dashboards as they are shipped, read as Grafana reads them: their panels, and what each asks Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "dashboards" / "json"
BOARDS: Final[Mapping[str, dict[str, Any]]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))
}
# what Grafana puts in place of its macros and of variables of which all are chosen
CHOSEN: Final = {"__rate_interval": "1m", "job": ".+", "instance": ".+", "model": "traffic-light"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One target of a panel."""

    board: str
    panel: dict[str, Any]
    target: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel['title']} {self.target['refId']}"

    def expr(self, **chosen: str) -> str:
        """The expression as Prometheus gets it."""
        return filled(self.target["expr"], **chosen)


def filled(text: str, **chosen: str) -> str:
    """Grafana's variables and macros replaced; KeyError for one that the dashboards do not have."""
    return re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda found: (CHOSEN | chosen)[found[1] or found[2]], text)


def panels(board: str) -> list[dict[str, Any]]:
    return [panel for panel in BOARDS[board]["panels"] if panel["type"] != "row"]


TARGETS: Final = [Asked(board, panel, target) for board in BOARDS for panel in panels(board) for target in panel["targets"]]
