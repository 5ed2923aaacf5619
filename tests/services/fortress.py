"""A broker for what the shared one must not have: logins, certificates, and topics that appear when asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from monitor.plan import Kafka
from tests.services.broker import Broker, free_port
from tests.services.doors import Door
from tests.services.feed import Feed

LOGIN = "org.apache.kafka.common.security"


def keytool(folder: Path, *arguments: str) -> None:
    command = ["keytool", *arguments, "-storetype", "PKCS12", "-storepass", "changeit", "-noprompt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


def key_store(folder: Path, name: str, names: str) -> None:
    """A key with a certificate signed by itself, and the certificate as PEM."""
    made = ["-genkeypair", "-keyalg", "EC", "-validity", "2", "-dname", f"CN={name}", "-ext", f"SAN={names}", "-ext", "bc=ca:true"]
    keytool(folder, *made, "-alias", name, "-keystore", f"{name}.p12")
    keytool(folder, "-exportcert", "-rfc", "-alias", name, "-keystore", f"{name}.p12", "-file", f"{name}.pem")


def private_key(folder: Path, name: str) -> None:
    """The key of a store as PEM, which keytool cannot write."""
    command = ["openssl", "pkcs12", "-in", f"{name}.p12", "-passin", "pass:changeit", "-nocerts", "-nodes", "-out", f"{name}.key"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)


@dataclass(frozen=True)
class Fortress:
    """A broker with a listener of each kind, a topic with one record, and the files of its clients."""

    ports: dict[str, int]
    folder: Path
    topic: str

    @property
    def bootstrap(self) -> str:
        """The listener for everyone."""
        return f"127.0.0.1:{self.ports['PLAINTEXT']}"

    def behind(self, door: Door) -> Kafka:
        """How a client that knocks there is configured."""
        security = door.security
        files = ("password_file", "ca_file", "cert_file", "key_file")
        found: dict[str, Any] = {field: str(self.folder / name) for field in files if (name := getattr(security, field)) is not None}
        return Kafka((f"localhost:{self.ports[door.listener]}",), replace(security, **found))


@contextmanager
def fortress_in(folder: Path) -> Iterator[Fortress]:
    """Make the keys, start the broker, put one record behind its walls; stop it at the end."""
    key_store(folder, "broker", "dns:localhost,ip:127.0.0.1")
    key_store(folder, "stranger", "dns:elsewhere.invalid")
    key_store(folder, "client", "dns:client.invalid")
    private_key(folder, "client")
    private_key(folder, "stranger")
    keytool(folder, "-importcert", "-alias", "client", "-file", "client.pem", "-keystore", "trusted.p12")
    (folder / "right").write_text("pw2\n")
    (folder / "wrong").write_text("pw3\n")
    protocols = {"TLS": "SSL", "STRANGE": "SSL", "MUTUAL": "SSL", "SASL": "SASL_PLAINTEXT", "BOTH": "SASL_SSL"}
    ports = {name: free_port() for name in protocols}
    stores = {"tls": "broker", "strange": "stranger", "mutual": "broker", "both": "broker"}
    broker = Broker(
        folder / "node",
        listeners=[f"{name}://localhost:{port}" for name, port in ports.items()],
        protocols=protocols,
        scram=["SCRAM-SHA-512=[name=bob,password=pw2,iterations=4096]"],
        properties={
            "auto.create.topics.enable": "true",  # the default of production
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
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.mutual.ssl.truststore.location": str(folder / "trusted.p12"),
            "listener.name.mutual.ssl.truststore.type": "PKCS12",
            "listener.name.mutual.ssl.truststore.password": "changeit",
        },
    ).start()
    ports["PLAINTEXT"] = broker.port
    try:
        feed = Feed(broker.bootstrap)
        topic = feed.create()
        feed.produce(topic, [b"behind walls"])
        feed.close()
        yield Fortress(ports, folder, topic)
    finally:
        broker.stop()
