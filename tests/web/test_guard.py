"""Who may write: a table of callers, each with its reason, and bodies that are too large or too slow."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import monitor.http.guard
from monitor.errors import Misconfigured
from monitor.http import create_app
from monitor.http.guard import BODY_BYTES, is_loopback, read_token, refuse_write
from monitor.plan import Http
from tests.web.fake_desk import FakeDesk, believable

HERE = "127.0.0.1:9740"
OUTSIDE = Http(bind="0.0.0.0", token_file="secrets/api", external_url="https://raincheck.example")
INSIDE = Http(external_url="https://raincheck.example")


@pytest.mark.parametrize(
    ("http", "headers", "form", "status", "because"),
    [
        (Http(), {"host": HERE}, None, None, "a program on this machine"),
        (Http(), {"host": "localhost:9740"}, None, None, "by its usual name"),
        (Http(), {"host": "[::1]:9740"}, None, None, "by its IPv6 address"),
        (Http(), {"host": "evil.example:9740"}, None, 403, "a foreign name that was re-pointed to 127.0.0.1"),
        (Http(), {}, None, 403, "no Host at all"),
        (Http(), {"host": "[::"}, None, 403, "a Host that cannot be read"),
        (INSIDE, {"host": "raincheck.example"}, None, None, "a proxy passes our outside name on"),
        (Http(), {"host": HERE, "origin": f"http://{HERE}"}, {}, None, "our own page in a browser"),
        (Http(), {"host": HERE, "origin": "null"}, {}, 403, "a sandboxed frame or a file"),
        (Http(), {"host": HERE, "origin": "https://evil.example"}, {}, 403, "a foreign page posts to us"),
        (Http(), {"host": HERE, "origin": "http://127.0.0.1:8000"}, {}, 403, "another service on this machine is foreign, too"),
        (Http(), {"host": HERE, "origin": "http://127.0.0.1:97400"}, {}, 403, "a port that only begins like ours"),
        (Http(), {"host": HERE, "sec-fetch-site": "cross-site"}, {}, 403, "the browser says so itself"),
        (Http(), {"host": HERE, "sec-fetch-site": "same-site"}, {}, 403, "a neighbour under the same domain is foreign"),
        (Http(), {"host": HERE, "sec-fetch-site": "same-origin"}, {}, None, "the browser says so itself"),
        (Http(), {"host": HERE}, {}, 403, "a form without either header comes from no browser of today"),
        (Http(), {"host": HERE, "origin": "https://evil.example"}, None, 403, "JSON from a foreign page"),
        (INSIDE, {"host": HERE, "origin": "https://raincheck.example"}, {}, None, "behind a proxy the page has the outside name"),
        (OUTSIDE, {"host": "raincheck.example"}, None, 401, "off loopback without a token"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "Bearer right"}, None, None, "with the token"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "bearer right"}, None, None, "schemes have no case"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "Bearer wrong"}, None, 401, "with another token"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "Basic right"}, None, 401, "with another scheme"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "Bearer "}, None, 401, "with an empty token"),
        (OUTSIDE, {"host": "raincheck.example", "authorization": "Bearer r\u00efght"}, None, 401, "a token outside ASCII is only wrong"),
        (OUTSIDE, {"host": "raincheck.example", "sec-fetch-site": "same-origin"}, {"token": "right"}, None, "the form's field"),
        (OUTSIDE, {"host": "raincheck.example", "sec-fetch-site": "same-origin"}, {"token": "wrong"}, 401, "the form's field, wrong"),
        (
            OUTSIDE,
            {"host": "raincheck.example", "sec-fetch-site": "cross-site"},
            {"token": "right"},
            403,
            "a token does not excuse a foreign page",
        ),
        (Http(token_file="secrets/api"), {"host": HERE}, None, 401, "whoever sets a token wants it asked for, on loopback too"),
    ],
)
def test_who_may_write(http: Http, headers: dict[str, str], form: dict[str, str] | None, status: int | None, because: str) -> None:
    refusal = refuse_write(http, headers, form, "right")
    assert (refusal.status if refusal else None) == status, because
    if refusal is not None:
        assert refusal.field
        assert refusal.right


@pytest.mark.parametrize("token_file", [None, "not/there"])
def test_off_loopback_without_a_readable_token_nobody_may_write(token_file: str | None) -> None:
    http = Http(bind="0.0.0.0", token_file=token_file)
    for given in ("", "None", "right"):
        refusal = refuse_write(http, {"host": "pod:9740", "authorization": f"Bearer {given}"}, None, read_token(http))
        assert refusal is not None
        assert refusal.status == 403
        assert "http.token_file" in refusal.right


@pytest.mark.parametrize(("variable", "token"), [("right", "right"), (" right\n", "right"), (None, None), ("", None)])
def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str | None, token: str | None) -> None:
    monkeypatch.delenv("RAINCHECK_TEST_TOKEN", raising=False)
    if variable is not None:
        monkeypatch.setenv("RAINCHECK_TEST_TOKEN", variable)
    http = Http(token="${RAINCHECK_TEST_TOKEN}")
    assert read_token(http) == token
    refusal = refuse_write(http, {"host": HERE, "authorization": "Bearer right"}, None, read_token(http))
    assert (refusal is None) == (token is not None), "a token that cannot be read lets nobody write"


def test_tls_and_users_are_refused_rather_than_ignored() -> None:
    with pytest.raises(Misconfigured) as caught:
        create_app(believable(Http(web_config="web.yml")), clock=lambda: 0)
    assert caught.value.mistakes[0].field == "http.web_config"


def test_a_token_from_the_environment_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    http = Http(token="${RAINCHECK_TEST_TOKEN}")
    headers = {"host": "127.0.0.1:9740", "authorization": "Bearer right"}
    monkeypatch.delenv("RAINCHECK_TEST_TOKEN", raising=False)
    assert refuse_write(http, headers, None, read_token(http)) is not None, "a variable that is gone opens nothing"
    monkeypatch.setenv("RAINCHECK_TEST_TOKEN", "right")
    assert refuse_write(http, headers, None, read_token(http)) is None
    assert refuse_write(http, headers | {"authorization": "Bearer wrong"}, None, read_token(http)) is not None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *[(name, True) for name in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "LocalHost")],
        *[(name, False) for name in ("0.0.0.0", "::", "10.0.0.1", "", "localhost.evil.example", "127.0.0.1.evil.example")],
    ],
)
def test_loopback_is_known_by_its_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_token_is_read_at_use_and_never_shown(serve: Callable[[FakeDesk], httpx.Client], tmp_path: Path) -> None:
    file = tmp_path / "api"
    file.write_text("first\n")
    desk = believable(Http(bind="0.0.0.0", token_file=str(file)))
    client = serve(desk)
    path, body = "/api/v1/models/card-fraud/deployments", {"version": "7", "who": "ci"}
    refused = client.post(path, json=body)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "first" not in refused.text
    assert client.post(path, json=body, headers={"authorization": "Bearer first"}).status_code == 201
    file.write_text("second\n")
    assert client.post(path, json=body, headers={"authorization": "Bearer first"}).status_code == 401
    assert client.post(path, json=body, headers={"authorization": "Bearer second"}).status_code == 201
    assert client.get("/api/v1/models").status_code == 200, "reading needs no token"


def test_a_large_body_is_refused_declared_or_not(client: httpx.Client) -> None:
    path = "/api/v1/models/card-fraud/deployments"
    assert client.post(path, content=b"x" * (BODY_BYTES + 1), headers={"content-type": "application/json"}).status_code == 413
    undeclared = client.post(path, content=iter([b"x" * 1024] * 65), headers={"content-type": "application/json"})
    assert undeclared.status_code == 413
    just_fits = client.post(path, content=b" " * (BODY_BYTES - 2) + b"{}", headers={"content-type": "application/json"})
    assert just_fits.json()["field"] == "version"


def test_a_body_that_does_not_come_is_not_waited_for(serve: Callable[[FakeDesk], httpx.Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor.http.guard, "BODY_SECONDS", 0.05)
    client = serve(believable())
    url = client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=30) as line:
        head = (
            "POST /api/v1/models/card-fraud/deployments HTTP/1.1",
            f"Host: {url.host}",
            "Content-Type: application/json",
            "Content-Length: 20",
        )
        line.sendall("\r\n".join(head).encode() + b"\r\n\r\n{")
        assert line.recv(64).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("head", "status", "because"),
    [
        ("GET /-/healthy HTTP/1.1\r\n", b"400", "HTTP/1.1 asks for a Host header"),
        ("GET /-/healthy HTTP/1.1\r\nHost: a\r\nHost: b\r\n", b"400", "one of the two might pass as ours"),
        ("GET /-/healthy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", b"200", "whoever it names may read"),
        ("GET /-/healthy HTTP/1.0\r\n", b"200", "HTTP/1.0 knew no Host header"),
    ],
)
def test_a_request_says_once_whom_it_is_for(client: httpx.Client, head: str, status: bytes, because: str) -> None:
    with socket.create_connection(("127.0.0.1", client.base_url.port or 80), timeout=30) as line:
        line.sendall(head.encode() + b"\r\n")
        answer = b"".join(iter(lambda: line.recv(4096), b""))
    assert answer.split(b" ")[1] == status, because
