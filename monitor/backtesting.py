"""Backtests: a configuration walked over one's own frames by the engine that runs live.

from monitor import backtest, learn
reference = learn(config, frames)               # calibrate once, use often (a built file, "normal.reference", does as well)
result = backtest(config, events, reference)    # or leave the reference out: the plan says how much is learnt from
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from monitor import config as configuration
from monitor.batch import Batch, Slice
from monitor.changes import Changes, WindowRow
from monitor.errors import Misconfigured
from monitor.frame_files import frames_of, rows_of
from monitor.frames import STREAM, Frames, peeked, plan_for_frames, slices, stamped
from monitor.learning import as_reference, totals
from monitor.offline import Progress, Walk
from monitor.plan import Model, Plan, ReferencePlan
from monitor.reference import Reference, pack_cells
from monitor.reference_file import Counts, check_fit, is_reference_file, read_reference
from monitor.results import Result, collect, reported, unlearnt
from monitor.wording import when

Config = str | Path | Mapping[str, Any] | Plan
MOST_LATE = 0.01  # of a reference's events: what is out of order is no reference, whatever is left of it


TIMELESS = "learnt without time: a distribution only, tickets until the season is learnt from the events"


@dataclass(frozen=True, slots=True, repr=False)
class Learnt:
    """What `learn` returns: per model its reference and the state of the evidence at its end."""

    plan: Plan
    models: Mapping[str, tuple[Reference, bytes]]
    counts: Mapping[str, Counts] = field(default_factory=dict)  # per model and column: events per cell
    rows: Sequence[WindowRow] = ()  # its windows, which nights and refits learn from again

    @property
    def report(self) -> dict[str, dict[str, Any]]:
        """The calibration report of each model: span, stage, inflated streams, smallest visible shifts, findings.

        One learnt from frames without time has the stage of no days, and `why` says so.
        """
        return {
            name: unlearnt(TIMELESS) if ref.calibration is None else reported(ref.calibration.report)
            for name, (ref, _) in self.models.items()
        }

    def __repr__(self) -> str:
        """Each model with the span it was learnt from, its stage, and whether it may page."""
        return f"Learnt({'; '.join(_told(name, ref) for name, (ref, _) in self.models.items())})"


def _told(name: str, reference: Reference) -> str:
    if reference.calibration is None:
        return f"{name}: without time, a distribution only"
    stage = reference.calibration.stage
    may = "pages" if stage.pages else "tickets only"
    return f"{name}: {when(reference.from_ms)} to {when(reference.until_ms)}, stage {stage.name}, {may}"


def plan_of(config: Config) -> Plan:
    """A plan from a path, a mapping, or one that is compiled already; Misconfigured lists every mistake."""
    if isinstance(config, Plan):
        return config
    if isinstance(config, str | Path):
        return configuration.load(config)
    return configuration.compile(config)


def learn(config: Config, frames: Frames, *, progress: Progress | None = None) -> Learnt:
    """Learns a reference for every model from all of `frames`.

    Parameters
    ----------
    config
        path of a configuration, a mapping of the same shape, or a compiled plan
    frames
        a DataFrame, or a one-pass iterable of them in time order (`monitor.frames` tells their columns). Without a column
        `time` (a training set, say) only their distribution is learnt: a backtest then sends tickets against it while it learns
        the season from the beginning of the events, as the plan's `reference` says, and pages from then on

    Raises
    ------
    Misconfigured
        for a configuration or a frame with mistakes, for frames out of order, and for a model that they are too little for
    """
    plan = plan_for_frames(plan_of(config))
    timed, frames = peeked(frames, "reference")
    if not timed:
        return _distributions(plan, frames, progress)
    walk = Walk(_endless(plan))
    walk.feed(slices(walk.plan, frames, origin="reference"), progress)
    walk.finish()
    _check_order(walk)
    found: dict[str, tuple[Reference, bytes]] = {}
    counts: dict[str, Counts] = {}
    rows: list[WindowRow] = []
    for name in plan.models:
        while walk.engine.demand(name):
            before = walk.engine.standings[name].learn_until_ms
            walk.settle()
            if walk.engine.standings[name].learn_until_ms != before:
                break
        standing, reference = walk.engine.standings[name], walk.engine.references.get(name)
        if standing.stage != "judging" or reference is None:
            why = standing.reason or "no event of this model"
            raise Misconfigured.of(why, origin="reference", field=name, right="more windows of normal traffic")
        reference = replace(reference, digest=plan.models[name].digest)
        found[name] = (reference, walk.engine.state_of(name))
        mine = [as_reference(row, reference) for row in walk.store.windows(name, reference.from_ms, reference.until_ms)]
        counts[name] = totals(reference, mine)
        rows += mine
    return Learnt(plan, found, counts, rows)


def _endless(plan: Plan) -> Plan:
    """The plan, learning from all there is."""
    return replace(plan, models={name: replace(model, reference=ReferencePlan(None)) for name, model in plan.models.items()})


def _distributions(plan: Plan, frames: Frames, progress: Progress | None) -> Learnt:
    """Per model the cells of a frame without time, and how many events each holds."""
    walk = Walk(_endless(plan))
    window_ms = max(model.window_ms for model in plan.models.values())
    walk.feed(slices(plan, stamped(frames, "reference", window_ms), origin="reference"), progress)
    walk.finish()
    found: dict[str, tuple[Reference, bytes]] = {}
    counts: dict[str, Counts] = {}
    for name, model in plan.models.items():
        if walk.engine.standings[name].stage == "gathering" and not walk.engine.demand(name):
            raise Misconfigured.of("no event of this model", origin="reference", field=name, right="rows of normal traffic")
        walk.settle()
        cells = replace(walk.engine.references[name], effective_ms=0, from_ms=0, until_ms=0, calibration=None)
        counts[name] = totals(cells, walk.store.windows(name, 0, walk.engine.standings[name].next_ms or 0))
        found[name] = (replace(cells, digest=model.digest, frame={c: pack_cells(n) for c, n in counts[name].items()}), b"")
    return Learnt(plan, found, counts)


def _check_order(walk: Walk) -> None:
    """Refuses a reference of which more than a hundredth came after its window had closed."""
    counts = walk.store.load().counts
    for name in walk.plan.models:
        late = counts[name, "late"]
        if late > MOST_LATE * (late + walk.engine.standings[name].events):
            right = "frames in time order, or one frame, which is sorted"
            value = f"{late} rows later than rows before them"
            raise Misconfigured.of("is out of order", origin="reference", field=name, value=value, right=right)


def given(plan: Plan, path: str | Path, *, of: str = "") -> Learnt:
    """What a file says is normal: a built reference (`raincheck reference build`), or frames to learn from.

    A built reference speaks for one model of the plan; of frames of several models only the rows of model `of` are read, if it
    is named. Misconfigured where it was learnt for another schema, window or zone.
    """
    if not is_reference_file(path):
        return learn(plan, rows_of(frames_of(path), of) if of else frames_of(path))
    built = read_reference(path)
    name = next(iter(plan.models)) if len(plan.models) == 1 else built.reference.model
    if name not in plan.models:
        right = f"a reference of one of {', '.join(sorted(plan.models))}"
        raise Misconfigured.of("speaks for a model that is not watched", origin="reference", field=name, value=path, right=right)
    check_fit(plan.models[name], built.reference, str(path))
    reference = replace(built.reference, model=name)
    rows = [replace(row, verdict=replace(row.verdict, model=name)) for row in built.rows]
    return Learnt(plan, {name: (reference, built.chain)}, {name: built.counts}, rows)


def backtest(
    config: Config,
    events: Frames,
    reference: Frames | Learnt | str | Path | None = None,
    *,
    scores: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Walks `events` and tells every page, ticket and window.

    Parameters
    ----------
    config
        path, mapping or plan
    events
        a DataFrame, or a one-pass iterable of them in time order
    reference
        frames of normal traffic before the events, what `learn` returned, the path of a built reference or of frames, or None:
        then the plan's `reference` says how much of the beginning is learnt from
    scores
        also keep, per window, the evidence share of every subject

    Raises
    ------
    Misconfigured
        for mistakes in the configuration or the frames, and for events that begin before the reference ends
    """
    plan = plan_for_frames(plan_of(config))
    learnt: Learnt | None
    if isinstance(reference, str | Path):
        learnt = given(plan, reference)
    else:
        learnt = reference if isinstance(reference, Learnt) or reference is None else learn(plan, reference, progress=progress)
    walk = Walk(plan)
    if learnt is not None:
        walk.store.save(Changes(windows=[row for row in learnt.rows if row.verdict.model in plan.models]))
        for name, (ref, chain) in learnt.models.items():
            if name in plan.models:
                check_fit(plan.models[name], ref, "reference")
                walk.engine.install(ref, chain)
    walk.feed(_after(plan, slices(plan, events, origin="events"), learnt), progress)
    walk.finish()
    unknown = walk.store.load().counts[STREAM, "unknown_model"]
    if unknown and unknown == walk.records:
        right = f"a column `model` that names {' or '.join(sorted(plan.models))}; with one model it may be left out"
        raise Misconfigured.of("belong to no watched model", origin="events", field="model", value=f"{unknown} rows", right=right)
    return collect(plan, walk.store, walk.engine, scores=scores)


