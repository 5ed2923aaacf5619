"""Before a Kafka client is built: are the codecs there, do the files exist, does the port answer, is the certificate good?

Every failure to connect, to log in or to verify a certificate reaches a kafka-python caller as the same timeout, many seconds later. A
plain socket says the true cause in milliseconds (measured against Apache Kafka 4.1.1 with kafka-python 3.0.12).
"""

from __future__ import annotations

import importlib.util
import random
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monitor.errors import Misconfigured, Mistake
from monitor.plan import Kafka, KafkaSecurity
from monitor.secrets import read_secret, reveal


def check(plan: Kafka) -> None:
    """Raise `Misconfigured` with every mistake that can be found without connecting: codecs, settings, files."""
    mistakes = [*_codecs(), *_bootstrap(plan.bootstrap), *_security(plan.security)]
    if mistakes:
        raise Misconfigured(mistakes)


def _mistake(field: str, value: object, problem: str, right: str) -> Mistake:
    return Mistake("kafka", None, field, None if value is None else str(value), problem, right)


def _codecs() -> list[Mistake]:
    from kafka import codec

    have = {
        "lz4": codec.has_lz4(),
        "zstd": codec.has_zstd(),
        "snappy": codec.has_snappy(),
        "crc32c": importlib.util.find_spec("crc32c") is not None,
    }
    problem = "the package behind kafka-python's extra is missing: batches could not be opened, or nine times slower"
    return [_mistake("", extra, problem, f"pip install 'kafka-python[{extra}]'") for extra, found in have.items() if not found]


def _bootstrap(servers: Sequence[str]) -> list[Mistake]:
    out = [] if servers else [_mistake("bootstrap", None, "names no broker", "one or more host:port")]
    for server in servers:
        host, _, port = server.rpartition(":")
        if not host or not port.isdigit():
            out.append(_mistake("bootstrap", server, "is not host:port", "broker.example:9092"))
    return out


def _security(security: KafkaSecurity) -> list[Mistake]:
    out = []
    sasl = security.protocol.startswith("SASL_")
    password = security.password_file or security.password
    for field, value in (("mechanism", security.mechanism), ("username", security.username), ("password_file", password)):
        if sasl and value is None:
            right = {"mechanism": "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"}.get(field, f"a {field.partition('_')[0]}")
            out.append(_mistake(f"security.{field}", None, f"is missing, and {security.protocol} needs it", right))
        elif not sasl and value is not None:
            out.append(_mistake(f"security.{field}", "set", f"means nothing with {security.protocol}", "SASL_SSL or SASL_PLAINTEXT"))
    if security.password is not None and security.password_file is not None:
        out.append(_mistake("security.password", None, "stands beside password_file", "one of the two"))
    for field in ("password_file", "ca_file", "cert_file", "key_file"):
        value = getattr(security, field)
        if value is not None and not Path(value).is_file():
            out.append(_mistake(f"security.{field}", value, "is not a file", "an existing, readable file"))
    if security.key_file is not None and security.cert_file is None:
        out.append(_mistake("security.key_file", security.key_file, "stands alone", "cert_file beside it"))
    return out


def context(security: KafkaSecurity) -> ssl.SSLContext | None:
    """The TLS context, its files read once, or None without TLS. Raises OSError (ssl.SSLError is one) when a file is no good."""
    if not security.protocol.endswith("SSL"):
        return None
    made = ssl.create_default_context(cafile=security.ca_file)
    if security.cert_file is not None:
        made.load_cert_chain(security.cert_file, security.key_file)
    return made


def client_arguments(plan: Kafka, tls: ssl.SSLContext | None) -> dict[str, Any]:
    """What every client of this cluster is built with. The password is read anew each time: it may have been changed.

    Raises `Misconfigured` or OSError where it cannot be read.
    """
    security = plan.security
    out: dict[str, Any] = {"bootstrap_servers": list(plan.bootstrap), "security_protocol": security.protocol}
    if tls is not None:
        out["ssl_context"] = tls
    if security.mechanism is not None:
        out["sasl_mechanism"] = security.mechanism
        out["sasl_plain_username"] = security.username
        kept = security.password_file
        out["sasl_plain_password"] = read_secret(kept) if kept is not None else reveal(security.password or "")
    return out


def reach(servers: Sequence[str], tls: ssl.SSLContext | None, timeout_s: float = 2.0) -> str | None:
    """Open one connection (and TLS) to any of the servers: None if one answers, else what the last one said.

    >>> reach(["127.0.0.1:1"], None)
    '127.0.0.1:1: Connection refused'
    """
    cause: str | None = None
    for server in random.sample(list(servers), len(servers))[:3]:  # three dead ones fit the time of one poll
        host, _, port = server.rpartition(":")
        host = host.strip("[]")
        try:
            with socket.create_connection((host, int(port)), timeout_s) as plain:
                if tls is not None:
                    with tls.wrap_socket(plain, server_hostname=host):
                        pass
        except ssl.SSLCertVerificationError as error:
            cause = f"{server}: certificate not accepted: {error.verify_message}"
        except ssl.SSLError as error:
            cause = f"{server}: TLS failed: {error.reason or error}; does this port speak TLS?"
        except TimeoutError:
            cause = f"{server}: no answer within {timeout_s:g} s"
        except OSError as error:
            cause = f"{server}: {error.strerror or error}"
        else:
            return None
    return cause


def speaks_tls(servers: Sequence[str], timeout_s: float = 1.0) -> bool:
    """Whether a server shakes hands: asked when a client without TLS is hung up on. No certificate is looked at, nothing is sent after."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    return reach(servers[:1], anyone, timeout_s) is None
