"""The dashboards as files: the same bytes on every machine, so that they can be committed and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dashboards.fleet import FLEET_BOARD
from dashboards.model import MODEL_BOARD

BOARDS: Final = (FLEET_BOARD, MODEL_BOARD)
COMMITTED: Final = Path(__file__).parent / "json"


def generate(pages: str | None = None, runbooks: str | None = None) -> dict[str, str]:
    """Every dashboard by its file's name. ImportError without grafana-foundation-sdk, the extra `dashboards`.

    Args:
        pages: the address of raincheck's own pages; None for 127.0.0.1:9740.
        runbooks: where `alerts/runbooks` is served; None to name the command that prints one.

    >>> sorted(generate())
    ['raincheck-fleet.json', 'raincheck-model.json']
    """
    from dashboards.grafana_json import PAGES, board_json

    return {f"{board.uid}.json": board_json(board, pages or PAGES, runbooks) for board in BOARDS}
