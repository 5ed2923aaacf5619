"""Who may write: a token off loopback, no foreign page behind somebody's browser, no body that fills the memory.

Reading is open to whoever reaches the port, as with any exporter. A write changes what pages and when, so:

1. a browser must have been on this very site (`Sec-Fetch-Site`, `Origin`); programs send neither and are let through;
2. a form without either header is refused: every browser that can post a form sends at least one;
3. on loopback the `Host` must be a loopback name: a foreign page whose name was re-pointed to 127.0.0.1 is same-origin
   with itself, and only its name gives it away;
4. off loopback, or where `http.token_file` or `http.token` is set, the token must come along: `Authorization: Bearer ...`
   or the form's field.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.errors import Misconfigured
from monitor.plan import Http
from monitor.secrets import read_secret, reveal

HEADER_BYTES: Final = 16 * 1024
BODY_BYTES: Final = 64 * 1024
BODY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away: HTTP status, the header or field at fault, its value, and what would be right."""

    status: int
    field: str
    value: str
    right: str


def is_loopback(host: str) -> bool:
    """Whether a name or address can only be reached from this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def needs_token(http: Http) -> bool:
    """Whether writes have to show the token: off loopback always, on loopback where there is one."""
    return not is_loopback(http.bind) or http.token_file is not None or http.token is not None


def refuse_write(http: Http, headers: Mapping[str, str], form: Mapping[str, str] | None, token: str | None) -> Refusal | None:
    """None when a write may pass. `headers` with lower-case names; `form` only for form posts; `token` what the token file holds."""
    foreign = _refuse_foreign(http, headers, form is not None)
    if foreign is not None:
        return foreign
    if not needs_token(http):
        return None
    if token is None:
        right = "a readable http.token_file, or http.token with ${NAME} that is set; without a token writes are only taken on loopback"
        return Refusal(403, "http.token", http.token_file or http.token or "", right)
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        given = (form or {}).get("token", "")
    if not hmac.compare_digest(given.strip().encode(), token.encode()):
        return Refusal(
            401, "token", "", "the token of the configuration (http.token_file), as 'Authorization: Bearer ...' or in the form's field"
        )
    return None


def host_name(netloc: str) -> str:
    """The name in a Host header; "" where it cannot be read.

    >>> host_name("[::1]:9740"), host_name("[")
    ('::1', '')
    """
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _refuse_foreign(http: Http, headers: Mapping[str, str], is_form: bool) -> Refusal | None:
    host = headers.get("host", "")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    external = urlsplit(http.external_url or "")
    ours = is_loopback(host_name(host)) or (host != "" and host == external.netloc)
    if is_loopback(http.bind) and not ours:
        return Refusal(403, "Host", host, f"localhost, a loopback address or {external.netloc or 'the host of http.external_url'}")
    if site is not None and site not in ("same-origin", "none"):
        return Refusal(403, "Sec-Fetch-Site", site, "same-origin: answer on raincheck's own page")
    if origin is not None and origin not in (f"http://{host}", f"https://{host}", f"{external.scheme}://{external.netloc}"):
        return Refusal(403, "Origin", origin, f"http://{host}: answer on raincheck's own page")
    if is_form and origin is None and site is None:
        return Refusal(403, "Origin", "", "a browser's form sends Origin; programs send application/json")
    return None


def read_token(http: Http) -> str | None:
    """The token, read at use so that it can be changed without a restart; None where there is none or it cannot be read."""
    try:
        if http.token_file is not None:
            return read_secret(http.token_file)
        return reveal(http.token).strip() or None if http.token is not None else None
    except Misconfigured:
        return None


def head_bytes(scope: Scope) -> int:
    """Size of what a request asks for and of its headers: a head that comes whole is not limited by whoever reads it in pieces."""
    return len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(name) + len(value) for name, value in scope["headers"])


class BodyLimit:
    """Reads the whole body before the application sees the request: at most 64 kB, within ten seconds, after a head of 16 kB."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if head_bytes(scope) > HEADER_BYTES:
            await _plain(send, 431, f"path, query and headers are larger than {HEADER_BYTES} bytes")
            return
        names = [name for name, _ in scope["headers"]]
        if names.count(b"host") > 1:  # whichever of them were believed, a foreign page's name might pass as ours
            await _plain(send, 400, "more than one Host header")
            return
        if b"host" not in names and scope["http_version"] == "1.1":
            await _plain(send, 400, "no Host header; HTTP/1.1 asks for one")
            return
        if b"content-length" not in names and b"transfer-encoding" not in names:  # no body can come
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):  # wait_for would make a task of it, for every request
                body = await self._read(scope, receive)
        except TimeoutError:
            await _plain(send, 408, f"the body did not arrive within {BODY_SECONDS:g} s")
            return
        if body is None:
            await _plain(send, 413, f"the body is larger than {BODY_BYTES} bytes")
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > BODY_BYTES:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > BODY_BYTES:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


async def _plain(send: Send, status: int, text: str) -> None:
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
