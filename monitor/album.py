"""Columns of closed windows, read from what has been saved when somebody looks: nothing of it is kept for nobody, nor counted twice.

One look at a time reads the state, whoever asks and however often: at most MOST windows, of which the sums are kept until another
window has been saved. The engine's thread takes no part in it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from monitor.changes import WindowRow
from monitor.errors import Transient
from monitor.incident import Incident
from monitor.judge import TREND
from monitor.log import events
from monitor.phrases import HOUR_MS
from monitor.plan import Model, Plan
from monitor.portraits import Floats, Gallery, added, normal, portraits
from monitor.reference import Reference
from monitor.stores.glance import Glance
from monitor.verdict import Subject, Verdict

log = events("album")
MOST: Final = 288  # windows that are added up: a day of five minutes
KEPT: Final = 32  # galleries and references in memory, a few hundred kB each
NONE: Final = "No reference has been learnt yet: there is nothing to compare with."


class Album:
    """Galleries of one plan's models, from any thread; `glance` reads what the engine's thread has saved."""

    def __init__(self, plan: Plan, glance: Glance) -> None:
        self._plan, self._glance = plan, glance
        self._lock = threading.Lock()
        self._galleries: OrderedDict[tuple[str, str, int, int], Gallery] = OrderedDict()
        self._references: OrderedDict[str, tuple[Reference, dict[str, Floats]]] = OrderedDict()

    def lately(self, model: str, reference: Reference | None, last: Verdict | None) -> Gallery:
        """The last hour of closed windows, or the last window where windows are longer; `reference` is the one in force."""
        plan = self._plan.models[model]
        if last is None:
            return Gallery(model, "", 0, 0, 0, why="No window has been closed yet.")
        from_ms = last.end_ms - max(HOUR_MS, plan.window_ms)
        return self._gallery(plan, reference, from_ms, last.end_ms, last.subjects, "")

    def since(self, incident: Incident, reference: Reference | None, last: Verdict | None) -> Gallery:
        """The windows since the onset: of an open incident the newest ones, of one that has closed the first ones, at most MOST."""
        plan = self._plan.models[incident.model]
        now_ms = last.end_ms if last is not None else incident.opened_ms
        until_ms = max(incident.opened_ms, incident.resolved_ms or now_ms)
        reach = MOST * plan.window_ms
        short = until_ms - incident.onset_ms > reach
        from_ms = until_ms - reach if short and (incident.resolved_ms is None or incident.rule == TREND) else incident.onset_ms
        found = self._gallery(plan, reference, from_ms, min(until_ms, from_ms + reach), incident.subjects, incident.id)
        return replace(found, cut_short=short)

    def _gallery(
        self, model: Model, reference: Reference | None, from_ms: int, until_ms: int, subjects: tuple[Subject, ...], key: str
    ) -> Gallery:
        empty = Gallery(model.name, "", from_ms, until_ms, 0)
        if reference is None:
            return replace(empty, why=NONE)
        asked = (model.name, key, from_ms, until_ms)
        with self._lock:
            if asked not in self._galleries:
                try:
                    self._galleries[asked] = self._look(model, reference, from_ms, until_ms, subjects)
                except (Transient, ValueError) as error:
                    log.warning("windows_unreadable", model=model.name, why=str(error))
                    return replace(empty, why="The windows cannot be read at the moment; the log says why.")
            self._galleries.move_to_end(asked)
            if len(self._galleries) > KEPT:
                self._galleries.popitem(last=False)
            return self._galleries[asked]

    def _look(self, model: Model, reference: Reference, from_ms: int, until_ms: int, subjects: tuple[Subject, ...]) -> Gallery:
        rows = [row for row in self._glance.windows(model.name, from_ms, until_ms) if row.form == "cells"]
        named = next((row.verdict.reference for row in reversed(rows) if row.verdict.reference), "")
        reference, shares = self._reference(named, reference) or self._seen(reference)
        rows = [row for row in rows if self._alike(row, reference)]
        found = Gallery(model.name, reference.name, from_ms, until_ms, len(rows))
        if not shares:
            return replace(found, why="The reference has cells and no counts yet: there is nothing to compare with.")
        seen = portraits(model.columns, reference, shares, added((row.columns for row in rows), reference.cuts), subjects)
        why = "" if seen else "No events have come in these windows." if rows else "These windows are no longer kept."
        return replace(found, columns=seen, why=why)

    def _alike(self, row: WindowRow, reference: Reference) -> bool:
        """Was the window counted over the cells of this reference? References that follow one another mostly share theirs."""
        name = row.verdict.reference
        if row.verdict.start_ms < reference.effective_ms:
            return False
        if name in ("", reference.name):
            return True
        other = self._reference(name, reference)
        return other is not None and _cells(other[0]) == _cells(reference)

    def _reference(self, name: str, in_force: Reference) -> tuple[Reference, dict[str, Floats]] | None:
        """The reference of that name with its shares, the one in force for ""; None where it is no longer kept."""
        if name in ("", in_force.name):
            return self._seen(in_force)
        if name in self._references:
            return self._seen(self._references[name][0])
        row = self._glance.reference(name)
        return None if row is None else self._seen(Reference.unpack(row.body))

    def _seen(self, reference: Reference) -> tuple[Reference, dict[str, Floats]]:
        if reference.name not in self._references:
            self._references[reference.name] = reference, normal(reference)
        self._references.move_to_end(reference.name)
        if len(self._references) > KEPT:
            self._references.popitem(last=False)
        return self._references[reference.name]


def _cells(reference: Reference) -> dict[str, str]:
    return {name: cuts.digest for name, cuts in reference.cuts.items()}
