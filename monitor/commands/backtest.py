"""Walks frames of one's own through configurations: every page that each would have sent, side by side.

EVENTS and --reference are Parquet, CSV or JSON lines: a column `time`, `model` where there are several, features under
their schema names; --reference may also be a file that `raincheck reference build` wrote. --truth lists known drifts
(columns start, end and, where there are several, model): then delay, misses and false pages are printed too.

A window's status is that of its evidence, which begins anew after a page: `ok` windows may follow while the page is open. Whether
it is open is told by its `time` and `resolved`.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Mapping
from typing import Any

NAME = "backtest"
HELP = "what a configuration would have paged on one's own data"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="a configuration; only models and owners are needed")
    parser.add_argument("events", metavar="EVENTS", help="frames to judge (.parquet, .csv, .jsonl)")
    parser.add_argument("--and", dest="others", action="append", default=[], metavar="CONFIG", help="another configuration to compare")
    parser.add_argument(
        "--reference", metavar="FILE", help="a built .reference, or frames of normal traffic (default: the plan says how much of EVENTS)"
    )
    parser.add_argument("--truth", metavar="FILE", help="known drifts, to be scored against (.csv or .parquet)")


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from monitor.backtesting import backtest
    from monitor.commands import show
    from monitor.frame_files import frames_of
    from monitor.side_by_side import told
    from monitor.truth import drifts_of, scored

    console = Console(stderr=True)
    answers: list[dict[str, Any]] = []
    drifts = drifts_of(args.truth) if args.truth else None
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as bar:
        for config in [args.config, *args.others]:
            task = bar.add_task(f"{config}: reading")

            def tell(records: int, at_ms: int, task: Any = task, config: str = config) -> None:
                from monitor.wording import when

                bar.update(task, description=f"{config}: {records:,} events, {when(at_ms)}")

            result = backtest(config, frames_of(args.events), args.reference, progress=tell)
            answer: dict[str, Any] = {
                "config": config,
                "windows": len(result.windows),
                "pages": [_row(page) for page in result.pages.to_dict("records")],
                "tickets": [_row(ticket) for ticket in result.tickets.to_dict("records")],
                "statuses": result.windows["status"].value_counts().to_dict(),
                "findings": {name: [*filter(None, [found["why"]]), *found["findings"]] for name, found in result.report.items()},
                "losses": result.losses,
            }
            if drifts is not None:
                answer["score"] = scored(result, drifts)
            answers.append(answer)
    show(args, {"backtests": answers}, told(answers))
    return 0


def _row(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    """One page in JSON's types."""
    import pandas as pd

    return {
        str(key): (None if value is pd.NaT else value.isoformat() if isinstance(value, pd.Timestamp) else value)
        for key, value in row.items()
    }
