"""Has it gone? An open incident is over when its leaders are back inside the gate, and the way they lie now speaks against their being gone
from it only by chance.

Quiet hours can hide any shift: nine events say nothing against half a standard deviation. So besides the gate on the last twelve
windows, the windows since the return must speak for it. With x the mean effect of a leader over n windows of N events since then, d its
mean effect while the incident lasted (windows of the last hour left out), rho and tau2 its wander, w its white variance, a / N the
variance of sampling,

    V = tau2 / (1 + (n - 1) (1 - rho) / (1 + rho)) + w / n + a / N
    L = sum over leaders of share * (d^2 - 2 d x) / (2 V)         (log of no effect against the same effect; shares add up to 1)

the return is begun anew where L <= 0, and believed from L >= 9: a weighted mean of log ratios is never bolder than its members,
whatever they have to do with each other, and a shift that stays passes for gone about once in e^9 windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calibrated import Calibration
from detectors.budget.effects import effect_of
from detectors.budget.reading import Lead
from detectors.budget.state import RING, State

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CALM = 0.8  # inside this part of the gate
SURE = 9.0  # nats
CELLS = 30.0  # of a histogram, about: a PSI of n events varies by sqrt(2 CELLS) / n without a change


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovery is judged by, per stream of one calibration: `least` is the owner's minimum effect, `per_score` what one of a score
    is worth as an effect, `signed` and `rate` tell its law."""

    calibration: Calibration
    least: Floats
    per_score: Floats
    signed: Flags
    rate: Flags

    def begun(self, state: State, leads: Sequence[Lead]) -> State:
        """The state of an incident that was just opened by these leads: their effect so far is what a return is told from."""
        streams = self.calibration.shape.streams
        part, met, met_events = np.zeros(len(streams)), np.zeros(len(streams)), np.zeros(len(streams))
        for lead in leads:
            effect = effect_of(streams[lead.stream].statistic, lead.size)
            signed = -abs(effect) if lead.direction == "down" else abs(effect)
            part[lead.stream] += max(lead.share, 1e-9)
            met[lead.stream], met_events[lead.stream] = signed * max(lead.events, 1), max(lead.events, 1)
        none = np.zeros((3, len(streams)))
        return replace(state, part=part / max(part.sum(), 1e-9), met=np.stack([met, met_events]), back=none)

    def went_on(self, state: State, shift: Floats, events: Floats) -> State:
        """One more window of an open incident: its effects and events per stream."""
        oldest = np.stack([state.ring_moved[0], state.ring_weighed[0]])
        moved = np.concatenate([state.ring_moved[1:], (shift * events)[None]])
        weighed = np.concatenate([state.ring_weighed[1:], events[None]])
        back = state.back + np.stack([shift * events, events, events > 0])
        new = replace(state, ring_moved=moved, ring_weighed=weighed, met=state.met + oldest, back=back)
        return new if self._log_ratio(new) > 0 else replace(new, back=np.zeros_like(back))

    def over(self, state: State) -> bool | None:
        """None where nothing is open."""
        led = np.flatnonzero(state.part)
        if not len(led):
            return None
        if not (state.ring_weighed[0] > 0).any():  # the ring is not full yet
            return False
        c = self.calibration
        weight = state.ring_weighed[:, led].sum(0)
        effect = np.abs(state.ring_moved[:, led].sum(0)) / np.maximum(weight, 1.0)
        noise = c.wander.tau2[led] + c.wander.w[led] / RING + c.wander.a[led] / np.maximum(weight, 1.0)
        usual = 2 * np.sqrt(noise) * c.learnt.kappa[led] * self.per_score[led]
        gate = np.where(self.signed[led], np.maximum(self.least[led], usual), self.least[led])
        return bool((weight > 0).all() and (effect <= CALM * gate).all() and self._log_ratio(state) >= SURE)

    def _log_ratio(self, state: State) -> float:
        """L of the windows since the return; 0 where no leader has been seen since."""
        c = self.calibration
        led = np.flatnonzero((state.part > 0) & (state.back[2] > 0))
        if not len(led):
            return 0.0
        moved, events, n = state.back[:, led]
        d = state.met[0, led] / np.maximum(state.met[1, led], 1.0)
        x = moved / np.maximum(events, 1.0)
        rho, wander = c.wander.rho[led], c.wander
        score = wander.tau2[led] / (1 + (n - 1) * (1 - rho) / (1 + rho)) + wander.w[led] / n + wander.a[led] / events
        unit = wander.scale[led] * c.learnt.kappa[led] * self.per_score[led]
        share = np.abs(d) + 1 / events  # of rates: about the larger of the two shares there may be
        psi = 2 * CELLS / events**2 * n + 4 * np.abs(d) / events
        variance = np.where(self.signed[led], score * unit**2, np.where(self.rate[led], share / events, psi))
        ratio = (d * d - 2 * d * x) / (2 * np.maximum(variance, 1e-12))
        return float(state.part[led] @ ratio)
