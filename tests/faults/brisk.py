"""raincheck with a shorter breath: what it does every five or ten seconds it does several times a second, so that faults are quick to see.

`brisk.py die-at-restart ...` is killed right after the transaction in which a topic made anew was first read;
`brisk.py release-soon ...` waits for a silent partition for a second.
"""

from __future__ import annotations

import os
import signal
import sys

from monitor import rounds, watermark
from monitor.__main__ import main
from monitor.changes import Changes
from monitor.sources.kafka import KafkaSource
from monitor.stores.sqlite import SqliteStore


def die_at_restart() -> None:
    save = SqliteStore.save

    def and_die(self: SqliteStore, changes: Changes) -> None:
        save(self, changes)
        if any(row.kind == "restart" for row in changes.inputs):
            os.kill(os.getpid(), signal.SIGKILL)

    SqliteStore.save = and_die  # type: ignore[method-assign]


def release_soon() -> None:
    watermark.IDLE_MS = 1000


MOODS = {"die-at-restart": die_at_restart, "release-soon": release_soon}

if __name__ == "__main__":
    rounds.TICK_S = 0.3
    assert KafkaSource.__init__.__kwdefaults__ is not None
    KafkaSource.__init__.__kwdefaults__.update(probe_s=0.3, topics_s=0.5, look_s=0.3)
    arguments = sys.argv[1:]
    if arguments[0] in MOODS:
        MOODS[arguments[0]]()
        arguments = arguments[1:]
    sys.exit(main(arguments))
