"""What one closed window amounts to: the evidence, whom it points at, since when, and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down", "changed"]


@dataclass(frozen=True, slots=True)
class Lead:
    """One stream that carries evidence.

    `size` is in `unit`: "sd" (location, skew, tails), "ratio" (scale), "points" (percentage points), "psi". `share` of the model's
    evidence; `onset_ms` start of the first bad block, `events` since then; `log10_alone` evidence of its subject alone, to hold
    against A; `stream` its number, `level` the slow wander it stood on before the onset.
    """

    column: str
    subject: str
    group: str
    statistic: str
    direction: Direction
    size: float
    unit: str
    share: float
    onset_ms: int
    events: int
    log10_alone: float
    stream: int
    level: float


@dataclass(frozen=True, slots=True)
class Reading:
    """Evidence after one window: log10 of M and of its thresholds, in windows.

    `shares` of the evidence per subject; `leads` until nine tenths of it (none while all of
    it is below a tenth of a ticket); `effect_ok` when one lead's effect is at least the owner's
    minimum; `recovered` is None unless levels are frozen; `may_page` is False where the reference only allows tickets; `ready` is
    False until a first block has closed.
    """

    log10_m: float
    log10_a: float
    log10_ticket: float
    shares: Mapping[str, float]
    leads: tuple[Lead, ...]
    recovered: bool | None
    effect_ok: bool
    ready: bool
    may_page: bool
