"""A real Prometheus scrapes the real server: content types, staleness rules and names hold beyond our own reading of them."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path

import httpx

from monitor.http import Server, create_app
from tests.services.tools import tool
from tests.web.fake_desk import believable
from tests.web.test_metrics import fill

SCRAPES = 3  # when the third one begins, the first has been stored


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_prometheus_takes_every_series_of_the_catalogue(tmp_path: Path) -> None:
    prometheus = tool("prometheus")
    desk, scraped, seen = believable(), threading.Semaphore(0), []
    fill(desk.values)
    desk.values.set("raincheck_evidence", 2.5, model='hostile "\\ name')

    def count(handler: str, status: int) -> None:
        seen.append((handler, status))
        scraped.release()

    server = Server(create_app(desk, clock=lambda: desk.now_ms, count=count), port=0)
    port, listen = server.start(), f"127.0.0.1:{free_port()}"
    config = tmp_path / "prometheus.yml"
    scrape = {
        "job_name": "raincheck",
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
    }
    config.write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
    flags = [f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}", f"--web.listen-address={listen}", "--log.level=error"]
    with subprocess.Popen([prometheus, *flags], stderr=subprocess.PIPE) as process:
        try:
            for _ in range(SCRAPES):
                assert scraped.acquire(timeout=60), "Prometheus does not scrape"
            with httpx.Client(base_url=f"http://{listen}/api/v1", trust_env=False, timeout=30) as api:
                (target,) = api.get("/targets").json()["data"]["activeTargets"]
                assert (target["health"], target["lastError"]) == ("up", "")
                names = api.get("/label/__name__/values").json()["data"]
                models = api.get("/label/model/values").json()["data"]
        finally:
            process.terminate()
            process.wait(30)
            server.stop()
    assert set(seen) == {("/metrics", 200)}
    assert 'hostile "\\ name' in models
    told = {line.split(" ")[2] for line in desk.values.render().decode().splitlines() if line.startswith("# TYPE raincheck_")}
    stored = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in names if name.startswith("raincheck_")}
    assert stored == told
