"""Numbers in plain words: what has changed, since when, and how rarely chance alone gets that far. Pages and messages share them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from monitor.verdict import Subject

MINUTE_MS, HOUR_MS, DAY_MS, YEAR_MS = 60_000, 3_600_000, 86_400_000, 31_557_600_000

# what the last words of a statistic say of the thing before them
ASPECTS: Final[dict[str, str]] = {
    "location": "",
    "scale": "the spread of ",
    "skew": "the skew of ",
    "tails": "the weight in the tails of ",
    "shape": "the shape of ",
    "categories": "the mix of ",
    "all together": "",
}
# and after the change: evidence that no column carries alone
TAILS: Final[dict[str, str]] = {"all together": ", one of several that moved together"}
# what is counted rather than measured: how often it happens is what has changed
HAPPENS: Final[dict[str, str]] = {
    "missing": "is missing",
    "not finite": "is no finite number",
    "invalid": "cannot be read",
    "out of range": "is out of its known range",
    "unseen": "has values never seen before",
}
OFTEN: Final = {"up": " more often", "down": " less often", "changed": " differently often"}
PLACES: Final = {"images": "in pictures of", "embeddings": "of the vector", "predictions": "of", "labels": "against the labels of"}
SIZES: Final = {"sd": "{:.1f} sd", "points": "{:.1f} percentage points", "ratio": "a factor of {:.2f}", "psi": "{:.2f} PSI"}

# said once wherever sizes stand: a telephone has no pointer to ask with
UNITS: Final = {
    "sd": "sd: standard deviations, the usual spread of a column.",
    "psi": "PSI: population stability index, 0 where nothing differs.",
}


def pieces(subject: Subject) -> tuple[str, str, str]:
    """A sentence about a subject, split around its name so that a page can set the name apart.

    >>> pieces(Subject("frame", "images", "noise location", "up", 2.34, "sd", 0.7, 0))
    ('noise in pictures of ', 'frame', ' is up by 2.3 sd')
    >>> pieces(Subject("weather", "inputs", "categories", "changed", 0.31, "psi", 0.2, 0))
    ('the mix of ', 'weather', ' has changed by 0.31 PSI')
    """
    aspect = next((a for a in (*ASPECTS, *HAPPENS) if subject.statistic == a or subject.statistic.endswith(f" {a}")), "")
    thing = subject.statistic.removesuffix(aspect).strip().replace("_", " ")
    front = ASPECTS.get(aspect, "") + (f"{thing} {PLACES.get(subject.group, 'of')} " if thing else "")
    # an unknown unit is text of somebody's plug-in, so it is put beside the number rather than into a format
    size = SIZES[subject.unit].format(abs(subject.size)) if subject.unit in SIZES else f"{abs(subject.size):.2f} {subject.unit}"
    if subject.unit == "points" and abs(subject.size) >= 10:  # of 52 and 52.1 one is easier to read out at night
        size = f"{abs(subject.size):.0f} percentage points"
    by = size if math.isfinite(subject.size) and subject.size else ""
    if aspect in HAPPENS:
        return front, subject.name, f" {HAPPENS[aspect]}{by and ', ' + by}{OFTEN[subject.direction]}"
    verb = "has changed" if subject.direction == "changed" else f"is {subject.direction}"
    return front, subject.name, f" {verb}{by and ' by ' + by}{TAILS.get(aspect, '')}"


def phrase(subject: Subject) -> str:
    """The same sentence in one piece.

    >>> phrase(Subject("speed", "inputs", "missing", "up", 4.2, "points", 1.0, 0))
    '`speed` is missing, 4.2 percentage points more often'
    """
    before, name, after = pieces(subject)
    return f"{before}`{name}`{after}"


def units(subjects: Iterable[Subject]) -> str:
    """What the units mean in which these subjects' sizes are told; empty where they explain themselves.

    >>> units([Subject("speed", "inputs", "location", "up", 1.2, "sd", 1.0, 0)])
    'sd: standard deviations, the usual spread of a column.'
    >>> units([Subject("speed", "inputs", "missing", "up", 4.2, "points", 1.0, 0)])
    ''
    """
    used = {subject.unit for subject in subjects if math.isfinite(subject.size) and subject.size}
    return " ".join(text for unit, text in UNITS.items() if unit in used)


def counted(n: int, thing: str) -> str:
    """So many of a thing.

    >>> counted(1, "page"), counted(0, "page"), counted(12_000, "event")
    ('1 page', '0 pages', '12,000 events')
    """
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def span(duration_ms: float) -> str:
    """A duration in one unit, as people say it.

    >>> span(300_000), span(90 * 60_000), span(14 * 86_400_000), span(3.2 * 31_557_600_000), span(9e15)
    ('5 min', '90 min', '14 days', '3.2 years', 'over 1000 years')
    >>> span(3_600_000), span(86_400_000)
    ('1 h', '1 day')
    """
    if duration_ms >= 1000 * YEAR_MS:
        return "over 1000 years"
    for unit_ms, one, many, enough in ((YEAR_MS, "year", "years", 2), (DAY_MS, "day", "days", 2), (HOUR_MS, "h", "h", 2)):
        amount = duration_ms / unit_ms
        if amount >= enough or amount == 1:
            text = f"{amount:.1f}".removesuffix(".0") if amount < 10 else f"{amount:.0f}"
            return f"{text} {one if text == '1' else many}"
    if duration_ms >= MINUTE_MS:
        return f"{duration_ms / MINUTE_MS:.0f} min"
    return f"{max(0.0, duration_ms) / 1000:.0f} s"


def odds(evidence: float, window_ms: int) -> str:
    """How rarely evidence gets this high when nothing has changed: at most once in 10^evidence windows.

    >>> odds(4.414, 300_000)
    'once in 90 days'
    """
    return f"once in {span(10.0 ** min(evidence, 300.0) * window_ms)}"


def zone_of(name: str) -> tzinfo:
    """The zone a plan names; UTC where it says "auto" or something this machine does not know."""
    try:
        return UTC if name in ("UTC", "auto") else ZoneInfo(name)
    except (OSError, ValueError):
        return UTC


def moment(time_ms: int, zone: tzinfo = UTC) -> str:
    """A point in time with its date and zone.

    >>> moment(0)
    'Thu 1 Jan 1970, 00:00 UTC'
    """
    at = datetime.fromtimestamp(time_ms / 1000, zone)
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M %Z}"


def hour(time_ms: int, now_ms: int, zone: tzinfo = UTC) -> str:
    """A point in time as briefly as `now_ms` allows: the hour today, the weekday this week, else the date.

    >>> hour(0, 60_000), hour(0, 3 * 86_400_000), hour(0, 30 * 86_400_000)
    ('00:00', 'Thu 00:00', '1 Jan 00:00')
    """
    at, now = datetime.fromtimestamp(time_ms / 1000, zone), datetime.fromtimestamp(now_ms / 1000, zone)
    days = abs((now.date() - at.date()).days)
    day = "" if days == 0 else f"{at:%a} " if days < 7 else f"{at.day} {at:%b} " if days < 300 else f"{at.day} {at:%b %Y} "
    return f"{day}{at:%H:%M}"
