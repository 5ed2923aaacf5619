"""What became of telling an owner: per receiver, and whether the outbox has to come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from monitor.alert import Alert
from monitor.plan import Owner


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receiver, redacted, and why it failed ("" where it took the message)."""

    receiver: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Every receiver has it; none at all where the owner has none for this severity (Prometheus then carries the page)."""

    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """Some receiver does not have it: send the alert again, those that have it are left alone."""

    reason: str
    receipts: tuple[Receipt, ...] = ()


Outcome: TypeAlias = Delivered | Retry


class Notifying(Protocol):
    """The contract of `sinks.notify.Notifier` and its twin `sinks.memory.MemoryNotifier`."""

    def send(self, alert: Alert) -> Outcome:
        """Tells every receiver of the incident's owner that does not know yet; never raises, blocks for the receivers' own timeouts."""
        ...


def receivers_of(owner: Owner, severity: str) -> tuple[str, ...]:
    """Who hears of it: a page goes to the page receivers, or to the ticket receivers where there are no others; a ticket wakes nobody.

    >>> receivers_of(Owner("team", page=("json://a",), ticket=("json://b",)), "ticket")
    ('json://b',)
    >>> receivers_of(Owner("team", ticket=("json://b",)), "page")
    ('json://b',)
    """
    if severity == "page":
        return owner.page or owner.ticket
    return owner.ticket if severity == "ticket" else ()
