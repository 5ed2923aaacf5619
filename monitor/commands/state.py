"""Looks after a state file: what it holds, whether it can be trusted, and back to a copy or a fresh start where it cannot."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from monitor.commands import show

NAME = "state"
EPILOG = "--json: the last line on stdout is one JSON object, as with every command; what export prints is JSON without it, too."
HELP = "export, check, back up, restore or reset a state file"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, help_text, run_it in (
        ("export", "verdicts, incidents and counts by reason, as JSON", export),
        ("check", "reads everything once, its copies too; exit code 78 where it cannot be trusted", check),
        (
            "backup",
            "makes a checked copy, STATE.backup, also beside a running daemon; the one before stays as STATE.backup.previous",
            backup,
        ),
        (
            "restore",
            "puts the newest whole copy in its place, of its own life where there is one; the file that is there is set aside",
            restore,
        ),
        ("reset", "sets the file aside, so that the next run learns from nothing", reset),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text, epilog=EPILOG)
        action.add_argument("path", nargs="?", metavar="STATE", help="the state file")
        action.add_argument("--config", metavar="FILE", help="take the path from this configuration instead")
        action.set_defaults(run=run_it)
        if run_it is restore:
            action.add_argument(
                "--from", dest="source", metavar="FILE", help="this copy; `state check` lists those there are, of former lives too"
            )


def run(args: argparse.Namespace) -> int:
    """Never reached: argparse asks for an action."""
    raise AssertionError(args)


def export(args: argparse.Namespace) -> int:
    from monitor.stores.export import exported
    from monitor.stores.sqlite import SqliteStore

    store = SqliteStore(_path(args), reader=True)
    try:
        json.dump(exported(store), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    finally:
        store.close()
    return 0


def check(args: argparse.Namespace) -> int:
    from monitor import wall
    from monitor.errors import EXIT_CONFIG
    from monitor.phrases import span
    from monitor.stores.backup import beside, remedy
    from monitor.stores.sqlite import check as problems_of

    path = _path(args)
    problems = problems_of(path)
    helps = remedy(path) if problems and path.exists() else None
    text = [*problems, f"this helps: {helps}"] if helps else problems or [f"{path}: well"]
    found, now_ms = list(beside(path)), wall.now_ms()
    kept = [
        {
            "path": str(c.path),
            "made": c.made,
            "age_s": (now_ms - c.made_ms) // 1000,
            "ok": not c.problems,
            "problems": list(c.problems),
            "former": c.former,
        }
        for c in found
    ]
    for copy in found:
        age = span(max(0, now_ms - copy.made_ms))
        of = ", of a former life of this state" if copy.former else ""
        text.append(f"copy {copy.path}: {age} old, {'cannot be trusted' if copy.problems else 'whole'}{of}")
    if path.exists() and not found:
        text.append(f"no copy beside it: raincheck state backup {path}")
    show(args, {"path": str(path), "ok": not problems, "problems": problems, "helps": helps, "copies": kept}, "\n".join(text))
    return EXIT_CONFIG if problems else 0


def backup(args: argparse.Namespace) -> int:
    """A copy as the daemon makes one every hour: whoever upgrades takes one first."""
    from monitor.errors import EXIT_CRASH, Transient
    from monitor.stores.backup import back_up
    from monitor.stores.holding import refused
    from monitor.stores.lives import formers

    path = _path(args)
    if not path.exists():
        raise refused(path, "does not exist", "the path of an existing state file")
    try:
        made = back_up(path)
    except Transient as error:
        show(args, {"path": str(path), "ok": False, "problems": [str(error)]}, str(error))
        return EXIT_CRASH
    size, apart = made.stat().st_size, formers(path)
    text = [f"{made}: {size} bytes, read from end to end", *(f"of a former life, and kept: {copy}" for copy in apart)]
    show(args, {"path": str(path), "ok": True, "copy": str(made), "bytes": size, "former": [str(c) for c in apart]}, "\n".join(text))
    return 0


def restore(args: argparse.Namespace) -> int:
    """Back to a copy: it is checked first, and nothing is destroyed."""
    from monitor.stores.backup import restore as put_back
    from monitor.stores.export import iso

    path = _path(args)
    done = put_back(path, args.source)
    reaches = {model: None if at_ms is None else iso(at_ms) for model, at_ms in sorted(done.reaches.items())}
    said = {
        "path": str(path), "from": str(done.source), "made": iso(done.made_ms // 1000 * 1000), "reaches": reaches, "offsets": done.offsets,
        "set_aside": [str(aside) for aside in done.set_aside],
    }  # fmt: skip
    text = [f"{path}: restored from {done.source}, made {said['made']}", *(f"set aside: {aside}" for aside in done.set_aside)]
    text += [f"{model}: windows up to {at or 'none yet'}" for model, at in reaches.items()]
    text += [
        "the next run reads what came since from Kafka again, as far as its retention reaches back; what is gone is counted as lost",
        "messages that were sent since may come again, under the ids they had; answers and announced events since then are lost",
    ]
    show(args, said, "\n".join(text))
    return 0


def reset(args: argparse.Namespace) -> int:
    """The old file stays beside the new one: nothing is destroyed by a command that is typed in a hurry."""
    from monitor.stores.holding import set_aside

    aside = set_aside(_path(args))
    show(args, {"set_aside": [str(path) for path in aside]}, "\n".join(f"now {path}" for path in aside) or "nothing to reset")
    return 0


def _path(args: argparse.Namespace) -> Path:
    from monitor.config import load
    from monitor.errors import Misconfigured

    if args.path is not None:
        return Path(args.path)
    if args.config is None:
        raise Misconfigured.of("is missing", origin="raincheck state", field="STATE", right="the path of a state file, or --config FILE")
    return Path(load(args.config).state.path)
