"""Backtests of several configurations in words and as one table: what each would have cost, and what it would have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.phrases import counted

Answer = Mapping[str, Any]


def told(answers: Sequence[Answer]) -> str:
    """Each backtest with its pages, then, where there are several or known drifts, the table."""
    parts = ["\n".join(_lines(answer)) for answer in answers]
    return "\n\n".join([*parts, *(["\n".join(table(answers))] if len(answers) > 1 or "score" in answers[0] else [])])


def _lines(answer: Answer) -> list[str]:
    statuses = ", ".join(f"{n:,} {status}" for status, n in sorted(answer["statuses"].items()))
    found = f"{counted(len(answer['pages']), 'page')}, {counted(len(answer['tickets']), 'ticket')}"
    lines = [f"{answer['config']}: {counted(answer['windows'], 'window')}{statuses and f' ({statuses})'}; {found}"]
    lines += [f"  page {page['time']}  {page['message']}" for page in answer["pages"]]
    lines += [f"  finding ({model}): {finding}" for model, findings in answer["findings"].items() for finding in findings]
    if answer["losses"]:
        lines.append(f"  not judged: {answer['losses']}")
    if answer.get("score", {}).get("not_judged"):
        lines.append(f"  not scored: {counted(answer['score']['not_judged'], 'drift')} outside the time that was judged")
    return lines


def table(answers: Sequence[Answer]) -> list[str]:
    """One row per configuration: pages and tickets; with known drifts those found and missed, the delay, false pages.

    >>> score = {"drifts": 3, "missed": 1, "delay_hours_mean": 0.5, "false_pages": 0, "false_pages_per_30_days": 0.0,
    ...          "false_pages_upper_limit": 2.9}
    >>> print("\\n".join(table([{"config": "a.yaml", "pages": [{}, {}], "tickets": [], "score": score}])))
            pages  tickets  found   missed  mean delay, h  false pages  per 30 days  95 % limit
    a.yaml      2        0  2 of 3       1            0.5            0            0         2.9
    """
    heads = ["", "pages", "tickets"]
    rows = [[str(answer["config"]), f"{len(answer['pages'])}", f"{len(answer['tickets'])}"] for answer in answers]
    if "score" in answers[0]:
        heads += ["found", "missed", "mean delay, h", "false pages", "per 30 days", "95 % limit"]
        for row, answer in zip(rows, answers, strict=True):
            s = answer["score"]
            row += [f"{s['drifts'] - s['missed']} of {s['drifts']}", f"{s['missed']}"]
            row += [_number(s[k]) for k in ("delay_hours_mean", "false_pages", "false_pages_per_30_days", "false_pages_upper_limit")]
    widths = [max(len(line[i]) for line in [heads, *rows]) for i in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(cell.ljust(widths[i]) if i in (0, 3) else cell.rjust(widths[i]) for i, cell in enumerate(cells)).rstrip()

    return [line(heads), *(line(row) for row in rows)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"
