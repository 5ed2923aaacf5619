"""What the board keeps in memory: the newest of what is over, all of what is open."""

from __future__ import annotations

from monitor import config
from monitor.board import KEPT_INCIDENTS, Board
from monitor.changes import Changes
from monitor.engine import Engine
from monitor.incident import Incident
from monitor.stores.memory import MemoryStore

PLAN = config.compile(
    {
        "streams": {"in": {"topic": "in", "role": "inputs", "fields": {"time": "at", "model": "model"}}},
        "owners": {"team": {}},
        "models": {
            "m": {"owner": "team", "window": "1h", "schema": {"features": {"x": {"kind": "numeric"}}}, "reference": {"learn": "7d"}}
        },
    }
)


def incident(number: int, resolved: bool) -> Incident:
    return Incident(
        f"i-{number}", "m", "team", "page", "rule", number, number, (), 0.0, 0.0, "", resolved_ms=number + 1 if resolved else None
    )


def test_old_resolved_incidents_leave_and_open_ones_never() -> None:
    store = MemoryStore()
    engine, board = Engine(PLAN, store.load()), Board(PLAN)
    first = {one.id: one for one in [incident(0, False), *(incident(n, True) for n in range(1, 50))]}
    store.save(Changes(incidents=first))
    board.restore(store, engine)
    assert len(board.incidents()) == 50
    for start in range(50, 50 + 3 * KEPT_INCIDENTS, 500):
        board.show(Changes(incidents={one.id: one for one in (incident(n, True) for n in range(start, start + 500))}), engine)
    shown = board.incidents()
    last = 50 + 3 * KEPT_INCIDENTS - 1
    assert [i.opened_ms for i in shown] == [*range(last, last - KEPT_INCIDENTS, -1), 0]
