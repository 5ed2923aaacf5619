"""What a model's reference allows and how its promise has been kept: the calibration report.

It tells which row of the table on references holds, which streams were inflated, how many pages a replay of the reference
would have sent, the smallest shift of each feature that is seen within an hour and within a day, the ledger of pages with
the measured upper limit of false ones, and what is open. A running daemon is not disturbed.
"""

from __future__ import annotations

import argparse

NAME = "report"
HELP = "what a model's reference allows, and how its promise was kept"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="the model's name")
    parser.add_argument("--config", metavar="FILE", help="the configuration")
    parser.add_argument(
        "--state",
        metavar="STATE",
        help="the state file (default: the configuration's); without a configuration it tells the budget that was calibrated for",
    )


def run(args: argparse.Namespace) -> int:
    from monitor.commands import show
    from monitor.config import load
    from monitor.errors import Misconfigured
    from monitor.reference import Reference
    from monitor.report import as_json, report_of, told, unplanned
    from monitor.standing import Standing
    from monitor.stores.sqlite import SqliteStore

    if args.config is None and args.state is None:
        raise Misconfigured.of("is missing", origin="raincheck report", field="--config", right="a configuration, or --state STATE")
    plan = load(args.config) if args.config is not None else None
    store = SqliteStore(args.state or (plan.state.path if plan is not None else ""), reader=True)
    try:
        snapshot, name = store.load(), args.model
        known = sorted(plan.models if plan is not None else snapshot.evidence)
        if name not in known:
            right = f"one of {', '.join(known)}" if known else "a state in which a model has been seen"
            raise Misconfigured.of("is not watched", origin="raincheck report", field="MODEL", value=name, right=right)
        reference = Reference.unpack(snapshot.references[name]) if name in snapshot.references else None
        standing = Standing.unpack(snapshot.evidence[name]) if name in snapshot.evidence else Standing()
        model = plan.models[name] if plan is not None else unplanned(name, reference)
        report = report_of(model, standing, reference, store.incidents(name))
    finally:
        store.close()
    show(args, as_json(report), told(report))
    return 0