def _after(plan: Plan, pieces: Iterable[Slice], learnt: Learnt | None) -> Iterable[Slice]:
    """The slices, once it is sure that each model's events begin where its reference has ended, and bring what it has learnt.

    A window that the reference and the events share is told as unknown: the reference may end anywhere.
    """
    waiting = set(learnt.models) if learnt is not None else set()
    for piece in pieces:
        for name in sorted(waiting & {batch.model for batch in piece.batches if len(batch)}):
            assert learnt is not None
            waiting.discard(name)
            _check_begin(plan.models[name], learnt, [batch for batch in piece.batches if batch.model == name and len(batch)])
        yield piece


def _check_begin(model: Model, learnt: Learnt, batches: Sequence[Batch]) -> None:
    until_ms = learnt.models[model.name][0].until_ms
    begins = min(int(batch.time_ms.min()) for batch in batches)
    if begins < until_ms - model.window_ms:
        raise Misconfigured.of(
            "begin before the reference ends", origin="events", field=model.name, value=pd.Timestamp(begins, unit="ms", tz="UTC"),
            right=f"events from {pd.Timestamp(until_ms, unit='ms', tz='UTC')} on",
        )  # fmt: skip
    brought = {name for batch in batches for name in batch.columns}
    for column in model.columns:
        source = "prediction" if column.name == "prediction" else column.name.partition(".")[0]
        counts = learnt.counts.get(model.name, {}).get(column.name)
        if column.role == "predictions" and source not in brought and counts is not None and counts.sum():
            right = "the column that the reference was learnt with"
            raise Misconfigured.of("is missing", origin="events", field=source, right=right)
