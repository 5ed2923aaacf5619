"""What tables about the judge are made of: a model, a window, what its evidence reads, a page that is open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detectors.budget.chain import Lead, Reading
from monitor import config
from monitor.incident import Incident
from monitor.judge import Judged, judge
from monitor.plan import DAY_MS, Model
from monitor.rules import Closed
from monitor.standing import Standing

A, TICKET = 4.0, 2.5
HOUR = 3_600_000
NOW = 100 * DAY_MS


def model(**more: Any) -> Model:
    plan = config.compile(
        {
            "owners": {"team": {}},
            "models": {
                "m": {
                    "owner": "team",
                    "window": "1h",
                    "schema": {
                        "features": {"x": {"kind": "numeric"}, "frame": {"kind": "image"}, "e": {"kind": "embedding"}},
                        "prediction": {"class": "label"},
                    },
                }
                | more
            },
        }
    )
    return plan.models["m"]


def lead(subject: str = "x", share: float = 1.0, alone: float = 0.0, column: str = "", group: str = "inputs") -> Lead:
    return Lead(
        column or subject, subject, group, "location", "up", 1.0, "sd", share, NOW - 3 * HOUR, 60, alone, 0, 0.0
    )  # fmt: skip


def reading(m: float, *leads: Lead, effect_ok: bool = True, recovered: bool | None = None) -> Reading:
    shares: dict[str, float] = {}
    for one in leads:
        shares[one.subject] = shares.get(one.subject, 0.0) + one.share
    return Reading(m, A, TICKET, shares, leads, recovered, effect_ok, True, True)


def window(events: int = 60, **cells: list[int]) -> Closed:
    return Closed("m", NOW - HOUR, NOW, events, {name: np.array(c, np.int64) for name, c in cells.items()})


def page(**more: Any) -> Incident:
    subject = judged(reading(5.0, lead())).incidents[0].subjects
    return replace(
        Incident("m-statistical-page-1", "m", "team", "page", "statistical", NOW - HOUR, NOW - 3 * HOUR, subject, 5.0, A, "it moved"),
        **more,
    )


def judged(
    seen: Reading | None, *, plan: Model | None = None, standing: Standing | None = None, opened: tuple[Incident, ...] = ()
) -> Judged:
    return judge(plan or model(), standing or Standing(stage="judging"), window(), seen, opened, [], reference="ref")
