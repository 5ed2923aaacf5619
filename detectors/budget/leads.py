"""Whom the evidence points at: shares per subject, and leads until nine tenths of it are named, and whoever reaches A alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibrated import Calibration
from detectors.budget.effects import least_effect, size_of, unit_of
from detectors.budget.reading import Direction, Lead, Reading
from detectors.budget.state import State

Floats = NDArray[np.float64]
MOST = 20  # leads named
EVIDENCE = 0.9  # of it, until which they are named
MOST_COLUMNS = 5  # columns named for one pooled stream
SAID = {"level": "categories", "mix": "categories", "spike": "shape"}  # streams by the name that people know them by
WORTH = 0.1  # of a ticket, from which leads are named


class Pointer:
    """Reads a state of one calibration; holds only what follows from it."""

    def __init__(self, calibration: Calibration) -> None:
        c = self.calibration = calibration
        o = c.options
        self.least = np.array([least_effect(s.statistic, o.location, o.scale, o.rate, o.psi) for s in c.shape.streams])
        subjects = [c.shape.layout.columns[s.column].subject for s in c.shape.streams]
        self._names = sorted(set(subjects))
        self._subject = np.array([self._names.index(s) for s in subjects], np.int64)
        self._weights = c.weights
        self._families, self._size = c.pool.families, c.pool.size
        self._threshold, self._ticket, self._may_page = c.threshold, c.ticket, c.stage.pages  # worked out anew whenever they are asked for
        self._of = np.array([c.pool.of_family(p) for p in range(self._size)], np.int64)
        self._kin = [np.flatnonzero(c.pool.family == f) for f in range(self._families)]

    def read(self, state: State, recovered: bool | None) -> Reading:
        """The reading after the window that led to `state`."""
        c, S = self.calibration, len(self.calibration.shape.streams)
        weighted = self._weights * state.sums
        sides = weighted.sum(-1)
        total = float(sides.sum())
        parts = self._traced(state)
        shares = self._shares(sides, parts, total) if total > 0 else {}
        leads: list[Lead] = []
        named: set[tuple[int, str, int]] = set()
        passed, carried = False, 0.0
        # its own streams only: of the pooled ones a column that never moved has a part, which beside a flood is beyond every threshold
        own = np.bincount(self._subject, sides[:S].sum(-1), len(self._names))
        by_itself = dict(zip(self._names, own.tolist(), strict=True))
        alone = {name for name, evidence in by_itself.items() if evidence >= self._threshold}
        worth = total >= WORTH * self._ticket  # below that it points at nobody: naming leads costs half of closing a window
        for spot in np.argsort(-sides, axis=None, kind="stable")[: 8 * MOST] if worth else ():
            i, side = int(spot) // 2, int(spot) % 2
            if carried >= EVIDENCE:
                # behind the evidence of a long incident a second fault would not be named: who reaches A alone always is
                alone -= {lead.subject for lead in leads}
                if not alone:
                    break
                if i >= S or self._names[self._subject[i]] not in alone:
                    continue
            if len(leads) >= MOST:
                break
            carried += float(sides[i, side]) / total
            if not self._new(named, *self._about(i, side)):
                continue
            found = self._single(state, weighted, i, side) if i < S else self._together(state, weighted, i, side, parts)
            for lead, effect in found:
                if i < S or self._new(named, c.shape.streams[lead.stream].column, lead.statistic, 0):
                    leads.append(self._placed(lead, total, by_itself))
                    passed = passed or abs(effect) >= self.least[lead.stream]
        return Reading(
            math.log10(max(total, 1e-300)), math.log10(self._threshold), math.log10(self._ticket), shares, tuple(leads[:MOST]),
            recovered, passed, total > 0, self._may_page,
        )  # fmt: skip

    def _about(self, i: int, side: int) -> tuple[int, str, int]:
        """What evidence of that stream speaks of: column, statistic and side, or a family of pooled ones."""
        S = len(self.calibration.shape.streams)
        if i >= S:
            return -1 - int(self._of[i - S]), "all together", 0
        stream = self.calibration.shape.streams[i]
        return stream.column, SAID.get(stream.statistic, stream.statistic), side

    @staticmethod
    def _new(named: set[tuple[int, str, int]], column: int, statistic: str, side: int) -> bool:
        """Whether this is said for the first time."""
        fresh = (column, statistic, side) not in named
        named.add((column, statistic, side))
        return fresh

    def _traced(self, state: State) -> Floats:
        """How much each member has of its family's evidence, by the trails' squares, shape (M,)."""
        pool = self.calibration.pool
        square = state.trail[pool.members].max(axis=(1, 2), initial=0.0).astype(float) ** 2
        whole = np.bincount(pool.family, square, self._families) if self._size else np.zeros(1)
        out: Floats = square / np.maximum(whole[pool.family], 1e-300)
        return out

    def _shares(self, sides: Floats, parts: Floats, total: float) -> dict[str, float]:
        c, S = self.calibration, len(self.calibration.shape.streams)
        both = sides.sum(-1)
        found = np.bincount(self._subject, both[:S], len(self._names))
        if self._size:
            family = np.bincount(self._of, both[S:], self._families)
            found = found + np.bincount(self._subject[c.pool.members], parts * family[c.pool.family], len(self._names))
        return {name: float(part) / total for name, part in zip(self._names, found, strict=True)}

    def _single(self, state: State, weighted: Floats, i: int, side: int) -> Iterator[tuple[Lead, float]]:
        c = self.calibration
        stream = c.shape.streams[i]
        best = int(np.argmax(weighted[i, side]))
        weight = float(state.weighed[i, side, best])
        effect = float(state.moved[i, side, best]) / weight if weight > 0 else 0.0
        direction: Direction = "changed" if stream.law == "omnibus" or stream.statistic == "mix" else "up" if side == 0 else "down"
        statistic = SAID.get(stream.statistic, stream.statistic)
        yield (
            self._lead(
                state, i, statistic, direction, size_of(stream.statistic, effect), unit_of(stream.statistic), weighted[i, side],
                int(state.first_ms[i, side, best]), int(weight), float(state.base[i, side, best]),
            ),
            effect,
        )  # fmt: skip

    def _together(self, state: State, weighted: Floats, i: int, side: int, parts: Floats) -> Iterator[tuple[Lead, float]]:
        """The columns that moved most, for evidence that only all of them have."""
        c, S = self.calibration, len(self.calibration.shape.streams)
        mine = self._kin[self._of[i - S]]
        best = int(np.argmax(weighted[i, side]))
        most = mine[np.argsort(-parts[mine], kind="stable")[:MOST_COLUMNS]]
        members = c.pool.members[most]
        bets = state.trail[members].reshape(len(members), -1).argmax(axis=1)
        at = (members, *np.unravel_index(bets, state.trail.shape[1:]))
        found = zip(
            most, members.tolist(), at[1], state.weighed[at].tolist(), state.moved[at].tolist(), state.base[at].tolist(), strict=True
        )
        for m, member, way, weight, moved, level in found:
            if weight <= 0:
                continue
            effect = moved / weight
            statistic = c.shape.streams[member].statistic
            direction: Direction = "changed" if c.shape.streams[member].law == "omnibus" else "up" if way == 0 else "down"
            yield (
                self._lead(
                    state, member, "all together", direction, size_of(statistic, effect), unit_of(statistic), weighted[i, side] * parts[m],
                    int(state.first_ms[i, side, best]), int(weight), level,
                ),
                effect,
            )  # fmt: skip

    def _lead(
        self, state: State, i: int, statistic: str, direction: Direction, size: float, unit: str, evidence: Floats, onset_ms: int,
        events: int, level: float,
    ) -> Lead:  # fmt: skip
        """A lead whose share is still an amount of evidence."""
        column = self.calibration.shape.layout.columns[self.calibration.shape.streams[i].column]
        onset = onset_ms if onset_ms >= 0 else state.end_ms - self.calibration.options.window_ms
        return Lead(
            column.name, column.subject, column.group, statistic, direction, size, unit, float(evidence.sum()), onset, events, 0.0, i, level
        )

    def _placed(self, lead: Lead, total: float, by_itself: dict[str, float]) -> Lead:
        alone = math.log10(max(by_itself[lead.subject], 1e-300))
        return Lead(
            lead.column, lead.subject, lead.group, lead.statistic, lead.direction, lead.size, lead.unit, lead.share / total, lead.onset_ms,
            lead.events, alone, lead.stream, lead.level,
        )  # fmt: skip
