"""Why a Kafka client cannot connect: read from its own log, because its exceptions do not say."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from typing import ClassVar

from monitor import wall

# (what the client's log contains, our sentence); the first match in this order is the best explanation. "socket disconnected" and
# time-outs follow almost everything else in the log and explain least, so they stand last here.
HANGS_UP = "the broker hangs up: a security setting may be missing, or the broker is going down"
# a refusal and the end of the connection come in one breath, and the client may hear only the latter, again and again
HANGS_UP_ON: Mapping[str, str] = {
    "SASL": "the broker hangs up during the login: wrong user name or password, a mechanism that it does not offer, or it is going down",
    "SSL": "the broker hangs up after the handshake: it refuses our client certificate, or misses one, or it is going down",
}
CAUSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"SaslAuthenticationFailedError|Authentication failed", "login refused: wrong user name or password"),
        (r"UnsupportedSaslMechanismError", "the broker does not offer this SASL mechanism"),
        (r"Hostname mismatch|IP address mismatch", "the broker's certificate is made out to another host name"),
        (r"CERTIFICATE_VERIFY_FAILED", "the broker's certificate is not signed by the authority in ca_file"),
        (
            r"CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|ALERT_UNKNOWN_CA",
            "the broker refuses our client certificate",
        ),
        (r"Invalid frame length: 352518912", "this port speaks TLS, and the protocol in use is plain text"),
        (r"UNEXPECTED_EOF_WHILE_READING|WRONG_VERSION_NUMBER", "this port speaks plain text, and the protocol in use is TLS"),
        (
            r"TopicAuthorizationFailedError|ClusterAuthorizationFailedError|GroupAuthorizationFailedError",
            "an access rule of the broker forbids it",
        ),
        (r"No such file or directory", "a file named in the security settings does not exist"),
        (r"(?i)name or service not known|DNS lookup failed|nodename nor servname", "the broker's host name does not resolve"),
        (r"ECONNREFUSED|Connection refused", "connection refused: no broker listens there"),
        (r"socket disconnected|ECONNRESET|Connection reset|EPIPE|Broken pipe", HANGS_UP),
        (r"(?i)timed? ?out", "no answer in time"),
    )
)


class Causes(logging.Handler):
    """Listens to the client's logger and keeps the best explanation of the last `age_s` seconds.

    While at least one listens, the client's chatter (dozens of lines per failed connection) goes no further than this.
    """

    _lock_open = threading.Lock()
    _open: ClassVar[int] = 0

    def __init__(self, age_s: float = 60.0) -> None:
        super().__init__(logging.WARNING)
        self._age_s = age_s
        self._seen: dict[int, float] = {}
        self._listening = False

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        for rank, (pattern, _) in enumerate(CAUSES):
            if pattern.search(text):
                self._seen[rank] = wall.monotonic()
                return

    def best(self) -> str | None:
        """The best explanation seen lately, or None.

        >>> causes = Causes()
        >>> for text in ("socket disconnected", "SaslAuthenticationFailedError: Authentication failed", "socket disconnected"):
        ...     causes.emit(logging.LogRecord("kafka", logging.WARNING, "", 0, text, None, None))
        >>> causes.best()
        'login refused: wrong user name or password'
        """
        oldest = wall.monotonic() - self._age_s
        fresh = [rank for rank, at in list(self._seen.items()) if at >= oldest]
        return CAUSES[min(fresh)][1] if fresh else None

    def explained(self, protocol: str) -> str | None:
        """`best`, and of a bare hanging up what it most likely means where one logs in or shakes hands.

        >>> causes = Causes()
        >>> causes.emit(logging.LogRecord("kafka", logging.WARNING, "", 0, "socket disconnected", None, None))
        >>> causes.explained("SASL_SSL").partition(":")[0], causes.explained("SSL").partition(":")[0]
        ('the broker hangs up during the login', 'the broker hangs up after the handshake')
        >>> causes.explained("PLAINTEXT").partition(":")[0]
        'the broker hangs up'
        """
        best = self.best()
        return HANGS_UP_ON.get(protocol.partition("_")[0], best) if best == HANGS_UP else best

    def clear(self) -> None:
        """Forget what was seen: something answered."""
        self._seen.clear()

    def open(self) -> None:
        logger = logging.getLogger("kafka")
        with Causes._lock_open:
            if self._listening:
                return
            self._listening = True
            Causes._open += 1
            logger.addHandler(self)
            logger.propagate = False

    def shut(self) -> None:
        logger = logging.getLogger("kafka")
        with Causes._lock_open:
            if not self._listening:
                return
            self._listening = False
            Causes._open -= 1
            logger.removeHandler(self)
            logger.propagate = Causes._open == 0
