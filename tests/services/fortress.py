"""A broker for what the shared one must not have: logins, certificates, and topics that appear when asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monitor.plan import Kafka, KafkaSecurity
from tests.services.broker import Broker, free_port
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

    def plan(self, listener: str, security: KafkaSecurity) -> Kafka:
        return Kafka((f"localhost:{self.ports[listener]}",), security)


@contextmanager
def fortress_in(folder: Path) -> Iterator[Fortress]:
    """Make the keys, start the broker, put one record behind its walls; stop it at the end."""
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
