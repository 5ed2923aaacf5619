"""One Apache Kafka node on loopback for the length of a bench, from the jars that `make services` keeps in .cache/kafka/libs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBS = Path(__file__).resolve().parents[2] / ".cache" / "kafka" / "libs"

_SETTINGS = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
offsets.topic.replication.factor=1
log.dirs={folder}/data
"""
_LOGGING = """<Configuration status="ERROR"><Appenders><Console name="out" target="SYSTEM_OUT"/></Appenders><Loggers>
<Logger name="kafka.server.KafkaRaftServer" level="INFO"/><Root level="ERROR"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


def available() -> bool:
    """Are java and the jars here?"""
    return shutil.which("java") is not None and any(LIBS.glob("kafka_*.jar"))


@contextmanager
def running() -> Iterator[str]:
    """The address of a broker that has started; its data is gone afterwards. RuntimeError where it does not start."""
    with tempfile.TemporaryDirectory(prefix="raincheck-bench-") as name:
        folder = Path(name)
        port, controller = _free_port(), _free_port()
        settings = folder / "server.properties"
        settings.write_text(_SETTINGS.format(port=port, controller=controller, folder=folder))
        (folder / "log4j2.xml").write_text(_LOGGING)
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}", "-cp", f"{LIBS}/*"]
        tool = [*java, "kafka.tools.StorageTool", "format", "-t", "YmVuY2hlcyBvbiByYWlu", "-c", str(settings)]
        subprocess.run(tool, check=True, capture_output=True, timeout=60)  # noqa: S603 - nothing from outside in it
        started = [*java, "kafka.Kafka", str(settings)]
        node = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603 - as above
        try:
            _wait(node)
            yield f"127.0.0.1:{port}"
        finally:
            node.terminate()
            try:
                node.wait(20)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()


def _wait(node: subprocess.Popen[str]) -> None:
    """Reads the log until the broker says that it has started, then lets it run on unread."""
    assert node.stdout is not None
    tail: deque[str] = deque(maxlen=20)
    for line in node.stdout:
        tail.append(line)
        if "Kafka Server started" in line:
            threading.Thread(target=deque, args=(node.stdout, 0), name="broker-log", daemon=True).start()
            return
    raise RuntimeError("the bench's broker did not start:\n" + "".join(tail))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
