"""Direct pages through apprise: one URL per receiver, a hundred services, and `json://host:port/path` for a webhook of one's own."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from monitor.alert import Alert
from monitor.errors import Misconfigured
from monitor.log import events
from monitor.message import body, title
from monitor.metrics import Metrics
from monitor.plan import Plan
from monitor.secrets import reveal
from monitor.sinks.notifier import Delivered, Outcome, Receipt, Retry, receivers_of
from monitor.wall import monotonic

log = events("notify")
REMEMBERED: Final = 10_000  # (alert, receiver) pairs known to be delivered; older ones may be told twice after a long outage


class Notifier:
    """Sends alerts to their owners' receivers; one that fails neither blocks nor repeats the others.

    Delivery is at least once: what has been delivered is remembered in memory only, and the message carries the
    incident's id so that a receiver can tell a repeat. References such as `slack_file:secrets/slack` are read at each
    use, so that a rotated secret works without a restart; no log line and no outcome shows what they hold.
    """

    def __init__(self, plan: Plan, metrics: Metrics | None = None) -> None:
        self._plan, self._metrics = plan, metrics
        self._delivered: OrderedDict[tuple[str, str], None] = OrderedDict()

    def send(self, alert: Alert) -> Outcome:
        """Tells every receiver that does not know yet."""
        incident = alert.incident
        owner = self._plan.owners.get(incident.owner)
        receivers = receivers_of(owner, incident.severity) if owner is not None else ()
        if not receivers:
            log.info("nobody_to_notify", owner=incident.owner, severity=incident.severity, alert=alert.id)
            return Delivered()
        receipts = tuple(self._tell(alert, receiver) for receiver in receivers)
        failed = [f"{receipt.receiver}: {receipt.reason}" for receipt in receipts if receipt.reason]
        return Retry("; ".join(failed), receipts) if failed else Delivered(receipts)

    def _tell(self, alert: Alert, receiver: str) -> Receipt:
        name = redacted(receiver)
        if (alert.id, receiver) in self._delivered:
            return Receipt(name)
        team = alert.incident.owner
        start = monotonic()
        reason = _post(receiver, title(alert.incident, alert.event), body(alert.incident, alert.event, self._plan), alert)
        if self._metrics is not None:
            self._metrics.inc("raincheck_notifications_total", team=team)
            self._metrics.observe("raincheck_notification_duration_seconds", monotonic() - start, team=team)
        if reason:
            if self._metrics is not None:
                self._metrics.inc("raincheck_notification_failures_total", team=team)
            log.warning("notification_failed", owner=team, receiver=name, alert=alert.id, reason=reason)
            return Receipt(name, reason)
        self._delivered[alert.id, receiver] = None
        if len(self._delivered) > REMEMBERED:
            self._delivered.popitem(last=False)
        log.info("notification_delivered", owner=team, receiver=name, alert=alert.id)
        return Receipt(name)


def redacted(receiver: str) -> str:
    """A receiver without what could be a secret: the service and the host, or the reference as it stands in the plan.

    >>> redacted("slack_file:secrets/slack"), redacted("slack://T1/B2/C3"), redacted("json://user:pw@127.0.0.1:99/hook?k=v")
    ('slack_file:secrets/slack', 'slack://***', 'json://127.0.0.1:99/***')
    """
    scheme, found, rest = receiver.partition("://")
    if not found:
        return receiver
    if scheme.rstrip("s") not in ("json", "form", "xml"):
        return f"{scheme}://***"  # most services carry their key in place of the host
    host, slash, _ = rest.partition("?")[0].rpartition("@")[2].partition("/")
    return f"{scheme}://{host}{slash and '/***'}"


def _post(receiver: str, head: str, text: str, alert: Alert) -> str:
    """Sends one message; the reason why it failed, or ""."""
    import apprise  # a hundred plug-ins: a second of import that a process without receivers never pays

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines carry URLs, keys and payloads
    try:
        service = apprise.Apprise.instantiate(reveal(receiver), suppress_exceptions=True)
        if service is None:
            return "no service understands this URL"
        kind = _KINDS["resolved" if alert.event == "resolved" else alert.incident.severity]
        return "" if service.notify(body=text, title=head, notify_type=apprise.NotifyType(kind)) else "the service did not take it"
    except Misconfigured as error:
        return "; ".join(mistake.problem for mistake in error.mistakes)
    except Exception as error:  # noqa: BLE001 - a plug-in of a third party must not end the daemon; its text may hold the key
        return f"the plug-in failed ({type(error).__name__})"


_KINDS: Final = {"page": "failure", "ticket": "warning", "note": "info", "resolved": "success"}
