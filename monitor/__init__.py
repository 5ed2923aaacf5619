"""raincheck: watches models in service and pages their owners within a stated budget of false pages.

`backtest` and `learn` are loaded when they are first asked for, so that the daemon's engine needs neither pandas nor Kafka.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitor.backtesting import Learnt, backtest, learn
    from monitor.results import Result

__all__ = ["Learnt", "Result", "backtest", "learn"]


def __getattr__(name: str) -> Any:
    if name == "Result":
        from monitor.results import Result

        return Result
    if name in __all__:
        from monitor import backtesting

        return getattr(backtesting, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
