"""All that a state file gives to anybody, to be compared."""

from __future__ import annotations

from pathlib import Path

import msgspec

from monitor.stores.export import exported
from monitor.stores.packing import pack_pane
from monitor.stores.sqlite import SqliteStore


def everything(path: Path) -> bytes:
    """All that a store gives to anybody, as bytes to be compared; Corrupt or Misconfigured where it refuses."""
    store = SqliteStore(path, reader=True)
    try:
        found = store.load()
        panes = sorted((partition, *key, pack_pane(pane)) for (partition, key), pane in found.panes.items())
        counts = sorted((*key, n) for key, n in found.counts.items())
        body = (found.marks, found.evidence, found.references, found.incidents, found.alerts, found.next_input, store.inputs())
        windows = [row for model in found.evidence for row in store.windows(model, 0, 1 << 60)]
        names = [name for (name,) in store._db.execute('SELECT name FROM "references" ORDER BY rowid')]
        references = [store.reference(name) for name in names]
        rest = (store.pending(), store.identities(), store.outcomes(), windows, references)
        return msgspec.json.encode((exported(store), msgspec.to_builtins(body), panes, counts, msgspec.to_builtins(rest)))
    finally:
        store.close()
