"""What is known ahead of a model: who is not judged and until when, its calendar, its version, and what is learnt again next.

Made from a standing alone, as plain values for the interface and, by `lines`, as words for the page and the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.again import remembered
from monitor.phrases import counted, span
from monitor.plan import Model
from monitor.standing import Standing, Wanted
from monitor.wording import when

EVERYTHING: Final = "every subject"
STEPS: Final = {
    "calibration": "what is normal, for the first time: windows are judged from then on",
    "nightly": "the whole reference, longer by what has been seen since",
    "refit": "how traffic wanders, since a page was false",
    "rebase": "the level of {names}",
    "firmer": "the level of {names}, from more windows than before",
    "trend": "whether the last seven days as a whole lie off the reference",
}


@dataclass(frozen=True, slots=True)
class Held:
    """These subjects (none named: all) are not judged in [from_ms, until_ms)."""

    subjects: tuple[str, ...]
    from_ms: int
    until_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """An announced event: `from_ms` names it; [next_from_ms, next_until_ms) is the stretch that is `on`, or comes next."""

    from_ms: int
    next_from_ms: int
    next_until_ms: int
    on: bool
    every_ms: int | None
    subjects: tuple[str, ...]
    who: str
    note: str


@dataclass(frozen=True, slots=True)
class Step:
    """What is learnt again once windows are closed up to `at_ms`, and on so many nights `more`."""

    step: str
    at_ms: int
    more: int
    what: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """All times are event times in UTC milliseconds; `version` serves most events, since `version_since_ms` if that was seen.

    `over`: events that will never come again, kept for as long as is learnt from, since nothing is learnt from their time.
    """

    version: str = ""
    version_since_ms: int | None = None
    held: tuple[Held, ...] = ()
    calendar: tuple[Occasion, ...] = ()
    learnt: tuple[Step, ...] = ()
    over: int = 0


def outlook(model: Model, standing: Standing) -> Outlook:
    """The outlook from where the model stands now: from the window that is closed next.

    >>> from monitor.plan import Schema
    >>> from monitor.standing import Expected
    >>> sale = Expected(0, 7_200_000, subjects=("x",), who="ops", note="sale")
    >>> found = outlook(Model("m", "team", Schema()), Standing(stage="judging", next_ms=3_600_000, calendar=(sale,)))
    >>> [(held.subjects, held.until_ms, held.why) for held in found.held]
    [(('x',), 7200000, 'an expected event: sale (ops)')]
    """
    now_ms = standing.next_ms or 0
    calendar = _calendar(model, standing, now_ms)
    subject_of = {column.name: column.subject for column in model.columns}
    anew = [
        Held(_subjects(want, subject_of), want.from_ms, want.ripe_ms, "the level is learnt anew")
        for want in standing.wanted
        if want.mutes and now_ms >= want.from_ms
    ]
    events = [
        Held(event.subjects, event.next_from_ms, event.next_until_ms, f"an expected event{event.note and ': ' + event.note} ({event.who})")
        for event in calendar
        if event.on
    ]
    return Outlook(
        standing.version, standing.deployed_ms, (*anew, *events), calendar, _learnt(model, standing, subject_of),
        over=len(remembered(standing)) - len(calendar),
    )  # fmt: skip


def _calendar(model: Model, standing: Standing, now_ms: int) -> tuple[Occasion, ...]:
    found = []
    for event in standing.calendar:
        if event.over(now_ms):
            continue
        from_ms, until_ms = event.occurrence(now_ms)
        on = event.covers(now_ms, model.window_ms)
        found.append(Occasion(event.from_ms, from_ms, until_ms, on, event.every_ms, event.subjects, event.who, event.note))
    return tuple(sorted(found, key=lambda event: (event.next_from_ms, event.from_ms)))


def _learnt(model: Model, standing: Standing, subject_of: dict[str, str]) -> tuple[Step, ...]:
    if standing.stage != "judging":
        span_ms, origin_ms = model.reference.span_ms, standing.origin_ms
        until_ms = standing.learn_until_ms or (None if span_ms is None or origin_ms is None else origin_ms + span_ms)
        return () if until_ms is None else (Step("calibration", until_ms, 0, STEPS["calibration"]),)
    found: dict[tuple[str, str], Step] = {}
    for want in standing.wanted:  # in order of time: the first of a kind, and how many more
        what = STEPS["firmer" if want.step == "rebase" and not want.mutes else want.step].format(
            names=named(_subjects(want, subject_of))
        )  # fmt: skip
        first = found.setdefault((want.step, what), Step(want.step, want.ripe_ms, -1, what))
        found[want.step, what] = Step(want.step, first.at_ms, first.more + 1, what)
    return tuple(found.values())


def _subjects(want: Wanted, subject_of: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted({subject_of.get(name, name) for name in want.columns}))


def named(subjects: Sequence[str]) -> str:
    """Subjects in words: at most four by name.

    >>> named(()), named(("x", "y")), named(tuple("abcdef"))
    ('every subject', 'x, y', 'a, b, c, d and 2 more')
    """
    if not subjects:
        return EVERYTHING
    return ", ".join(subjects[:4]) + (f" and {len(subjects) - 4} more" if len(subjects) > 4 else "")


def lines(found: Outlook, at: Callable[[int], str] = when) -> list[tuple[str, str, str]]:
    """The outlook in words: (what about, when, what), times as `at` writes them.

    >>> lines(Outlook("7", 0, learnt=(Step("refit", 7_200_000, 6, STEPS["refit"]),)))[1]
    ('to learn', '1970-01-01 02:00 UTC', 'how traffic wanders, since a page was false; and 6 times more')
    """
    rows = [("version", f"since {at(found.version_since_ms)}", found.version)] if found.version_since_ms is not None else []
    rows += [("not judged", f"{at(held.from_ms)} to {at(held.until_ms)}", f"{named(held.subjects)}: {held.why}") for held in found.held]
    for event in found.calendar:
        again = f", every {span(event.every_ms)}" if event.every_ms is not None else ""
        what = f"{named(event.subjects)}{event.note and ': ' + event.note} ({event.who})"
        rows.append(("calendar", f"{at(event.next_from_ms)} to {at(event.next_until_ms)}{again}", what))
    return rows + [
        ("to learn", at(step.at_ms), step.what + (f"; and {counted(step.more, 'time')} more" if step.more else "")) for step in found.learnt
    ]
