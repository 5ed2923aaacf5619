"""From a closed window to a reading: the walk that each watched model takes once per window, in event-time order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar, tail
from detectors.budget.calibrated import Calibration
from detectors.budget.effects import least_effect, size_of, unit_of
from detectors.budget.evidence import LAMBDAS, advance, gaussian, poisson
from detectors.budget.innovation import innovate
from detectors.budget.rare import hour_of
from detectors.budget.reading import Direction, Lead, Reading
from detectors.budget.slots import slot_of_week
from detectors.budget.state import RING, State
from detectors.streams import blocks
from detectors.streams.expected import expected
from detectors.streams.measure import measure

__all__ = ["Chain", "Lead", "Reading", "State"]

Floats = NDArray[np.float64]
MOST_LEADS = 20
EVIDENCE = 0.9  # leads are named until they carry this much
CALM = 0.8  # recovered when the joint effect is inside this part of the gate


class Chain:
    """Steps the evidence of one model; holds only what follows from its calibration.

    >>> from detectors.testing.traffic import stationary
    >>> from detectors.budget.calibration import Options, calibrate
    >>> columns, history = stationary(features=2, windows=288 * 8, events=100, seed=1)
    >>> chain = Chain(calibrate(columns, history, Options(window_ms=300_000)))
    >>> state = chain.zero()
    >>> state, reading = chain.step(state, 288 * 8 * 300_000, {name: table[0] for name, table in history.counts.items()})
    >>> reading.log10_m < reading.log10_a
    True
    """

    def __init__(self, calibration: Calibration) -> None:
        c = self.calibration = calibration
        self.name = hashlib.sha256(c.pack()).hexdigest()[:16]
        streams = c.shape.streams
        self._place = np.array([s.place for s in streams], np.int64)
        self._column = np.array([s.column for s in streams], np.int64)
        self._cadence = [np.flatnonzero(np.array([s.cadence == k for s in streams])) for k in c.cadences]
        self._law = np.array([s.law for s in streams])
        self._signed, self._rate = self._law == "signed", self._law == "rate"
        self._length = np.array([s.cadence for s in streams], float)
        self._weights = c.weights
        self._subject = [c.shape.layout.columns[s.column].subject for s in streams]
        o = c.options
        self._least = np.array([least_effect(s.statistic, o.location, o.scale, o.rate, o.psi) for s in streams])

    def zero(self) -> State:
        """No evidence, levels where the season puts them."""
        c = self.calibration
        S = len(c.shape.streams)
        bets = (S, 2, len(LAMBDAS))
        return State(
            name=self.name, pending=blocks.nothing(c.shape.layout, c.cadences, c.shape.panel.places.shape[1]),
            sums=np.zeros(bets), trail=np.zeros(bets),
            first_ms=np.full(bets, -1, np.int64), moved=np.zeros(bets), weighed=np.zeros(bets), base=np.zeros(bets),
            level=np.zeros(S), spread=c.wander.tau2.copy(), last_ms=np.full(S, -1, np.int64), end_ms=-1,
            held=np.zeros(S, bool), side=np.zeros(S, np.int8), ring_moved=np.zeros((RING, S)), ring_weighed=np.zeros((RING, S)),
        )  # fmt: skip

    def unpack(self, data: bytes) -> State:
        """A state of this chain from its bytes; ValueError when it belongs to another calibration or is damaged."""
        return State.unpack(data, self.name)

    def step(self, state: State, start_ms: int, counts: Mapping[str, NDArray[np.int64]]) -> tuple[State, Reading]:
        """Take one closed window; the given state is left as it was.

        `start_ms` in UTC milliseconds, not before the last window's end; `counts[column]` its cells. ValueError otherwise.
        """
        c = self.calibration
        window = c.options.window_ms
        if start_ms < state.end_ms:
            raise ValueError(f"window at {start_ms} ms begins before the last one's end at {state.end_ms} ms")
        end = start_ms + window
        flat = c.shape.layout.flat(counts)
        shares = expected(c.shape.panel, c.learnt.gamma, self._calendar(start_ms + window // 2))
        pending, closed = blocks.add(c.shape.layout, c.cadences, state.pending, start_ms, window, flat, shares)
        S = len(c.shape.streams)
        value, effect, events, season = np.zeros(S), np.zeros(S), np.zeros(S), np.zeros(S)
        first = np.full(S, start_ms, np.int64)
        for j, mine in enumerate(self._cadence):
            if len(mine) and closed.mask[j].any():
                got = measure(c.shape, closed.counts[j], closed.shares[j])
                place, column = self._place[mine], self._column[mine]
                value[mine], effect[mine] = got.value[place], got.effect[place]
                events[mine] = got.events[place] * closed.mask[j][column]
                first[mine] = closed.first_ms[j][column]
                season[mine] = self._calendar(end - c.cadences[j] * window // 2) @ c.learnt.season[:, mine]
        if len(c.learnt.sharp):
            slot = slot_of_week(np.array([start_ms + window // 2]), c.options.timezone, window)[0]
            season[c.learnt.sharp] += c.learnt.slots[slot]
        return self._weigh(state, start_ms, pending, np.stack([value, effect, events, season]), first)

    def _calendar(self, at_ms: int) -> Floats:
        c = self.calibration
        row: Floats = calendar.columns(np.array([at_ms]), c.options.timezone, c.days)[0]
        return row

    def _weigh(
        self, state: State, start_ms: int, pending: blocks.Pending, measured: Floats, first: NDArray[np.int64]
    ) -> tuple[State, Reading]:
        """From raw values to z, bets and sums."""
        c, (value, effect, events, season) = self.calibration, measured
        window = c.options.window_ms
        end = start_ms + window
        seen = events > 0
        started = np.where(state.last_ms < 0, start_ms, state.last_ms)
        elapsed = np.where(seen, (end - started) / window, 0.0)
        steps = ((end - state.end_ms) / window if state.end_ms >= 0 else 1.0) / self._length
        root = np.sqrt(np.maximum(events, 1.0))
        rest = np.where(self._signed, value / root, value) - season
        inverse = np.where(self._signed, 1 / np.maximum(events, 1.0), 1.0)
        tested = seen & ~self._rate
        u, level, spread = innovate(c.wander, state.level, state.spread, rest, inverse, tested, steps, state.held)
        z = np.clip(tail.straighten(u, c.learnt.tails) / c.learnt.kappa, -c.clip, c.clip)
        log_e = gaussian(z, c.learnt.dead, c.learnt.cost)
        upper = c.learnt.upper[hour_of(np.array([start_ms + window // 2]), c.options.timezone, c.days)[0]]
        log_e[self._rate] = poisson(value[self._rate], events[self._rate], upper[self._rate], c.learnt.kappa[self._rate])
        on = seen[:, None, None]
        sums = np.where(on, advance(state.sums, log_e, elapsed, ~self._rate), state.sums)
        # a score's effect is what season and level leave of it; the others' is measured against the reference's mean
        shift = np.where(self._signed, rest - c.wander.rho**steps * state.level, effect - c.learnt.effect_mean)
        moved = self._trail(state, log_e, on, first, shift, events)
        ring = self._ring(state, shift, events) if state.held.any() else (state.ring_moved, state.ring_weighed)
        new = replace(
            state, pending=pending, sums=sums, level=level, spread=spread, last_ms=np.where(seen, end, started), end_ms=end,
            trail=moved[0], first_ms=moved[1], base=moved[2], moved=moved[3], weighed=moved[4], ring_moved=ring[0], ring_weighed=ring[1],
        )  # fmt: skip
        return new, self._read(new)

    def _trail(
        self, state: State, log_e: Floats, on: NDArray[np.bool_], first: NDArray[np.int64], shift: Floats, events: Floats
    ) -> tuple[Floats, NDArray[np.int64], Floats, Floats, Floats]:
        """(trail, first_ms, base, moved, weighed): the likeliest beginning of a change, and what has come since."""
        climbed = np.maximum(state.trail + np.maximum(log_e, -1e6), 0.0)
        begins = on & (state.trail <= 0) & (climbed > 0)
        keep = np.where(begins | (on & (climbed <= 0)), 0.0, 1.0)
        grows = np.where(on & (climbed > 0), events[:, None, None], 0.0)
        return (
            np.where(on, climbed, state.trail),
            np.where(begins, first[:, None, None], state.first_ms),
            np.where(begins, state.level[:, None, None], state.base),
            keep * state.moved + grows * shift[:, None, None],
            keep * state.weighed + grows,
        )

    def _ring(self, state: State, shift: Floats, events: Floats) -> tuple[Floats, Floats]:
        moved = np.concatenate([state.ring_moved[1:], (shift * events)[None]])
        return moved, np.concatenate([state.ring_weighed[1:], events[None]])

    def _read(self, state: State) -> Reading:
        c = self.calibration
        weighted = self._weights * state.sums
        sides = weighted.sum(-1)  # (S, 2)
        total = float(sides.sum())
        shares: dict[str, float] = {}
        if total > 0:
            for subject, part in zip(self._subject, sides.sum(-1), strict=True):
                shares[subject] = shares.get(subject, 0.0) + float(part) / total
        leads: list[Lead] = []
        passed, carried = False, 0.0
        named: set[tuple[int, str, int]] = set()
        for spot in np.argsort(-sides, axis=None, kind="stable")[: 4 * MOST_LEADS] if total > 0 else ():
            if carried >= EVIDENCE or len(leads) >= MOST_LEADS:
                break
            i, side = int(spot) // 2, int(spot) % 2
            stream = c.shape.streams[i]
            carried += float(sides[i, side]) / total
            if (stream.column, stream.statistic, side) in named:
                continue
            named.add((stream.column, stream.statistic, side))
            lead, effect = self._lead(state, weighted, i, side, total, shares)
            leads.append(lead)
            passed = passed or abs(effect) >= self._least[i]
        return Reading(
            float(np.log10(max(total, 1e-300))), math.log10(c.threshold), math.log10(c.ticket), shares, tuple(leads),
            self._recovered(state), passed, total > 0, c.stage.pages,
        )  # fmt: skip

    def _lead(self, state: State, weighted: Floats, i: int, side: int, total: float, shares: Mapping[str, float]) -> tuple[Lead, float]:
        c = self.calibration
        stream = c.shape.streams[i]
        column = c.shape.layout.columns[stream.column]
        best = int(np.argmax(weighted[i, side]))
        weight = float(state.weighed[i, side, best])
        effect = float(state.moved[i, side, best]) / weight if weight > 0 else 0.0
        if stream.law == "omnibus":
            direction: Direction = "changed"
        else:
            direction = "up" if side == 0 else "down"
        onset = int(state.first_ms[i, side, best])
        statistic = "categories" if stream.statistic == "level" else stream.statistic
        return Lead(
            column.name, column.subject, column.group, statistic, direction, size_of(stream.statistic, effect), unit_of(stream.statistic),
            float(weighted[i, side].sum()) / total, onset if onset >= 0 else state.end_ms - c.options.window_ms, int(weight),
            float(np.log10(max(shares[column.subject] * total, 1e-300))), i,
            float(state.base[i, side, best]),
        ), effect  # fmt: skip

    def reset(self, state: State) -> State:
        """Evidence starts again from nothing, as after a page; seasons and levels stay."""
        zero = np.zeros_like(state.sums)
        return replace(state, sums=zero, trail=zero, moved=zero, weighed=zero, first_ms=np.full(zero.shape, -1, np.int64))

    def freeze(self, state: State, leads: Sequence[Lead]) -> State:
        """Hold the level of the leads' columns while an incident is open; the leads' own at what it was at their onset.

        Otherwise the filter would follow the shift and call it recovered.
        """
        held, side, level = state.held.copy(), state.side.copy(), state.level.copy()
        columns = {self.calibration.shape.streams[lead.stream].column for lead in leads}
        held |= np.isin(self._column, sorted(columns))
        for lead in leads:
            way = 1 if lead.direction == "down" else 0
            level[lead.stream] = lead.level
            side[lead.stream] = -1 if way else 1
        return replace(state, held=held, side=side, level=level)

    def thaw(self, state: State) -> State:
        """Levels follow again, evidence starts again: the return to normal never pages."""
        S = len(state.held)
        calm = replace(
            state, held=np.zeros(S, bool), side=np.zeros(S, np.int8), ring_moved=np.zeros((RING, S)), ring_weighed=np.zeros((RING, S))
        )
        return self.reset(calm)

    def _recovered(self, state: State) -> bool | None:
        led = np.flatnonzero(state.side)
        if not len(led):
            return None
        if not (state.ring_weighed[0] > 0).any():  # the ring is not full yet
            return False
        weight = state.ring_weighed[:, led].sum(0)
        effect = np.abs(state.ring_moved[:, led].sum(0)) / np.maximum(weight, 1.0)
        c = self.calibration
        noise = c.wander.tau2[led] + c.wander.w[led] / RING + c.wander.a[led] / np.maximum(weight, 1.0)
        usual = 2 * np.sqrt(noise) * c.learnt.kappa[led]
        gate = np.where(self._signed[led], np.maximum(self._least[led], usual), self._least[led])
        return bool((weight > 0).all() and (effect <= CALM * gate).all())
