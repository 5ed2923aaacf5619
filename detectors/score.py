"""What a comparator or a sequential detector says about one closed window."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Score:
    """A size with what it rests on; it judges nothing and pages nobody.

    Args:
        value: the detector's number, larger for more change; None where there is nothing to say, with a `reason`.
        p_value: how surprising the value is if nothing changed, for independent events; None where no law is known.
        reference_events: events of the reference behind it; 0 for sequential detectors.
        window_events: events of the window, or windows seen by a sequential detector.
        detected: a sequential detector's own alarm at this very step.
        evidence: further numbers by name: a corrected value, degrees of freedom, the running mean.
        reason: why there is no value: "no values in the window".

    Raises:
        ValueError: for a value that is not finite: "nothing to say" is None, never NaN.

    >>> Score(0.12, reference_events=5000, window_events=300).value
    0.12
    """

    value: float | None
    p_value: float | None = None
    reference_events: int = 0
    window_events: int = 0
    detected: bool = False
    evidence: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a score's value is a finite number or None with a reason, not {self.value}")
        if (self.value is None) != bool(self.reason):
            raise ValueError("a score has either a value or a reason why there is none")


def unknown(reason: str, reference_events: int = 0, window_events: int = 0) -> Score:
    """The score of a window about which nothing can be said.

    >>> unknown("no values in the window").value is None
    True
    """
    return Score(None, reference_events=reference_events, window_events=window_events, reason=reason)
