"""Logging in and encryption against a real broker: what works, and what is said when it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monitor.plan import Kafka, KafkaSecurity
from monitor.sources.kafka import KafkaSource
from tests.contracts.source_worlds import STREAM, read
from tests.services.broker import Broker, free_port
from tests.services.feed import Feed

pytestmark = pytest.mark.kafka

LOGIN = "org.apache.kafka.common.security"


def keytool(folder: Path, *arguments: str) -> None:
    command = ["keytool", *arguments, "-storetype", "PKCS12", "-storepass", "changeit", "-noprompt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def key_store(folder: Path, name: str, names: str) -> None:
    """A key with a certificate signed by itself, and the certificate as PEM."""
    made = ["-genkeypair", "-keyalg", "EC", "-validity", "2", "-dname", f"CN={name}", "-ext", f"SAN={names}", "-ext", "bc=ca:true"]
    keytool(folder, *made, "-alias", name, "-keystore", f"{name}.p12")
    keytool(folder, "-exportcert", "-rfc", "-alias", name, "-keystore", f"{name}.p12", "-file", f"{name}.pem")


@dataclass(frozen=True)
class Fortress:
    """A broker with a listener of each kind, a topic with one record, and the files of its clients."""

    ports: dict[str, int]
    folder: Path
    topic: str

    def plan(self, listener: str, security: KafkaSecurity) -> Kafka:
        return Kafka((f"localhost:{self.ports[listener]}",), security)


@pytest.fixture(scope="module")
def fortress(tmp_path_factory: pytest.TempPathFactory, broker_process: Broker) -> Iterator[Fortress]:
    folder = tmp_path_factory.mktemp("fortress")
    key_store(folder, "broker", "dns:localhost,ip:127.0.0.1")
    key_store(folder, "stranger", "dns:elsewhere.invalid")
    (folder / "right").write_text("pw2\n")
    (folder / "wrong").write_text("pw3\n")
    protocols = {"TLS": "SSL", "STRANGE": "SSL", "SASL": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"}
    ports = {name: free_port() for name in protocols}
    stores = {"tls": "broker", "strange": "stranger", "both": "broker"}
    broker = Broker(
        folder / "node",
        listeners=[f"{name}://localhost:{port}" for name, port in ports.items()],
        protocols=protocols,
        scram=["SCRAM-SHA-512=[name=bob,password=pw2,iterations=4096]"],
        properties={
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            **{
                f"listener.name.{name}.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;"
                for name in ("sasl", "both")
            },
            "listener.name.sasl.plain.sasl.jaas.config": f'{LOGIN}.plain.PlainLoginModule required user_bob="pw2";',
            "listener.name.both.plain.sasl.jaas.config": f'{LOGIN}.plain.PlainLoginModule required user_bob="pw2";',
            **{f"listener.name.{name}.ssl.keystore.location": str(folder / f"{store}.p12") for name, store in stores.items()},
            **{f"listener.name.{name}.ssl.keystore.type": "PKCS12" for name in stores},
            **{f"listener.name.{name}.ssl.keystore.password": "changeit" for name in stores},
            **{f"listener.name.{name}.ssl.key.password": "changeit" for name in stores},
        },
    ).start()
    ports["PLAINTEXT"] = broker.port
    feed = Feed(broker.bootstrap)
    topic = feed.create()
    feed.produce(topic, [b"behind walls"])
    feed.close()
    yield Fortress(ports, folder, topic)
    broker.stop()


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
        pytest.param("SASL", replace(SCRAM, mechanism="SCRAM-SHA-256"), "does not offer this SASL mechanism", id="mechanism"),
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
        read(source, lambda _: said in (source.status().cause or ""))
        assert not source.status().connected
    finally:
        source.close()
