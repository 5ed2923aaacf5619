"""False pages and delays, by the protocol that detection is judged by.

Traffic is drawn as counts of closed windows (detectors.testing.traffic); a model is calibrated on its reference and judged on what
follows. Rows: false pages in a month of every kind of normal traffic; delay of every kind of drift at random times of day, beside
classical tests at an oracle's thresholds; whether the drifted feature is named first and since when; the life of a drift of three
days; cost. Each cell is kept as a file as soon as it is done, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean as mean
from statistics import median
from typing import Any, TypeAlias

NAME = "detection"
HELP = "false pages on drift-free traffic, delay on drifts, subjects, onset, cost"
Cell: TypeAlias = dict[str, Any]
PEERS = ("ks", "psi", "js", "chi2")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=3, help="seeds per kind of traffic (default: %(default)s; the protocol asks for 20)")
    parser.add_argument("--first-seed", type=int, default=1, help="first seed (default: %(default)s)")
    parser.add_argument("--features", type=int, default=50, help="features of the model (default: %(default)s)")
    parser.add_argument("--days", type=int, default=28, help="days of reference (default: %(default)s)")
    parser.add_argument("--live", type=int, default=30, help="live days without drift (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=8, help="drifts of each kind per seed (default: %(default)s)")
    parser.add_argument("--only", default="", help="kinds of traffic, separated by ; (default: all)")
    parser.add_argument("--delays-on", default="all;iid", help="kinds of traffic on which drifts are tried (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("bench-detection"), help="folder of finished cells (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a small form that takes a minute: 6 features, 10 days, 2 kinds, 3 drifts")


def measure(args: argparse.Namespace) -> dict[str, float]:
    """All cells, finished ones from their files, then the table."""
    from detectors.testing.traffic import DRIFTS, SCENARIOS
    from monitor.bench.episodes import run

    if args.quick:
        args.features, args.days, args.live, args.seeds, args.starts, args.only, args.delays_on = 6, 14, 10, 1, 1, "iid;all", "all"
    names = [n for n in SCENARIOS if not args.only or n in args.only.split(";")]
    drifts = ("1 feature mean +0.5 sd", "1 feature scale x1.3", "missing +3 points") if args.quick else tuple(DRIFTS)
    cells: list[Cell] = []
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        for name in names:
            job = {"scenario": name, "seed": seed, "features": args.features, "days": args.days, "live": args.live}
            if name in args.delays_on.split(";"):
                job |= {"drifts": drifts, "starts": args.starts}
            cells.append(kept(args.out, job, lambda job=job: run(**job)))  # type: ignore[misc]  # mypy does not infer default arguments
    return table(cells)


def kept(folder: Path, job: Cell, work: Callable[[], Cell]) -> Cell:
    """The cell's file if it is there, else the work, kept under a name that is the job's own."""
    name = hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    if path.exists():
        done: Cell = json.loads(path.read_text())["cell"]
        return done
    print(f"{job['scenario']}, seed {job['seed']} ...", file=sys.stderr, flush=True)
    cell = work()
    folder.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text(json.dumps({"job": job, "cell": cell}, indent=1))
    half.replace(path)
    return cell


def table(cells: list[Cell]) -> dict[str, float]:
    """Figures by row of the protocol."""
    from detectors.scoring import poisson_upper

    out: dict[str, float] = {}
    months, pages = 0.0, 0
    for name in dict.fromkeys(c["scenario"] for c in cells):
        mine = [c for c in cells if c["scenario"] == name]
        span, count = sum(c["months"] for c in mine), sum(c["pages"] for c in mine)
        months, pages = months + span, pages + count
        out[f"false pages a month, {name}"] = count / span
        out[f"false pages a month at the budget itself, {name}"] = sum(c["pages_at_budget"] for c in mine) / span
    out["false pages a month"], out["false pages a month, 95 % upper limit"] = pages / months, poisson_upper(pages) / months
    for name in dict.fromkeys(c["scenario"] for c in cells if "drifts" in c):
        out |= dict(_delays(name, [d for c in cells if c["scenario"] == name for d in c.get("drifts", ())]))
        lives = [c["life"] for c in cells if c["scenario"] == name and "life" in c]
        out[f"pages of a 3-day drift, {name}"] = mean([x["pages"] for x in lives])
        ended = [x["recovered"] for x in lives if x["recovered"] is not None]
        out[f"windows to recovery after a 3-day drift, {name}"] = mean(ended) if ended else float("nan")
    for figure in ("calibration_s", "calibration_bytes", "step_ms", "state_bytes"):
        out[figure] = mean([c[figure] for c in cells])
    return out


def _delays(scenario: str, found: list[Cell]) -> Iterator[tuple[str, float]]:
    told = [d for d in found if d["delay"] is not None]
    for name in dict.fromkeys(d["drift"] for d in found):
        mine = [d for d in found if d["drift"] == name]
        horizon = mine[0]["horizon"]
        yield f"delay, {name}, {scenario}", mean([d["delay"] or horizon for d in mine])
        yield f"missed, {name}, {scenario}", mean([d["delay"] is None for d in mine])
        yield f"delay of the best peer, {name}, {scenario}", min(mean(d[p] or horizon for d in mine) for p in PEERS)
        yield f"missed by the best peer, {name}, {scenario}", min(mean(d[p] is None for d in mine) for p in PEERS)
    if told:
        yield f"drifted feature first, {scenario}", mean([d["first"] for d in told])
        yield f"median onset error in windows, {scenario}", median([abs(d["onset_error"]) for d in told])
