"""From finished cells of the detection bench to figures, and to tables that a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean as mean
from statistics import median
from typing import Any, TypeAlias

from detectors.scoring import poisson_upper
from monitor.bench import peers, sequences

Cell: TypeAlias = dict[str, Any]
PEERS = (*peers.PEERS, *sequences.PEERS)
SAID = {"ks": "KS", "psi": "PSI", "js": "JS", "chi2": "chi-square", "adwin": "ADWIN", "page_hinkley": "Page-Hinkley",
        "page_hinkley, half an sd": "Page-Hinkley", "kswin": "KSWIN"}  # fmt: skip


def figures(cells: Sequence[Cell]) -> dict[str, float]:
    """Figures by row of the protocol."""
    out: dict[str, float] = {}
    models = [c for c in cells if "pages" in c]
    for group, mine in _by(models, "case"):
        span = sum(c["months"] for c in mine)
        out[f"false pages a month, {group}"] = sum(c["pages"] for c in mine) / span
        out[f"false pages a month at the budget itself, {group}"] = sum(c["pages_at_budget"] for c in mine) / span
    for group, mine in [*((f", row {row}", mine) for row, mine in _by(models, "row")), ("", models)]:
        span, pages = sum(c["months"] for c in mine), sum(c["pages"] for c in mine)
        if span:
            out[f"months{group}"], out[f"false pages a month{group}"] = span, pages / span
            out[f"false pages a month{group}, 95 % upper limit"] = poisson_upper(pages) / span
    for case, mine in _by([c for c in cells if "drifts" in c], "case"):
        found = [d for c in mine for d in c["drifts"]]
        out |= dict(_delays(case, found))
        lives = [c["life"] for c in mine]
        out[f"pages of a 3-day drift, {case}"] = mean([x["pages"] for x in lives])
        ended = [x["recovered"] for x in lives if x["recovered"] is not None]
        out[f"windows to recovery after a 3-day drift, {case}"] = mean(ended) if ended else float("nan")
    for name in ("calibration_s", "month_s", "calibration_bytes", "step_ms", "state_bytes"):
        out |= {name: mean([c[name] for c in models])} if models else {}
    answered = [c["figures"] for c in cells if "figures" in c]
    return out | {name: mean([f[name] for f in answered]) for name in (answered[0] if answered else ())}


def tables(cells: Sequence[Cell]) -> str:
    """Months and pages of each kind of traffic; delay and misses of each drift beside the best peer's, and which that is."""
    models = [c for c in cells if "pages" in c]
    lines = ["| traffic | months | pages at A | at the budget | at a tenth of it |", "| --- | --- | --- | --- | --- |"]
    for case, mine in _by(models, "case"):
        span, *pages = (sum(c[k] for c in mine) for k in ("months", "pages", "pages_at_budget", "pages_at_tenth"))
        lines.append(f"| {case} | {span:g} | " + " | ".join(map(str, pages)) + " |")
    for case, mine in _by([c for c in cells if "drifts" in c], "case"):
        lines += ["", f"| drift, {case} | of | ours [missed] | best peer [missed] | which |", "| --- | --- | --- | --- | --- |"]
        for drift, some in _by([d for c in mine for d in c["drifts"]], "drift"):
            best = _best(some)
            ours, others = (f"{_delay(some, who):.3g} [{_missed(some, who):.2f}]" for who in ("delay", best))
            lines.append(f"| {drift} | {len(some)} | {ours} | {others} | {SAID[best] if _missed(some, best) < 1 else 'none'} |")
    return "\n".join(lines)


def _by(cells: Sequence[Cell], key: str) -> list[tuple[Any, list[Cell]]]:
    """Cells that share a value, in order of appearance."""
    return [(value, [c for c in cells if c[key] == value]) for value in dict.fromkeys(c[key] for c in cells)]


def _delay(found: Sequence[Cell], who: str) -> float:
    """Mean delay in windows, misses counted at the horizon."""
    return mean(d[who] or d["horizon"] for d in found)


def _missed(found: Sequence[Cell], who: str) -> float:
    return mean(d[who] is None for d in found)


def _best(found: Sequence[Cell]) -> str:
    return min(PEERS, key=lambda who: (_delay(found, who), _missed(found, who)))


def _delays(case: str, found: list[Cell]) -> Iterator[tuple[str, float]]:
    for name, mine in _by(found, "drift"):
        yield f"delay, {name}, {case}", _delay(mine, "delay")
        yield f"missed, {name}, {case}", _missed(mine, "delay")
        yield f"delay of the best peer, {name}, {case}", _delay(mine, _best(mine))
        yield f"missed by the best peer, {name}, {case}", min(_missed(mine, who) for who in PEERS)
    told = [d for d in found if d["delay"] is not None]
    if told:
        yield f"drifted feature first, {case}", mean([d["first"] for d in told])
        yield f"median onset error in windows, {case}", median([abs(d["onset_error"]) for d in told])
