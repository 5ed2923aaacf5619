"""The state as JSON: what `raincheck state export` prints, and what two runs over the same records are compared by."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import Any

from monitor.incident import Incident
from monitor.stores.store import Store
from monitor.verdict import Verdict


def exported(store: Store) -> dict[str, Any]:
    """Verdicts, incidents, counts by reason and positions, each in an order of its own that does not depend on arrival."""
    snapshot = store.load()
    return {
        "verdicts": [plain(v) for v in store.verdicts()],
        "incidents": [plain(i) for i in sorted(store.incidents(), key=lambda i: (i.opened_ms, i.id))],
        "counts": [{"of": of, "reason": reason, "count": n} for (of, reason), n in sorted(snapshot.counts.items())],
        "offsets": {p: {"next_offset": m.next_offset, "records": m.records} for p, m in sorted(snapshot.marks.items())},
        "outcomes": len(store.outcomes()),
    }


def plain(value: Verdict | Incident) -> dict[str, Any]:
    """A verdict or an incident in JSON's types: `start_ms` becomes an ISO time `start`, what is not finite becomes null."""
    return {_name(key): _plain(key, item) for key, item in dataclasses.asdict(value).items()}


def iso(time_ms: int) -> str:
    """UTC in ISO 8601.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _name(key: str) -> str:
    return key.removesuffix("_ms")


def _plain(key: str, item: Any) -> Any:
    if key.endswith("_ms"):
        return None if item is None else iso(item)
    if isinstance(item, float) and not math.isfinite(item):
        return None
    if isinstance(item, dict):
        return {_name(k): _plain(k, v) for k, v in item.items()}
    if isinstance(item, list | tuple):
        return [_plain("", x) for x in item]
    return item
