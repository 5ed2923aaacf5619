"""What a reference lacks or holds too much of, in sentences: incidents inside it, columns without values, hours that it cannot know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from detectors.budget.coverage import told
from monitor.phrases import ASPECTS, HAPPENS, counted
from monitor.wording import when

UNKNOWN: Final = {
    "none": "hours of the day and days of the week are not learnt: that takes 7 days",
    "daily": "days of the week are not learnt, every day counts as the same: that takes 14 days",
    "daily and weekly": "what one weekday does otherwise than the next is learnt in part: that takes 28 days",
}
SHOWN = 4  # columns named in one sentence


def findings(report: Mapping[str, Any]) -> list[str]:
    """Sentences on a calibration's report; none where there is nothing to say.

    >>> findings({"unreadable": [{"column": "x", "invalid": 0.52, "values": 0.48}], "unlearnt_hours": [2, 3]})
    ['`x`: 52% of its values in the reference cannot be read', 'no traffic was learnt for Mon 02:00 to 04:00']
    """
    stage = report.get("stage") or {}
    hours = told(report.get("unlearnt_hours", ()))
    return [
        *(_unreadable(column) for column in report.get("unreadable", ())),
        *(_episode(episode) for episode in report.get("episodes", ())),
        *((UNKNOWN[stage["season"]],) if stage.get("season") in UNKNOWN else ()),
        *((f"no traffic was learnt for {hours}",) if hours else ()),
    ]


def _unreadable(column: Mapping[str, Any]) -> str:
    if column["values"]:
        return f"`{column['column']}`: {column['invalid']:.0%} of its values in the reference cannot be read"
    return f"`{column['column']}` never had a value in the reference: it is not watched until one comes, which pages"


def _episode(episode: Mapping[str, Any]) -> str:
    shows = [_show(show) for show in episode["shows"][:SHOWN]]
    more = len(episode["shows"]) - len(shows)
    what = ", ".join(shows) + (f" and {more} more" if more > 0 else "")
    stretch = f"{when(episode['from_ms'])} to {when(episode['until_ms'])}"
    windows = counted(episode["windows"], "window")
    if episode["left_out"]:
        verb = "is" if episode["windows"] == 1 else "are"
        return f"the reference holds an incident-like stretch from {stretch} ({what}): {windows} {verb} left out"
    return (
        f"the reference holds an incident-like stretch from {stretch} ({what}): its {windows} stay in, "
        "since in so short a reference, or for so long a stretch, it may be the rule; build one without it if it was an incident"
    )


def _show(show: Mapping[str, str]) -> str:
    """
    >>> _show({"column": "x", "statistic": "missing", "direction": "up"})
    '`x` is missing more often'
    >>> _show({"column": "x", "statistic": "spread", "direction": "down"})
    'the spread of `x` is down'
    """
    statistic, up = show["statistic"], show["direction"] == "up"
    if statistic in HAPPENS:
        return f"`{show['column']}` {HAPPENS[statistic]} {'more' if up else 'less'} often"
    front = {"spread": ASPECTS["scale"], "level": "a level of "}.get(statistic, "")
    return f"{front}`{show['column']}` is {show['direction']}"


def change_lines(changes: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """The smallest visible changes of what is counted, not measured: missing values, levels, unseen values, the mix of categories.

    Of the statistics of a picture or a vector one line on missing values speaks for all.
    """
    rows: dict[tuple[str, str], tuple[str, Mapping[str, float]]] = {}
    for name, found in changes.items():
        for statistic, (word, unit) in COUNTED.items():
            if statistic in found:
                subject = name.partition(".")[0] if statistic == "missing" else name
                rows.setdefault((subject, word), (unit, found[statistic]))
    if not rows:
        return []
    width = max(len(f"{name} {word}") for name, word in rows)
    return [
        "smallest visible change, in percentage points or PSI",
        f"  {'':<{width}}  {'in 1 h':>8}  {'in 1 day':>8}",
        *(
            f"  {f'{name} {word}':<{width}}  {_size(sizes.get('hour'))}  {_size(sizes.get('day'))}  {unit}"
            for (name, word), (unit, sizes) in rows.items()
        ),
    ]


COUNTED: Final = {
    "missing": ("missing", "points"), "unseen": ("unseen", "points"), "level": ("a level", "points"), "categories": ("mix", "psi"),
}  # fmt: skip


def _size(value: float | None) -> str:
    return f"{value:>8.3f}" if value is not None else f"{'-':>8}"
