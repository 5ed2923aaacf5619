"""As much of Grafana's HTTP API as is documented and used: folders and dashboards, tokens with roles, versions that must match.

It stands in for a Grafana, which no package index has; how a real one answers is known from its documents alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

EDITOR, VIEWER = "glsa_editor", "glsa_viewer"
Answer: TypeAlias = tuple[int, Any]


@dataclass
class FakeGrafana:
    """`prefix` is the path it is served under. `meddle` is called before each answer, and may change what is there or answer itself."""

    prefix: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    meddle: Callable[[str, str], Answer | None] = lambda method, path: None

    def __post_init__(self) -> None:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET", None)

            def do_POST(self) -> None:
                self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, method: str, body: Any) -> None:
                fake.asked.append((method, self.path))
                status, said = fake.answer(method, self.path, self.headers.get("Authorization", ""), body)
                text = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "https://elsewhere.example/login")
                self.send_header("Content-Type", "text/html" if isinstance(said, bytes) else "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.prefix}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, authorization: str, body: Any) -> Answer:
        if (instead := self.meddle(method, path)) is not None:
            return instead
        if not path.startswith(f"{self.prefix}/api/"):
            return 404, b"<html>no such page</html>"
        role = authorization.removeprefix("Bearer ")
        if role not in {EDITOR, VIEWER}:
            return 401, {"message": "Invalid API key"}
        if method == "POST" and role == VIEWER:
            return 403, {"message": "You'll need additional permissions to perform this action. Permissions needed: dashboards:write"}
        match method, path.removeprefix(f"{self.prefix}/api/").split("/"):
            case "GET", ["folders", uid]:
                found = self.folders.get(uid)
                return (404, {"message": "folder not found"}) if found is None else (200, {"uid": uid, "title": found})
            case "POST", ["folders"]:
                if body["title"] in self.folders.values():
                    return 409, {"message": "a folder with the same name already exists in the current location"}
                self.folders[body["uid"]] = body["title"]
                return 200, {"uid": body["uid"], "title": body["title"]}
            case "GET", ["dashboards", "uid", uid]:
                if uid not in self.boards:
                    return 404, {"message": "Dashboard not found"}
                there = self.boards[uid]
                meta = {"folderUid": there["folderUid"], "provisioned": uid in self.provisioned, "version": there["dashboard"]["version"]}
                return 200, {"dashboard": there["dashboard"], "meta": meta}
            case "POST", ["dashboards", "db"]:
                return self._put(body)
        return 404, {"message": "Not found"}

    def _put(self, body: dict[str, Any]) -> Answer:
        board, folder, overwrite = body["dashboard"], body["folderUid"], body["overwrite"]
        if not board.get("title"):
            return 400, {"message": "Dashboard title cannot be empty", "status": "empty-name"}
        if folder not in self.folders:
            return 404, {"message": "folder not found"}
        if board["uid"] in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        old = self.boards.get(board["uid"], {}).get("dashboard")
        if old is not None and old["version"] != board["version"] and not overwrite:
            return 412, {"status": "version-mismatch", "message": "The dashboard has been changed by someone else"}
        version = 1 if old is None else old["version"] + 1
        number = len(self.boards) + 1 if old is None else old["id"]
        self.boards[board["uid"]] = {"dashboard": {**board, "id": number, "version": version}, "folderUid": folder}
        self.messages.append(body["message"])
        return 200, {"id": number, "uid": board["uid"], "url": f"/d/{board['uid']}", "status": "success", "version": version}
