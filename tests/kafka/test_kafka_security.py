"""Logging in and encryption against a real broker: what works, and what is said when it does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.plan import KafkaSecurity
from monitor.sources.kafka import KafkaSource
from tests.contracts.source_worlds import STREAM, read
from tests.services.fortress import Fortress

pytestmark = pytest.mark.kafka

PLAIN = KafkaSecurity("SASL_PLAINTEXT", mechanism="PLAIN", username="bob", password_file="right")
SCRAM = replace(PLAIN, mechanism="SCRAM-SHA-512")
TLS = KafkaSecurity("SSL", ca_file="broker.pem")


def with_files(security: KafkaSecurity, folder: Path) -> KafkaSecurity:
    """The names of files as paths."""

    def path(name: str | None) -> str | None:
        return None if name is None else str(folder / name)

    return replace(security, password_file=path(security.password_file), ca_file=path(security.ca_file))


@pytest.mark.parametrize(
    ("listener", "security"),
    [
        pytest.param("SASL", PLAIN, id="plain password"),
        pytest.param("SASL", SCRAM, id="scram"),
        pytest.param("TLS", TLS, id="tls"),
        pytest.param("BOTH", replace(SCRAM, protocol="SASL_SSL", ca_file="broker.pem"), id="scram over tls"),
    ],
)
def test_it_reads_behind_walls(fortress: Fortress, listener: str, security: KafkaSecurity) -> None:
    source = KafkaSource(fortress.plan(listener, with_files(security, fortress.folder)), {STREAM: fortress.topic})
    source.start({}, {})
    try:
        assert read(source, lambda ledger: ledger.count == 1).values() == [b"behind walls"]
    finally:
        source.close()


@pytest.mark.parametrize(
    ("listener", "security", "said"),
    [
        pytest.param("SASL", replace(SCRAM, password_file="wrong"), "wrong user name or password", id="wrong password"),
        # the broker answers and hangs up at once, so that a client may see only the latter
        pytest.param("SASL", replace(SCRAM, mechanism="SCRAM-SHA-256"), "does not offer this SASL mechanism|hangs up", id="mechanism"),
        pytest.param("TLS", replace(TLS, ca_file="stranger.pem"), "certificate not accepted", id="wrong authority"),
        pytest.param("STRANGE", replace(TLS, ca_file="stranger.pem"), "Hostname mismatch", id="wrong host"),
        pytest.param("PLAINTEXT", TLS, "TLS failed", id="tls client on a plain port"),
        pytest.param("TLS", KafkaSecurity(), "this port speaks TLS", id="plain client on a tls port"),
        pytest.param("SASL", KafkaSecurity(), "hangs up", id="no login"),
    ],
)
def test_the_true_cause_is_said(fortress: Fortress, listener: str, security: KafkaSecurity, said: str) -> None:
    """Not the client's own words, which are the same time-out for all of these."""
    source = KafkaSource(fortress.plan(listener, with_files(security, fortress.folder)), {STREAM: fortress.topic}, connect_s=2)
    source.start({}, {})
    try:
        read(source, lambda _: re.search(said, source.status().cause or ""))
        assert not source.status().connected
    finally:
        source.close()
