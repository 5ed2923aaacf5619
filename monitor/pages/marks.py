"""What stands on a chart's time axis: stretches of one meaning, flags of incidents, hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby
from typing import Final, TypeAlias

from monitor.incident import Incident
from monitor.phrases import DAY_MS, MINUTE_MS, hour
from monitor.verdict import Verdict

Scale: TypeAlias = Callable[[float], float]  # a time in milliseconds -> its place on the axis
LETTER: Final = 7.4  # mean width of a letter of a flag's text, in drawing units
LEARNING: Final = ("gathering", "learning", "calibrating")  # reasons of windows without a verdict because normal is not known yet
LACKS: Final = {
    "unreadable": "it cannot be read",
    "retention": "deleted before they were read",
    "poison": "in a batch that cannot be opened",
    "recreated": "its topic was made anew",
    "cut": "its log was cut",
}  # why a window lacks events of a partition
NAMED: Final = 5  # of a topic that was cut off altogether the partitions say no more than their stream
STEPS_MS: Final = tuple(m * MINUTE_MS for m in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 10080, 20160))


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time with one meaning: "learning", "incident", "partial"."""

    kind: str
    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Flag:
    """An incident on the axis: `x` when it was opened, `onset` where it began."""

    severity: str
    x: float
    onset: float
    text: str
    incident: str
    side: str  # where the text stands: "right", "left" where there is no room, "none" where it would cover another's


def learning(shown: Sequence[Verdict], x_of: Scale) -> list[Band]:
    """Where normal was still being learnt."""
    return _stretches([v for v in shown if v.status == "unknown" and v.reason in LEARNING], "learning", x_of)


def partial(shown: Sequence[Verdict], x_of: Scale) -> list[Band]:
    """Where events may be missing, each stretch with what it lacks."""
    runs = groupby((v for v in shown if v.partial), key=lambda v: v.lacks)
    return [band for lacks, run in runs for band in _stretches(list(run), "partial", x_of, lacking(lacks))]


def lacking(lacks: Sequence[str]) -> str:
    """What a partial window lacks, in words.

    >>> lacking(("in/0: retention", "out/0: unreadable"))
    'events may be missing: in/0 (deleted before they were read), out/0 (it cannot be read)'
    >>> lacking(())
    'events may be missing'
    """
    found = [(partition, LACKS.get(why, why)) for partition, _, why in (one.partition(": ") for one in lacks)]
    return "events may be missing" + (": " if found else "") + ", ".join(f"{partition} ({why})" for partition, why in found)


def missing(shown: Sequence[Verdict]) -> str:
    """What all partial windows together lack, in words; empty where none is. Of many partitions the first are named."""
    found = [v for v in shown if v.partial]
    lacks = list(dict.fromkeys(one for v in found for one in v.lacks))
    more = f" and {len(lacks) - NAMED} more" if len(lacks) > NAMED else ""
    return lacking(lacks[:NAMED]) + more if found else ""


def _stretches(verdicts: Sequence[Verdict], kind: str, x_of: Scale, text: str = "") -> list[Band]:
    bands: list[list[int]] = []
    for verdict in verdicts:
        if bands and verdict.start_ms <= bands[-1][1]:
            bands[-1][1] = verdict.end_ms
        else:
            bands.append([verdict.start_ms, verdict.end_ms])
    return [Band(kind, round(x_of(a), 1), round(x_of(b) - x_of(a), 1), text or kind) for a, b in bands]


def opened(incidents: Iterable[Incident], start_ms: int, end_ms: int, x_of: Scale) -> list[Band]:
    """From the onset of each incident until it was resolved, or until the end of the chart."""
    bands = []
    for incident in incidents:
        until = incident.resolved_ms if incident.resolved_ms is not None else end_ms
        if incident.severity != "note" and until > start_ms and incident.onset_ms < end_ms:
            x = x_of(incident.onset_ms)
            bands.append(Band(f"incident {incident.severity}", round(x, 1), round(x_of(until) - x, 1), incident.id))
    return bands


def flags(found: Iterable[Incident], x_of: Scale, zone: tzinfo, end_ms: int, left: float, right: float) -> tuple[Flag, ...]:
    """A flag for each incident; texts as far as they do not cover each other, the newest first."""
    out: list[Flag] = []
    taken: list[tuple[float, float]] = []
    for incident in sorted(found, key=lambda i: -i.opened_ms):
        x = round(x_of(incident.opened_ms), 1)
        text = f"{incident.severity} {hour(incident.opened_ms, end_ms, zone)}"
        length = 12 + LETTER * len(text)
        places = {"right": (x - 5, x + length), "left": (x - length, x + 5)}
        fits = [s for s, (a, b) in places.items() if left - 5 <= a and b <= right + 5 and all(b < c or d < a for c, d in taken)]
        side = fits[0] if fits else "none"
        taken.append(places.get(side, (x - 5, x + 5)))
        out.append(Flag(incident.severity, x, round(x_of(incident.onset_ms), 1), text, incident.id, side))
    return tuple(out)


def time_ticks(start_ms: int, end_ms: int, zone: tzinfo, x_of: Scale, most: int) -> tuple[Tick, ...]:
    """At most `most` round local times; across a clock change they keep their distance and say the hour that it then was."""
    step = next((s for s in STEPS_MS if (end_ms - start_ms) / s <= max(2, most)), STEPS_MS[-1])
    offset = datetime.fromtimestamp(end_ms / 1000, zone).utcoffset()
    offset_ms = int(offset.total_seconds() * 1000) if offset is not None else 0
    first = -(-(start_ms + offset_ms) // step) * step - offset_ms
    ticks = []
    for time_ms in range(first, end_ms + 1, step):
        at = datetime.fromtimestamp(time_ms / 1000, zone)
        midnight = at.hour == 0 and at.minute == 0
        ticks.append(Tick(round(x_of(time_ms), 1), f"{at:%a} {at.day} {at:%b}" if midnight or step >= DAY_MS else f"{at:%H:%M}"))
    return tuple(ticks)
