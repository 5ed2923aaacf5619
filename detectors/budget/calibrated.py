"""The law of every stream under "nothing changed", as one immutable value that packs into bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget.calendar import Zone
from detectors.budget.clock import Clock, unpacked
from detectors.budget.evidence import bet_weights
from detectors.budget.innovation import Wander
from detectors.budget.packing import pack, unpack
from detectors.budget.pooled import Pool
from detectors.budget.stage import Stage, stage_of
from detectors.layout import Column
from detectors.streams.cells import Layout
from detectors.streams.shape import Panel, Rates, Shape, Stream

Floats = NDArray[np.float64]
VERSION = 8
AUTO = "auto"  # the time zone that is found in the traffic
UTC_ALWAYS = Clock()


class TooLittle(ValueError):  # noqa: N818 - not a mistake of anybody's: the answer "not yet", with what is lacking
    """The history cannot be learnt from yet; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner asked for.

    `timezone` is an IANA name, or `auto`. `budget_ms` is event time per tolerated false page, `safety` the factor on it (None: by
    the reference's length). `location` (sd), `scale` (ratio less one), `rate` (share) and `psi` (bias-corrected) are effects below
    which nobody is woken.
    """

    window_ms: int
    timezone: str = "UTC"
    budget_ms: float = 30 * 86_400_000.0
    safety: float | None = None
    location: float = 0.1
    scale: float = 0.1
    rate: float = 0.005
    psi: float = 0.02

    def zone(self, clock: Clock) -> Zone:
        """The named zone, or the clock that was found where none is."""
        return clock if self.timezone == AUTO else self.timezone


@dataclass(frozen=True, slots=True)
class Learnt:
    """Arrays of a calibration. P calendar columns, K columns of B cells, S streams; `tails`, `dead`, `cost`, `kappa` go on with
    the pooled streams.

    `gamma` (P, K, B - 1) profile of the cells; `season` (P, S) what is left of the season; `sharp` the m
    streams with `slots` (half hours of the week, m) of their own, `habit` (E,) of the five minutes `moment` (E,) of the week, ascending, of
    streams `moment_of` (E,); `effect_mean` (S,) effect of the
    one-sided streams in the reference; `tails` (2, knots, S); `dead`, `kappa` (S,), `cost` (S, lambdas) price of the bets;
    `upper` (hours, S) limits of the rare rates.
    """

    gamma: Floats
    season: Floats
    sharp: NDArray[np.int64]
    slots: Floats
    moment: NDArray[np.int64]
    moment_of: NDArray[np.int64]
    habit: Floats
    effect_mean: Floats
    tails: Floats
    dead: Floats
    cost: Floats
    kappa: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Immutable. `days` is the reference's length, `clip` the bound on z, `report` what people are told about it (JSON),
    `clock` what was found where no time zone was named."""

    options: Options
    shape: Shape
    cadences: tuple[int, ...]
    days: float
    learnt: Learnt
    wander: Wander
    pool: Pool
    clip: float
    report: dict[str, Any]
    clock: Clock = UTC_ALWAYS

    @property
    def zone(self) -> Zone:
        """Whose time of day the season follows."""
        return self.options.zone(self.clock)

    def under(self, clock: Clock) -> Calibration:
        """The same, read by another clock: `State.clock`, before live windows are refitted, rebased or held against the reference."""
        return replace(self, clock=clock)

    @property
    def stage(self) -> Stage:
        return stage_of(self.days)

    @property
    def weights(self) -> Floats:
        """Weights of all sums, shape (S + P, 2, bets)."""
        return self.combined(bet_weights(np.array([s.weight for s in self.shape.streams]), self.shape.signed), self.pool)

    @staticmethod
    def combined(weights: Floats, pool: Pool) -> Floats:
        """Weights of the streams' sums, scaled to make room for the pooled ones', which follow."""
        if not pool.size:
            return weights
        return np.concatenate([weights * (1 - pool.weight.sum()), bet_weights(pool.weight, pool.signed)])

    @property
    def threshold(self) -> float:
        """A, in windows; infinite where the reference is too short for pages."""
        if not self.stage.pages:
            return float("inf")
        safety = self.options.safety if self.options.safety is not None else self.stage.safety
        return safety * self.options.budget_ms / self.options.window_ms

    @property
    def ticket(self) -> float:
        """One day, in windows."""
        return max(86_400_000 / self.options.window_ms, 2.0)

    def pack(self) -> bytes:
        """Versioned bytes without pickle; what `unpack` makes of them packs to the same bytes."""
        s = self.shape
        arrays: dict[str, NDArray[Any]] = {"layout.bounds": s.layout.bounds}
        for prefix, part in (("learnt", self.learnt), ("wander", self.wander), ("pool", self.pool), ("panel", s.panel), ("rates", s.rates)):
            arrays |= {f"{prefix}.{f.name}": narrow(f.name, getattr(part, f.name)) for f in fields(part)}
        header = {
            "kind": "calibration", "version": VERSION, "options": asdict(self.options), "columns": [asdict(c) for c in s.layout.columns],
            "streams": [asdict(x) for x in s.streams], "cadences": self.cadences, "days": self.days,
            "clip": self.clip, "report": self.report, "clock": asdict(self.clock),
        }  # fmt: skip
        return pack(header, arrays)

    @staticmethod
    def unpack(data: bytes) -> Calibration:
        """Raises ValueError when the bytes are damaged, or of another kind or version."""
        head, arrays = unpack(data)
        if (head.get("kind"), head.get("version")) != ("calibration", VERSION):
            found = f"{head.get('kind')} of version {head.get('version')}"
            raise ValueError(f"calibration: version {VERSION} expected, {found} found; learn the reference again")

        def part(prefix: str, kind: Any) -> Any:
            return kind(**{f.name: widen(arrays[f"{prefix}.{f.name}"]) for f in fields(kind)})

        columns = tuple(Column(**c) for c in head["columns"])
        shape = Shape(
            Layout(columns, arrays["layout.bounds"]),
            part("panel", Panel),
            part("rates", Rates),
            tuple(Stream(**x) for x in head["streams"]),
        )
        return Calibration(
            Options(**head["options"]), shape, tuple(head["cadences"]), head["days"], part("learnt", Learnt),
            part("wander", Wander), part("pool", Pool),
            head["clip"], head["report"], unpacked(head["clock"]),
        )  # fmt: skip


def narrow(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Half the bytes where single precision is enough; `calibrate` rounds there too, so nothing changes by packing."""
    if name in ("gamma", "season", "slots", "habit", "upper"):
        return array.astype(np.float32)
    return array.astype(np.int32) if array.dtype == np.int64 else array


def widen(array: NDArray[Any]) -> NDArray[Any]:
    """Inverse of `narrow`, for values that were rounded."""
    return array.astype({"f": np.float64, "i": np.int64}.get(array.dtype.kind, array.dtype))
