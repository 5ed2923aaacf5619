"""What was concluded for one model and one window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["ok", "ticket", "page", "unknown"]


@dataclass(frozen=True, slots=True)
class Subject:
    """A schema column that carries evidence, in words a person knows.

    `share` of the evidence, `statistic` in plain words ("location", "scale", "missing", "blockiness location"),
    `direction` "up", "down" or "changed", `size` in `unit` ("sd", "ratio", "points" = percentage points, "psi").
    """

    name: str
    group: str
    statistic: str
    direction: Literal["up", "down", "changed"]
    size: float
    unit: str
    share: float
    onset_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`evidence` and `threshold` are log10 of M and of A, in windows; `events` counts inputs (predictions where there are none).

    `status` "unknown" carries a `reason` ("learning", "calibrating", ...; "records lost" or "unreadable" of a window in which nothing was
    read because it was lost or cannot be read). A window that is empty because nobody sent anything is judged like any other.
    `partial` says that events may be missing from the window, and `lacks` of which partitions and why ("in/0: unreadable", and of those
    lost unread: "in/0: retention", "poison", "recreated", "cut").
    """

    id: str
    model: str
    start_ms: int
    end_ms: int
    status: Status
    events: int
    evidence: float
    threshold: float
    subjects: tuple[Subject, ...] = ()
    onset_ms: int | None = None
    reason: str = ""
    partial: bool = False
    plan: str = ""
    reference: str = ""
    versions: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


def verdict_id(model: str, start_ms: int) -> str:
    """The same for the same model and window, whoever computes it and however often: what deduplication rests on."""
    return f"{model}:{start_ms}"
