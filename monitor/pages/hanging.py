"""How the columns hang on a page: a small drawing of bars for each of the most telling ones, a table for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from monitor.phrases import PLACES, counted, span
from monitor.portraits import Bar, Gallery, Portrait, written

DRAWN: Final = 12  # columns with a drawing: those that carry the evidence or have moved; the rest stand in a table
LEAST: Final = 3  # of what is all as usual, so that it can be seen
WIDTH, HEIGHT = 300.0, 128.0
LEFT, RIGHT, TOP, FLOOR = 40.0, 296.0, 8.0, 104.0
LETTER: Final = 7.0  # width of a digit of a label, in drawing units, with room to spare
NOTHING: Final = 0.005  # share of events, and shift in sd, that are as usual
LITTLE: Final = 0.05
MUCH: Final = 0.05  # share of events beyond what is known from which on that is named first


@dataclass(frozen=True, slots=True)
class Pair:
    """Two bars on one foot: places and heights in drawing units; `beyond` where the reference hardly had a value."""

    x: float
    width: float
    normal_y: float
    normal_height: float
    now_y: float
    now_height: float
    beyond: bool
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    text: str
    anchor: str  # "start" | "middle" | "end"


@dataclass(frozen=True, slots=True)
class Level:
    """One category as a row: its name, widths of its two bars (0 to 100), and both shares in words."""

    name: str
    normal: float
    now: float
    normal_text: str
    now_text: str
    beyond: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """One column. `pairs` for numbers, `levels` for names; `lacking` says which events have no value, where that is unusual or common."""

    before: str
    name: str
    said: str
    term: str
    leads: bool
    summary: str
    pairs: tuple[Pair, ...]
    labels: tuple[Label, ...]
    top: str
    levels: tuple[Level, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table of the others."""

    before: str
    name: str
    moved: str
    shift: str
    psi: str


@dataclass(frozen=True, slots=True)
class Wall:
    """What a page shows of a gallery: `stretch` says of which windows, `why` what is shown instead."""

    pictures: tuple[Picture, ...]
    others: tuple[Line, ...]
    stretch: str
    why: str


def wall(gallery: Gallery, window_ms: int) -> Wall:
    """The pictures and the table of one gallery."""
    telling = sum(p.leads or p.moved >= NOTHING for p in gallery.columns)  # they come first
    drawn = gallery.columns[: min(DRAWN, max(LEAST, telling))]
    events = max((p.events for p in gallery.columns), default=0)
    stretch = f"{counted(gallery.windows, 'window')} of {span(window_ms)}, {counted(events, 'event')}"
    return Wall(tuple(_picture(p) for p in drawn), tuple(_line(p) for p in gallery.columns[len(drawn) :]), stretch, gallery.why)


def share(value: float) -> str:
    """A share in per cent, with as many digits as it has something to say.

    >>> share(0.314), share(0.0123), share(0.00004), share(0.0), share(1.0)
    ('31 %', '1.2 %', 'under 0.1 %', '0 %', '100 %')
    """
    percent = 100 * value
    if 0 < percent < 0.1:
        return "under 0.1 %"
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.1f} %"


def titled(portrait: Portrait) -> tuple[str, str]:
    """What a column is, in words before its name.

    >>> titled(Portrait("frame.noise", "frame", "noise", "images", "numeric", 9, 0.0, None, None, False, ()))
    ('noise in pictures of ', 'frame')
    """
    thing = portrait.statistic.replace("_", " ")
    return (f"{thing} {PLACES.get(portrait.group, 'of')} " if thing else ""), portrait.subject


def said(portrait: Portrait) -> str:
    """How far a column has moved, in words.

    >>> said(Portrait("speed", "speed", "", "inputs", "numeric", 9, 0.468, 1.39, 1.47, True, ()))
    '47 % of events lie elsewhere than usual; on average 1.5 sd higher'
    """
    if portrait.moved < NOTHING:
        return "as usual, within chance"
    text = f"{share(portrait.moved)} of events lie elsewhere than usual"
    if portrait.shift is not None and abs(portrait.shift) >= LITTLE:
        text += f"; on average {abs(portrait.shift):.1f} sd {'higher' if portrait.shift > 0 else 'lower'}"
    return text


