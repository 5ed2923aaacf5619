"""Grafana's HTTP API, as little of it as putting a dashboard takes: find or make a folder, look at a dashboard, put it.

The client is grafana-api (the extra `grafana`), which is archived upstream and known to this file only. Answers are looked at
before it does: it stumbles over refusals that are no JSON object, which is what proxies send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import requests
from grafana_api.grafana_face import GrafanaFace

from monitor.errors import Misconfigured, Transient

Done: TypeAlias = Literal["created", "updated", "unchanged"]
_Answer = TypeVar("_Answer")
_PERMISSIONS: Final = "a service account with the role Editor, or with folders:create, dashboards:create and dashboards:write"
_ADDRESS: Final = "http://HOST:PORT or https://HOST/PATH"
_LONGEST: Final = 300  # of what the other side says: it may be a page of HTML


class Refused(Exception):  # noqa: N818 - an answer, which a caller may have reckoned with
    """Grafana's own no: its status and words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Grafana:
    """One Grafana.

    Args:
        url: its address, with the path that a proxy serves it under: "https://grafana.example/monitoring".
        token: of a service account.
        timeout_s: how long one answer may take.

    Every method raises `Misconfigured` where a person must act, and `Transient` where trying again may help.
    """

    def __init__(self, url: str, token: str, timeout_s: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._face = GrafanaFace(token, timeout=timeout_s, **_parts(self.url))
        session: requests.Session = self._face.api.s
        session.max_redirects = 0  # a POST that is redirected becomes a GET, and seems to have worked
        session.hooks["response"].append(_look)

    def folder(self, uid: str, title: str) -> Done:
        """Makes the folder where there is none of that uid."""
        if self._found(lambda: self._face.folder.get_folder(uid)) is not None:
            return "unchanged"
        self._asked(lambda: self._face.folder.create_folder(title, uid))
        return "created"

    def put(self, board: Mapping[str, Any], folder: str, *, overwrite: bool = False) -> tuple[Done, str]:
        """Puts a dashboard (classic JSON with its uid) into a folder: what was done, and where it is.

        What is there is replaced and stays in Grafana's history of versions. The version just read goes along, so that a change
        made meanwhile is refused; `overwrite` replaces that too, and a dashboard of the same title.
        """
        there = self._found(lambda: self._face.dashboard.get_dashboard(board["uid"])) or {}
        old, about = there.get("dashboard", {}), there.get("meta", {})
        place = f"{self.url}/d/{board['uid']}"
        if about.get("folderUid") == folder and _same(old, board):
            return "unchanged", place
        if about.get("provisioned"):
            raise Misconfigured.of(
                "comes from a file of Grafana's, which it does not let anybody replace", origin=self.url, field=str(board["uid"]),
                right="the file brought up to date, or taken out of Grafana's provisioning",
            )  # fmt: skip
        body = {
            "dashboard": {**board, "id": None, "version": old.get("version", 0)},
            "folderUid": folder, "message": "raincheck dashboards push", "overwrite": overwrite,
        }  # fmt: skip
        self._asked(lambda: self._face.dashboard.update_dashboard(body))
        return ("updated" if old else "created"), place

    def _found(self, call: Callable[[], Any]) -> Any:
        """What is asked for, None where there is none."""
        try:
            return self._told(call)
        except Refused as no:
            if no.status == 404:
                return None
            raise self._mistake(no) from no

    def _asked(self, call: Callable[[], Any]) -> Any:
        try:
            return self._told(call)
        except Refused as no:
            raise self._mistake(no) from no

    def _told(self, call: Callable[[], _Answer]) -> _Answer:
        """An answer that is a JSON object, or what is wrong."""
        try:
            answer = call()
        except requests.Timeout as error:
            raise Transient(f"{self.url} does not answer in time") from error
        except requests.exceptions.SSLError as error:
            right = "a certificate that this machine trusts, or REQUESTS_CA_BUNDLE=ca.pem in the environment"
            raise Misconfigured.of("has a certificate that is not trusted", origin="--url", value=self.url, right=right) from error
        except requests.exceptions.JSONDecodeError as error:
            raise self._no_grafana("its answer is no JSON") from error
        except requests.exceptions.InvalidURL as error:
            raise Misconfigured.of("is no address", origin="--url", value=self.url, right=_ADDRESS) from error
        except requests.RequestException as error:
            raise Transient(f"{self.url} cannot be reached: {type(error).__name__}") from error
        if not isinstance(answer, dict):
            raise self._no_grafana("its answer is no JSON object")
        return answer

    def _no_grafana(self, why: str) -> Misconfigured:
        right = "Grafana's own address, with the path it is served under, and not that of a login page before it"
        return Misconfigured.of(f"is no Grafana: {why}", origin="--url", value=self.url, right=right)

    def _mistake(self, no: Refused) -> Misconfigured | Transient:
        """What a person is to do about a refusal; refusals of the kind that passes are told as such."""
        if no.status == 429 or no.status >= 500:
            return Transient(f"{self.url} fails with {no.status}: {no.message}")
        if no.status == 404:
            return self._no_grafana(f"404, {no.message}")
        if 300 <= no.status < 400:
            return Misconfigured.of("redirects", origin="--url", value=self.url, right=f"the address that it leads to: {no.message}")
        problem, right = {
            401: ("does not take the token", "a token of a service account that has not expired or been deleted"),
            403: ("does not let this token do it", _PERMISSIONS),
            409: ("has a folder of this title already", "another --folder"),
            412: ("refuses to replace what is there", "pushing again, or --overwrite, after a look at who has changed it"),
        }.get(no.status, (f"answers {no.status}", "a dashboard that this Grafana can read (10 or later)"))
        return Misconfigured.of(f"{problem}: {no.message}", origin=self.url, right=right)


def _parts(url: str) -> dict[str, Any]:
    """The address in grafana-api's pieces.

    >>> _parts("https://grafana.example:8443/monitoring")
    {'protocol': 'https', 'host': 'grafana.example', 'port': 8443, 'url_path_prefix': 'monitoring/'}
    """
    try:
        split = urlsplit(url)
        port, host = split.port, split.hostname
    except ValueError as error:
        raise Misconfigured.of("is no address", origin="--url", value=url, right=_ADDRESS) from error
    if split.username is not None or split.password is not None:
        raise Misconfigured.of("holds a user or password", origin="--url", right=f"{_ADDRESS}, and --token-file FILE")
    if split.scheme not in {"http", "https"} or not host or split.query or split.fragment:
        raise Misconfigured.of("is no address of a server", origin="--url", value=url, right=_ADDRESS)
    path = split.path.strip("/")
    return {"protocol": split.scheme, "host": f"[{host}]" if ":" in host else host, "port": port, "url_path_prefix": path and path + "/"}


def _look(answer: requests.Response, **_: object) -> None:
    """Refusals leave here, before the client reads them."""
    if answer.status_code < 300:
        return
    if answer.is_redirect:
        raise Refused(answer.status_code, answer.headers.get("location", "nowhere"))
    try:
        said = answer.json()
    except ValueError:
        said = None
    words = said.get("message") if isinstance(said, dict) else None
    raise Refused(answer.status_code, str(words or answer.reason or "no reason given")[:_LONGEST])


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether what is there says the same; its numbers within that Grafana do not count."""

    def said(board: Mapping[str, Any]) -> str:
        return json.dumps({key: value for key, value in board.items() if key not in {"id", "version"}}, sort_keys=True)

    return said(old) == said(new)
