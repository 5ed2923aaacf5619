"""How a reference comes to be: first the cells are frozen, then, when enough windows have passed, the calibration; what is
learnt again after that says monitor.again.

All steps are pure functions of recorded windows, asked for by the engine at event times that do not depend on how
records were batched. The runner performs them (in a process of its own where it is live) and hands the result back as an
input; until then the model's next windows wait. So a replay learns exactly what the live run learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibration import Calibration, Options, TooLittle, calibrate
from detectors.budget.chain import Chain, Lead
from detectors.budget.clock import Clock
from detectors.budget.episodes import learnt as without_incidents
from detectors.budget.history import Counts, History, narrow
from detectors.budget.rebase import LEAST_WINDOWS, rebase
from detectors.budget.refit import refit
from detectors.budget.trend import trend
from detectors.cuts import Cuts, learn
from detectors.summaries import cells_of, recut, unpack
from detectors.summary import Summary
from monitor.changes import WindowRow
from monitor.plan import DAY_MS, Model
from monitor.reference import Reference, pack_cells, unpack_cells
from monitor.standing import AgainStep, Expected, Level, Standing
from monitor.verdict import Verdict

FirstStep: TypeAlias = Literal["cuts", "calibration"]
ENOUGH_FOR_CUTS = 50_000  # events; 64 cells then hold about 800 each
GATHERED = 576  # windows whose samples are kept at most, two days of five minutes: about 100 MB for fifty columns
OF_REFERENCE = "of the reference"  # why a recorded window was not judged
ROWS_AT_ONCE = 288  # rows that are unpacked at a time
WARM_UP = 300  # windows stepped through before judging, so that filters and slow cadences start where the reference ends


@dataclass(frozen=True, slots=True)
class Due:
    """A step of learning that the engine waits for, from the windows that start in [from_ms, until_ms) and in none of `left_out`.

    `levels` are those that changed since the reference, of which `columns` have not been judged by theirs yet; what an event of the
    `calendar` covers is nobody's reference; `false_ms` is when the first false page was sent (refit); `clock` the one that live windows
    have shown to be followed.
    """

    step: FirstStep | AgainStep
    model: str
    from_ms: int
    until_ms: int
    left_out: tuple[tuple[int, int], ...] = ()
    columns: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    calendar: tuple[Expected, ...] = ()
    false_ms: int = 0
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """The answer to a `Due`: a reference, or None and why not yet; `chain` is the warmed-up state of the evidence.

    A look back at the week (trend) makes no reference: it finds `leads`, or none.
    """

    due: Due
    reference: Reference | None
    reason: str = ""
    chain: bytes = b""
    leads: tuple[Lead, ...] = ()


def gathering_ms(model: Model) -> tuple[int, int]:
    """Shortest and longest time after which the cells are frozen: a day, if it brought events enough; at most half of
    what is learnt from, so that a model with little traffic still sees a range of days before its extremes are fixed."""
    half = max(model.window_ms, (model.reference.span_ms or 28 * DAY_MS) // 2)
    return min(DAY_MS, half), min(half, max(DAY_MS, GATHERED * model.window_ms))


def first_step(model: Model, standing: Standing, end_ms: int) -> FirstStep | None:
    """The step of a model's first learning that is due once windows are closed up to `end_ms`."""
    if standing.origin_ms is None or end_ms < (standing.learn_until_ms or 0):
        return None
    shortest, longest = gathering_ms(model)
    elapsed = end_ms - standing.origin_ms
    if standing.stage == "gathering":
        enough = elapsed >= longest or (elapsed >= shortest and standing.events >= ENOUGH_FOR_CUTS)
        return "cuts" if enough else None
    learn_ms = model.reference.span_ms
    until = standing.learn_until_ms or (standing.origin_ms + learn_ms if learn_ms is not None else None)
    return "calibration" if until is not None and end_ms >= until else None


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
    """Does one step of learning from the recorded windows; `reference` is the one in force, of which the first step needs none."""
    kept = (row for row in rows if not any(start <= row.verdict.start_ms < end for start, end in due.left_out))
    if due.step == "cuts":
        return Learned(due, _cut(model, due, kept))
    assert reference is not None, "every other step follows the cuts"
    history = history_of(model, kept, reference.cuts)
    history = _unheard(history, _announced(model, due, history.start_ms))
    try:
        return _STEPS[due.step](model, due, history, reference)
    except TooLittle as error:
        return Learned(due, None, str(error))


def _calibrated(model: Model, due: Due, history: History, reference: Reference) -> Learned:
    whole = _levelled(
        replace(reference, from_ms=due.from_ms, until_ms=due.until_ms), calibrate(model.columns, history, options(model)), due, history
    )
    assert whole.calibration is not None
    return Learned(due, whole, chain=warmed(whole, without_incidents(history, whole.calibration.report)))


def _levelled(reference: Reference, calibration: Calibration, due: Due, history: History) -> Reference:
    """The reference with a calibration, and the levels that have been others since.

    A column that has fallen silent holds up no other: its level stays until enough of it has come. TooLittle where none of the due
    `columns` has brought enough.
    """
    levelled, known = calibration, set[str]()
    for level in due.levels:
        since = history.since(level.from_ms)
        enough = [name for name in level.columns if int(since.counts[name].any(axis=1).sum()) >= LEAST_WINDOWS]
        levelled, known = rebase(levelled, since, enough) if enough else levelled, known.union(enough)
    if due.columns and not known & {*due.columns}:
        raise TooLittle(f"fewer than {LEAST_WINDOWS} windows hold events of {', '.join(due.columns[:4])} since the level changed")
    names = tuple(sorted({name for level in due.levels for name in level.columns}))
    return replace(reference, calibration=levelled, before=calibration if names else None, levelled=names)


