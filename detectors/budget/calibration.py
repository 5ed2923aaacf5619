"""What normal looks like, learnt once from the reference: from counts to the law of every stream when nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta as beta_law

from detectors.budget import season
from detectors.budget.evidence import HORIZONS, LAMBDAS, bet_weights
from detectors.budget.history import History
from detectors.budget.innovation import Wander
from detectors.budget.packing import pack, unpack
from detectors.budget.series import Series, series, totals_and_typical
from detectors.budget.stage import stage_of
from detectors.layout import Column
from detectors.streams.cells import Layout, layout
from detectors.streams.shape import Panel, Rates, Shape, Stream, shape
from detectors.streams.weights import CADENCES

Floats = NDArray[np.float64]
VERSION = 1


class TooLittle(ValueError):
    """The history cannot be learnt from yet; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner asked for: `budget_ms` is event time per tolerated false page, `safety` the factor on it (None: by the reference's length).

    `location` (sd), `scale` (ratio less one), `rate` (share) and `psi` (bias-corrected) are effects below which nobody is woken.
    """

    window_ms: int
    timezone: str = "UTC"
    budget_ms: float = 30 * 86_400_000.0
    safety: float | None = None
    location: float = 0.1
    scale: float = 0.1
    rate: float = 0.005
    psi: float = 0.02


@dataclass(frozen=True, slots=True)
class Calibration:
    """Immutable; arrays are per stream unless said otherwise. `season` (columns, streams), `cost` (streams, lambdas)."""

    options: Options
    shape: Shape
    cadences: tuple[int, ...]
    days: float
    season: Floats
    wander: Wander
    effect_mean: Floats
    dead: Floats
    cost: Floats
    kappa: Floats
    upper: Floats
    bunching: Floats
    clip: float
    report: dict[str, Any]

    @property
    def weights(self) -> Floats:
        """Weights of all sums, shape (streams, 2, bets)."""
        return bet_weights(np.array([s.weight for s in self.shape.streams]), np.array([s.law == "signed" for s in self.shape.streams]))

    @property
    def threshold(self) -> float:
        """A, in windows; infinite where the reference is too short for pages."""
        if not self.may_page:
            return float("inf")
        safety = self.options.safety if self.options.safety is not None else stage_of(self.days).safety
        return safety * self.options.budget_ms / self.options.window_ms

    @property
    def ticket(self) -> float:
        """One day, in windows."""
        return max(86_400_000 / self.options.window_ms, 2.0)

    @property
    def may_page(self) -> bool:
        """Whether the reference is long enough for pages; otherwise tickets only."""
        return stage_of(self.days).pages

    def pack(self) -> bytes:
        """Versioned bytes without pickle; `unpack` gives an equal calibration."""
        s = self.shape
        arrays: dict[str, NDArray[Any]] = {"bounds": s.layout.bounds, "season": self.season.astype(np.float32)}
        for name in PER_STREAM:
            arrays[name] = getattr(self, name)
        arrays |= {f"wander.{k}": getattr(self.wander, k) for k in Wander.__slots__}
        for kind, panel in (("numeric", s.numeric), ("categorical", s.categorical)):
            arrays[f"{kind}.columns"], arrays[f"{kind}.places"], arrays[f"{kind}.shares"] = panel.columns, panel.places, panel.shares
            arrays[f"{kind}.merge"] = panel.merge.astype(np.uint8)
        arrays |= {f"rates.{k}": getattr(s.rates, k) for k in ("columns", "places", "bounds", "share")}
        header = {
            "kind": "calibration", "version": VERSION, "options": asdict(self.options), "columns": [asdict(c) for c in s.layout.columns],
            "rates": s.rates.names, "streams": [asdict(x) for x in s.streams], "cadences": self.cadences, "days": self.days,
            "clip": self.clip, "report": self.report,
        }  # fmt: skip
        return pack(header, arrays)

    @staticmethod
    def unpack(data: bytes) -> Calibration:
        """Raises ValueError when the bytes are damaged, or of another kind or version."""
        head, a = unpack(data)
        if (head.get("kind"), head.get("version")) != ("calibration", VERSION):
            raise ValueError(
                f"calibration: expected version {VERSION}, got {head.get('kind')} {head.get('version')}; learn the reference again"
            )
        columns = tuple(Column(**c) for c in head["columns"])
        panels = [
            Panel(a[f"{k}.columns"], a[f"{k}.places"], a[f"{k}.shares"], a[f"{k}.merge"].astype(float)) for k in ("numeric", "categorical")
        ]
        rates = Rates(a["rates.columns"], a["rates.places"], a["rates.bounds"], a["rates.share"], tuple(head["rates"]))
        frozen = Shape(Layout(columns, a["bounds"]), panels[0], panels[1], rates, tuple(Stream(**x) for x in head["streams"]))
        wander = Wander(**{k: a[f"wander.{k}"] for k in Wander.__slots__})
        return Calibration(
            Options(**head["options"]), frozen, tuple(head["cadences"]), head["days"], a["season"].astype(float), wander,
            *(a[name] for name in PER_STREAM), head["clip"], head["report"],
        )  # fmt: skip


PER_STREAM = ("effect_mean", "dead", "cost", "kappa", "upper", "bunching")


def calibrate(columns: Sequence[Column], history: History, options: Options, cells: Mapping[str, Floats] | None = None) -> Calibration:
    """Learn the law of every stream under "nothing changed" from the closed windows of a reference.

    `columns` as folded, `history` their counts, `cells` optional mean values per quantile cell of numeric columns.
    Raises ValueError when the history is empty, of other windows, or lacks a column.
    """
    if history.window_ms != options.window_ms:
        raise ValueError(f"calibration: history has windows of {history.window_ms} ms, the model of {options.window_ms} ms")
    missing = [c.name for c in columns if c.name not in history.counts]
    if missing:
        raise ValueError(f"calibration: history lacks column(s) {', '.join(missing)}")
    if len(history.start_ms) < 2:
        raise TooLittle(f"calibration: {len(history.start_ms)} windows of history, at least 2 are needed")
    place = layout(columns, {c.name: history.counts[c.name].shape[1] for c in columns})
    totals, typical = totals_and_typical(place, history)
    span = history.span_ms / history.window_ms
    cadences = tuple(c for c in CADENCES if c == 1 or (span / c >= 40 and c * history.window_ms <= 3 * 86_400_000))
    frozen = shape(place, totals, typical, cadences)
    past = series(frozen, cadences, history)
    signed = np.array([s.law == "signed" for s in frozen.streams])
    beta, rest = season.fit(past, frozen.streams, options.timezone, options.window_ms, history.days)
    inverse = np.where(signed, 1 / np.maximum(past.events, 1), 1.0)
    count = np.maximum(past.seen.sum(0), 1)
    variance = np.where(past.seen, rest**2, 0).sum(0) / count
    noise = np.where(past.seen, inverse, 0).sum(0) / count
    a = np.clip(variance / np.maximum(noise, 1e-12), 1e-6, np.where(signed, 1.0, np.inf))
    white = np.maximum(variance - a * noise, 0.0)
    S = len(frozen.streams)
    wander = Wander(np.full(S, 0.9), np.zeros(S), a, white, np.ones(S))
    stage = stage_of(history.days)
    v = np.ones((S, len(HORIZONS)))
    dead = stage.dead * np.sqrt(2.0 * v[:, -1] / count)
    at = np.minimum(np.searchsorted(HORIZONS, np.clip(16 / LAMBDAS**2, 1, 256) * 0.999), len(HORIZONS) - 1)
    cost = LAMBDAS**2 / 2 * v[:, at]
    if not stage.pages:
        cost[:, LAMBDAS < 1] = 1e9
    upper, bunching = _rare(past, frozen)
    report = {"days": history.days, "stage": asdict(stage), "streams": S, "clip": 8.0}
    effect = np.where(
        signed | (np.array([s.law for s in frozen.streams]) == "rate"), 0.0, np.where(past.seen, past.effect, 0).sum(0) / count
    )
    return Calibration(
        options, frozen, cadences, history.days, beta, wander, effect, dead, cost, np.full(S, stage.inflation), upper, bunching, 8.0,
        json.loads(json.dumps(report)),
    )  # fmt: skip


def _rare(past: Series, frozen: Shape) -> tuple[Floats, Floats]:
    """Upper 95 % limit of every rare rate, and by how much its events come in bunches."""
    n = past.events.sum(0)
    hits = np.where([s.law == "rate" for s in frozen.streams], past.value.sum(0), 0.0)
    upper = np.where(n > 0, beta_law.ppf(0.95, hits + 1, np.maximum(n - hits, 0) + 1e-9), 1.0)
    expected = past.events * (hits / np.maximum(n, 1))
    chi = np.where(expected > 0, (past.value - expected) ** 2 / np.where(expected > 0, expected, 1.0), 0.0).sum(0)
    return upper, np.maximum(np.where(hits > 0, chi / np.maximum(past.seen.sum(0), 1), 1.0), 1.0)
