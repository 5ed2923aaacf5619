"""Prometheus rules, their unit tests and Alertmanager's routes for the models and owners of a configuration; and the runbooks.

What is written depends on the configuration alone, so it can be committed beside it; `generate --check` writes nothing,
says which files are not up to date, and exits with 1 if any is.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.commands import show

if TYPE_CHECKING:
    from alerts.generate import Choices
    from monitor.plan import Plan

NAME = "alerts"
HELP = "write alert rules, routes and their tests for Prometheus and Alertmanager"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    about = "rules, routes and their tests for a configuration"
    made = actions.add_parser("generate", help=about, description=about)
    made.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    made.add_argument("--out", required=True, metavar="DIR", help="where the files go")
    made.add_argument("--check", action="store_true", help="write nothing; say what is not up to date, and exit with 1 if anything is")
    made.add_argument("--platform", metavar="OWNER", help="who is told when raincheck itself fails (default: the only owner there is)")
    made.add_argument("--job", default="raincheck", help="name of Prometheus' scrape job (default: %(default)s)")
    made.add_argument("--runbooks", metavar="URL", help="where the runbooks are served; left out: alerts name the command that prints them")
    made.add_argument(
        "--receivers", metavar="FILE", help="receivers in Alertmanager's own words, which take the place of the generated ones"
    )
    made.set_defaults(run=generate)
    page = actions.add_parser("runbook", help="print what to do about an alert", description="What to do about an alert.")
    page.add_argument("alert", nargs="?", metavar="ALERT", help="its name; left out: all there are")
    page.set_defaults(run=runbook)


def run(args: argparse.Namespace) -> int:
    """Never reached: argparse asks for an action."""
    raise AssertionError(args)


def generate(args: argparse.Namespace) -> int:
    from alerts.generate import Choices, unfilled
    from alerts.generate import generate as made
    from monitor.config import load
    from monitor.generated import put

    # rules are generated where no secret needs to be
    plan = load(args.config, look_for_files=False)
    choices = Choices(platform(plan, args.platform), job(args.job), args.runbooks, given(args.receivers))
    files, folder = made(plan, choices), Path(args.out)
    unknown_receivers(plan, choices.platform, choices.receivers, args.receivers)
    warnings = unheard(plan, choices)
    for warning in warnings:
        sys.stderr.write(f"WARNING: {warning}\n")
    notes = [f"receiver {r.name} lacks {what}" for r in unfilled(plan, choices) for what in r.missing]
    twice = sorted(owner.name for owner in plan.owners.values() if owner.page or owner.ticket)
    notes += [f"{name} is told by raincheck directly as well, as long as the configuration names receivers" for name in twice]
    old, said = put(folder, files, check=args.check)
    said += [f"note: {note}" for note in notes]
    show(
        args, {"ok": not (args.check and old), "files": sorted(files), "stale": old, "notes": notes, "warnings": warnings}, "\n".join(said)
    )
    return int(bool(args.check and old))


def runbook(args: argparse.Namespace) -> int:
    from alerts.runbook import runbook as page
    from alerts.runbook import runbook_names
    from monitor.errors import Misconfigured

    names = runbook_names()
    if args.alert is None:
        show(args, {"alerts": names}, "\n".join(names))
        return 0
    if args.alert not in names:
        raise Misconfigured.of(
            "has no runbook", origin="raincheck alerts", field="ALERT", value=args.alert, right=f"one of {', '.join(names)}"
        )
    if args.json:
        show(args, {"alert": args.alert, "text": page(args.alert)}, "")
    else:
        sys.stdout.write(page(args.alert))
    return 0


def platform(plan: Plan, name: str | None) -> str:
    """Who runs raincheck: as said, or the only owner. With several it must be said: a page about raincheck may not go to nobody."""
    from monitor.config.tables import NAME_PATTERN
    from monitor.errors import Misconfigured

    if name is None and len(plan.owners) == 1:
        return next(iter(plan.owners))
    if name is None or re.fullmatch(NAME_PATTERN, name, re.ASCII) is None:
        problem = "is missing, and there are several owners" if name is None else "is no name for a team"
        right = f"one of {', '.join(sorted(plan.owners))}, or the name of another team"
        raise Misconfigured.of(problem, origin="raincheck alerts", field="--platform", value=name, right=right)
    return name


def unheard(plan: Plan, choices: Choices) -> list[str]:
    """What would be lost in silence: the receiver of raincheck's own pages takes whatever matches no route, too, and has no address."""
    from alerts.routes import receivers

    name = f"{choices.platform}-page"
    own = choices.receivers.get(name)
    found = next(receiver for receiver in receivers(plan, choices.platform) if receiver.name == name)
    if found.webhooks if own is None else set(own) != {"name"}:
        return []
    lost = "raincheck's own pages (RaincheckDown and the like, and what matches no route) reach nobody"
    return [f"{lost}: receiver {name} has no address; give it one with --receivers FILE"]


def job(name: str) -> str:
    from monitor.errors import Misconfigured

    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", name, re.ASCII) is None:
        right = "letters, digits, dots, dashes, slashes and underscores, as in scrape_configs"
        raise Misconfigured.of("is no name for a scrape job", origin="raincheck alerts", field="--job", value=name, right=right)
    return name


def given(path: str | None) -> dict[str, Mapping[str, Any]]:
    """Receivers by name from a file: a list as under Alertmanager's `receivers:`, with that key above it or without."""
    import yaml

    from monitor.errors import Misconfigured

    if path is None:
        return {}
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        problem = f"cannot be read: {type(error).__name__}"
        raise Misconfigured.of(problem, origin="raincheck alerts", field="--receivers", value=path, right="a YAML file") from error
    if isinstance(found, dict) and set(found) == {"receivers"}:  # anything beside it would be dropped without a word
        found = found["receivers"]
    if not isinstance(found, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in found):
        right = "receivers, each with its name, as in Alertmanager's own file: `receivers:` and nothing beside it, or the bare list"
        raise Misconfigured.of("is not a list of receivers", origin=path, right=right)
    return {one["name"]: one for one in found}


def unknown_receivers(plan: Plan, team: str, said: Mapping[str, Any], path: str | None) -> None:
    """A receiver that no route names would wake nobody: that is a mistake in its name."""
    from alerts.routes import receivers
    from monitor.errors import Misconfigured

    known = [receiver.name for receiver in receivers(plan, team)]
    for name in sorted(set(said) - set(known)):
        raise Misconfigured.of(
            "is a receiver that no route names", origin=str(path), field="name", value=name, right=f"one of {', '.join(known)}"
        )
