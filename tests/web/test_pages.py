"""What people see: nobody's name becomes markup, no page needs a script, every state is said in words, the form answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest

from monitor.incident import Answer, Incident
from monitor.pages.views import headline
from monitor.plan import Http, Owner
from monitor.standing import Expected, Standing
from monitor.verdict import Subject
from tests.web.fake_desk import NOW_MS, FakeDesk, believable, history, model, view

HOSTILE = "<script>alert('x')</script>\"&{{ 7919*7907 }}"
VOID = {"meta", "link", "input", "br", "hr", "img"}


class Reading(HTMLParser):
    """A page as a parser sees it: tags with attributes, text, and whether every tag was closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(client: httpx.Client, path: str, status: int = 200) -> Reading:
    answer = client.get(path)
    assert answer.status_code == status
    page = Reading(answer.text)
    assert page.open == [], "every tag is closed"
    return page


def page_of(desk: FakeDesk) -> str:
    return next(i.id for i in desk.known if i.severity == "page" and i.resolved_ms is None)


def every_path(desk: FakeDesk) -> list[str]:
    models = [f"/models/{quote(v.name, safe='')}" for v in desk.models()]
    queries = [f"{m}{query}" for m in models for query in ("?span=30d", "?announce=now")]
    return ["/", "/nothing", *models, *queries, *[f"/incidents/{quote(i.id, safe='')}" for i in desk.incidents()]]


def test_no_page_holds_a_script_or_a_style_of_its_own(client: httpx.Client, desk: FakeDesk) -> None:
    for path in every_path(desk):
        page = read(client, path, 404 if path == "/nothing" else 200)
        assert page.all("script") == []
        assert page.all("style") == []
        for tag, attributes in page.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (path, tag)
        assert all(not (link.get("href") or "").startswith(("http", "//")) for link in page.all("link")), (
            "nothing is fetched from elsewhere"
        )


def test_pages_are_named_labelled_and_have_one_heading(client: httpx.Client, desk: FakeDesk) -> None:
    for path in every_path(desk):
        page = read(client, path, 404 if path == "/nothing" else 200)
        assert len(page.all("h1")) == 1
        assert page.all("html")[0]["lang"] == "en"
        for drawing in page.all("svg"):
            assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label"), (path, drawing)
        identifiers = [a["id"] for _, a in page.tags if "id" in a]
        assert len(identifiers) == len(set(identifiers)), "an id stands once"


def hostile_desk() -> FakeDesk:
    """The believable desk, but everything somebody could name is named by an attacker."""
    desk = believable()
    name, owner = HOSTILE, HOSTILE + "team"
    models = {**desk.plan.models, name: replace(model(name, owner), runbook="javascript:alert(1)")}
    desk.plan = replace(desk.plan, models=models, owners={**desk.plan.owners, owner: Owner(owner)})
    desk.verdicts[name] = [replace(v, versions=(HOSTILE,)) for v in history(name, 1, 1)]
    subject = Subject(HOSTILE, HOSTILE, HOSTILE, "changed", 1.0, HOSTILE, 1.0, NOW_MS)
    answer = Answer("false", HOSTILE, HOSTILE, NOW_MS)
    desk.known.append(
        Incident(f"{HOSTILE}-page", name, owner, "page", "statistical", NOW_MS, NOW_MS, (subject,), 5.0, 4.0, HOSTILE, answers=(answer,))
    )
    desk.known.append(Incident(f"{HOSTILE}-rule", name, owner, "page", "rule", NOW_MS, NOW_MS, (), 0.0, 0.0, HOSTILE, rule=HOSTILE))
    event = Expected(NOW_MS - 1, NOW_MS + 1, None, (HOSTILE,), HOSTILE, HOSTILE)
    desk.standings[name] = Standing(stage="judging", next_ms=NOW_MS, calendar=(event,), version=HOSTILE, deployed_ms=NOW_MS)
    desk.views.append(replace(view(desk, name), reference=HOSTILE, mode=HOSTILE))
    return desk


