"""A real Prometheus that scrapes and evaluates every second, and what tests ask it."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.services.served import Served, asked
from tests.services.tools import tool


class Prometheus(Served):
    """Scrapes `targets` (host:port) as the job `raincheck`, evaluates `rules`, tells `alertmanagers`.

    Its rules are hurried (`tests.paging.hurry`), a restart is not. So alerts are sent again every 5 s, hence believed for 20 s without
    being sent (four times as long), and a `for` that a restart interrupts is given 5 s more (a server's figures: 1, 4 and 10 minutes).
    """

    def __init__(self, folder: Path, targets: Sequence[str], rules: Sequence[Path] = (), alertmanagers: Sequence[str] = ()) -> None:
        config: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "raincheck", "static_configs": [{"targets": list(targets)}]}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
        }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        program = tool("prometheus")

        def options(port: int) -> list[str]:
            return [
                program, f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn", "--rules.alert.resend-delay=5s", "--rules.alert.for-grace-period=5s",
            ]  # fmt: skip

        super().__init__(folder, options)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query; HTTPError where the expression is refused."""
        found: list[dict[str, Any]] = asked(f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression}))["data"]["result"]
        return found

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Pending and firing alerts of that name, with labels, annotations, state and activeAt."""
        return [alert for alert in asked(f"{self.url}/api/v1/alerts")["data"]["alerts"] if alert["labels"]["alertname"] == name]

    def refused(self) -> int:
        """How many alerts it could not hand over so far."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
        return int(sum(float(n) for n in re.findall(r"^prometheus_notifications_errors_total\{.*\} (.*)$", text, re.MULTILINE)))

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its query, health and last error."""
        return [rule for group in asked(f"{self.url}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
