"""A real Apache Kafka of one node (KRaft) on free loopback ports, for the tests: start, stop, kill, freeze, restart.

The jars come from setup.sh. A formatted data folder is kept beside them and copied, which saves the formatting JVM of 1.3 s; what matters
for the start is the compiler tier (7 s -> 3 s). Nothing is waited for by sleeping: the broker says "started" on its standard output.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
LIBS = ROOT / ".cache" / "kafka" / "libs"
CLUSTER = "cmFpbmNoZWNrLXRlc3RzMA"  # any 16 bytes in base64: the template and every copy of it must agree on them
JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")

LOGGING = """<Configuration status="ERROR">
  <Appenders><Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console></Appenders>
  <Loggers>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Root level="WARN"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
"""

LITE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "background.threads": "1",
    "group.coordinator.threads": "1",
    # the tests' records bear stamps of months ago: by its default of a week the broker would delete them, every five minutes
    "log.retention.ms": "-1",
    "log.cleaner.enable": "false",
    "message.max.bytes": "20000000",
    "file.delete.delay.ms": "100",
    # after SIGKILL the restarted broker waits until its old registration has lapsed; the default is 9 s
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
}


class Unavailable(RuntimeError):
    """Java or the jars are missing on this machine; the message says what to run."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def require() -> None:
    """Raise `Unavailable` unless a broker can be started here."""
    if shutil.which("java") is None:
        raise Unavailable("no java on this machine: run `make services`")
    if not any(LIBS.glob("kafka_*.jar")):
        raise Unavailable("Apache Kafka's jars are not in .cache/kafka/libs: run `make services`")


class Broker:
    """One node. `folder` holds its data and is kept over restarts, as are its ports.

    `listeners` are further ones as `NAME://host:port`; `protocols` says what each name speaks; `scram` adds users at formatting.
    `advertised` is what clients are told of a listener ({name: host:port}), where that is another address than its own.
    `quorum` is {node: port} of the controllers of a cluster (tests/services/cluster.py), of which this one is `node`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        properties: Mapping[str, str] | None = None,
        listeners: Sequence[str] = (),
        protocols: Mapping[str, str] | None = None,
        advertised: Mapping[str, str] | None = None,
        scram: Sequence[str] = (),
        heap: str = "192m",
        node: int = 1,
        quorum: Mapping[int, int] | None = None,
    ) -> None:
        require()
        self.folder = folder
        self.heap = heap
        self.node = node
        self.port = free_port()
        quorum = quorum or {node: free_port()}
        self.process: subprocess.Popen[str] | None = None
        self._started = threading.Event()
        self._tail: list[str] = []
        names = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **(protocols or {})}
        public = [f"PLAINTEXT://127.0.0.1:{self.port}", *listeners]
        told = {name: f"{name}://{address}" for name, address in (advertised or {}).items()}
        settings = {
            **LITE,
            "node.id": str(node),
            "log.dirs": str(folder / "data"),
            "listeners": ",".join([*public, f"CONTROLLER://127.0.0.1:{quorum[node]}"]),
            "advertised.listeners": ",".join(told.get(listener.partition("://")[0], listener) for listener in public),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in names.items()),
            "controller.quorum.voters": ",".join(f"{one}@127.0.0.1:{port}" for one, port in quorum.items()),
            **(properties or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._settings = folder / "server.properties"
        self._settings.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (folder / "log4j2.xml").write_text(LOGGING)
        if not (folder / "data").exists():
            self._format(scram)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _format(self, scram: Sequence[str]) -> None:
        template = LIBS.parent / ("formatted" if self.node == 1 else f"formatted-{self.node}")
        if template.exists() and not scram:
            shutil.copytree(template, self.folder / "data")
            return
        users = [argument for user in scram for argument in ("--add-scram", user)]
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(self._settings), *users]
        made = subprocess.run(self._java("128m", *tool), capture_output=True, text=True, timeout=60, check=False)
        if made.returncode:
            raise RuntimeError(f"formatting failed: {made.stdout}{made.stderr}")
        if not scram:
            # several test runs may get here at once: each makes a copy of its own, one rename wins
            copy = template.with_name(f"{template.name}-of-{os.getpid()}")
            shutil.copytree(self.folder / "data", copy)
            try:
                copy.rename(template)
            except OSError:
                shutil.rmtree(copy)

    def _java(self, heap: str, *arguments: str) -> list[str]:
        config = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.xml'}"
        return ["java", f"-Xmx{heap}", *JVM, config, "-cp", f"{LIBS}/*", *arguments]

    def start(self, timeout_s: float = 60) -> Broker:
        """Start and return once the broker says that it has started."""
        self.launch()
        return self.await_started(timeout_s)

    def launch(self) -> None:
        """Start the process; the nodes of a quorum wait for each other, so that all are launched before one is waited for."""
        self._started.clear()
        self._tail.clear()
        # a test run that is killed takes its brokers along
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        self.process = subprocess.Popen(
            leash + self._java(self.heap, "kafka.Kafka", str(self._settings)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
        )
        assert self.process.stdout is not None
        threading.Thread(target=self._listen, args=(self.process.stdout,), name="broker-log", daemon=True).start()

    def await_started(self, timeout_s: float = 60) -> Broker:
        """Return once the broker says that it has started."""
        assert self.process is not None
        if not self._started.wait(timeout_s) or self.process.poll() is not None:
            self.kill()
            raise RuntimeError(f"the broker did not start within {timeout_s} s:\n" + "\n".join(self._tail[-30:]))
        return self

    def _listen(self, out: IO[str]) -> None:
        for line in out:
            self._tail.append(line.rstrip())
            del self._tail[:-200]
            if "Kafka Server started" in line:
                self._started.set()
        self._started.set()  # the process is gone: nobody needs to wait for the deadline
        out.close()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as the machine's death would be."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: ports stay open, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def well(self) -> Broker:
        """Itself, running: whatever a test has done to it before."""
        if self.running:
            self.thaw()
        else:
            self.start()
        return self

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout_s: float = 20) -> None:
        """SIGTERM and wait; a broker that does not leave is killed."""
        if self.process is None or self.process.poll() is not None:
            return
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def segment(self, topic: str, partition: int) -> Path:
        """The oldest log file of a partition."""
        return min((self.folder / "data" / f"{topic}-{partition}").glob("*.log"))
