"""The evidence of every judged model: its chain, and where that stands. Chains follow from references; states are saved with standings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectors.budget.chain import Chain, Reading
from detectors.budget.clock import Clock
from detectors.budget.state import State
from monitor.judge import Judged
from monitor.learning import Due, options
from monitor.plan import Model
from monitor.reference import Reference


class Evidence:
    """Chains and their states by model; a model that learns has none."""

    def __init__(self) -> None:
        self._chains: dict[str, Chain] = {}
        self._states: dict[str, State] = {}

    def __contains__(self, model: str) -> bool:
        return model in self._chains

    def begin(self, model: Model, reference: Reference, packed: bytes) -> None:
        """The evidence of a calibrated reference, from its packed state or from nothing."""
        assert reference.calibration is not None, "only a calibrated reference is judged by"
        chain = self._chains[model.name] = Chain(reference.calibration, options(model))
        self._states[model.name] = chain.unpack(packed) if packed else chain.zero()

    def switch(self, model: Model, reference: Reference, due: Due, packed: bytes) -> None:
        """Goes on under a reference that was learnt again: what counted before still counts. ValueError, with nothing changed, if not."""
        before, state = self._chains[model.name], self._states[model.name]
        assert reference.calibration is not None, "only a calibrated reference is judged by"
        chain = Chain(reference.calibration, options(model))
        nightly = due.step == "nightly"
        went_on = chain.inherit(chain.unpack(packed), before, state) if nightly else chain.adopt(state, due.columns)
        self._chains[model.name], self._states[model.name] = chain, went_on

    def step(self, model: str, start_ms: int, cells: Mapping[str, Any], muted: frozenset[str]) -> Reading:
        """Takes one closed window; columns that are `muted` count as not seen."""
        heard = {name: counts for name, counts in cells.items() if name not in muted}
        self._states[model], reading = self._chains[model].step(self._states[model], start_ms, heard)
        return reading

    def apply(self, model: str, judged: Judged) -> None:
        """Does what the judge asked for."""
        chain = self._chains.get(model)
        if chain is None:
            return
        if judged.reset:
            self._states[model] = chain.reset(self._states[model])
        if judged.freeze:
            self._states[model] = chain.freeze(self._states[model], judged.freeze)
        if judged.thaw:
            self._states[model] = chain.thaw(self._states[model])

    def release(self, model: str, muted: frozenset[str] = frozenset()) -> None:
        """An incident is over without a recovery: levels follow again, evidence starts again.

        Of columns that are `muted` from now on, what open blocks hold is dropped: those would close, and speak, after the silence.
        """
        chain = self._chains[model]
        self._states[model] = chain.emptied(chain.thaw(chain.reset(self._states[model])), muted)

    def leaderless(self, model: str) -> bool:
        """Is no stream left by which the end of an open incident could be told?"""
        return not self._states[model].part.any()

    def clock(self, model: str) -> Clock:
        """The clock that its windows follow, where no time zone is named."""
        return self._states[model].clock

    def pack(self, model: str) -> bytes:
        """The packed state; empty while the model learns."""
        state = self._states.get(model)
        return state.pack() if state is not None else b""
