"""How a reference comes to be: first the cells are frozen, then, when enough windows have passed, the calibration.

Both steps are pure functions of recorded windows, asked for by the engine at event times that do not depend on how
records were batched. The runner performs them (in a process of its own where it is live) and hands the result back as an
input; until then the model's next windows wait. So a replay learns exactly what the live run learnt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibration import Options, TooLittle, calibrate
from detectors.budget.chain import Chain
from detectors.budget.history import History
from detectors.cuts import Cuts, learn
from detectors.summaries import cells_of, recut, unpack
from detectors.summary import Summary
from monitor.changes import WindowRow
from monitor.plan import DAY_MS, Model
from monitor.reference import Reference, unpack_cells
from monitor.standing import Standing

LearningStep: TypeAlias = Literal["cuts", "calibration"]
ENOUGH_FOR_CUTS = 50_000  # events; 64 cells then hold about 800 each
GATHERED = 576  # windows whose samples are kept at most, two days of five minutes: about 100 MB for fifty columns
WARM_UP = 300  # windows stepped through before judging, so that filters and slow cadences start where the reference ends


@dataclass(frozen=True, slots=True)
class Due:
    """A step of learning that the engine waits for, from the windows that start in [from_ms, until_ms)."""

    step: LearningStep
    model: str
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Learned:
    """The answer to a `Due`: a reference, or None and why not yet; `chain` is the warmed-up state of the evidence."""

    due: Due
    reference: Reference | None
    reason: str = ""
    chain: bytes = b""


def gathering_ms(model: Model) -> tuple[int, int]:
    """Shortest and longest time after which the cells are frozen: a day, if it brought events enough; at most half of
    what is learnt from, so that a model with little traffic still sees a range of days before its extremes are fixed."""
    half = max(model.window_ms, (model.reference.span_ms or 28 * DAY_MS) // 2)
    return min(DAY_MS, half), min(half, max(DAY_MS, GATHERED * model.window_ms))


def learnt_share(model: Model, standing: Standing) -> float:
    """Which part of what is to be learnt has been seen: 1 once windows are judged."""
    learn_ms = model.reference.span_ms
    if standing.stage == "judging":
        return 1.0
    if standing.origin_ms is None or standing.next_ms is None or learn_ms is None:
        return 0.0
    until = standing.learn_until_ms or standing.origin_ms + learn_ms
    return min(1.0, (standing.next_ms - standing.origin_ms) / max(1, until - standing.origin_ms))


def options(model: Model) -> Options:
    """What the calibration needs to know of the plan."""
    effect = model.minimum_effect
    return Options(
        window_ms=model.window_ms, timezone=model.timezone, budget_ms=model.budget.span_ms,
        location=effect.location, scale=effect.scale, rate=effect.rate, psi=effect.psi,
    )  # fmt: skip


def perform(model: Model, due: Due, rows: Iterable[WindowRow], reference: Reference | None) -> Learned:
    """Does one step of learning from the recorded windows; `reference` holds the frozen cells for the second step."""
    if due.step == "cuts":
        return Learned(due, _cut(model, due, rows))
    assert reference is not None, "calibration follows the cuts"
    history = history_of(model, rows, reference.cuts)
    try:
        calibration = calibrate(model.columns, history, options(model))
    except TooLittle as error:
        return Learned(due, None, str(error))
    whole = replace(reference, calibration=calibration, from_ms=due.from_ms, until_ms=due.until_ms)
    return Learned(due, whole, chain=warmed(whole, history))


def _cut(model: Model, due: Due, rows: Iterable[WindowRow]) -> Reference:
    found: dict[str, list[Any]] = {column.name: [] for column in model.columns}
    for row in rows:
        for name, packed in row.columns.items():
            found[name].append(summary_of(packed))
    cuts = {column.name: learn(column.kind, found[column.name]) for column in model.columns}
    # two windows of grace: a partition may already have brought events of the next window when the cells are frozen
    return Reference(model.name, model.digest, cuts, due.until_ms + 2 * model.window_ms, due.from_ms, due.until_ms)


def summary_of(packed: bytes) -> Summary:
    """A summary from its record: kind, a zero byte, body."""
    kind, _, body = packed.partition(b"\0")
    return unpack(kind.decode(), body)


def packed_summary(summary: Summary) -> bytes:
    """Inverse of `summary_of`."""
    return summary.kind.encode() + b"\0" + summary.pack()


def history_of(model: Model, rows: Iterable[WindowRow], cuts: Mapping[str, Cuts]) -> History:
    """Recorded windows as one matrix of counts per column; windows from before the cells were frozen are cut now."""
    starts: list[int] = []
    counts: dict[str, list[NDArray[np.int64]]] = {column.name: [] for column in model.columns}
    for row in rows:
        starts.append(row.verdict.start_ms)
        for name, column in counts.items():
            column.append(row_cells(row, name, cuts[name]))
    return History(
        start_ms=np.array(starts, np.int64), window_ms=model.window_ms,
        counts={name: np.stack(column) if column else np.zeros((0, size(cuts[name])), np.int64) for name, column in counts.items()},
    )  # fmt: skip


def size(cuts: Cuts) -> int:
    """Number of cells."""
    return len(cuts.names())


def row_cells(row: WindowRow, name: str, cuts: Cuts) -> NDArray[np.int64]:
    """One column's counts in one recorded window; zeros where it was not seen."""
    packed = row.columns.get(name)
    if packed is None:
        return np.zeros(size(cuts), np.int64)
    return unpack_cells(packed) if row.form == "cells" else cells_of(recut(summary_of(packed), cuts))


def totals(reference: Reference, rows: Iterable[WindowRow]) -> dict[str, NDArray[np.int64]]:
    """Events per column and cell of the reference, over recorded windows."""
    out = {name: np.zeros(size(cuts), np.int64) for name, cuts in reference.cuts.items()}
    for row in rows:
        for name in out:
            out[name] += row_cells(row, name, reference.cuts[name])
    return out


def warmed(reference: Reference, history: History) -> bytes:
    """The chain's state at the end of the reference: filters and slow cadences filled, no evidence."""
    assert reference.calibration is not None
    chain = Chain(reference.calibration)
    state = chain.zero()
    for i in range(max(0, len(history.start_ms) - WARM_UP), len(history.start_ms)):
        state, _ = chain.step(state, int(history.start_ms[i]), {name: c[i] for name, c in history.counts.items()})
    return chain.reset(state).pack()
