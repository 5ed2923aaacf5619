"""The Alertmanager's side: who receives what, what holds back what, as one configuration or to be spliced into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from alerts.models import kept_labels
from alerts.pipeline import WATCHDOG
from monitor.plan import DAY_MS, Owner, Plan

# A page is repeated when the daemon would repeat it, but not later than the Alertmanager remembers having sent it (120 h by default).
LONGEST_MS: Final = 4 * DAY_MS
HOUR_MS: Final = 3_600_000
WEBHOOKS: Final = {"json": "http", "jsons": "https"}
# what one failure brings along: source, and the alerts that say nothing new beside it
CONSEQUENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "RaincheckSaveFailing": ("RaincheckStalled",),
    "RaincheckSourceUnreachable": (
        "RaincheckLagGrowing", "RaincheckNothingJudged", "RaincheckNotReady", "RaincheckStreamSilent", "RaincheckWindowOverdue",
    ),
    "RaincheckCourierStalled": ("RaincheckNotReady",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver by its name; `webhooks` are addresses that can be taken from the plan, `missing` what must be said by hand, and why."""

    name: str
    webhooks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def receivers(plan: Plan, platform: str) -> tuple[Receiver, ...]:
    """Two per owner, in the order of their names, and the dead man's; `platform` is the owner who runs raincheck, in the plan or not."""
    found = [Receiver("watchdog", missing=("a service outside that raises the alarm when it hears nothing",))]
    for name in sorted({*plan.owners, platform}):
        owner = plan.owners.get(name, Owner(name))
        for severity, addresses in (("page", owner.page or owner.ticket), ("ticket", owner.ticket)):
            found.append(_receiver(f"{name}-{severity}", addresses))
    return tuple(found)


def routes(plan: Plan, platform: str) -> dict[str, Any]:
    """The tree of routes. What matches nothing goes to whoever runs raincheck: no alert is without a receiver."""
    owners = []
    for name in sorted(plan.owners):
        mine = [model.max_latch_ms for model in plan.models.values() if model.owner == name]
        if mine:
            below = [{"matchers": [_is("severity", "ticket")], "receiver": f"{name}-ticket"}]
            matchers = [_is("component", "drift"), _is("owner", name)]
            every = f"{min(*mine, LONGEST_MS) // HOUR_MS}h"
            owners.append(
                {
                    "matchers": matchers, "receiver": f"{name}-page", "group_by": ["alertname", "model"], "repeat_interval": every,
                    "routes": below,
                }
            )  # fmt: skip
    watchdog = {
        "matchers": [_is("alertname", WATCHDOG)], "receiver": "watchdog",
        "group_wait": "0s", "group_interval": "1m", "repeat_interval": "5m",
    }  # fmt: skip
    pipeline = {
        "matchers": [_is("component", "pipeline")], "receiver": f"{platform}-page", "group_by": ["alertname", "job"],
        "routes": [{"matchers": [_is("severity", "ticket")], "receiver": f"{platform}-ticket", "repeat_interval": "1d"}],
    }  # fmt: skip
    return {
        "receiver": f"{platform}-page",
        "group_by": ["alertname"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "4h",
        "routes": [watchdog, pipeline, *owners],
    }


def inhibitions(plan: Plan) -> list[dict[str, Any]]:
    """Drift is held back while its verdict is in doubt, a ticket while a page of its model is open, a consequence beside its cause."""
    doubt = {"target_matchers": ['scope!="all"', 'component=~"drift|pipeline"']}
    found: list[dict[str, Any]] = [
        {"source_matchers": [_is("component", "pipeline"), _is("scope", "all")], **doubt, "equal": list(kept_labels(plan))},
        {
            "source_matchers": [_is("component", "drift"), _is("severity", "page")],
            "target_matchers": [_is("component", "drift"), _is("severity", "ticket")],
            "equal": ["job", "model"],
        },
    ]
    if kept_labels(plan) != ("job",):  # an absent job has no instance
        found.append({"source_matchers": [_is("alertname", "RaincheckAbsent")], **doubt, "equal": ["job"]})
    for cause, effects in CONSEQUENCES.items():
        targets = [f'alertname=~"{"|".join(effects)}"']
        found.append({"source_matchers": [_is("alertname", cause)], "target_matchers": targets, "equal": ["job"]})
    return found


def receiver_yaml(receiver: Receiver) -> dict[str, Any]:
    hooks = [{"url": url, "send_resolved": True} for url in receiver.webhooks]
    return {"name": receiver.name, **({"webhook_configs": hooks} if hooks else {})}


def _receiver(name: str, addresses: Iterable[str]) -> Receiver:
    hooks, missing = [], []
    for address in addresses:
        url = webhook(address)
        if url is None:
            missing.append(f"{_shown(address)} of the configuration, in Alertmanager's own words")
        else:
            hooks.append(url)
    if not hooks and not missing:
        missing.append("an address: the configuration names none")
    return Receiver(name, tuple(hooks), tuple(missing))


def webhook(address: str) -> str | None:
    """The address of a plain webhook; None where only the service's own plug-in knows how to call it, or where a secret stands in it.

    >>> webhook("jsons://hooks.example/page"), webhook("slack_file:secrets/slack"), webhook("json://me:secret@hooks.example/")
    ('https://hooks.example/page', None, None)
    """
    scheme, found, rest = address.partition("://")
    if not found or scheme not in WEBHOOKS or "?" in rest or "@" in urlsplit(f"//{rest}").netloc:
        return None
    return f"{WEBHOOKS[scheme]}://{rest}"


def _shown(address: str) -> str:
    """An address in a comment: of a service only its name, since the rest may be the key.

    >>> _shown("slack_file:/run/secrets/slack"), _shown("mailto://me@example.org"), _shown("${HOOK}")
    ('slack_file:/run/secrets/slack', 'mailto://...', '${HOOK}')
    """
    scheme, found, _ = address.partition("://")
    return f"{scheme}://..." if found else address


def _is(label: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{label}="{escaped}"'
