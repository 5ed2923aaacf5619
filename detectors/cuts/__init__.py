"""Frozen cells: which counts a column turns into, fixed by the reference and never by what comes later."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from detectors.cuts.categorical import CategoricalCuts, learn_categorical, level_name
from detectors.cuts.numeric import NumericCuts, learn_numeric
from detectors.packed import kind_of

Cuts: TypeAlias = NumericCuts | CategoricalCuts

__all__ = ["CategoricalCuts", "Cuts", "NumericCuts", "learn", "learn_categorical", "learn_numeric", "level_name", "unpack"]


def learn(kind: Literal["numeric", "categorical"], summaries: Any) -> Cuts:
    """Cells from the reference's samples or tallies, one or a sequence (one per window): see learn_numeric, learn_categorical."""
    return learn_numeric(summaries) if kind == "numeric" else learn_categorical(summaries)


def unpack(data: bytes) -> Cuts:
    """Cuts of either kind from their packed bytes; ValueError where they are damaged or of another kind."""
    return CategoricalCuts.unpack(data) if kind_of(data) == CategoricalCuts.kind else NumericCuts.unpack(data)
