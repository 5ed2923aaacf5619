"""A real Alertmanager on a configuration, and what tests ask it."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.services.served import Served, asked, until
from tests.services.tools import USR, tool


class Alertmanager(Served):
    """`remember` is how often it writes down what it has sent, for a restart to know; on a server every 15 minutes."""

    def __init__(self, folder: Path, config: Path, *, remember: str = "15m") -> None:
        program = tool("prometheus-alertmanager")

        def options(port: int) -> list[str]:
            return [
                program, f"--config.file={config}", f"--storage.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=", f"--data.maintenance-interval={remember}",
            ]  # fmt: skip

        super().__init__(folder, options, cwd=USR if USR.is_dir() else None)

    def remember(self, what: str = "nflog") -> None:
        """Returns once what it has sent until now ("silences": whom it keeps quiet) is on its disk: the second writing began after now."""
        path = self.folder / "data" / what
        seen = {path.stat().st_mtime_ns} if path.exists() else set()

        def written_twice() -> bool:
            if path.exists():
                seen.add(path.stat().st_mtime_ns)
            return len(seen) >= 3

        until(written_twice, "it writes nothing down")

    def amtool(self, *words: str) -> str:
        """What a person at a terminal would say to it, and what it answers."""
        told = [tool("amtool"), f"--alertmanager.url={self.url}", *words]
        done = subprocess.run(told, capture_output=True, check=False, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def forget(self) -> None:
        """Killed, and what it had sent was never written down."""
        self.kill()
        (self.folder / "data" / "nflog").unlink(missing_ok=True)

    def freeze(self) -> None:
        """SIGSTOP: its port stays open, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The alerts it knows that carry these labels, with their `status.state` (active, suppressed) and who inhibits them."""
        found: list[dict[str, Any]] = asked(f"{self.url}/api/v2/alerts")
        return [alert for alert in found if labels.items() <= alert["labels"].items()]
