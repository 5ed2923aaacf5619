"""False pages and delays, by the protocol that detection is judged by.

Traffic is drawn as counts of closed windows (detectors.testing.traffic); a model is calibrated on its reference and judged on what
follows. Rows: false pages in a month of every kind of normal traffic; delay of every kind of drift at random times of day, beside
classical tests and sequential detectors at an oracle's thresholds; whether the drifted feature is named first and since when; the life
of a drift of three days; what answering "false" does where the null model is broken. Each cell is kept as a file as soon as it is
done, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

NAME = "detection"
HELP = "false pages on drift-free traffic, delay on drifts beside other detectors, subjects, onset, feedback"
Cell: TypeAlias = dict[str, Any]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, help="seeds per kind of traffic (default: %(default)s; the protocol asks for 20)")
    parser.add_argument("--first-seed", type=int, default=1, help="first seed (default: %(default)s)")
    parser.add_argument("--features", type=int, default=50, help="features of the model (default: %(default)s)")
    parser.add_argument("--days", type=int, default=28, help="days of reference (default: %(default)s)")
    parser.add_argument("--live", type=int, default=30, help="live days without drift (default: %(default)s)")
    parser.add_argument("--drift-seeds", type=int, default=3, help="of these seeds, those that drift as well (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=8, help="drifts of each kind per seed (default: %(default)s)")
    parser.add_argument("--row", type=int, choices=(1, 2), help="kinds of traffic of one row of the protocol only")
    parser.add_argument("--only", default="", help="kinds of traffic, separated by ; (default: all)")
    parser.add_argument("--delays-on", default="all;iid", help="kinds of traffic on which drifts are tried, or none (default: %(default)s)")
    parser.add_argument("--feedback", type=int, default=0, metavar="SEEDS", help="lives of models with a broken null model (default: none)")
    parser.add_argument("--out", type=Path, default=Path("bench-detection"), help="folder of finished cells (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a small form that takes a minute: 6 features, 14 days, 2 kinds, 3 drifts")


def measure(args: argparse.Namespace) -> dict[str, float]:
    """All cells, finished ones from their files, then the figures; the tables for people go to stderr."""
    from detectors.testing.traffic import DRIFTS
    from monitor.bench.cases import CASES
    from monitor.bench.episodes import drifting, quiet_month
    from monitor.bench.findings import figures, tables

    if args.quick:
        args.features, args.days, args.live, args.seeds, args.starts, args.only, args.delays_on = 6, 14, 10, 1, 1, "iid;all", "all"
    names = [n for n, case in CASES.items() if args.row in (None, case.row) and (not args.only or n in args.only.split(";"))]
    drifts = ("1 feature mean +0.5 sd", "1 feature scale x1.3", "missing +3 points") if args.quick else tuple(DRIFTS)
    cells: list[Cell] = []
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for name in names:
            job = {"case": name, "seed": seed, "features": args.features, "days": args.days, "live": args.live}
            cells.append(kept(args.out, job, lambda job=job: quiet_month(**job)))  # type: ignore[misc]  # mypy does not infer default arguments
    for seed in range(args.first_seed, args.first_seed + min(args.seeds, args.drift_seeds)):
        for name in args.delays_on.split(";"):
            if name not in names:
                continue
            job = {"case": name, "seed": seed, "features": args.features, "days": args.days, "live": args.live}
            job |= {"drifts": drifts, "starts": args.starts}
            cells.append(kept(args.out, job, lambda job=job: drifting(**job)))  # type: ignore[misc]  # as above
    if args.feedback:
        cells.append(kept(args.out, {"case": "feedback", "seed": args.feedback}, lambda: _answered(args.feedback)))
    print(tables(cells), file=sys.stderr)
    return figures(cells)


def _answered(seeds: int) -> Cell:
    from monitor.bench.feedback import feedback

    return {"case": "feedback", "seed": seeds, "figures": feedback(seeds)}


def kept(folder: Path, job: Cell, work: Callable[[], Cell]) -> Cell:
    """The cell's file if it is there, else the work, kept under a name that is the job's own."""
    name = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    if path.exists():
        done: Cell = json.loads(path.read_text())["cell"]
        return done
    print(f"{job['case']}, seed {job['seed']}{', drifts' if 'drifts' in job else ''} ...", file=sys.stderr, flush=True)
    cell = work()
    folder.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text(json.dumps({"job": job, "cell": cell}, indent=1))
    half.replace(path)
    return cell
