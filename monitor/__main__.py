"""The command line: finds the commands in `monitor/commands`, runs one, and turns its end into an exit code.

0 is well, 1 a crash (or the no of a command that asks something), 2 a command line that cannot be read, 3 an incident whose records are
gone, 78 a configuration or saved state that a person must mend, 130 an interruption by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from monitor import log
from monitor.commands import discover
from monitor.errors import EXIT_CONFIG, EXIT_CRASH, EXIT_INTERRUPTED, Corrupt, Misconfigured

ABOUT = """\
Watches machine-learning models in service and pages their owners, within a stated
budget of false pages, when the world has moved away.
"""
EPILOG = """\
Begin with:
  raincheck demo                 a drift you can watch, nothing to install beside it
  raincheck check rain.yaml      every mistake in a configuration, before it runs
  raincheck COMMAND --help       what a command takes

Exit codes: 0 well, 1 crash, 2 wrong usage, 78 configuration or saved state to be mended,
130 Ctrl-C. Of commands that ask something 1 is a no (--check: stale; check --connect: not
let in; replay --incident: different), and 3 that the incident's records are gone.
"""


def shared_flags() -> argparse.ArgumentParser:
    """The flags that every command has."""
    flags = argparse.ArgumentParser(prog="raincheck", add_help=False, allow_abbrev=False)
    group = flags.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="the last line on stdout is one JSON object; everything else goes to stderr")
    group.add_argument("--log-level", choices=log.LEVELS, default="info", help="least level that is logged (default: %(default)s)")
    group.add_argument("--log-format", choices=log.STYLES, default="auto", help="auto: readable on a terminal, JSON lines elsewhere")
    return flags


def build_parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line with every command found in the folder; only those among `words` are configured, since that may cost imports."""
    found = discover()
    listed = "\n".join(f"  {name:<12} {command.HELP}" for name, command in found.items())  # argparse would break the longer names' lines
    parser = argparse.ArgumentParser(
        prog="raincheck",
        usage="raincheck [-h] [--version] COMMAND ...",
        description=f"{ABOUT}\ncommands:\n{listed}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"raincheck {version('raincheck')}")
    commands = parser.add_subparsers(prog="raincheck", metavar="COMMAND", required=True, help=argparse.SUPPRESS)
    flags = shared_flags()
    for name, command in found.items():
        sub = commands.add_parser(
            name,
            help=command.HELP,
            description=command.__doc__,
            parents=[flags],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in words:
            command.configure(sub)
        # a command with sub-commands of its own may set another `run` on them
        if sub.get_default("run") is None:
            sub.set_defaults(run=command.run)
    return parser


def _complain(args: argparse.Namespace, error: Misconfigured | Corrupt) -> None:
    """The error for people on stderr, and for programs as the last line of stdout."""
    print(str(error), file=sys.stderr)
    if args.json:
        if isinstance(error, Misconfigured):
            answer: dict[str, object] = {"error": "misconfigured", "mistakes": [mistake.as_json() for mistake in error.mistakes]}
        else:
            answer = {"error": "corrupt", "message": error.message, "command": error.command}
        print(json.dumps(answer, ensure_ascii=False))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; `argv` are the arguments without the program's name."""
    # read before everything else, so that `state check --json` and `state --json check` are the same
    shared, rest = shared_flags().parse_known_args(argv)
    args = build_parser(rest).parse_args(rest)
    vars(args).update(vars(shared))
    log.setup(args.log_level, args.log_format)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except (Misconfigured, Corrupt) as error:
        _complain(args, error)
        return EXIT_CONFIG
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # the reader of our output left (`raincheck detectors | head`): not an accident worth a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CRASH
    except Exception:  # noqa: BLE001 - the last stop of every crash: it leaves a trace in the log and a code for the service manager
        log.events("main").exception("crashed")
        return EXIT_CRASH
    return code


if __name__ == "__main__":
    sys.exit(main())
