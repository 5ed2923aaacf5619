"""Judges recorded records with the engine that runs live, and prints one verdict per window as a JSON line.

Recordings (`raincheck record`) hold records with their partitions and offsets, so their verdicts are those of the live
run; windows that the recording does not pass are left open as they were there, unless --to-end closes them. Parquet and
CSV hold frames: one row an event, columns under their schema names.

With --incident one page or ticket is computed again: from the state's last checkpoint before it, the same records (from the
configured broker, or from recordings) and the answers and releases that were recorded. Exit codes then: 0 the same evidence
and subjects, 1 they differ (the answer says where), 3 the records are gone, so that it cannot be reproduced.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.reproduction import Reproduction

EXIT_CODES = {"same": 0, "different": 1, "gone": 3}
FRAMES_GONE = "its events came from frames, which a state does not keep: without --incident, raincheck replay judges the same files again"
NAME = "replay"
HELP = "judge recorded records or frames, verdicts as JSON lines; or one incident again"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parser.add_argument("files", nargs="*", metavar="FILE", help="recordings (.jsonl, .jsonl.gz) or frames (.parquet, .csv), in time order")
    parser.add_argument("--incident", metavar="ID", help="compute this incident again; without FILE its records are read from the broker")
    parser.add_argument("--to-end", action="store_true", help="close every window that has begun when the files end")
    parser.add_argument(
        "--state", metavar="FILE", help="keep the state in this new file (default: in memory); with --incident: the state it is in"
    )


def run(args: argparse.Namespace) -> int:
    from monitor.errors import Misconfigured

    if args.incident is not None:
        return _incident(args)
    if not args.files:
        raise Misconfigured.of("is missing", origin="raincheck replay", field="FILE", right="a recording or frames, or --incident ID")
    return _verdicts(args)


def _incident(args: argparse.Namespace) -> int:
    """Reads the state while a daemon may be writing it: one consistent moment of it is enough."""
    from monitor.casefile import opened
    from monitor.commands import show
    from monitor.config import load
    from monitor.daemon import source_of
    from monitor.frames import STREAM
    from monitor.reproduction import Reproduction, reproduce
    from monitor.sources.files import FilesSource
    from monitor.stores.sqlite import SqliteStore

    plan = load(args.config)
    store = SqliteStore(args.state or plan.state.path, reader=True)
    try:
        case = opened(plan, store, args.incident)
        if case.came_from(STREAM):
            found = Reproduction(case.incident.id, "gone", None, why=FRAMES_GONE)
        elif args.files:
            files = FilesSource([Path(name) for name in args.files], case.plan.streams)
            found = reproduce(case, store, files, plan, over=lambda: files.finished)
        else:
            found = reproduce(case, store, source_of(case.plan), plan)
    finally:
        store.close()
    show(args, _payload(found), _text(found))
    return EXIT_CODES[found.outcome]


def _payload(found: Reproduction) -> dict[str, object]:
    from monitor.stores.export import iso, plain

    verdicts = {key: plain(v) if v is not None else None for key, v in (("recorded", found.recorded), ("found", found.found))}
    return {
        "incident": found.incident, "outcome": found.outcome, "begun": None if found.begun_ms is None else iso(found.begun_ms),
        "records": found.records, "inputs": found.inputs, "windows": found.windows, **verdicts,
        "parts": found.parts, "why": found.why, "missing": dict(found.missing),
    }  # fmt: skip


def _text(found: Reproduction) -> str:
    from monitor.wording import when

    begun = "" if found.begun_ms is None else f"begun at {when(found.begun_ms)}: " if found.begun_ms else "begun with the first record: "
    lines = [f"{found.incident}", f"  {begun}{found.records} records, {found.inputs} inputs, {found.windows} windows compared"]
    if found.found is not None:
        subjects = ", ".join(s.name for s in found.found.subjects) or "none"
        lines.append(f"  evidence 10^{found.found.evidence:.6f} (page at 10^{found.found.threshold:.6f}), subjects: {subjects}")
    if found.outcome == "same":
        lines.append("the same evidence and the same subjects as recorded")
    if found.outcome == "different":
        lines.append(f"not the same: it parts at {found.parts}")
    lines += [f"  {partition}: {n} records are gone" for partition, n in sorted(found.missing.items())]
    if found.outcome == "gone":
        lines.append(f"cannot be reproduced: {found.why}")
    return "\n".join(lines)


def _verdicts(args: argparse.Namespace) -> int:
    import msgspec

    from monitor.config import load
    from monitor.errors import Misconfigured
    from monitor.frame_files import frames_of, is_frame_file
    from monitor.frames import plan_for_frames, slices
    from monitor.log import events
    from monitor.offline import Walk, recorded
    from monitor.stores.export import plain
    from monitor.stores.sqlite import SqliteStore

    plan = load(args.config)
    paths = [Path(name) for name in args.files]
    frames = [path for path in paths if is_frame_file(path)]
    if frames and len(frames) < len(paths):
        raise Misconfigured.of("mixes recordings and frames", origin="raincheck replay", field="FILE", right="files of one kind")
    if args.state and Path(args.state).exists():
        raise Misconfigured.of(
            "exists already", origin="raincheck replay", field="--state", value=args.state, right="the path of a new file"
        )
    store = SqliteStore(args.state) if args.state else None
    shown = 0
    encode = msgspec.json.Encoder(order="sorted").encode

    def show(walk: Walk) -> None:
        nonlocal shown
        for verdict in walk.closed():
            sys.stdout.buffer.write(encode(plain(verdict)) + b"\n")
            shown += 1

    try:
        if frames:
            walk = Walk(plan_for_frames(plan), store)
            parts = (frame for path in frames for frame in frames_of(path))
            pieces = slices(walk.plan, parts, origin=", ".join(path.name for path in frames))
        else:
            walk = Walk(plan, store)
            partitions, pieces = recorded(plan, paths)
            walk.engine.assign(partitions)
        for piece in pieces:
            walk.feed([piece])
            show(walk)
        if args.to_end or frames:
            walk.finish()
            show(walk)
    finally:
        if store is not None:
            store.close()
    sys.stdout.buffer.flush()
    events("replay").info("replayed", records=walk.records, verdicts=shown)
    return 0