def test_a_hostile_name_stays_text_everywhere(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = hostile_desk()
    client = serve(desk)
    shown = 0
    for path in every_path(desk):
        text = client.get(path).text
        page = Reading(text)
        assert page.open == []
        assert page.all("script") == []
        assert "<script" not in text
        assert str(7919 * 7907) not in page.text, "a template in a name is not evaluated"
        assert not [a for _, a in page.tags if any((v or "").strip().lower().startswith("javascript:") for v in a.values())]
        shown += page.text.count("<script>alert('x')</script>")
    assert shown >= 8, "it is shown as what it is"


def test_hostile_names_survive_the_way_through_an_address(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = hostile_desk()
    client = serve(desk)
    key = next(i.id for i in desk.known if i.model == HOSTILE)
    body = {"answer": "false", "who": HOSTILE, "note": HOSTILE}
    answer = client.post(f"/api/v1/incidents/{quote(key, safe='')}/answer", json=body)
    assert answer.status_code == 200
    assert answer.json()["answers"][-1]["note"] == HOSTILE


def test_what_a_missing_path_was_is_said_without_becoming_markup(client: httpx.Client) -> None:
    page = read(client, "/" + quote("<script>alert(1)</script>"), 404)
    assert "<script>alert(1)</script>" in page.text
    assert page.all("script") == []


def test_the_fleet_shows_who_needs_somebody_first_and_says_it_in_words(client: httpx.Client) -> None:
    page = read(client, "/")
    order = [page.text.index(name) for name in ("traffic-light", "delivery-times", "route-choice", "parking-spots", "card-fraud")]
    assert order == sorted(order)
    for words in ("page open", "ticket open", "no fresh data", "learning", "43 %", "quiet", "vision-team", "3 h ago"):
        assert words in page.text, words
    assert "noise in pictures of frame is up by 2.3 sd" in page.text


@pytest.mark.parametrize(("unit", "meaning"), [("sd", "sd: standard deviations"), ("PSI", "PSI: population stability index")])
def test_no_page_tells_a_size_in_a_unit_that_it_does_not_explain(unit: str, meaning: str, client: httpx.Client, desk: FakeDesk) -> None:
    """In words that stand there: a telephone has no pointer to ask with."""
    paths = ["/", *(f"/models/{quote(view.name)}" for view in desk.models()), *(f"/incidents/{quote(i.id, safe='')}" for i in desk.known)]
    told = {path: read(client, path).text for path in paths}
    using = {path for path, text in told.items() if re.search(rf"\d {unit}\b", text)}
    assert using, "else nothing was seen"
    assert {path for path in using if meaning not in told[path]} == set()


def test_an_empty_fleet_is_no_error(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable()
    desk.views = []
    assert "No model is watched." in read(serve(desk), "/").text


def test_a_model_without_any_window_has_a_page(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable()
    desk.verdicts["card-fraud"] = []
    desk.views = [
        replace(v, last=None, watermark_ms=None, stage="learning", learnt=0.0) if v.name == "card-fraud" else v for v in desk.views
    ]
    client = serve(desk)
    assert "no data yet" in read(client, "/").text
    assert "Nothing has been judged in this time." in client.get("/models/card-fraud").text


def test_the_model_page_draws_evidence_pages_and_the_extra_line(client: httpx.Client) -> None:
    page = read(client, "/models/traffic-light?span=24h")
    charts = [d for d in page.all("svg") if (d.get("class") or "").startswith("chart")]
    assert [c["class"] for c in charts] == ["chart wide", "chart middle", "chart narrow"]
    assert page.text.count("true accuracy of the classifier") == 3
    assert "page 15:05" in page.text, "the flag, in the model's own time"
    assert "1 false page in 30 days" in page.text
    assert page.all("meta")[-1] == {"http-equiv": "refresh", "content": "20"}


def test_no_span_is_offered_that_windows_in_memory_cannot_fill(client: httpx.Client) -> None:
    """A link to a longer one, from before, leads to the longest."""
    page = read(client, "/models/traffic-light?span=30d")
    links = {a.get("href"): a.get("aria-current") for a in page.all("a") if (a.get("href") or "").startswith("?span=")}
    assert list(links) == ["?span=6h", "?span=24h", "?span=7d", "?span=13d"]
    assert [href for href, current in links.items() if current] == ["?span=13d"]


def test_learning_is_shaded(client: httpx.Client) -> None:
    page = read(client, "/models/card-fraud?span=7d")
    assert any((r.get("class") or "") == "band learning" for r in page.all("rect"))
    assert "learning what is normal" in page.text
    assert not any("learning" in (r.get("class") or "") for r in read(client, "/models/card-fraud?span=24h").all("rect"))


def test_a_grey_stretch_is_explained_beside_the_chart_and_to_screen_readers(client: httpx.Client, desk: FakeDesk) -> None:
    page = next(i for i in desk.known if i.severity == "page" and i.resolved_ms is None)
    paths = [f"/models/{page.model}", f"/incidents/{page.id}"]
    assert [("grey:" in read(client, path).text) for path in paths] == [False, False], "where nothing is missing, nothing is said"
    desk.verdicts[page.model] = [
        replace(v, partial=True, lacks=(f"{HOSTILE}/0: retention",)) if v.start_ms <= page.onset_ms < v.end_ms else v
        for v in desk.verdicts[page.model]
    ]
    words = f"events may be missing: {HOSTILE}/0 (deleted before they were read)"
    for path in paths:
        found = read(client, path)
        assert f"grey: {' '.join(words.split())}" in found.text
        charts = [d for d in found.all("svg") if (d.get("class") or "").startswith("chart")]
        assert len(charts) == 3
        assert all(f"Grey, {words}." in (c["aria-label"] or "") for c in charts)


def test_the_incident_page_says_what_since_when_and_on_what_evidence(client: httpx.Client, desk: FakeDesk) -> None:
    page = read(client, f"/incidents/{page_of(desk)}")
    for words in (
        "noise in pictures of frame is up by 2.3 sd",
        "since 14:50",
        "vision-team",
        "58 %",
        "the threshold is once in 90 days",
        "1241 events",
    ):
        assert words in page.text, words
    assert {"href": "https://wiki.example/traffic-light", "class": "runbook", "rel": "noreferrer"} in page.all("a")
    assert not [m for m in page.all("meta") if m.get("http-equiv") == "refresh"], "a form that is being filled in is not reloaded"


def test_the_form_offers_the_four_answers_each_explained(client: httpx.Client, desk: FakeDesk) -> None:
    page = read(client, f"/incidents/{page_of(desk)}")
    radios = [i["value"] for i in page.all("input") if i.get("type") == "radio"]
    assert radios == ["false", "fixed", "normal", "expected"]
    fields = [i for i in page.all("input") + page.all("textarea") if i.get("type") != "hidden"]
    assert len(page.all("label")) == len(fields), "every field has a label"
    assert {"until", "every"} <= {i.get("name") for i in fields}
    assert not [i for i in page.all("input") if i.get("name") == "token"], "on loopback nobody is asked for a token"


def test_answering_by_form_needs_no_script_and_a_reload_answers_nothing_twice(client: httpx.Client, desk: FakeDesk) -> None:
    key = page_of(desk)
    origin = {"origin": str(client.base_url).rstrip("/")}
    answer = client.post(f"/incidents/{key}/answer", data={"answer": "false", "who": "Mira", "note": "fog & <b>rain</b>"}, headers=origin)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/incidents/{key}"
    page = read(client, answer.headers["location"])
    assert "Mira answered False page" in page.text
    assert "fog & <b>rain</b>" in page.text


@pytest.mark.parametrize(
    ("data", "headers", "status", "because"),
    [
        ({"who": "Mira"}, {"sec-fetch-site": "same-origin"}, 400, "no answer chosen"),
        ({"answer": "false", "who": "Mira"}, {}, 403, "no sign of where the form stood"),
        ({"answer": "false", "who": "Mira"}, {"origin": "https://evil.example"}, 403, "a foreign page's form"),
        ({"answer": "false", "who": "Mira"}, {"sec-fetch-site": "cross-site"}, 403, "a foreign page's form"),
        ({"answer": "false", "who": "Mira"}, {"sec-fetch-site": "same-origin", "host": "evil.example"}, 403, "a re-pointed name"),
    ],
)
def test_a_form_that_may_not_answer_gets_a_page_that_says_why(
    client: httpx.Client, desk: FakeDesk, data: dict[str, str], headers: dict[str, str], status: int, because: str
) -> None:
    answer = client.post(f"/incidents/{page_of(desk)}/answer", data=data, headers=headers)
    assert answer.status_code == status, because
    assert answer.headers["content-type"].startswith("text/html")
    assert "Right would be" in answer.text
    assert not any(i.answers for i in desk.known if i.resolved_ms is None)


def test_off_loopback_the_form_asks_for_the_token(serve: Callable[[FakeDesk], httpx.Client]) -> None:
    desk = believable(Http(bind="0.0.0.0", token_file="not/there"))
    page = read(serve(desk), f"/incidents/{page_of(desk)}")
    assert [i.get("type") for i in page.all("input") if i.get("name") == "token"] == ["password"]


def test_the_style_sheet_is_cached_under_a_name_that_changes_with_it(client: httpx.Client) -> None:
    (link,) = [link for link in read(client, "/").all("link") if link.get("rel") == "stylesheet"]
    answer = client.get(link["href"] or "")
    assert "immutable" in answer.headers["cache-control"]
    assert "prefers-color-scheme: dark" in answer.text
    assert re.search(r"\?v=[0-9a-f]{10}$", link["href"] or "")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "quiet", "page", "ticket", "calm", "learn", "line"])
def test_every_ink_can_be_read_on_the_paper(client: httpx.Client, scheme: str, ink: str) -> None:
    """Contrast of at least 4.5 to 1, as WCAG 2.2 asks for text of ordinary size (1.4.3)."""
    sheet = client.get("/raincheck.css").text
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", blocks[0 if scheme == "light" else 1]))
    for paper in ("paper", "sheet"):
        light, dark = sorted((luminance(colours[ink]), luminance(colours[paper])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_the_pages_draw_columns_before_and_after(client: httpx.Client, desk: FakeDesk) -> None:
    for path, heading in ((f"/incidents/{page_of(desk)}", "Before and after"), ("/models/traffic-light", "Columns: usual and now")):
        page = read(client, path)
        assert heading in page.text
        drawn = [s for s in page.all("svg") if s.get("class") == "histogram"]
        assert str(drawn[0]["aria-label"]).startswith("noise in pictures of frame: "), (
            "what carries the evidence comes first, also for those who listen"
        )
        assert "never seen before" in page.text
        assert "missing: " in page.text
        assert "Since this page began, 14:50 to 15:30: 8 windows of 5 min, 1,241 events." in page.text


def test_where_nothing_is_known_of_the_columns_this_is_said(client: httpx.Client) -> None:
    page = read(client, "/models/parking-spots")
    assert "No reference has been learnt yet: there is nothing to compare with." in page.text
    assert not [s for s in page.all("svg") if s.get("class") == "histogram"]


def test_an_open_incident_says_what_to_do_and_a_closed_one_only_where_the_runbook_is(client: httpx.Client, desk: FakeDesk) -> None:
    for incident in desk.known:
        page = read(client, f"/incidents/{incident.id}")
        assert ("say what it was" in page.text) == (incident.resolved_ms is None)
        runbook = desk.plan.models[incident.model].runbook
        assert (runbook in {a.get("href") for a in page.all("a")}) == (runbook is not None)


def test_the_fleet_says_how_old_the_last_window_is_and_what_would_be_expected(client: httpx.Client) -> None:
    page = read(client, "/")
    assert "last window 3 h ago; expected: 16 min at most" in page.text, "three windows of five minutes, and a minute for what comes late"
    assert page.text.count("expected: ") == 1, "of the others nothing is to be said"


def test_records_that_could_not_be_read_are_told_on_the_fleet_and_as_json(client: httpx.Client, desk: FakeDesk) -> None:
    assert "could not be read" not in read(client, "/").text, "where there are none, nothing is said"
    desk.refused = {"requests": {"no_time": 1200, "not_json": 1}, HOSTILE: {"oversize": 1}}
    text = read(client, "/").text
    assert "Stream requests: 1,201 records could not be read since the start (1,200 no_time, 1 not_json)." in text
    assert "1 record could not be read since the start (1 oversize)." in text
    assert client.get("/api/v1/models").json()["rejected"] == desk.refused


def test_what_befell_raincheck_itself_is_told_on_the_fleet_and_as_json(client: httpx.Client, desk: FakeDesk) -> None:
    assert not [p for p in read(client, "/").all("p") if p.get("class") == "trouble"], "where there is nothing, nothing is said"
    desk.mishaps = {"another_daemon": "spare:12 reads as well; stop one", "offsets_lost": HOSTILE}
    page = read(client, "/")
    assert "Another daemon: spare:12 reads as well; stop one." in page.text
    assert "Offsets lost: " in page.text
    assert len([p for p in page.all("p") if p.get("class") == "trouble"]) == 2
    assert client.get("/api/v1/models").json()["troubles"] == desk.mishaps
    assert client.get("/-/ready").json()["reasons"] == [], "it works; taking it out of service would mend nothing"


def test_one_model_is_asked_for_by_its_name(client: httpx.Client, desk: FakeDesk) -> None:
    every = client.get("/api/v1/models").json()["models"]
    assert [client.get(f"/api/v1/models/{one['name']}").json() for one in every] == every
    assert client.get("/api/v1/models/nobody").status_code == 404


@pytest.mark.parametrize(
    ("message", "heading", "because"),
    [
        ("card-fraud: 100% of `speed` is missing (9 events)", ("100% of ", "speed", " is missing (9 events)"), "a column"),
        ("card-fraud: no events for 15 min", ("no events for 15 min", "", ""), "no column"),
    ],
)
def test_a_rules_heading_has_no_raw_marks_and_no_model(
    message: str, heading: tuple[str, str, str], because: str, client: httpx.Client, desk: FakeDesk
) -> None:
    rule = Incident("rule-1", "card-fraud", "payments", "page", "rule", NOW_MS, NOW_MS, (), 0.0, 0.0, message, 9, "missing:speed")
    assert headline(rule) == heading, because
    desk.known.append(rule)
    text = client.get("/incidents/rule-1").text
    page = text.partition("<main")[2]
    assert "`" not in page
    assert "card-fraud: " not in page
    assert (f"<code>{heading[1]}</code>" in page) == bool(heading[1])


def test_while_the_reference_is_too_short_for_pages_no_page_promises_one(serve: Callable[[FakeDesk], httpx.Client], desk: FakeDesk) -> None:
    desk.verdicts["card-fraud"] = [replace(v, threshold=math.inf) for v in desk.verdicts["card-fraud"]]
    desk.views = [view(desk, "card-fraud")]
    client = serve(desk)
    page = read(client, "/models/card-fraud")
    assert "the reference is too short for pages yet" in page.text
    assert "limit" not in {(line.get("class") or "") for line in page.all("line")}
    assert "page: not yet" in read(client, "/").text
