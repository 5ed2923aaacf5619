"""Reads a configuration and lists every mistake with its line, or says in words what it promises. Exit code 78 for mistakes.

With --connect the brokers are asked, too: exit code 1 where they do not let us in, or a topic is not there yet.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from monitor.commands import show

NAME = "check"
HELP = "list every mistake in a configuration, or say in words what it promises"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE", help="a YAML or JSON configuration")
    parser.set_defaults(refuse=parser.error)  # leaves as wrong usage does everywhere
    parser.add_argument("--schema", action="store_true", help="print the JSON schema for editors instead")
    parser.add_argument("--connect", action="store_true", help="ask the brokers as well: may we in, and are the topics there?")
    parser.add_argument("--without-files", action="store_true", help="accept named files (secrets, certificates) that are not here")


def run(args: argparse.Namespace) -> int:
    from monitor.check import summary, summary_json
    from monitor.config import load
    from monitor.config.editors import schema_text
    from monitor.errors import EXIT_CONFIG, EXIT_CRASH, EXIT_OK, Misconfigured

    if args.schema:
        sys.stdout.write(schema_text())
        return 0
    if args.file is None:
        args.refuse("FILE is missing; right would be: the path of a configuration, or --schema")
    try:
        plan = load(args.file, look_for_files=not args.without_files)
    except Misconfigured as error:
        count = len(error.mistakes)
        payload = {"ok": False, "error": "misconfigured", "mistakes": [mistake.as_json() for mistake in error.mistakes]}
        show(args, payload, f"{error}\n{count} mistake{'' if count == 1 else 's'}.")
        return EXIT_CONFIG
    if args.without_files:  # paths are as they were written then; the state's starts at the configuration's folder like all others
        plan = replace(plan, state=replace(plan.state, path=str(Path(args.file).parent / plan.state.path)))
    payload, text = summary_json(plan), summary(plan)
    if not args.connect:
        show(args, payload, text)
        return EXIT_OK
    if plan.kafka is None:
        raise Misconfigured.of(
            "is missing, so there is nobody to connect to", origin=args.file, field="kafka", right="kafka: {bootstrap: [host:port]}"
        )
    from monitor.sources.kafka_reach import ask

    topics = {stream.topic for stream in plan.streams.values()}
    if plan.dead_letter.to == "topic" and plan.dead_letter.topic is not None:
        topics.add(plan.dead_letter.topic)
    found = ask(plan.kafka, topics)
    asked = {"cause": found.cause, "topics": {name: {"state": t.state, "partitions": t.partitions} for name, t in found.topics.items()}}
    show(args, payload | {"ok": found.well, "connect": asked}, "\n".join([text, *found.words()]))
    return EXIT_OK if found.well else EXIT_CRASH
