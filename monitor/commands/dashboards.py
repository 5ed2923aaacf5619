"""Dashboards for Grafana: their JSON for its file provisioning, or put through its HTTP API.

The dashboards follow from raincheck's metrics and not from a configuration: one pair serves every model and instance.
`generate` writes them anew (it needs the extra `dashboards`); `push` sends what raincheck came with, or a folder of JSON files
(it needs the extra `grafana`). The daemon itself never talks to Grafana.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from monitor.commands import show

NAME = "dashboards"
HELP = "write the dashboards for Grafana, or put them into one"
FOLDER_UID = "raincheck"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    about = "write the dashboards' JSON"
    made = actions.add_parser("generate", help=about, description=about)
    made.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    made.add_argument("--check", action="store_true", help="write nothing; say what is not up to date, and exit with 1 if anything is")
    made.add_argument("--pages", metavar="URL", help="address of raincheck's own pages, for links (default: http://127.0.0.1:9740)")
    made.add_argument("--runbooks", metavar="URL", help="where the runbooks are served; left out: panels name the command that prints them")
    made.set_defaults(run=generate)
    about = "put the dashboards into a Grafana"
    pushed = actions.add_parser("push", help=about, description=about)
    pushed.add_argument("--url", required=True, metavar="URL", help="Grafana's address, with the path it is served under")
    pushed.add_argument("--token-file", required=True, metavar="FILE", help="holds the token of a service account")
    pushed.add_argument("--from", dest="source", metavar="DIR", help="dashboards as JSON files (default: those that raincheck came with)")
    pushed.add_argument("--folder", default="raincheck", metavar="TITLE", help="title of the folder, if it is to be made")
    pushed.add_argument("--pages", metavar="URL", help="address of raincheck's own pages, for links (default: as the files say)")
    pushed.add_argument("--overwrite", action="store_true", help="replace also what somebody has changed meanwhile, or of the same title")
    pushed.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for each answer (default: %(default)s)")
    pushed.set_defaults(run=push)


def run(args: argparse.Namespace) -> int:
    """Never reached: argparse asks for an action."""
    raise AssertionError(args)


def generate(args: argparse.Namespace) -> int:
    from dashboards.generate import generate as made
    from monitor.generated import put

    address("--pages", args.pages)
    address("--runbooks", args.runbooks)
    try:
        files = made(args.pages, args.runbooks)
    except ImportError as error:
        raise lacks("dashboards", "grafana_foundation_sdk", error) from error
    folder = Path(args.out)
    old, said = put(folder, files, check=args.check)
    show(args, {"ok": not (args.check and old), "files": sorted(files), "stale": old}, "\n".join(said))
    return int(bool(args.check and old))


def push(args: argparse.Namespace) -> int:
    from monitor.errors import EXIT_CRASH, Misconfigured, Transient

    address("--pages", args.pages)
    if not 0 < args.timeout <= 600:
        raise Misconfigured.of("is no time to wait", origin="raincheck dashboards", field="--timeout", value=args.timeout, right="1 to 600")
    boards, secret = given(args.source, args.pages), token(args.token_file)
    try:
        from dashboards.grafana import Grafana
    except ImportError as error:
        raise lacks("grafana", "grafana_api", error) from error
    done: list[dict[str, str]] = []
    try:
        grafana = Grafana(args.url, secret, args.timeout)
        grafana.folder(FOLDER_UID, args.folder)
        for name, board in boards.items():
            what, place = grafana.put(board, FOLDER_UID, overwrite=args.overwrite)
            done.append({"file": name, "done": what, "url": place})
    except Transient as error:
        show(args, {"ok": False, "dashboards": done, "error": str(error)}, "\n".join(lines(done)) or "nothing was put")
        sys.stderr.write(f"{error}; it may pass: push again\n")
        return EXIT_CRASH
    show(args, {"ok": True, "dashboards": done}, "\n".join(lines(done)))
    return 0


def lines(done: list[dict[str, str]]) -> list[str]:
    return [f"{one['done']} {one['url']}" for one in done]


def given(source: str | None, pages: str | None) -> dict[str, dict[str, Any]]:
    """The dashboards to be put, by their files' names, with the address of raincheck's pages said in them."""
    from dashboards.generate import COMMITTED
    from monitor.errors import Misconfigured

    folder = Path(source) if source is not None else COMMITTED
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            board = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problem = f"cannot be read: {type(error).__name__}"
            raise Misconfigured.of(problem, origin=str(path), right="the JSON of a dashboard") from error
        if not isinstance(board, dict) or not isinstance(board.get("uid"), str) or not board["uid"] or not board.get("title"):
            right = "classic JSON with title and uid, as `raincheck dashboards generate` writes"
            raise Misconfigured.of("is no dashboard", origin=str(path), right=right)
        for variable in board.get("templating", {}).get("list", []):
            if pages is not None and variable.get("name") == "pages":
                chosen = {"text": pages, "value": pages}
                variable |= {"query": pages, "current": chosen, "options": [{"selected": True, **chosen}]}
        found[path.name] = board
    if not found:
        raise Misconfigured.of("holds no dashboard", origin="--from", value=str(folder), right="a folder of *.json")
    return found


def token(path: str) -> str:
    """The token in a file; it is never shown."""
    from monitor.errors import Misconfigured

    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {type(error).__name__}"
        raise Misconfigured.of(problem, origin="--token-file", value=path, right="a file that holds the token alone") from error
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        problem = "is empty" if not text else "holds more than a token"
        raise Misconfigured.of(problem, origin="--token-file", value=path, right="a file that holds the token alone, in one line")
    return text


def address(flag: str, url: str | None) -> None:
    from urllib.parse import urlsplit

    from monitor.errors import Misconfigured

    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise Misconfigured.of("is no address", origin="raincheck dashboards", field=flag, value=url, right="https://HOST/PATH")


def lacks(extra: str, module: str, error: ImportError) -> Exception:
    """What to install, from the folder: an index has a stranger's, if any. Any other import that fails is an accident and stays one."""
    from monitor.errors import Misconfigured

    if (error.name or "").partition(".")[0] not in {module, "requests"}:
        return error
    return Misconfigured.of(
        f"{module} is not installed", origin="raincheck dashboards", right=f"pip install '.[{extra}]' in raincheck's folder"
    )
