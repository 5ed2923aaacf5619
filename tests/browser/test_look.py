"""Every page on a desk, a tablet and a telephone, in light and in dark: nothing too wide, too small, too pale, cut or covered."""

from __future__ import annotations

from itertools import combinations, pairwise
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.browser.eye import SIZES, Eye, Text

LETTERS = 12.0  # pixels
TOUCH = 2.0  # pixels that boxes of neighbouring lines may share: they are as high as the tallest letter of their font
CONTRAST = 4.5  # WCAG 2 AA, for text of any size

FAKE = ["/", "/models/traffic-light", "/models/traffic-light?span=30d", "/models/traffic-light?announce=now", "/models/parking-spots",
        "/models/card-fraud", "/models/traffic-light/report", "{page}", "{ticket}", "{resolved}", "{rule}", "/models/nobody"]  # fmt: skip
SHOP = ["/", "/models/shop", "/models/shop/report", "{page}"]


@pytest.fixture(scope="session")
def paths(believed: str, shop_address: str) -> dict[str, dict[str, str]]:
    """Where incidents of each kind are, by address."""
    found: dict[str, dict[str, str]] = {}
    for address in (believed, shop_address):
        incidents = httpx.get(f"{address}/api/v1/incidents", trust_env=False).json()["incidents"]
        kinds = {("resolved" if i["resolved_ms"] else i["severity"]) if i["kind"] == "statistical" else "rule": i["id"] for i in incidents}
        found[address] = {kind: f"/incidents/{quote(key, safe='')}" for kind, key in kinds.items()}
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", FAKE)
def test_a_page_can_be_read(eye: Eye, believed: str, paths: dict[str, dict[str, str]], path: str, size: str, scheme: str) -> None:
    readable(eye, believed, path.format(**paths[believed]), size, scheme)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", SHOP)
def test_a_page_of_a_real_incident_can_be_read(eye: Eye, shop_address: str, paths: dict[str, dict[str, str]], path: str, size: str) -> None:
    readable(eye, shop_address, path.format(**paths[shop_address]), size, "light")


def readable(eye: Eye, address: str, path: str, size: str, scheme: str) -> None:
    eye.open(address + path, size, scheme)
    width, texts = SIZES[size][0], eye.texts()
    assert texts
    assert eye.wider_by() <= 0, "no page is scrolled sideways"
    troubles = {
        "letters are too small": [(t.words, t.letters) for t in texts if t.letters < LETTERS - 0.01],
        "beyond the edge": [t.words for t in texts if t.left < 0 or t.right > width + 0.5],
        "cut off": [t.words for t in texts if t.clipped],
        "too pale": [(t.words, t.contrast) for t in texts if t.contrast < CONTRAST],
        "one covers the other": [(a.words, b.words) for a, b in combinations(texts, 2) if covers(a, b)],
    }
    assert {trouble: where for trouble, where in troubles.items() if where} == {}
    levels = [level for level, _ in eye.headings()]
    assert levels[0] == 1, "a page begins with what it is about"
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), "no level of headings is left out"
    assert eye.fetched() <= {urlsplit(address).netloc, ""}, "nothing is asked of any other host"
    assert [c for c in eye.complaints() if not (path == "/models/nobody" and "404" in c)] == []


def covers(a: Text, b: Text) -> bool:
    return min(a.right, b.right) - max(a.left, b.left) > TOUCH and min(a.bottom, b.bottom) - max(a.top, b.top) > TOUCH + 2


def test_scripts_are_switched_off_in_all_of_this(eye: Eye) -> None:
    eye.open("data:text/html,<h1>before</h1><script>document.querySelector('h1').textContent='after'</script>")
    assert eye.headings() == [(1, "before")]


def test_a_shrunk_letter_an_overlap_and_an_overflow_are_found(eye: Eye) -> None:
    """What the tests above look for is what they see."""
    eye.open(
        "data:text/html,<p style='font-size:8px'>small</p><p style='width:900px;white-space:nowrap'>wide</p>"
        "<div style='position:relative'><b style='position:absolute'>over</b><i>under</i></div><p style='color:silver'>pale</p>"
        "<p style='width:9px;overflow:hidden;white-space:nowrap'>cut off</p>", "phone",
    )  # fmt: skip
    texts = {t.words: t for t in eye.texts()}
    assert eye.wider_by() > 0
    assert texts["small"].letters < LETTERS
    assert covers(texts["over"], texts["under"])
    assert texts["pale"].contrast < CONTRAST
    assert texts["cut off"].clipped
