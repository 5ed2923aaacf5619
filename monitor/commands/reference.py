"""References as files: what is normal, built from frames, looked at, and compared.

`build` learns one model's reference from frames (Parquet, CSV, JSON lines) and writes it; a configuration names the file
(`reference: {file: normal.reference}`), so does `raincheck backtest --reference`. `show` tells one in words, from a file or
from a daemon's state. `compare` tells per column how far the second lies from the first.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.reference_file import ReferenceFile

NAME = "reference"
HELP = "build, show and compare references as files"


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    one = actions.add_parser("build", help="learn a reference from frames and write it to a file")
    one.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    one.add_argument("--model", metavar="NAME", help="which model (default: the only one)")
    one.add_argument("--out", required=True, metavar="FILE", help="the file to write; its name ends in .reference")
    one.add_argument("frames", nargs="+", metavar="FRAMES", help="normal traffic in time order (.parquet, .csv, .jsonl)")
    one.set_defaults(run=build)
    two = actions.add_parser("show", help="span, what it allows, columns with their cells, smallest visible shifts")
    two.add_argument("file", nargs="?", metavar="FILE", help="a built reference")
    two.add_argument("--state", metavar="STATE", help="a state file instead: the reference in force there")
    two.add_argument("--model", metavar="NAME", help="which model of the state (default: the only one)")
    two.set_defaults(run=show_one)
    three = actions.add_parser("compare", help="per column: PSI, Jensen-Shannon, shift of the mean, new and vanished categories")
    three.add_argument("first", metavar="A", help="a built reference")
    three.add_argument("second", metavar="B", help="another one, told against A")
    three.set_defaults(run=compare_two)


def run(args: argparse.Namespace) -> int:
    """Never reached: argparse asks for an action."""
    raise AssertionError(args)


def build(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from monitor.backtesting import learn
    from monitor.commands import show
    from monitor.config import load
    from monitor.errors import Misconfigured
    from monitor.frame_files import frames_of, rows_of
    from monitor.reference_file import ReferenceFile, is_reference_file
    from monitor.reference_words import described, told

    if not is_reference_file(args.out):
        raise Misconfigured.of(
            "has another ending", origin="raincheck reference build", field="--out", value=args.out, right="a name that ends in .reference"
        )
    plan = load(args.config)
    name = _model(args.model, list(plan.models), "models")
    read = (frame for path in args.frames for frame in frames_of(path))
    frames = rows_of(read, name) if len(plan.models) > 1 else read
    learnt = learn(replace(plan, models={name: plan.models[name]}), frames)
    reference, chain = learnt.models[name]
    made = ReferenceFile(reference, chain, learnt.counts[name], [row for row in learnt.rows if row.verdict.model == name])
    made.write(args.out)
    found = described(reference, made.counts)
    show(args, found | {"file": args.out}, f"{told(found)}\nin {args.out}")
    return 0


def show_one(args: argparse.Namespace) -> int:
    from monitor.commands import show
    from monitor.errors import Misconfigured
    from monitor.reference_file import read_reference
    from monitor.reference_words import described, told

    if (args.file is None) == (args.state is None):
        raise Misconfigured.of("is missing", origin="raincheck reference show", field="FILE", right="a built reference, or --state STATE")
    kept = read_reference(args.file) if args.file is not None else _in_force(args)
    found = described(kept.reference, kept.counts)
    show(args, found, told(found))
    return 0


def compare_two(args: argparse.Namespace) -> int:
    from monitor.commands import show
    from monitor.reference_comparison import as_json, compare, told
    from monitor.reference_file import read_reference

    a, b = read_reference(args.first), read_reference(args.second)
    moved = compare(a, b)
    show(args, {"first": a.reference.name, "second": b.reference.name, "columns": as_json(moved)}, told(args.first, args.second, moved))
    return 0


def _in_force(args: argparse.Namespace) -> ReferenceFile:
    """The state's reference, with the counts of those of its windows that are still kept."""
    from monitor.learning import totals
    from monitor.reference import Reference
    from monitor.reference_file import ReferenceFile
    from monitor.stores.sqlite import SqliteStore

    store = SqliteStore(args.state, reader=True)
    try:
        found = store.load().references
        reference = Reference.unpack(found[_model(args.model, list(found), args.state)])
        counts = totals(reference, store.windows(reference.model, reference.from_ms, reference.until_ms))
    finally:
        store.close()
    return ReferenceFile(reference, b"", counts)


def _model(asked: str | None, known: list[str], where: str) -> str:
    from monitor.errors import Misconfigured

    if asked is None and len(known) == 1:
        return known[0]
    if asked not in known:
        problem = "is missing" if asked is None else "is not there"
        right = f"one of {', '.join(sorted(known))}" if known else f"a model that has learnt ({where} has none)"
        raise Misconfigured.of(problem, origin="raincheck reference", field="--model", value=asked, right=right)
    return asked
