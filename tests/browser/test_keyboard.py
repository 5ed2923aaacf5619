"""Everything by keyboard alone: each link and control in reading order, always seen, and an answer sent without a mouse."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote

import pytest
from selenium.webdriver.common.keys import Keys

from tests.browser.eye import Eye, Held
from tests.web.fake_desk import FakeDesk, believable

TURNS = 200  # more presses than any page has stops
PATHS = ["/", "/models/traffic-light", "/models/traffic-light?announce=now", "/models/traffic-light/report", "{page}"]
LINE = 24.0  # pixels: what stands in one line is read from left to right


@pytest.fixture
def desk() -> FakeDesk:
    return believable()


def page_of(desk: FakeDesk) -> str:
    return next(i.id for i in desk.known if i.severity == "page" and i.resolved_ms is None)


def walk(eye: Eye) -> list[Held]:
    """What takes the focus, press by press, until it leaves the page."""
    stops: list[Held] = []
    for _ in range(TURNS):
        eye.press(Keys.TAB)
        held = eye.held()
        if held is None or (stops and held.path == stops[0].path):
            return stops
        if not stops or held.path != stops[-1].path:  # day, month and hour of one field are stops of their own
            stops.append(held)
    pytest.fail(f"the focus goes in circles: {[s.name for s in stops[-10:]]}")


@pytest.mark.parametrize("size", ["desk", "phone"])
@pytest.mark.parametrize("path", PATHS)
def test_every_link_and_control_is_reached_in_reading_order_and_seen(
    eye: Eye, serve_to: Callable[[FakeDesk], str], desk: FakeDesk, path: str, size: str
) -> None:
    eye.open(serve_to(desk) + path.format(page=f"/incidents/{quote(page_of(desk), safe='')}"), size)
    stops = walk(eye)
    assert [s.path for s in stops] == eye.reachable()
    assert [s.name for s in stops if not s.outlined] == [], "the focus is always to be seen"
    columns = [(a.name, b.name) for a, b in pairwise(stops[1:]) if b.top < a.top - LINE and b.left <= a.left]
    assert columns == [], "what comes next stands further down, or further to the right"


def test_the_skip_link_comes_first_is_seen_and_leads_to_the_content(eye: Eye, believed: str) -> None:
    eye.open(f"{believed}/models/traffic-light")
    eye.press(Keys.TAB)
    first = eye.held()
    assert first is not None
    assert first.name == "To the content"
    assert first.left >= 0, "it is seen while it has the focus"
    eye.press(Keys.ENTER, Keys.TAB)
    inside = eye.held()
    assert inside is not None
    assert inside.path.startswith("main:"), "the crumbs above the content are left out"


def test_an_answer_is_filled_in_and_sent_with_the_keyboard(eye: Eye, serve_to: Callable[[FakeDesk], str], desk: FakeDesk) -> None:
    key = page_of(desk)
    address = f"{serve_to(desk)}/incidents/{quote(key, safe='')}"
    eye.open(address, "phone")
    to(eye, "input")
    eye.press(Keys.SPACE, Keys.ARROW_DOWN)  # the first of the four, then the second: real, and fixed
    to(eye, "input")
    eye.press(*"Mira")
    to(eye, "textarea")
    eye.press(*"lens wiped")
    to(eye, "button")
    eye.press(Keys.ENTER)
    assert eye.chrome.current_url == address, "back on the page, so that a reload answers nothing twice"
    answered = next(i for i in desk.known if i.id == key)
    assert [(a.kind, a.who, a.note) for a in answered.answers] == [("fixed", "Mira", "lens wiped")]
    assert "lens wiped" in {t.words for t in eye.texts()}


def to(eye: Eye, tag: str) -> None:
    """On to the next control of this kind."""
    for _ in range(TURNS):
        eye.press(Keys.TAB)
        held = eye.held()
        if held is not None and held.path.rpartition("/")[2].startswith(f"{tag}:"):
            return
    pytest.fail(f"no {tag} is reached")