def _nightly(model: Model, due: Due, history: History, reference: Reference) -> Learned:
    calibration = reference.calibration
    if calibration is not None and history.days <= calibration.days:
        return Learned(due, None, f"{history.days:.1f} days of windows are kept, no more than the reference holds already")
    return _calibrated(model, due, history, reference)


def _refitted(_: Model, due: Due, history: History, reference: Reference) -> Learned:
    assert reference.calibration is not None, "only a judged model can have sent a false page"
    if any(level.from_ms > due.until_ms - DAY_MS for level in due.levels):
        return Learned(due, None, "a level is younger than a day: how its column moves about it is not to be seen yet")
    # the step to another level is no wander: taken for it, it would hide the next one of its size
    history = _unheard(history, [(name, history.start_ms < level.from_ms) for level in due.levels for name in level.columns])
    return Learned(
        due, replace(reference, calibration=refit(_timed(reference.calibration, due), history, due.false_ms), before=None, levelled=())
    )


def _rebased(_: Model, due: Due, history: History, reference: Reference) -> Learned:
    assert reference.calibration is not None, "only a judged model has levels"
    # levels that are settled stay as they were learnt; those that are being firmed up begin where they were not known yet
    settling = {name for level in due.levels for name in level.columns}
    before = reference.before if set(reference.levelled) <= settling else None
    return Learned(due, _levelled(reference, _timed(before or reference.calibration, due), due, history))


def _looked_back(_: Model, due: Due, history: History, reference: Reference) -> Learned:
    assert reference.calibration is not None, "only a judged model has somewhere to have gone from"
    # a column whose level began within the week lay elsewhere for a part of it: it is looked back at from the next Monday on
    young = [name for level in due.levels if level.from_ms > due.from_ms for name in level.columns]
    history = _unheard(history, [(name, np.ones(len(history.start_ms), bool)) for name in young])
    return Learned(due, None, leads=trend(_timed(reference.calibration, due), history))


def _announced(model: Model, due: Due, starts: NDArray[np.int64]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Columns and the windows in which an announced event touches them: they are not judged there, and not learnt from either."""
    found = []
    for event in due.calendar:
        touched = np.array([event.covers(int(start_ms), model.window_ms) for start_ms in starts], bool)
        found += [(c.name, touched) for c in model.columns if touched.any() and (not event.subjects or c.subject in event.subjects)]
    return found


def _unheard(history: History, which: Iterable[tuple[str, NDArray[np.bool_]]]) -> History:
    """The history as if these columns had not been seen in these windows."""
    counts = dict(history.counts)
    for name, windows in which:
        counts[name] = np.where(windows[:, None], 0, counts[name])
    return replace(history, counts=counts)


def _timed(calibration: Calibration, due: Due) -> Calibration:
    """With what live windows have shown of the clock since it was learnt."""
    return calibration if due.clock is None else calibration.under(due.clock)


_STEPS: Mapping[str, Callable[[Model, Due, History, Reference], Learned]] = {
    "calibration": _calibrated, "nightly": _nightly, "refit": _refitted, "rebase": _rebased, "trend": _looked_back,
}  # fmt: skip


def _cut(model: Model, due: Due, rows: Iterable[WindowRow]) -> Reference:
    found: dict[str, list[Any]] = {column.name: [] for column in model.columns}
    for row in rows:
        for name, packed in row.columns.items():
            found[name].append(summary_of(packed))
    cuts = {column.name: learn(column.kind, found[column.name]) for column in model.columns}
    # two windows of grace: a partition may already have brought events of the next window when the cells are frozen
    return Reference(model.name, model.digest, cuts, due.until_ms + 2 * model.window_ms, due.from_ms, due.until_ms)


def summary_of(packed: bytes) -> Summary:
    """A summary from its record (`window_row`): kind, a zero byte, body."""
    kind, _, body = packed.partition(b"\0")
    return unpack(kind.decode(), body)


def window_row(verdict: Verdict, summaries: Mapping[str, Summary], cells: Mapping[str, NDArray[np.int64]] | None) -> WindowRow:
    """A closed window for the record: its cells, or its summaries as long as there are no cells."""
    if cells is not None:
        return WindowRow(verdict, "cells", {name: pack_cells(counts) for name, counts in cells.items()})
    return WindowRow(verdict, "summaries", {name: summary.kind.encode() + b"\0" + summary.pack() for name, summary in summaries.items()})


def as_reference(row: WindowRow, reference: Reference) -> WindowRow:
    """A window of a reference that is given, for the record of a run which has not read it: as counts in its cells."""
    cells = {name: pack_cells(row_cells(row, name, cuts)) for name, cuts in reference.cuts.items()}
    return WindowRow(replace(row.verdict, reason=OF_REFERENCE), "cells", cells)


def history_of(model: Model, rows: Iterable[WindowRow], cuts: Mapping[str, Cuts]) -> History:
    """Recorded windows as one matrix of counts per column; windows from before the cells were frozen are cut now.

    Rows are read a few at a time and let go: a month of them is larger than the counts they hold.
    """
    starts: list[int] = []
    parts: dict[str, list[Counts]] = {column.name: [np.zeros((0, size(cuts[column.name])), np.int8)] for column in model.columns}
    rows = iter(rows)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        starts += [row.verdict.start_ms for row in some]
        for name, tables in parts.items():
            tables.append(narrow(np.stack([row_cells(row, name, cuts[name]) for row in some])))
    return History(
        start_ms=np.array(starts, np.int64), window_ms=model.window_ms,
        counts={column.name: np.concatenate(parts.pop(column.name)) for column in model.columns},
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
