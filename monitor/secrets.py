"""Secrets by reference: a plan holds "${NAME}", a file's path or "slack_file:path", and never the secret itself.

So neither the plan's repr, nor a log line, nor a saved plan can show one. Who needs the secret asks `reveal` at the last
moment, which also makes a rotated file work without a restart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from monitor.errors import Misconfigured

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,199})\}", re.ASCII)
FILE_RECEIVER = re.compile(r"^([a-z][a-z0-9]{0,30})_file:(.+)$", re.ASCII | re.DOTALL)
USERINFO = re.compile(r"(://)[^/@\s]*@", re.ASCII)

# words in a key that say that its value is nobody's business; "_file" beside them says that it is only a path
SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "credential", "private_key", "routing_key")


def secret_key(key: str) -> bool:
    """Whether a key of this name holds a secret itself, and not a path to one.

    >>> secret_key("password"), secret_key("password_file"), secret_key("ssl_password")
    (True, False, True)
    """
    word = key.lower().replace("-", "_")
    return not word.endswith("_file") and any(part in word for part in SECRET_WORDS)


def masked(text: str) -> str:
    """A text with what stands before the @ of a URL taken out.

    >>> masked("https://me:hunter2@example.org/x")
    'https://***@example.org/x'
    """
    return USERINFO.sub(r"\1***@", text)


def reveal(reference: str, environment: Mapping[str, str] | None = None) -> str:
    """The secret behind "${NAME}" or "scheme_file:path"; any other text is returned as it is.

    Raises `Misconfigured` where the variable is not set or the file cannot be read. The secret never stands in the message.

    >>> reveal("${PAGER}", {"PAGER": "pagerduty://key"})
    'pagerduty://key'
    """
    if match := FILE_RECEIVER.match(reference):
        return read_secret(match[2])
    values = os.environ if environment is None else environment

    def look_up(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Misconfigured.of("is not set", origin="environment", field=match[1], right="an exported variable")
        return values[match[1]]

    return REFERENCE.sub(look_up, reference)


def read_secret(path: str | Path) -> str:
    """The content of a secret's file without the white space around it; raises `Misconfigured` where there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Misconfigured.of(f"cannot be read ({type(error).__name__})", origin=str(path), right="a readable text file") from None
    if not text:
        raise Misconfigured.of("is empty", origin=str(path), right="a file that holds the secret")
    return text
