"""Kinds of value that name something outside: files, addresses, receivers, time zones, secrets.

What can be looked up while reading is looked up: a file that is not there is a mistake with a line, not a traceback later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from monitor.config.kinds import Choice, Json, Text, blank, plain
from monitor.config.reading import BAD, At, alternatives
from monitor.secrets import FILE_RECEIVER, REFERENCE, USERINFO

# receivers whose address is not itself a secret; of the others, the address is the key
OPEN_RECEIVERS = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "syslog", "dbus", "http", "https")


@cache
def zones() -> frozenset[str]:
    return frozenset(available_timezones())


@dataclass(frozen=True, slots=True)
class File:
    """The path of a file that must be there; relative paths start at the configuration's folder."""

    what: str = "a file"

    def read(self, value: Any, at: At) -> Any:
        path = plain(value, at)
        if path is BAD:
            return BAD
        if not isinstance(path, str) or not path.strip() or not path.isprintable():
            return at.mistake(value, blank(path) if not isinstance(path, str) else "is not a path", f"the path of {self.what}")
        return self.look(value, path, at)

    def look(self, value: Any, path: str, at: At) -> Any:
        resolved = at.resolve(path)
        if at.reading.folder is None:
            return resolved
        try:
            there = Path(resolved).is_file()
        except (OSError, ValueError):
            there = False
        if there:
            return resolved
        return at.mistake(value, "is not a file that can be found", f"the path of {self.what}, from {at.reading.folder} on if relative")

    def json(self) -> Json:
        return {"type": "string", "minLength": 1}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class NewFile:
    """The path of a file that need not be there yet."""

    def read(self, value: Any, at: At) -> Any:
        path = Text("a path").read(value, at)
        return path if path is BAD else at.resolve(path)

    def json(self) -> Json:
        return {"type": "string", "minLength": 1}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by reference to the environment; the secret itself in a configuration is refused."""

    def read(self, value: Any, at: At) -> Any:
        hidden = At(at.reading, at.place, secret=True)
        if not isinstance(value, str) or not REFERENCE.fullmatch(value):
            return hidden.mistake(value, "is a secret in plain sight", "${NAME} for a variable, or the key with _file for a file")
        return BAD if hidden.expand(value) is BAD else value

    def json(self) -> Json:
        return {"type": "string", "pattern": "^" + REFERENCE.pattern + "$"}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom to wake: "slack_file:path", "${NAME}", or an address without secrets such as mailto://..."""

    def read(self, value: Any, at: At) -> Any:
        right = "scheme_file:path such as slack_file:secrets/slack, ${NAME}, or an address without a secret such as json://host/path"
        hidden = At(at.reading, at.place, secret=True)  # most addresses of receivers are keys
        if not isinstance(value, str):
            return hidden.mistake(value, blank(value), right)
        if match := FILE_RECEIVER.match(value):
            path = at.expand(match[2])
            found = BAD if not isinstance(path, str) else File("the file that holds the receiver's address").look(value, path, at)
            return BAD if found is BAD else f"{match[1]}_file:{found}"
        if REFERENCE.fullmatch(value):
            return BAD if hidden.expand(value) is BAD else value
        scheme, colon, _ = value.partition("://")
        if not colon or not re.fullmatch(r"[a-z][a-z0-9+]{0,30}", scheme):
            return hidden.mistake(value, "is not a receiver", right)
        if scheme not in OPEN_RECEIVERS or USERINFO.search(value) or "?" in value:
            return hidden.mistake(value, f"is a {scheme} address, which is a secret, in plain sight", right)
        expanded = at.expand(value)
        return expanded if expanded is BAD or str(expanded).isprintable() else hidden.mistake(value, "is not a receiver", right)

    def json(self) -> Json:
        return {"type": "string", "minLength": 1}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Format:
    """The word of a codec: there are as many as there are files that define one."""

    def _choice(self) -> Choice:
        from monitor.codecs import formats

        return Choice(tuple(sorted(formats())))

    def read(self, value: Any, at: At) -> Any:
        return self._choice().read(value, at)

    def json(self) -> Json:
        return self._choice().json()

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Timezone:
    """An IANA name, or auto."""

    def read(self, value: Any, at: At) -> Any:
        name = plain(value, at)
        if name is BAD or name == "auto":
            return name
        if not isinstance(name, str):
            return at.mistake(value, blank(name), "auto, or an IANA name such as Europe/Amsterdam")
        if name in zones():
            return name
        near = alternatives(sorted(zones()), name) if len(name) > 3 else ""
        guess = f"; perhaps {near.split(' ')[0]}" if "did you mean" in near else ""
        return at.mistake(value, "is no time zone", f"auto, or an IANA name such as Europe/Amsterdam{guess}")

    def json(self) -> Json:
        return {"type": "string", "minLength": 1}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Address:
    """The http(s) address of a page."""

    def read(self, value: Any, at: At) -> Any:
        right = "an address such as https://raincheck.example"
        address = plain(value, at)
        if address is BAD:
            return BAD
        if not isinstance(address, str):
            return at.mistake(value, blank(address), right)
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and address.isprintable() and " " not in address
            _ = parts.port  # a port that is no number raises here
        except ValueError:
            return at.mistake(value, "is not an http address", right)
        if good and parts.password:
            return at.mistake(value, "holds a password", right)
        return address if good else at.mistake(value, "is not an http address", right)

    def json(self) -> Json:
        return {"type": "string", "pattern": "^https?://"}

    def show(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class HostPort:
    """host:port of a broker."""

    def read(self, value: Any, at: At) -> Any:
        text = plain(value, at)
        if text is BAD:
            return BAD
        if not isinstance(text, str):
            return at.mistake(value, blank(text), "host:port such as broker:9092")
        host, colon, port = text.rpartition(":")
        if (
            colon
            and re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host)
            and re.fullmatch(r"[0-9]{1,5}", port)
            and 0 < int(port) < 65536
        ):
            return text
        return at.mistake(value, "is not a broker's address", "host:port such as broker:9092")

    def json(self) -> Json:
        return {"type": "string", "pattern": ":[0-9]+$"}

    def show(self, value: Any) -> Any:
        return value
