"""The in-memory twin of direct pages: the same promises, for tests and for the demo."""

from __future__ import annotations

from collections.abc import Callable

from monitor.alert import Alert
from monitor.message import body, title
from monitor.plan import Plan
from monitor.sinks.notifier import Delivered, Outcome, Receipt, Retry, receivers_of


class MemoryNotifier:
    """Keeps (receiver, title, body) of everything delivered; `fault(receiver)` returns a reason while a receiver is to fail, else ""."""

    def __init__(self, plan: Plan, fault: Callable[[str], str] = lambda _: "") -> None:
        self._plan, self._fault = plan, fault
        self._known: set[tuple[str, str]] = set()
        self.delivered: list[tuple[str, str, str]] = []

    def send(self, alert: Alert) -> Outcome:
        """Tells every receiver that does not know yet."""
        incident = alert.incident
        owner = self._plan.owners.get(incident.owner)
        receipts: list[Receipt] = []
        for receiver in receivers_of(owner, incident.severity) if owner is not None else ():
            reason = "" if (alert.id, receiver) in self._known else self._fault(receiver)
            if not reason and (alert.id, receiver) not in self._known:
                self._known.add((alert.id, receiver))
                self.delivered.append((receiver, title(incident, alert.event), body(incident, alert.event, self._plan)))
            receipts.append(Receipt(receiver, reason))
        failed = "; ".join(f"{receipt.receiver}: {receipt.reason}" for receipt in receipts if receipt.reason)
        return Retry(failed, tuple(receipts)) if failed else Delivered(tuple(receipts))


class MemoryShelf:
    """Keeps dead letters in a list; raises OSError while `full` is set."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.full = False

    def write(self, line: bytes) -> None:
        if self.full:
            raise OSError("no space left")
        self.lines.append(line)