def _picture(portrait: Portrait) -> Picture:
    before, name = titled(portrait)
    lacking = tuple(f"{bar.label}: {share(bar.now)}, usually {share(bar.normal)}" for bar in portrait.bars if bar.place == "none")
    shown = [bar for bar in portrait.bars if bar.place != "none"]
    most = max((max(bar.normal, bar.now) for bar in shown), default=0.0)
    numeric = portrait.kind == "numeric"
    pairs = _pairs(shown, most) if numeric else ()
    told = "; ".join(f"{bar.label}: {share(bar.now)}, usually {share(bar.normal)}" for bar in shown[:14])
    return Picture(
        before, name, said(portrait), "" if portrait.psi is None else f"PSI {portrait.psi:.2f}", portrait.leads,
        f"{before}{name}: {said(portrait)}. {told}", pairs, _labels(portrait, shown, pairs) if numeric else (), share(most),
        () if numeric else tuple(_level(bar, most) for bar in shown), lacking,
    )  # fmt: skip


def _pairs(shown: Sequence[Bar], most: float) -> tuple[Pair, ...]:
    """Bars side by side on one foot; what the reference hardly had stands a little apart."""
    gap = 5.0
    apart = sum(a.place != b.place for a, b in pairwise(shown))
    step = (RIGHT - LEFT - gap * apart) / max(1, len(shown))
    out, x = [], LEFT
    for index, bar in enumerate(shown):
        if index and bar.place != shown[index - 1].place:
            x += gap
        heights = [round((FLOOR - TOP) * value / most, 1) if most else 0.0 for value in (bar.normal, bar.now)]
        title = f"{bar.label}: {share(bar.now)}, usually {share(bar.normal)}"
        out.append(Pair(
            round(x, 1), round(step, 1), round(FLOOR - heights[0], 1), heights[0], round(FLOOR - heights[1], 1), heights[1],
            bar.place == "beyond", title,
        ))  # fmt: skip
        x += step
    return tuple(out)


def _labels(portrait: Portrait, shown: Sequence[Bar], pairs: Sequence[Pair]) -> tuple[Label, ...]:
    """Cut points under the bars, as many as there is room for: the ends first, then those between, from the middle outwards."""
    values = [pair for bar, pair in zip(shown, pairs, strict=True) if bar.place == "value"]
    if not values:
        return tuple(Label(pair.x + pair.width / 2, bar.label, "middle") for bar, pair in zip(shown, pairs, strict=True))
    if portrait.cuts:
        texts = written(portrait.cuts)
        marks = [(pair.x, text) for pair, text in zip(values, texts, strict=False)]
        marks.append((values[-1].x + values[-1].width, texts[-1]))
    else:
        marks = [(p.x + p.width / 2, bar.label) for bar, p in zip([b for b in shown if b.place == "value"], values, strict=True)]
    last = len(marks) - 1
    apart = [
        (bar.now, p.x + p.width / 2, "lower" if p.x < values[0].x else "higher") for bar, p in zip(shown, pairs, strict=True) if p.beyond
    ]
    marks += [(x, text) for _, x, text in apart]
    named = [last + 1 + i for i in range(len(apart))]
    much = [i for i, (now, _, _) in zip(named, apart, strict=True) if now >= MUCH]  # remarkable: named before any number
    order = [*much, 0, last, *named, *sorted(range(1, last), key=lambda i: (abs(i - last / 2), i))]
    taken: list[tuple[float, float]] = []
    out = []
    for index in dict.fromkeys(order):
        x, text = marks[index]
        half = LETTER * len(text) / 2
        a, b = x - half, x + half
        anchor = "start" if a < LEFT - 6 else "end" if b > WIDTH else "middle"
        a, b = (x, x + 2 * half) if anchor == "start" else (x - 2 * half, x) if anchor == "end" else (a, b)
        if all(b + 6 < c or d + 6 < a for c, d in taken):
            taken.append((a, b))
            out.append(Label(round(x, 1), text, anchor))
    return tuple(out)


def _level(bar: Bar, most: float) -> Level:
    normal, now = (round(100 * value / most, 1) if most else 0.0 for value in (bar.normal, bar.now))
    return Level(bar.label, normal, now, share(bar.normal), share(bar.now), bar.place == "beyond")


def _line(portrait: Portrait) -> Line:
    before, name = titled(portrait)
    moved = share(portrait.moved) if portrait.moved >= NOTHING else "as usual"
    shift = "" if portrait.shift is None else f"{portrait.shift:+.2f} sd"
    return Line(before, name, moved, shift, "" if portrait.psi is None else f"{portrait.psi:.2f}")
