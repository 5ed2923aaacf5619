"""What a caller asked for, checked: every mistake names the field, the value and what would be right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final, cast, get_args
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from monitor.config.quantities import duration_ms
from monitor.incident import Answer, AnswerKind
from monitor.outlook import Occasion
from monitor.phrases import span
from monitor.standing import Expected

LONGEST_WHO: Final = 200
LONGEST_NOTE: Final = 4_000
MOST_ANSWERS: Final = 100  # to one incident: each is kept for good
MOST_EVENTS: Final = 200  # in one calendar: each is looked at with every window, and saved with it
FORM: Final = "application/x-www-form-urlencoded"
LAST_MS: Final = 32_503_680_000_000  # the year 3000: what lies beyond cannot be written down in every zone
ANSWERS: Final[tuple[str, ...]] = get_args(AnswerKind)


class BadRequest(Exception):  # noqa: N818 - named after the answer it becomes
    """A mistake of the caller: becomes a JSON answer (or a page, for a form) with this status."""

    def __init__(self, field: str, value: object, right: str, status: int = 400) -> None:
        self.field, self.value, self.right, self.status = field, str(value)[:200], right, status
        super().__init__(f"{field}: {self.value!r}; right would be: {right}")

    def as_json(self) -> dict[str, str]:
        return {"error": str(self), "field": self.field, "value": self.value, "right": self.right}


@dataclass(frozen=True, slots=True)
class DeploymentAsk:
    version: str
    who: str
    note: str


def is_form(request: Request) -> bool:
    """Whether a page's form sent this: a browser sends these two (and text/plain) across sites without asking first."""
    return media_type(request) in (FORM, "multipart/form-data", "text/plain")


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def fields_of(request: Request) -> Mapping[str, Any]:
    """The body as named fields: a JSON object from programs, a form from pages."""
    kind = media_type(request)
    if kind == FORM:
        try:
            pairs = parse_qsl((await request.body()).decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict")
        except ValueError as error:  # too many fields, or bytes that are not UTF-8
            raise BadRequest("body", error, "at most 20 form fields in UTF-8") from None
        if len(dict(pairs)) < len(pairs):
            raise BadRequest("body", ", ".join(name for name, _ in pairs), "each field once")
        return dict(pairs)
    if kind != "application/json":
        raise BadRequest("Content-Type", kind, f"application/json (or {FORM} from a page)", 415)
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("body", str(error), "a JSON object") from None
    if not isinstance(body, dict):
        raise BadRequest("body", type(body).__name__, "a JSON object")
    return body


def answer_ask(body: Mapping[str, Any], onset_ms: int = 0, zone: tzinfo | None = None, given: int = 0) -> Answer:
    """The four answers of an owner to what began at `onset_ms`; whoever takes it stamps it. `zone`: of times that name none (forms).
    `given`: how many answers it has, since no incident is answered for ever.

    >>> answer_ask({"answer": "false", "who": "mira"})
    Answer(kind='false', who='mira', note='', at_ms=0, until_ms=None, every_ms=None)
    """
    _only(body, ("answer", "who", "note", "until", "every", "token"))
    kind = body.get("answer")
    if given >= MOST_ANSWERS:
        raise BadRequest("answer", kind, f"no further one: there are {given} already, and all of them are kept", 409)
    if kind not in ANSWERS:
        raise BadRequest("answer", kind, "one of " + ", ".join(ANSWERS))
    who, note = _text(body, "who", LONGEST_WHO, required=True), _text(body, "note", LONGEST_NOTE)
    until_ms, every_ms = _moment(body, "until", zone), _length(body, "every")
    for field, value in (("until", until_ms), ("every", every_ms)):
        if value is not None and kind != "expected":
            raise BadRequest(field, body[field], "nothing: only an expected event has an end and comes again")
    if every_ms is not None and until_ms is None:
        raise BadRequest("until", "", "the end of the event: what comes again must have one")
    _lasting(body, onset_ms, until_ms, every_ms, "the time at which it began")
    return Answer(cast(AnswerKind, kind), who, note, 0, until_ms, every_ms)


def expected_ask(body: Mapping[str, Any], subjects: Collection[str], zone: tzinfo | None = None, known: int = 0, over: int = 0) -> Expected:
    """An event that is announced: from when until when, whether it comes again, and whom it touches (nobody named: every subject).
    `known`: how many lie ahead or are on, `over`: how many are kept besides them; what an answer adds counts, and is never refused.

    >>> ask = {"from": "2026-12-24T18:00Z", "until": "2026-12-27T06:00Z", "every": "52w", "who": "ops"}
    >>> expected_ask(ask, ()).every_ms
    31449600000
    """
    _only(body, ("from", "until", "every", "subjects", "who", "note", "token"))
    if known + over >= MOST_EVENTS:
        kept = f", and {over} that are over are kept for 28 days, since nothing is learnt from their time" if over else ""
        right = f"no further event: {known} are announced already{kept}; call one off first, or announce with `every` what comes again"
        raise BadRequest("from", body.get("from"), right, 409)
    from_ms, until_ms, every_ms = _moment(body, "from", zone), _moment(body, "until", zone), _length(body, "every")
    if from_ms is None or until_ms is None:
        raise BadRequest("from" if from_ms is None else "until", "", "a time such as 2026-12-24T18:00Z")
    _lasting(body, from_ms, until_ms, every_ms, "`from`")
    named = _names(body)
    if any(name not in subjects for name in named):
        raise BadRequest("subjects", named, "some of " + ", ".join(sorted(subjects)))
    who, note = _text(body, "who", LONGEST_WHO, required=True), _text(body, "note", LONGEST_NOTE)
    return Expected(from_ms, until_ms, every_ms, tuple(dict.fromkeys(named)), who, note)


def withdrawal_ask(body: Mapping[str, Any], calendar: Sequence[Occasion]) -> Expected:
    """An announced event is called off: the one that begins at `from` (where several do: with these subjects), as one of no length."""
    _only(body, ("from", "subjects", "who", "note", "token"))
    from_ms, named = _moment(body, "from", None), _names(body)
    found = [event for event in calendar if event.from_ms == from_ms]
    if len(found) > 1 or named:  # of a form's one line of names, one may hold a comma
        found = [event for event in found if list(event.subjects) == named or ", ".join(event.subjects) == body.get("subjects")]
    if len(found) != 1:
        known = [f"{event.from_ms} ms" + (f" ({', '.join(event.subjects)})" if event.subjects else "") for event in calendar]
        raise BadRequest("from", body.get("from"), "the beginning of an announced event: " + ("; ".join(known) or "there is none"), 404)
    who, note = _text(body, "who", LONGEST_WHO, required=True), _text(body, "note", LONGEST_NOTE)
    return Expected(found[0].from_ms, found[0].from_ms, None, found[0].subjects, who, note)


def deployment_ask(body: Mapping[str, Any]) -> DeploymentAsk:
    """A new version has been deployed: levels on the prediction side may move.

    >>> deployment_ask({"version": "7", "who": "ci"})
    DeploymentAsk(version='7', who='ci', note='')
    """
    _only(body, ("version", "who", "note", "token"))
    return DeploymentAsk(
        _text(body, "version", LONGEST_WHO, required=True),
        _text(body, "who", LONGEST_WHO, required=True),
        _text(body, "note", LONGEST_NOTE),
    )


def query_ask(query: Mapping[str, str], *known: str) -> Mapping[str, str]:
    """The query string, where it asks for nothing that is not there: a span that was passed over would look like an answer.

    >>> query_ask({"limit": "3"}, "limit")
    {'limit': '3'}
    """
    for key in query:
        if key not in known:
            raise BadRequest(
                key, query[key], ("one of the parameters " + ", ".join(known)) if known else "no parameters: there are none here"
            )
    return query


def number_ask(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number from the query string, within its bounds."""
    text = query.get(name)
    if text is None:
        return default
    # isdecimal: str.isdigit takes superscripts, which int() does not
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and low <= int(text) <= high):
        raise BadRequest(name, text, f"a whole number from {low} to {high}")
    return int(text)


def _only(body: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in body:
        if key not in known:
            raise BadRequest(key, body[key], "one of the fields " + ", ".join(k for k in known if k != "token"))


def _text(body: Mapping[str, Any], field: str, longest: int, required: bool = False) -> str:
    value = body.get(field, "")
    if not isinstance(value, str) or len(value) > longest or (required and not value.strip()):
        raise BadRequest(field, value, f"text of {'1' if required else '0'} to {longest} characters")
    return value.strip()


def _names(body: Mapping[str, Any]) -> list[str]:
    """Names of subjects: a list, or one line of a form, with commas."""
    named = body.get("subjects", [])
    if isinstance(named, str):
        return [name.strip() for name in named.split(",") if name.strip()]
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise BadRequest("subjects", named, "a list of names")
    return named


def _lasting(body: Mapping[str, Any], from_ms: int, until_ms: int | None, every_ms: int | None, begins: str) -> None:
    """An event ends after it began, and before it comes again: one that did not would never be over."""
    if until_ms is not None and until_ms <= from_ms:
        raise BadRequest("until", body["until"], f"a time after {begins}")
    if until_ms is not None and every_ms is not None and every_ms < until_ms - from_ms:
        raise BadRequest("every", body["every"], f"at least as long as the event itself, {span(until_ms - from_ms)}")


def _moment(body: Mapping[str, Any], field: str, zone: tzinfo | None) -> int | None:
    """A point in time in UTC milliseconds; None where it is left out or left empty (a form's field)."""
    value = body.get(field)
    if value is None or value == "":
        return None
    try:
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=zone) if at.tzinfo is None else at
        if at.tzinfo is None or not 0 <= (time_ms := int(at.timestamp() * 1000)) < LAST_MS:
            raise ValueError("no zone, or far away")
    except (TypeError, ValueError, OverflowError):
        raise BadRequest(field, value, "a time with its zone, such as 2026-12-24T18:00Z") from None
    return time_ms


def _length(body: Mapping[str, Any], field: str) -> int | None:
    """A length of time with its unit; None where it is left out or left empty."""
    value = body.get(field)
    if value is None or value == "":
        return None
    try:
        return duration_ms(value)
    except ValueError as error:
        raise BadRequest(field, value, f"a length of time such as 7d (this {error})") from None
