"""What is learnt again while a model is watched, and when: a table of wants in the standing, ordered by event time.

| step | asked for by | when | from |
| --- | --- | --- | --- |
| nightly | a reference of under 28 days | at 02:00 UTC, when a tenth longer, unless a page is open | all windows since it began |
| refit | a page answered "false" | at once, and on seven nights | the last 28 days |
| rebase | "new normal", a deployment | 6 h, a day and a week after the change | the windows since the change |
| trend | every reference | Mondays at 03:00 UTC | the last seven days |

Pages that nobody called false are left out of what is learnt, and of their columns what announced events cover. All times
are event times, so a replay learns when the live run learnt; the model's next windows wait for the step, as they do for the
first calibration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from monitor.incident import Incident
from monitor.judge import FALSE_STEP, LN10, boost, latches
from monitor.learning import Due
from monitor.plan import DAY_MS, Model
from monitor.reference import Reference
from monitor.standing import AgainStep, Expected, Level, Standing, Wanted

HOUR_MS = 3_600_000
NIGHT_MS, MONDAY_MS = 2 * HOUR_MS, 4 * DAY_MS + 3 * HOUR_MS  # 1 January 1970 was a Thursday
WEEK_MS = 7 * DAY_MS
MONTH_MS = 4 * WEEK_MS  # as far back as anything is learnt from
FULL_DAYS = 27.9  # a reference of 28 days is final
SETTLING_MS = (6 * HOUR_MS, DAY_MS, WEEK_MS)  # a changed level is told from so much, and firmed up
LEAST_WINDOWS = 12  # a level is not told from fewer
NIGHTS = 7  # of refitting after a false page
MOST_SHUNNED = 100


def after(now_ms: int, phase_ms: int, every_ms: int) -> int:
    """The next time after `now_ms` of something that happens every `every_ms`, first at `phase_ms`.

    >>> after(NIGHT_MS, NIGHT_MS, DAY_MS) == DAY_MS + NIGHT_MS
    True
    """
    return (now_ms - phase_ms) // every_ms * every_ms + phase_ms + every_ms


def wanting(standing: Standing, *more: Wanted, instead_of: AgainStep | None = None) -> Standing:
    """The standing with these wants, in order of time; `instead_of` drops those of that step."""
    kept = [want for want in standing.wanted if want.step != instead_of]
    return replace(standing, wanted=tuple(sorted([*kept, *more], key=lambda want: want.ripe_ms)))


def due(
    model: Model, standing: Standing, reference: Reference, open_incidents: Iterable[Incident], end_ms: int
) -> tuple[Due | None, Standing]:
    """What the engine has to wait for at the end of a window, if anything, and the standing with all that recurs in it.

    Nights are put off while a page is open, and so is the firming up of levels: its windows are no reference. A refit does without them.
    """
    calibration = reference.calibration
    have = {want.step for want in standing.wanted}
    if "trend" not in have:
        standing = wanting(standing, Wanted("trend", after(end_ms, MONDAY_MS, WEEK_MS)))
    if "nightly" not in have and model.reference.recalibrate and calibration is not None and calibration.days < FULL_DAYS:
        standing = wanting(standing, Wanted("nightly", _longer(reference, calibration.days, end_ms)))
    pages = [(i.onset_ms, end_ms) for i in open_incidents if latches(i)]
    standing = _put_off(standing, end_ms) if pages else standing
    ripe = [want for want in standing.wanted if want.ripe_ms <= end_ms]
    if not ripe:
        return None, standing
    want = ripe[0]
    settling = _settling(standing)
    month_ms = end_ms - MONTH_MS
    from_ms = {
        "nightly": max(reference.from_ms, month_ms), "refit": month_ms, "trend": end_ms - WEEK_MS,
        "rebase": max(month_ms, min((level.from_ms for level in settling), default=month_ms)),
    }[want.step]  # fmt: skip
    shunned = [(start_ms, until_ms) for _, start_ms, until_ms in standing.shunned]
    return Due(
        want.step, model.name, from_ms, end_ms, left_out=(*shunned, *(pages if want.step == "refit" else ())),
        columns=want.columns, levels=settling if want.step == "rebase" else standing.levels, calendar=standing.calendar,
        false_ms=standing.false_ms or end_ms,
    ), standing  # fmt: skip


def _put_off(standing: Standing, end_ms: int) -> Standing:
    """Until the next night: what is ripe, would learn from the windows of an open page, and can wait."""
    waits = [w for w in standing.wanted if w.ripe_ms <= end_ms and (w.step == "nightly" or (w.step == "rebase" and not w.mutes))]
    kept = tuple(w for w in standing.wanted if w not in waits)
    return wanting(replace(standing, wanted=kept), *(replace(w, ripe_ms=after(end_ms, NIGHT_MS, DAY_MS)) for w in waits))


def _settling(standing: Standing) -> tuple[Level, ...]:
    """Levels that are still being firmed up."""
    wants = [w for w in standing.wanted if w.step == "rebase"]
    return tuple(v for v in standing.levels if any(w.from_ms == v.from_ms and set(w.columns) <= set(v.columns) for w in wants))


def _longer(reference: Reference, days: float, end_ms: int) -> int:
    """The night about which a reference would be a tenth longer, or enter another stage (detectors.budget.stage)."""
    span_ms = int(days * DAY_MS)
    stages = [from_days * DAY_MS for from_days in (7, 14, 28) if from_days * DAY_MS > span_ms]
    grown_ms = reference.until_ms + min([span_ms // 10, *(at - span_ms for at in stages)])
    return after(max(end_ms, grown_ms - DAY_MS), NIGHT_MS, DAY_MS)


def attended(model: Model, standing: Standing, step: str, learnt: Reference | None) -> Standing:
    """The standing after a step: its want is gone, unless it found too little to let its columns be judged again.

    A refit under which the time since the false page would have been quiet lets A fall back, to twice its nominal value at most.
    """
    now_ms = standing.next_ms or 0
    want = next((w for w in standing.wanted if w.step == step and w.ripe_ms <= now_ms), None)
    if want is None:
        return standing
    standing = replace(standing, wanted=tuple(w for w in standing.wanted if w is not want))
    young = [level for level in standing.levels if level.from_ms > now_ms - MONTH_MS or level in _settling(standing)]
    standing = replace(standing, levels=tuple(young))  # what is older lies before all that is learnt from
    unknown = _unknown(want, learnt) if step == "rebase" and want.mutes else ()
    if unknown:
        later_ms = now_ms + max(SETTLING_MS[0], LEAST_WINDOWS * model.window_ms)
        return wanting(standing, replace(want, columns=unknown, ripe_ms=later_ms))
    if step == "refit" and learnt is not None and learnt.calibration is not None and learnt.calibration.report["refit"]["calm"]:
        ledger = replace(standing.ledger, boost=min(boost(standing, model, now_ms) * LN10, FALSE_STEP), boost_ms=now_ms)
        standing = replace(standing, ledger=ledger)
    if step == "refit" and not any(w.step == "refit" for w in standing.wanted):
        return replace(standing, false_ms=None)
    return standing


def _unknown(want: Wanted, learnt: Reference | None) -> tuple[str, ...]:
    """Columns of a want whose level is not known yet: too few windows of theirs have come since it changed."""
    if learnt is None or learnt.calibration is None:
        return want.columns
    known = learnt.calibration.report.get("rebased", {})
    return tuple(name for name in want.columns if name not in known or known[name]["from_ms"] < want.from_ms)


def levelled(model: Model, standing: Standing, columns: Iterable[str], from_ms: int) -> Standing:
    """These columns lie elsewhere since `from_ms`: left out of the evidence until their level is known, then judged by it.

    A model that is still learning has no level to be replaced: what it learns is the new one.
    """
    names = tuple(sorted(columns))
    if not names or standing.stage != "judging":
        return standing
    now_ms, least_ms = standing.next_ms or from_ms, LEAST_WINDOWS * model.window_ms
    ripe_at = [max(now_ms, from_ms + max(settling, least_ms)) for settling in SETTLING_MS]
    wants = [Wanted("rebase", at, from_ms, names, mutes=at == ripe_at[0]) for at in sorted(set(ripe_at))]
    overtaken = [w for w in standing.wanted if w.step == "rebase" and set(w.columns) <= set(names)]
    standing = replace(standing, wanted=tuple(w for w in standing.wanted if w not in overtaken))
    levels = [level for level in standing.levels if not set(level.columns) <= set(names)]
    return wanting(replace(standing, levels=(*levels, Level(from_ms, names))), *wants)


def deployed(model: Model, standing: Standing, version: str, from_ms: int) -> Standing:
    """Another version of the model serves from then on: what it says may lie elsewhere, what it is given does not."""
    standing = replace(standing, version=version, deployed_ms=from_ms)
    return levelled(model, standing, [c.name for c in model.columns if c.group == "predictions"], from_ms)


def succeeded(model: Model, standing: Standing, version: str, start_ms: int) -> Standing:
    """The standing when `version` brings well over half of a window's events: another one than before is a deployment.

    Versions that share the traffic nearly evenly have no leader (`OpenWindows.close`); whatever they do, it counts once a day at most.
    """
    if not version or version == standing.version:
        return standing
    if not standing.version:
        return replace(standing, version=version)
    if standing.deployed_ms is not None and start_ms - standing.deployed_ms < DAY_MS:
        return standing
    return deployed(model, standing, version, start_ms)


def refitting(standing: Standing, false_ms: int) -> Standing:
    """The null model is refitted at once and on the nights that follow: a page was false."""
    now_ms = standing.next_ms or false_ms
    first = after(now_ms, NIGHT_MS, DAY_MS)
    wants = [Wanted("refit", now_ms), *(Wanted("refit", first + night * DAY_MS) for night in range(NIGHTS))]
    since = false_ms if standing.false_ms is None else min(standing.false_ms, false_ms)
    return wanting(replace(standing, false_ms=since), *wants, instead_of="refit")


def shunning(standing: Standing, *incidents: Incident) -> Standing:
    """Windows of a page that is over are no reference, unless its owner called it false or the new normal; nor are those of a note."""
    for incident in incidents:
        if not latches(incident) or incident.resolved_ms is None:
            continue
        kept = tuple(row for row in standing.shunned if row[0] != incident.id)
        if not any(answer.kind in ("false", "normal") for answer in incident.answers):
            kept = (*kept, (incident.id, incident.onset_ms, incident.resolved_ms))[-MOST_SHUNNED:]
        standing = replace(standing, shunned=kept)
    return standing


def remembered(standing: Standing) -> tuple[Expected, ...]:
    """Announced events that matter still: those to come, and those that have not been over for as long as is learnt from."""
    now_ms = standing.next_ms or 0
    return tuple(event for event in standing.calendar if not event.over(now_ms - MONTH_MS))


def muted(model: Model, standing: Standing, start_ms: int) -> frozenset[str]:
    """Columns that are left out of the evidence of a window: their level is being learnt anew, or an event was announced."""
    names = {name for want in standing.wanted if want.mutes and start_ms >= want.from_ms for name in want.columns}
    if standing.calendar:
        names |= {c.name for c in model.columns if standing.expects(c.subject, start_ms, model.window_ms)}
    return frozenset(names)


def columns_of_subjects(model: Model, subjects: Sequence[str]) -> list[str]:
    """The columns that stand for these schema columns."""
    return [column.name for column in model.columns if column.subject in subjects]
