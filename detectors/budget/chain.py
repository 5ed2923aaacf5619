"""From a closed window to a reading: the walk that each watched model takes once per window, in event-time order."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from detectors.budget import calendar, dispersion, rivals, slots, tail
from detectors.budget import pooled as pooling
from detectors.budget.calendar import Zone
from detectors.budget.calibrated import AUTO, Calibration, Options
from detectors.budget.clock_choice import movable
from detectors.budget.effects import per_score
from detectors.budget.evidence import LAMBDAS, advance, credit, dispersed, gaussian
from detectors.budget.heritage import carried, emptied, forget
from detectors.budget.innovation import innovate
from detectors.budget.leads import Pointer
from detectors.budget.rare import hour_of, swell
from detectors.budget.reading import Lead, Reading
from detectors.budget.recovery import Recovery
from detectors.budget.state import RING, State
from detectors.streams import blocks
from detectors.streams.expected import expected
from detectors.streams.measure import measure

__all__ = ["Chain", "Lead", "Reading", "State"]

Floats = NDArray[np.float64]
Light = NDArray[np.float32]


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

    def __init__(self, calibration: Calibration, options: Options | None = None) -> None:
        """`options`: today's budget and minimum effects, where they are others than those that were calibrated with."""
        self.name = hashlib.sha256(calibration.pack()).hexdigest()[:16]
        c = self.calibration = calibration if options is None else replace(calibration, options=options)
        streams = c.shape.streams
        self._place = np.array([s.place for s in streams], np.int64)
        self._column = np.array([s.column for s in streams], np.int64)
        self._cadence = [np.flatnonzero(np.array([s.cadence == k for s in streams])) for k in c.cadences]
        self._law = np.array([s.law for s in streams])
        self._signed, self._rate = self._law == "signed", self._law == "rate"
        self._seldom = np.flatnonzero(self._rate)
        self._length = np.r_[np.array([s.cadence for s in streams], float), c.pool.cadence]
        self._leaks = np.r_[~self._rate, np.ones(c.pool.size, bool)]
        self._below, self._above = c.wander.split(len(streams))
        self._pointer = Pointer(c)
        self._weights = c.weights
        self._season = [c.learnt.season[:, mine] for mine in self._cadence]
        self._per_score = per_score(c.shape)
        self._recovery = Recovery(c, self._pointer.least, self._per_score, self._signed, self._rate)
        # by which scores one clock is told from another, and whether there is one to be told
        self._telling = np.flatnonzero((self._length[: len(streams)] == 1) & ~self._rate)
        self._auto = c.options.timezone == AUTO and movable(c.days, c.options.window_ms)

    def zero(self) -> State:
        """No evidence, levels where the season puts them."""
        c = self.calibration
        S, P, J, M = len(c.shape.streams), c.pool.size, len(c.cadences), len(c.pool.members)
        bets = (S + P, 2, len(LAMBDAS))
        return State(
            name=self.name, pending=blocks.nothing(c.shape.layout, c.cadences, c.shape.panel.places.shape[1]),
            sums=np.zeros(bets), trail=np.zeros(bets, np.float32),
            first_ms=np.full(bets, -1, np.int64), moved=np.zeros(bets, np.float32),
            weighed=np.zeros(bets, np.float32), base=np.zeros(bets, np.float32),
            level=np.zeros(S + P), spread=c.wander.tau2.copy(), last_ms=np.full(S + P, -1, np.int64), end_ms=-1,
            pool_sums=np.zeros((J, M)), pool_counts=np.zeros((J, M)), pool_first=np.full(J, -1, np.int64),
            anchor=np.zeros(P), held=np.zeros(S + P, bool), part=np.zeros(S), met=np.zeros((2, S)), back=np.zeros((3, S)),
            ring_moved=np.zeros((RING, S)), ring_weighed=np.zeros((RING, S)), clock=c.clock,
        )  # fmt: skip

    def unpack(self, data: bytes) -> State:
        """A state of this chain from its bytes; ValueError when it belongs to another calibration or is damaged."""
        return State.unpack(data, self.name)

    def adopt(self, state: State, columns: Collection[str] = ()) -> State:
        """A state of a chain whose calibration was refitted or rebased into this one: same streams, so evidence and levels go on.

        Of `columns`, those with a level of their own from now on, nothing is kept that was measured against the old one: their evidence,
        filters, open blocks and what an incident holds of them begin anew, and so does the pooled group's evidence
        where they are part of it. ValueError when the streams are others.
        """
        zero = self.zero()
        if state.sums.shape != zero.sums.shape or state.pending.counts.shape != zero.pending.counts.shape:
            raise ValueError("evidence: state of a model with other streams; only a refit of the same calibration can take it over")

        def mine(old: State) -> State:
            new = replace(old, name=self.name)
            return forget(self.calibration, new, zero, columns) if columns else new

        return rivals.each(state, mine)

    def inherit(self, warm: State, before: Chain, state: State) -> State:
        """The state with which this chain, learnt anew, goes on where `before` stood in `state`.

        Filters, open blocks and clock are those of `warm`, a state of this chain that was walked up to the same window; the evidence
        of streams that both chains have goes on, its onset too, and M is never larger than it was: a slow ramp is not
        forgotten because the reference was learnt again. ValueError for states of other chains.
        """
        if warm.name != self.name or state.name != before.name:
            raise ValueError(f"evidence: states of {warm.name} and {state.name}, expected ones of {self.name} and {before.name}")
        return rivals.each(warm, lambda one: carried(one, self.calibration, state, before.calibration))

    def step(self, state: State, start_ms: int, counts: Mapping[str, NDArray[np.int64]]) -> tuple[State, Reading]:
        """Take one closed window; the given state is left as it was.

        `start_ms` in UTC milliseconds, not before the last window's end; `counts[column]` its cells. ValueError otherwise.
        """
        c = self.calibration
        if start_ms < state.end_ms:
            raise ValueError(f"window at {start_ms} ms begins before the last one's end at {state.end_ms} ms")
        if self._auto:
            state = rivals.entered(state, start_ms, c.options.window_ms)
        flat = c.shape.layout.flat(counts)
        new, reading = self._walk(state, start_ms, flat)
        if not state.rivals:
            return new, reading
        return rivals.settled(state, new, reading, [self._walk(rival.state, start_ms, flat) for rival in state.rivals])

    def _walk(self, state: State, start_ms: int, flat: NDArray[np.int64]) -> tuple[State, Reading]:
        """One window under the state's own clock."""
        c = self.calibration
        window = c.options.window_ms
        zone, end = c.options.zone(state.clock), start_ms + window
        hours = {end - window // 2: self._calendar(zone, start_ms + window // 2)}
        shares = expected(c.shape.panel, c.learnt.gamma, hours[end - window // 2])
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
                middle = end - c.cadences[j] * window // 2
                x = hours[middle] if middle in hours else self._calendar(zone, middle)
                season[mine] = x @ self._season[j]
        season += slots.of(c.learnt, S, np.array([start_ms + window // 2]), zone, window)[0]
        return self._weigh(state, start_ms, pending, np.stack([value, effect, events, season]), first)

    def _calendar(self, zone: Zone, at_ms: int) -> Floats:
        row: Floats = calendar.columns(np.array([at_ms]), zone, self.calibration.days)[0]
        return row

    def _weigh(
        self, state: State, start_ms: int, pending: blocks.Pending, measured: Floats, first: NDArray[np.int64]
    ) -> tuple[State, Reading]:
        """From raw values to z, bets and sums."""
        c, (value, effect, events, season) = self.calibration, measured
        window, S = c.options.window_ms, len(c.shape.streams)
        end = start_ms + window
        seen = events > 0
        since = (end - state.end_ms) / window if state.end_ms >= 0 else 1.0
        root = np.sqrt(np.maximum(events, 1.0))
        rest = np.where(self._signed, value / root, value) - season
        inverse = np.where(self._signed, 1 / np.maximum(events, 1.0), 1.0)
        tested = seen & ~self._rate
        u, level, spread = innovate(
            self._below, state.level[:S], state.spread[:S], rest, inverse, tested, since / self._length[:S], state.held[:S]
        )
        z = tail.straighten(u, c.learnt.tails[:, :, :S])
        pooled, there, open_blocks = self._pool(state, z, tested, start_ms)
        above, level2, spread2 = innovate(
            self._above, state.level[S:], state.spread[S:], pooled, np.ones(len(pooled)), there, since / self._length[S:], state.held[S:]
        )
        z2 = tail.straighten(above, c.learnt.tails[:, :, S:])
        bounded = np.clip(np.concatenate([z, z2]) / c.learnt.kappa, -c.clip, c.clip)
        told = bounded[self._telling] * ~state.held[self._telling]  # a shift held off its level says more of the shift than of the clock
        told = np.where(self._signed[self._telling], told, np.maximum(told, 0.0))
        log_e = gaussian(bounded, c.learnt.dead, c.learnt.cost)
        upper = c.learnt.upper[hour_of(np.array([start_ms + window // 2]), c.options.zone(state.clock), c.days)[0]]
        at = self._seldom
        level[at], spread[at] = dispersion.ahead(self._below.rho[at], self._below.tau2[at], state.level[at], state.spread[at], since)
        due = events[at] * upper[at] * swell(season[at])
        mean, size, level[at], spread[at] = dispersion.follow(
            self._below.w[at], level[at], spread[at], value[at], due, seen[at] & ~state.held[at]
        )
        log_e[at, 0], log_e[at, 1] = dispersed(value[at], due * mean, size, c.learnt.kappa[at]), -np.inf
        closed = np.concatenate([seen, there])
        started = np.where(state.last_ms < 0, start_ms, state.last_ms)
        elapsed = np.where(closed, credit((end - started) / window, self._length, window), 0.0)
        on = closed[:, None, None]
        sums = np.where(on, advance(state.sums, log_e, elapsed, self._leaks), state.sums)
        # a score's effect is what season and level leave of it; the others' is measured against the reference's mean
        ahead = self._below.rho ** (since / self._length[:S]) * state.level[:S]
        shift = np.where(self._signed, (rest - ahead) * self._per_score, effect - c.learnt.effect_mean)
        P = np.zeros(len(pooled))
        begun = np.concatenate([first, self._begun(state, start_ms)])
        moved = self._trail(state, log_e, on, begun, np.concatenate([shift, P]), np.concatenate([events, P]))
        new = replace(
            state, pending=pending, sums=sums, level=np.concatenate([level, level2]), spread=np.concatenate([spread, spread2]), end_ms=end,
            last_ms=np.where(closed, end, started), trail=moved[0], first_ms=moved[1], base=moved[2], moved=moved[3], weighed=moved[4],
            pool_sums=open_blocks[0], pool_counts=open_blocks[1], pool_first=open_blocks[2], misfit=float(told @ told) / 2,
        )  # fmt: skip
        if state.held.any():
            new = self._recovery.went_on(new, shift, events)
        return new, self._pointer.read(new, self._recovery.over(new))

    def _pool(
        self, state: State, z: Floats, seen: NDArray[np.bool_], start_ms: int
    ) -> tuple[Floats, NDArray[np.bool_], tuple[Floats, Floats, NDArray[np.int64]]]:
        """Pooled values, whether they were seen, and the open blocks (sums, counts, first)."""
        c, pool = self.calibration, self.calibration.pool
        value, there = np.zeros(pool.size), np.zeros(pool.size, bool)
        mine = seen[pool.members]
        zm = z[pool.members] * mine
        if not mine.any():
            return value, there, (state.pool_sums, state.pool_counts, state.pool_first)
        F = len(pool.root)
        value[:F], there[:F] = pooling.factors(pool, zm), True
        sums, counts = state.pool_sums + zm, state.pool_counts + mine
        number = start_ms // c.options.window_ms
        first = np.where(state.pool_first < 0, number // pool.cadences, state.pool_first)
        due = (number + 1) // pool.cadences > first
        for j in np.flatnonzero(due):
            spot = slice(F + j * pool.families, F + (j + 1) * pool.families)
            value[spot] = pooling.normal(pool, pooling.energies(pool, sums[j], counts[j], int(j)), int(j))
            there[spot] = True
        gone = due[:, None]
        return value, there, (np.where(gone, 0.0, sums), np.where(gone, 0.0, counts), np.where(due, -1, first))

    def _begun(self, state: State, start_ms: int) -> NDArray[np.int64]:
        """Start of each pooled stream's block."""
        pool, window = self.calibration.pool, self.calibration.options.window_ms
        F = len(pool.root)
        first = np.where(state.pool_first < 0, start_ms, state.pool_first * pool.cadences * window)
        out: NDArray[np.int64] = np.concatenate([np.full(F, start_ms, np.int64), np.repeat(first, pool.families)])
        return out

    def _trail(
        self, state: State, log_e: Floats, on: NDArray[np.bool_], first: NDArray[np.int64], shift: Floats, events: Floats
    ) -> tuple[Light, NDArray[np.int64], Light, Light, Light]:
        """(trail, first_ms, base, moved, weighed): the likeliest beginning of a change, and what has come since."""
        climbed = np.maximum(state.trail + np.maximum(log_e, -1e6), 0.0)
        begins = on & (state.trail <= 0) & (climbed > 0)
        keep = np.where(begins | (on & (climbed <= 0)), 0.0, 1.0)
        grows = np.where(on & (climbed > 0), events[:, None, None], 0.0)
        return (
            np.where(on, climbed, state.trail).astype(np.float32),
            np.where(begins, first[:, None, None], state.first_ms),
            np.where(begins, state.level[:, None, None], state.base).astype(np.float32),
            (keep * state.moved + grows * shift[:, None, None]).astype(np.float32),
            (keep * state.weighed + grows).astype(np.float32),
        )

    def reset(self, state: State) -> State:
        """Evidence starts again from nothing, as after a page; seasons and levels stay."""
        return rivals.each(state, self._reset)

    def _reset(self, state: State) -> State:
        zero, light = np.zeros_like(state.sums), np.zeros_like(state.trail)
        S = len(self.calibration.shape.streams)
        bets = (self._weights * state.sums)[S:]
        bets = bets.reshape(len(bets), math.prod(bets.shape[1:]))  # not -1: a model with few columns pools nothing
        best = (np.arange(len(bets)), np.argmax(bets, axis=1)) if len(bets) else (np.zeros(0, int), np.zeros(0, int))
        began = state.trail[S:].reshape(bets.shape)[best] > 0
        anchor = np.where(began, state.base[S:].reshape(bets.shape)[best], state.level[S:])
        return replace(state, sums=zero, trail=light, moved=light, weighed=light, first_ms=np.full(zero.shape, -1, np.int64), anchor=anchor)

    def emptied(self, state: State, columns: Collection[str]) -> State:
        """Open blocks without what these columns have brought; ValueError for one that the calibration does not have."""
        zero = self.zero()
        return rivals.each(state, lambda one: emptied(self.calibration, one, zero, columns))

    def freeze(self, state: State, leads: Sequence[Lead]) -> State:
        """Hold the levels of the leads' columns and of the pooled streams while an incident is open, at what they were at its onset.

        Otherwise the filter would follow the shift and call it recovered.
        """
        return rivals.each(state, lambda one: self._freeze(one, leads))

    def _freeze(self, state: State, leads: Sequence[Lead]) -> State:
        held, level = state.held.copy(), state.level.copy()
        columns = {self.calibration.shape.streams[lead.stream].column for lead in leads}
        S = len(self._column)
        held[:S] |= np.isin(self._column, sorted(columns))
        held[S:], level[S:] = True, state.anchor
        for lead in leads:
            level[lead.stream] = lead.level
        return self._recovery.begun(replace(state, held=held, level=level), leads)

    def thaw(self, state: State) -> State:
        """Levels follow again, evidence starts again: the return to normal never pages."""
        return rivals.each(state, lambda one: self._reset(self._released(one)))

    @staticmethod
    def _released(state: State) -> State:
        return replace(
            state, held=np.zeros_like(state.held), part=np.zeros_like(state.part), met=np.zeros_like(state.met),
            back=np.zeros_like(state.back), ring_moved=np.zeros_like(state.ring_moved),
            ring_weighed=np.zeros_like(state.ring_weighed),
        )  # fmt: skip
