"""An incident rendered for its owner's receivers: what the outbox holds until it has been delivered at least once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from monitor.incident import Incident

AlertEvent: TypeAlias = Literal["opened", "appended", "reminded", "resolved"]


@dataclass(frozen=True, slots=True)
class Alert:
    """`id` is the incident's id and the event, so a receiver can tell a repeat from news."""

    id: str
    event: AlertEvent
    incident: Incident
