"""raincheck whose reading hangs: `hung.py client|engine SECONDS run ...`, where SECONDS is how long it is borne (0: as it is delivered).

client: kafka-python's poll does not return, as after an exception that somebody polled through. engine: the round hangs elsewhere,
where no watchdog of the source looks.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from monitor import office
from monitor.__main__ import main
from monitor.sources.kafka import KafkaSource
from monitor.sources.kafka_client import KafkaClient


def hang(*arguments: Any) -> Any:
    del arguments
    threading.Event().wait()


if __name__ == "__main__":
    where, patience_s, *rest = sys.argv[1:]
    if where == "client":
        KafkaClient.poll = hang  # type: ignore[method-assign, assignment]
    else:
        KafkaSource.poll = hang  # type: ignore[method-assign, assignment]
    if float(patience_s):
        assert KafkaSource.__init__.__kwdefaults__ is not None
        KafkaSource.__init__.__kwdefaults__["patience_s"] = float(patience_s)
        office.STALLED_S = {stage: float(patience_s) for stage in office.STALLED_S}
    sys.exit(main(rest))
